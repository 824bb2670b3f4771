/**
 * Budgets for a terminal: those near their end by name, the others counted. And as levels for other
 * media. Pure.
 */
import type { Across } from "../finding/across.ts";
import { instantOf } from "../certificate/time.ts";
import { spanPhrase } from "./text.ts";
import { setPhrase } from "./phrases/limits.ts";
import { type Budget, timelineOf } from "../ratelimit/budget.ts";
import { type Account, accountOf } from "../ratelimit/ledger.ts";
import { DAY_MS } from "../ratelimit/limit.ts";
import { bar, type BudgetLevel, isLow } from "./budget.ts";
import type { Style } from "./style.ts";
import { tableLines } from "./table.ts";
import { count, wrap } from "./text.ts";

/** Rows shown; more are counted. */
const MAX_ROWS = 10;
const WEEK_MS = 7 * DAY_MS;

const NO_LEVELS: BudgetLevel["levels"] = [];

/**
 * The clusters that hold or held its certificates, sorted; where it is one, the list in `single`
 * that all its budgets share.
 */
function clustersOf(account: Account, single: Map<string, readonly string[]>): readonly string[] {
  const clusters = new Set<string>();
  for (const { issuance } of account.entries)
    for (const { cluster } of issuance.sources) if (cluster !== null) clusters.add(cluster);
  const [first] = clusters;
  if (clusters.size !== 1 || first === undefined) return [...clusters].toSorted();
  const shared = single.get(first) ?? [first];
  single.set(first, shared);
  return shared;
}

/** One budget as a level, with the clusters that hold or held its certificates. */
function budgetLevel(
  across: Across,
  budget: Budget,
  single: Map<string, readonly string[]>,
): BudgetLevel {
  const account = accountOf(across.ledger, budget.kind, budget.issuer, budget.key);
  const level: BudgetLevel = {
    name: budget.kind === "set" ? setPhrase(budget.key) : budget.key,
    kind: budget.kind,
    remaining: budget.atMost,
    atLeast: budget.atLeast,
    capacity: budget.limit.burst,
    nextSlotMs: budget.nextSlotMs,
    overshot: budget.overshot,
    fullAtMs: budget.fullAtMs,
    levels: NO_LEVELS,
    clusters: clustersOf(account, single),
  };
  // Nobody looks at the course of one that is full, and there may be a hundred thousand of them.
  if (budget.nextSlotMs === null) return level;
  const steps = (timelineOf(across.ledger, account, across.atMs) ?? []).filter(
    ({ issuance, effect }) => effect !== "renewal" && issuance.issuedAtMs >= across.atMs - WEEK_MS,
  );
  return {
    ...level,
    levels: [
      ...steps.map(({ issuance, leaves }) => ({ atMs: issuance.issuedAtMs, left: leaves })),
      { atMs: across.atMs, left: budget.atMost },
      { atMs: budget.nextSlotMs, left: budget.atMost + 1 },
    ],
  };
}

/** Every budget as a level, or those alone that are not full. */
export function budgetLevels(across: Across, which: "all" | "touched" = "all"): BudgetLevel[] {
  const levels: BudgetLevel[] = [];
  const single = new Map<string, readonly string[]>();
  for (const budget of across.budgets())
    if (which === "all" || budget.nextSlotMs !== null)
      levels.push(budgetLevel(across, budget, single));
  return levels;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The section of an audit's report; nothing where no budget is known. */
export function budgetLines(
  levels: readonly BudgetLevel[],
  view: {
    readonly atMs: number;
    readonly width: number;
    readonly style: Style;
    readonly unreadStates: number;
  },
): string[] {
  const { atMs, width, style } = view;
  if (levels.length === 0) return [];
  const low = levels
    .filter(isLow)
    .toSorted(
      (a, b) =>
        a.remaining - b.remaining ||
        (b.nextSlotMs ?? 0) - (a.nextSlotMs ?? 0) ||
        compare(a.name, b.name),
    );
  const sets = levels.filter(({ kind }) => kind === "set").length;
  const fine = levels.length - low.length;
  const lines = ["", style.bold("What can still be issued")];
  if (low.length > 0) {
    const rows = low
      .slice(0, MAX_ROWS)
      .map((level) => [
        level.name,
        level.kind,
        bar(level.remaining, level.capacity),
        `${level.remaining} of ${level.capacity}`,
        level.atLeast === null ? "unknown" : String(level.atLeast),
        level.nextSlotMs === null
          ? ""
          : `${level.overshot ? "by " : ""}${instantOf(level.nextSlotMs)} (${spanPhrase(level.nextSlotMs - atMs)})`,
      ]);
    lines.push(
      ...tableLines(["NAME", "LIMIT", "", "ESTIMATE", "AT LEAST", "NEXT SLOT"], rows, width, "  "),
    );
    if (low.length > MAX_ROWS) lines.push(`  and ${low.length - MAX_ROWS} more near their end`);
  }
  const all =
    low.length === 0
      ? `all ${count(sets, "set")} of names and ` +
        `${count(levels.length - sets, "registered domain")} have room`
      : `${count(fine, "other budget")} ${fine === 1 ? "has" : "have"} room`;
  lines.push(
    ...wrap(
      style.dim(
        `${all.charAt(0).toUpperCase()}${all.slice(1)}. Estimates: certkeep can't see every ` +
          "issuance.",
      ),
      width,
      "  ",
    ),
  );
  if (view.unreadStates > 0)
    lines.push(
      ...wrap(
        style.dim(
          `${count(view.unreadStates, "state")} of other clusters could not be read: what ` +
            "they know of issuances is missing here.",
        ),
        width,
        "  ",
      ),
    );
  return lines;
}

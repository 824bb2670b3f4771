/**
 * Budgets for a terminal: those near their end by name, the others counted. And as levels for other
 * media. Pure.
 */
import type { Across } from "../finding/across.ts";
import { compare, type Finding } from "../finding/finding.ts";
import { plain } from "../plain.ts";
import type { Item } from "./items.ts";
import { shortUtc } from "./part.ts";
import { instantOf } from "../certificate/time.ts";
import { count, headedTable, type Page, wrap } from "./text.ts";
import { accountName } from "./phrases/limits.ts";
import { type Budget, timelineOf } from "../ratelimit/budget.ts";
import { type Account, accountOf } from "../ratelimit/ledger.ts";
import { DAY_MS } from "../ratelimit/limit.ts";

export interface BudgetLevel {
  /** Names of the set, or the registered domain. */
  readonly name: string;
  readonly kind: "set" | "domain";
  /** Certificates left, by what is known: an estimate unless it is `atLeast`. */
  readonly remaining: number;
  readonly atLeast: number | null;
  readonly capacity: number;
  /** When one more comes free, ms since the epoch; `null`: it is full. */
  readonly nextSlotMs: number | null;
  /** More was issued than the issuer's bucket stored: the times are the latest by what is known. */
  readonly overshot: boolean;
  /** When it is full again; `null`: it is. */
  readonly fullAtMs: number | null;
  /**
   * Tokens left after each change, in order of time: the last week as far as known, and the next.
   * May be empty.
   */
  readonly levels: readonly { readonly atMs: number; readonly left: number }[];
  /** Places that would use it: cluster names. */
  readonly clusters: readonly string[];
}

const LOW: Readonly<Record<BudgetLevel["kind"], number>> = { set: 2 / 5, domain: 1 / 5 };

/** Whether so little is left that people should know: 2 of 5 of a set, a fifth of a domain's. */
export function isLow({
  kind,
  remaining,
  capacity,
}: Pick<BudgetLevel, "kind" | "remaining" | "capacity">): boolean {
  return remaining <= capacity * LOW[kind];
}

/** `■■□□□`: at most ten marks. */
export function bar(remaining: number, capacity: number): string {
  const marks = Math.max(1, Math.min(10, Math.floor(capacity)));
  const filled =
    capacity <= 0
      ? 0
      : Math.min(
          marks,
          Math.max(0, remaining <= 0 ? 0 : Math.max(1, Math.floor((remaining / capacity) * marks))),
        );
  return "■".repeat(filled) + "□".repeat(marks - filled);
}

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

function refusedLevel(budget: Budget, untilMs: number, clusters: readonly string[]): BudgetLevel {
  const nextSlotMs = Math.max(untilMs, budget.nextSlotMs ?? 0);
  return {
    name: accountName(budget),
    kind: budget.kind,
    remaining: 0,
    atLeast: 0,
    capacity: budget.limit.burst,
    nextSlotMs,
    overshot: false,
    fullAtMs: Math.max(nextSlotMs, budget.fullAtMs ?? 0),
    levels: [
      { atMs: budget.atMs, left: 0 },
      { atMs: nextSlotMs, left: 1 },
    ],
    clusters,
  };
}

function budgetLevel(
  across: Across,
  budget: Budget,
  single: Map<string, readonly string[]>,
): BudgetLevel {
  const account = accountOf(across.ledger, budget.kind, budget.issuer, budget.key);
  // While a logged refusal runs, nothing is left, whatever the issuances known would leave.
  const refusedMs = budget.claims.reduce((latest, { retryAtMs }) => Math.max(latest, retryAtMs), 0);
  if (refusedMs > across.atMs) return refusedLevel(budget, refusedMs, clustersOf(account, single));
  const level: BudgetLevel = {
    name: accountName(budget),
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

export function budgetLevels(across: Across, which: "all" | "touched" = "all"): BudgetLevel[] {
  const levels: BudgetLevel[] = [];
  const single = new Map<string, readonly string[]>();
  for (const budget of across.budgets())
    if (which === "all" || budget.nextSlotMs !== null)
      levels.push(budgetLevel(across, budget, single));
  return levels;
}

const ESTIMATES = "Numbers left are estimates: certkeep can't see every issuance.";
/** Names of an audit's line about rate limits; more are counted. */
const MAX_NAMED = 5;

/** One line for all names that no item is about; nothing where all is well. */
export function rateLimitLines(
  levels: readonly BudgetLevel[],
  items: readonly Item[],
  {
    nowMs,
    width,
    style,
    unreadStates,
  }: Page & { readonly nowMs: number; readonly unreadStates: number },
): string[] {
  const inItems = new Set(items.flatMap(({ findings }) => findings.flatMap(limitedName)));
  const low = levels.filter((level) => isLow(level) && !inItems.has(level.name));
  const unread =
    unreadStates === 0
      ? []
      : [
          `${count(unreadStates, "state")} of other clusters couldn't be read: issuances ` +
            "are missing here.",
        ];
  if (levels.length === 0 || (items.length === 0 && low.length === 0))
    return withGap(unread, width, style);
  const named = low
    .slice(0, MAX_NAMED)
    .map((level) => `${plain(level.name)} ${lowText(level, nowMs)}`);
  const more =
    low.length > MAX_NAMED ? [`${low.length - MAX_NAMED} more names near their limit`] : [];
  const others = inItems.size > 0 || low.length > 0 ? "all other names" : "all names";
  const told = [...named, ...more, `${others} have issuances left`].join("; ");
  const estimate =
    items.some((item) => item.estimate) || low.some(({ remaining }) => remaining > 0);
  const text = estimate ? `${told}. ${ESTIMATES}` : `${told} (estimate).`;
  return withGap([`Rate limits: ${text}`, ...unread], width, style);
}

function withGap(notes: readonly string[], width: number, { dim }: Page["style"]): string[] {
  return notes.length === 0 ? [] : ["", ...notes.flatMap((note) => wrap(dim(note), width))];
}

function lowText({ remaining, capacity, nextSlotMs }: BudgetLevel, nowMs: number): string {
  const left = `has ${remaining} of ${capacity} left`;
  return remaining > 0 || nextSlotMs === null
    ? left
    : `${left} until ${shortUtc(nextSlotMs, nowMs)}`;
}

function limitedName({ code, params }: Finding): string[] {
  if (code === "rate_limited") return params.by === "refusal" ? [accountName(params)] : [];
  return "budget" in params ? [accountName(params.budget)] : [];
}

/** Limits that are nearly used up, and how many aren't; nothing where no limit is known. */
export function limitTable(
  levels: readonly BudgetLevel[],
  { textWidth, ...page }: Page & { readonly textWidth: number },
): string[] {
  if (levels.length === 0) return [];
  const low = levels
    .filter(isLow)
    .toSorted(
      (a, b) =>
        a.remaining - b.remaining ||
        (b.nextSlotMs ?? 0) - (a.nextSlotMs ?? 0) ||
        compare(a.name, b.name),
    );
  const rows = low.map(({ name, kind, remaining, capacity, atLeast, nextSlotMs, overshot }) => [
    name,
    kind === "set" ? "names" : "domain",
    `${remaining} of ${capacity}`,
    remaining === 0 ? "" : atLeast === null ? "unknown" : String(atLeast),
    nextSlotMs === null ? "" : `${overshot ? "by " : ""}${instantOf(nextSlotMs)}`,
  ]);
  const table = headedTable(["NAME", "LIMIT", "LEFT", "AT LEAST", "NEXT AVAILABLE"], rows, page);
  return [
    "",
    page.style.bold("RATE LIMITS"),
    ...table,
    ...wrap(page.style.dim(`${roomText(levels, low.length)}. ${ESTIMATES}`), textWidth, "  "),
  ];
}

function roomText(levels: readonly BudgetLevel[], low: number): string {
  const sets = levels.filter((level) => level.kind === "set" && !isLow(level)).length;
  const domains = levels.length - low - sets;
  const rest = `${count(sets, "set")} of names and ${count(domains, "registered domain")}`;
  return low > 0 ? `${rest} have more left` : `All ${rest} have issuances left`;
}

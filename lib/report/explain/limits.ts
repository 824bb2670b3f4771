/** What is left of the rate limits of a name, and which sources the numbers lack. Pure. */
import { instantOf } from "../../certificate/time.ts";
import { claimedBeside } from "../../finding/budgets.ts";
import type { Across } from "../../finding/across.ts";
import type { Budget } from "../../ratelimit/budget.ts";
import type { Refusal, Silence } from "../../ratelimit/evidence.ts";
import { bar, isLow } from "../budgets.ts";
import { clusterName, type Explanation, ownClusters } from "./explanation.ts";
import { shortUtc } from "../part.ts";
import { accountName, setPhrase } from "../phrases/limits.ts";
import { count, type Page, paragraph, some } from "../text.ts";
import { MAX_ROWS } from "./places.ts";

function budgetsOf({ accounts }: Explanation): readonly Budget[] {
  return [
    ...new Map(
      accounts
        .flatMap(({ budget, domains }) => [...(budget === null ? [] : [budget]), ...domains])
        .map((one) => [`${one.kind} ${one.issuer} ${one.key}`, one]),
    ).values(),
  ];
}

/** The latest refusal (429) that still runs, by what its own clusters or the issuances show. */
function refusalOf(budget: Budget, own: ReadonlySet<string>): Refusal | null {
  const { claims, pinnedBy, atMs } = budget;
  const running = [...claims, ...(pinnedBy === null ? [] : [pinnedBy])].filter(
    (one) => one.retryAtMs > atMs && (one === pinnedBy || own.has(one.cluster)),
  );
  return running.toSorted((a, b) => b.retryAtMs - a.retryAtMs)[0] ?? null;
}

export function isLimited(view: Explanation): boolean {
  const own = ownClusters(view);
  return budgetsOf(view).some(
    (budget) => levelOf(budget, view.across, own).left === 0 || refusalOf(budget, own) !== null,
  );
}

/** What is left, counting what only the log of an own cluster shows. */
function levelOf(
  budget: Budget,
  across: Across,
  own: ReadonlySet<string>,
): { readonly left: number; readonly claimed: number } {
  const [worst] = claimedBeside(across, budget)
    .filter(({ cluster, atMost }) => own.has(cluster) && atMost < budget.atMost)
    .toSorted((a, b) => a.atMost - b.atMost);
  return { left: worst?.atMost ?? budget.atMost, claimed: worst?.count ?? 0 };
}

const MAX_LIMITS = 6;

/** Those that say something: sets, and domains with little left. */
function shownBudgets(view: Explanation): readonly Budget[] {
  const { kind } = view;
  const own = ownClusters(view);
  return budgetsOf(view).filter(
    (one) =>
      (one.kind === "set" && kind !== "cluster") ||
      kind === "domain" ||
      isLow({ kind: one.kind, remaining: one.atMost, capacity: one.limit.burst }) ||
      refusalOf(one, own) !== null ||
      otherTexts(one, view).length > 0,
  );
}

/** The limits in a line each; "estimate" is said once. */
export function limitTexts(view: Explanation): string[] {
  const sets = budgetsOf(view).filter((one) => one.kind === "set");
  const shown = shownBudgets(view);
  const more = shown.length - MAX_LIMITS;
  return [
    ...shown.slice(0, MAX_LIMITS).map((budget, index) => {
      const whose =
        budget.kind === "domain"
          ? `new names under ${budget.key}: `
          : sets.length > 1
            ? `${setPhrase(budget.key)}: `
            : "";
      return `${whose}${levelText(budget, view, index === 0)}`;
    }),
    ...(more > 0 ? [`and ${more} more`] : []),
    ...shown.flatMap((budget) => otherTexts(budget, view)),
    ...unlimitedTexts(view),
  ];
}

function levelText(budget: Budget, view: Explanation, marks: boolean): string {
  const { limit, nextSlotMs, fullAtMs, freeFromMs, atLeast, unseenSinceMs, overshot } = budget;
  const own = ownClusters(view);
  const time = (ms: number): string => shortUtc(ms, view.atMs);
  const refusal = refusalOf(budget, own);
  if (refusal !== null)
    return (
      `0 of ${limit.burst} left until ${time(refusal.retryAtMs)} ` +
      `(429 in the log of ${podOf(refusal.where)})`
    );
  const { left, claimed } = levelOf(budget, view.across, own);
  const counts = claimed === 0 ? "" : `; counts ${claimed} that only the log shows`;
  const least =
    atLeast === null || atLeast === left
      ? ""
      : `; at least ${atLeast} if none was issued since ${time(unseenSinceMs ?? view.atMs)}`;
  const note =
    left === 0 || (atLeast === left && claimed === 0)
      ? counts.slice(2)
      : `estimate${counts}${least}`;
  const estimate = note === "" || !marks ? "" : ` (${note})`;
  const by = overshot ? " by" : "";
  const next =
    left === 0
      ? `, next available${by} ${time(freeFromMs)}`
      : nextSlotMs === null || nextSlotMs === fullAtMs
        ? ""
        : `, next available${by} ${time(nextSlotMs)}`;
  const full = fullAtMs === null ? "" : `, all ${limit.burst} available${by} ${time(fullAtMs)}`;
  return `${left} of ${limit.burst} left${estimate}${claimed === 0 ? `${next}${full}` : ""}`;
}

/** Claims of other clusters, and a limit that a refusal names. */
function otherTexts(budget: Budget, view: Explanation): string[] {
  const { claims, overrideSeen, limit } = budget;
  const own = ownClusters(view);
  const beside = claimedBeside(view.across, budget).filter(({ cluster }) => !own.has(cluster));
  return [
    ...claims
      .filter(({ cluster }) => !own.has(cluster))
      .map(
        ({ cluster, retryAtMs, where }) =>
          `${clusterName(view, cluster)} reports a 429 until ` +
          `${shortUtc(retryAtMs, view.atMs)} (log of ${podOf(where)})`,
      ),
    ...beside.map(
      ({ cluster, count: n, atMost }) =>
        `the log of ${clusterName(view, cluster)} reports ${n} more this week; with them ` +
        `${atMost} of ${limit.burst} left`,
    ),
    ...(overrideSeen === null
      ? []
      : [
          `a 429 names a limit of ${overrideSeen} for ${accountName(budget)}; ` +
            `certkeep counts with ${limit.burst}. If the issuer changed it, set limits: in ` +
            "certkeep.yaml",
        ]),
  ];
}

export function podOf(where: string): string {
  return where.split("/")[1] ?? where;
}

export function hasEstimate(view: Explanation): boolean {
  const own = ownClusters(view);
  return shownBudgets(view).some(
    (budget) =>
      refusalOf(budget, own) === null &&
      levelOf(budget, view.across, own).left > 0 &&
      budget.atLeast !== budget.atMost,
  );
}

/** Every limit with its level, and what is known besides. */
export function limitLines(view: Explanation, page: Page): string[] {
  const budgets = budgetsOf(view);
  const unlimited = unlimitedTexts(view);
  if (budgets.length === 0 && unlimited.length === 0) return [];
  const own = ownClusters(view);
  const { red } = page.style;
  const levels = budgets.slice(0, MAX_ROWS).flatMap((budget) => {
    const { kind, key, limit } = budget;
    const left = refusalOf(budget, own) === null ? levelOf(budget, view.across, own).left : 0;
    const whose = kind === "set" ? setPhrase(key) : `new names under ${key}`;
    const text = `${bar(left, limit.burst)}  ${whose}: ${levelText(budget, view, true)}`;
    return paragraph(text, page, left === 0 ? red : undefined);
  });
  const notes = [...budgets.flatMap((budget) => otherTexts(budget, view)), ...unlimited];
  return [
    ...levels,
    ...notes.flatMap((text) => paragraph(text, page)),
    ...unknownLines(view, page),
  ];
}

function unlimitedTexts({ accounts, across }: Explanation): string[] {
  return accounts
    .filter(({ budget, domains }) => budget === null && domains.length === 0)
    .map(
      ({ issuer, key }) =>
        `no limit of ${across.titles.get(issuer) ?? issuer} is known for ${setPhrase(key)}; ` +
        "set limits: in certkeep.yaml",
    );
}

/** Reasons that their code alone doesn't explain. */
const REASON_WORDS: Readonly<Record<string, string>> = {
  gap: "lines are missing",
  no_pod: "no pod matches",
  too_much: "more than is read at once",
  debug_off: "nothing at debug level",
};
const SOURCE_WORDS: Readonly<Record<Silence["source"], string>> = {
  secret: "Secrets",
  backup: "backups",
  state: "the state",
  log: "logs",
  ct: "CT logs",
};

interface SilenceWords {
  readonly time?: (ms: number) => string;
  readonly nameOf?: (cluster: string) => string;
}

/** The same reason in many clusters is said once, `own` clusters first. */
export function silenceTexts(
  silences: readonly Silence[],
  own: ReadonlySet<string | null>,
  { time = instantOf, nameOf = (cluster) => cluster }: SilenceWords = {},
): { readonly what: string; readonly why: string }[] {
  const ordered = silences.toSorted(
    (a, b) => Number(!own.has(a.cluster)) - Number(!own.has(b.cluster)),
  );
  const groups = Map.groupBy(ordered, ({ source, reason }) => `${source} ${reason}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { source, reason } = first;
    const clusters = group.flatMap(({ cluster }) => (cluster === null ? [] : [nameOf(cluster)]));
    const where = clusters.length === 0 ? "" : ` of ${some(clusters, 3)}`;
    const sinceMs = Math.min(...group.map((one) => one.sinceMs ?? Number.NEGATIVE_INFINITY));
    const since = Number.isFinite(sinceMs) ? ` since ${time(sinceMs)}` : "";
    const why = REASON_WORDS[reason] ?? reason.replaceAll("_", " ");
    return [{ what: `${SOURCE_WORDS[source]}${where}`, why: `${why}${since}` }];
  });
}

/** `logs, Events (not enabled); CT logs (denied)`: each reason once. */
export function unreadText(
  unread: readonly { readonly what: string; readonly why: string }[],
): string {
  return [...Map.groupBy(unread, ({ why }) => why)]
    .map(([why, of]) => `${[...new Set(of.map(({ what }) => what))].join(", ")} (${why})`)
    .join("; ");
}

function unknownLines(view: Explanation, page: Page): string[] {
  const { across, places } = view;
  const { silences, unread } = across.ledger.evidence;
  const nameOf = (cluster: string): string => clusterName(view, cluster);
  const own = new Set([null, ...places.map(({ entry }) => entry.cluster)]);
  const left = unread.reduce((sum, entry) => sum + entry.count, 0);
  return [
    ...(silences.length === 0
      ? []
      : paragraph(
          `Not checked: ${unreadText(silenceTexts(silences, own, { nameOf }))}.`,
          page,
          page.style.dim,
        )),
    ...(unread.length === 0
      ? []
      : paragraph(`Not read: ${count(left, "issuance")}.`, page, page.style.dim)),
  ];
}

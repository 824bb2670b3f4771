/** What is left of the rate limits of a name, and which sources the numbers lack. Pure. */
import { instantOf } from "../../certificate/time.ts";
import { claimedBeside } from "../../finding/claimed.ts";
import type { Across } from "../../finding/across.ts";
import type { Budget } from "../../ratelimit/budget.ts";
import type { Silence } from "../../ratelimit/evidence.ts";
import { bar } from "../budgets.ts";
import type { Explanation } from "./explanation.ts";
import { plainText, say } from "../part.ts";
import { leftText, setPhrase } from "../phrases/limits.ts";
import { count, type Page, paragraph, spanPhrase } from "../text.ts";
import { MAX_ROWS } from "./places.ts";

export function limitLines(view: Explanation, page: Page): string[] {
  const { accounts, across } = view;
  const budgets = [
    ...new Map(
      accounts
        .flatMap(({ budget, domains }) => [...(budget === null ? [] : [budget]), ...domains])
        .map((one) => [`${one.kind} ${one.issuer} ${one.key}`, one]),
    ).values(),
  ];
  const unlimited = accounts.filter(
    ({ budget, domains }) => budget === null && domains.length === 0,
  );
  if (budgets.length === 0 && unlimited.length === 0) return [];
  return [
    ...budgets.slice(0, MAX_ROWS).flatMap((budget) => budgetLines(budget, across, page)),
    ...budgets.flatMap(({ claims }) =>
      claims.flatMap(({ cluster, retryAtMs, where }) =>
        paragraph(
          `Cluster ${cluster} claims a refusal until ${instantOf(retryAtMs)} (${where}).`,
          page,
        ),
      ),
    ),
    ...budgets.flatMap(({ key, kind, limit, overrideSeen }) =>
      overrideSeen === null
        ? []
        : paragraph(
            say`A refusal tells of a limit of ${overrideSeen} for
              ${kind === "set" ? setPhrase(key) : key}; ${limit.burst} is what is counted with. If
              the issuer changed it, say so: limits: in certkeep.yaml.`,
            page,
          ),
    ),
    ...unlimited.flatMap(({ issuer, key }) =>
      paragraph(
        say`${setPhrase(key)}: no limit of ${across.titles.get(issuer) ?? issuer} is known; limits:
          in certkeep.yaml says one.`,
        page,
      ),
    ),
    ...unknownLines(view, page),
  ];
}

function budgetLines(budget: Budget, across: Across, page: Page): string[] {
  const { red, yellow } = page.style;
  const [first = "", ...rest] = paragraph(
    `${bar(budget.atMost, budget.limit.burst)}  ${budgetText(budget)}`,
    page,
  );
  const claimed = claimedBeside(across, budget).flatMap((one) =>
    paragraph(
      say`The log of ${one.cluster} claims ${one.count} more within a week, which nothing else
        shows: with ${one.count === 1 ? "it" : "them"} ${one.atMost} of
        ${budget.limit.burst} are left.`,
      page,
      yellow,
    ),
  );
  return [budget.atMost === 0 ? red(first) : first, ...rest, ...claimed];
}

function budgetText(budget: Budget): string {
  const { kind, key, atMs, atMost, nextSlotMs, fullAtMs, overshot } = budget;
  const when = overshot ? "by" : "at";
  const together = nextSlotMs === fullAtMs;
  const next =
    nextSlotMs === null || atMost === 0 || together
      ? ""
      : `; the next comes back ${when} ${instantOf(nextSlotMs)}, in ${spanPhrase(nextSlotMs - atMs)}`;
  const wait = together && fullAtMs !== null ? `, in ${spanPhrase(fullAtMs - atMs)}` : "";
  const full = fullAtMs === null ? "" : `; full again ${when} ${instantOf(fullAtMs)}${wait}`;
  const whose = kind === "set" ? `this set of names, ${setPhrase(key)}` : `new names under ${key}`;
  return `${whose}: ${plainText(leftText(budget))}${next}${full}.`;
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
  ct: "certificate logs",
};

/** The same reason in many clusters is said once, `own` clusters first. */
function silenceTexts(silences: readonly Silence[], own: ReadonlySet<string | null>): string[] {
  const ordered = silences.toSorted(
    (a, b) => Number(!own.has(a.cluster)) - Number(!own.has(b.cluster)),
  );
  const groups = Map.groupBy(ordered, ({ source, reason }) => `${source} ${reason}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { source, reason } = first;
    const clusters = group.flatMap(({ cluster }) => cluster ?? []);
    const more = clusters.length > 3 ? ` and ${clusters.length - 3} more` : "";
    const where = clusters.length === 0 ? "" : ` of ${clusters.slice(0, 3).join(", ")}${more}`;
    const sinceMs = Math.min(...group.map((one) => one.sinceMs ?? Number.NEGATIVE_INFINITY));
    const since = Number.isFinite(sinceMs) ? ` since ${instantOf(sinceMs)}` : "";
    const why = REASON_WORDS[reason] ?? reason.replaceAll("_", " ");
    return [`${SOURCE_WORDS[source]}${where} (${why}${since})`];
  });
}

function unknownLines({ across, places }: Explanation, page: Page): string[] {
  const { silences, unread } = across.ledger.evidence;
  const own = new Set([null, ...places.map(({ entry }) => entry.cluster)]);
  const left = unread.reduce((sum, entry) => sum + entry.count, 0);
  return [
    ...(silences.length === 0
      ? []
      : paragraph(`Silent: ${silenceTexts(silences, own).join(", ")}.`, page, page.style.dim)),
    ...(unread.length === 0
      ? []
      : paragraph(`Left unread: ${count(left, "issuance")}.`, page, page.style.dim)),
  ];
}

/** What was issued for a name, and when more could be, as tables. Pure. */
import { instantOf } from "../../certificate/time.ts";
import type { Sighting } from "../../ratelimit/issuance.ts";
import { bar } from "../budgets.ts";
import { shortUtc } from "../part.ts";
import type { ExplainedAccount, ExplainPage, Explanation } from "./explanation.ts";
import { accountName } from "../phrases/limits.ts";
import { count, paragraph, section, spanPhrase, tableLines } from "../text.ts";
import { MAX_ROWS, serialText } from "./places.ts";

const MAX_PLAN_ROWS = 60;

const SOURCES: Readonly<Record<Sighting["kind"], string>> = {
  secret: "",
  ct: "CT log",
  backup: "backup",
  state: "state",
  log: "log",
};

/** A Secret is known by its slash; the cluster is shown where it isn't `home`. */
function sourceText({ kind, cluster, where }: Sighting, home: string | null): string {
  return [
    SOURCES[kind],
    cluster === home ? "" : (cluster ?? ""),
    kind === "backup" ? where.slice(0, 8) : where,
  ]
    .filter((part) => part !== "")
    .join(" ");
}

function sourcesText(sources: readonly Sighting[], home: string | null): string {
  const order = Object.keys(SOURCES);
  const shown = sources
    .toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
    .slice(0, 2)
    .map((source) => sourceText(source, home));
  return shown.join(", ") + (sources.length > 2 ? ` and ${sources.length - 2} more` : "");
}

/** What dates it: an SCT; its notBefore, dated back; or no more than when it was first seen. */
const BASIS_WORDS = { sct: "SCT", not_before: "notBefore", first_seen: "first sight" } as const;
const EFFECT_WORDS = {
  spent: "",
  renewal: " a renewal",
  overshoot: " although none was left",
} as const;

/** The one cluster that all issuances shown were seen in, or `null`. */
function homeOf({ places }: Explanation, shown: ExplainedAccount["timeline"]): string | null {
  const [first = null, ...others] = new Set([
    ...places.map(({ entry }) => entry.cluster),
    ...shown.flatMap(({ issuance }) => issuance.sources.map(({ cluster }) => cluster)),
  ]);
  return others.length === 0 ? first : null;
}

export function timelineLines(
  account: ExplainedAccount,
  view: Explanation,
  page: ExplainPage,
): string[] {
  const { timeline, budget, kind } = account;
  const issuer = view.across.titles.get(account.issuer) ?? account.issuer;
  if (timeline.length === 0) return [];
  const shown = timeline.slice(-MAX_ROWS);
  const home = homeOf(view, shown);
  // The usual case is said once, in the title: names need the room.
  const signed = shown.every(({ issuance }) => issuance.basis === "sct");
  const rows = shown.map(({ issuance, effect, leaves }) => [
    instantOf(issuance.issuedAtMs),
    ...(signed ? [] : [BASIS_WORDS[issuance.basis]]),
    serialText(issuance.serial),
    ...(kind === "domain" ? [issuance.names[0] ?? ""] : []),
    leaves === undefined || budget === null
      ? ""
      : [
          ...(kind === "domain" ? [] : [bar(leaves, budget.limit.burst)]),
          `${leaves} of ${budget.limit.burst}${EFFECT_WORDS[effect ?? "spent"]}`,
        ].join(" "),
    sourcesText(issuance.sources, home),
  ]);
  const head = [
    "ISSUED",
    ...(signed ? [] : ["BY"]),
    "SERIAL",
    ...(kind === "domain" ? ["NAME"] : []),
    budget === null ? "" : "LEFT AFTER IT",
    "KNOWN FROM",
  ];
  const earlier = timeline.length - MAX_ROWS;
  const name = view.accounts.length > 1 ? ` for ${accountName(account)}` : "";
  return section(
    `Issued by ${issuer}${name} (${timeline.length}${signed ? ", each dated by its SCT" : ""})`,
    [
      ...(earlier > 0 ? [page.style.dim(`  ${count(earlier, "earlier one")}, then:`)] : []),
      ...tableLines(head, rows, page.room, "  "),
    ],
    page,
  );
}

interface PlanRow {
  readonly from: number;
  to: number;
  readonly earliest: string;
  readonly sure: string;
}

/** Those that could be issued at the same times are one row. */
function planRows({ plan }: ExplainedAccount, atMs: number): PlanRow[] {
  const when = (ms: number): string =>
    ms <= atMs ? "now" : `${shortUtc(ms, atMs)} (${spanPhrase(ms - atMs)})`;
  const rows: PlanRow[] = [];
  plan?.earliestMs.forEach((ms, i) => {
    const earliest = when(ms);
    const sure = plan.sureMs === null ? "unknown" : when(plan.sureMs[i] ?? ms);
    const last = rows.at(-1);
    if (last?.earliest === earliest && last.sure === sure) last.to = i + 1;
    else rows.push({ from: i + 1, to: i + 1, earliest, sure });
  });
  return rows;
}

export function planLines(
  account: ExplainedAccount,
  planned: number,
  atMs: number,
  page: ExplainPage,
): string[] {
  const { plan } = account;
  const what =
    account.kind === "domain"
      ? `${count(planned, "new name")} under ${account.key}`
      : `${count(planned, "more certificate")} of ${accountName(account)}`;
  if (plan === null) return section(`Plan: ${what}`, ["  Its issuer's limit is unknown."], page);
  const rows = planRows(account, atMs);
  const cells = rows
    .slice(0, MAX_PLAN_ROWS)
    .map(({ from, to, earliest, sure }) => [
      from === to ? String(from) : `${from} to ${to}`,
      earliest,
      sure,
    ]);
  const last = rows.at(-1);
  const possible = plan.earliestMs.length;
  return section(
    `Plan: ${what}`,
    [
      ...tableLines(
        ["", "EARLIEST (ESTIMATE)", "CERTAIN, IF NOTHING ELSE IS ISSUED"],
        cells,
        page.room,
        "  ",
      ),
      ...(rows.length > MAX_PLAN_ROWS && last !== undefined
        ? [`  … the last, ${last.to}, at ${last.earliest}`]
        : []),
      ...(possible < planned ? paragraph(`Planned up to ${possible}.`, page) : []),
    ],
    page,
  );
}

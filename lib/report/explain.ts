/** All that is known of one name, on one page for a terminal. Pure. */
import type { Across } from "../finding/across.ts";
import { claimedBeside } from "../finding/claimed.ts";
import type { Finding } from "../finding/finding.ts";
import { sortCauses } from "../diagnosis/cause.ts";
import { STALE_MS } from "../finding/reach.ts";
import type { Tally } from "../finding/tally.ts";
import { instantOf } from "../certificate/time.ts";
import { reasonText } from "./phrases/reasons.ts";
import { spanPhrase } from "./text.ts";
import { formatMs, parseMs } from "../certificate/time.ts";
import type { Advice } from "../ratelimit/advice.ts";
import type { Budget, TimelineEntry } from "../ratelimit/budget.ts";
import type { Silence } from "../ratelimit/evidence.ts";
import { serialKey, type Sighting } from "../ratelimit/issuance.ts";
import type { Plan } from "../ratelimit/plan.ts";
import { bar } from "./budget.ts";
import { findingLines, sortFindings } from "./findings.ts";
import { plainText } from "./part.ts";
import { adviceOf, adviceText } from "./phrases.ts";
import { advisedPhrase } from "./phrases/advised.ts";
import { leftText, setPhrase } from "./phrases/limits.ts";
import { measureDocument } from "./phrases/measures.ts";
import { type CertificateEntry, titleOf } from "../state/certificates.ts";
import type { Style } from "./style.ts";
import { tableLines } from "./table.ts";
import { plain } from "../plain.ts";
import { count, span, wrap } from "./text.ts";
import { whyLines, type WhyView } from "./why.ts";

export interface ExplainView {
  readonly name: string;
  readonly kind: "certificate" | "secret" | "domain" | "cluster" | "finding";
  readonly atMs: number;
  readonly places: readonly {
    readonly entry: CertificateEntry;
    readonly asLastSeen: string | null;
    readonly copies: readonly {
      readonly version: string;
      readonly cluster: string;
      readonly serial: string | null;
      readonly recordedAt: string;
      readonly notAfter: string | null;
      readonly good: boolean;
      readonly retired: boolean;
    }[];
    readonly auditedAt?: string | null;
    readonly advice: Advice | null;
  }[];
  readonly accounts: readonly {
    readonly kind: "set" | "domain";
    readonly issuer: string;
    readonly key: string;
    readonly budget: Budget | null;
    readonly domains: readonly Budget[];
    readonly timeline: readonly (Pick<TimelineEntry, "issuance"> & Partial<TimelineEntry>)[];
    readonly plan: Plan | null;
  }[];
  readonly clusters: readonly {
    readonly state: {
      readonly cluster: string;
      readonly title: string;
      readonly server: string;
      readonly audit: { readonly finishedAt: string; readonly complete: boolean } | null;
    };
    readonly tally: Tally;
  }[];
  readonly findings: readonly Finding[];
  readonly ignored: number;
  readonly diagnoses: WhyView["diagnoses"];
  readonly looks: WhyView["looks"];
  readonly across: Across;
  readonly planned: number | null;
}

export interface PageStyle {
  readonly width: number;
  readonly style: Style;
}

/** Rows of a table; more are counted. The newest of a timeline are shown. */
const MAX_ROWS = 20;
const MAX_PLAN_ROWS = 60;

export function explainText(view: ExplainView, page: PageStyle): string {
  const { width, style } = page;
  return [
    style.bold(plain(view.name)),
    ...verdictLines(view, page),
    ...staleLines(view, page),
    ...section(
      plain(
        "Where it " +
          `is${view.places.length > 0 && onlyCluster(view) !== null ? `, in ${onlyCluster(view)}` : ""}`,
      ),
      placeLines(view, page),
      page,
    ),
    ...section("What to do", doLines(view, page), page),
    ...section("Why", whyLines(view, page), page),
    ...findingLines({
      findings: onceEach(view.findings).map((finding) => withoutItself(finding, view.name)),
      nowMs: view.atMs,
      width,
      style,
      several: new Set(view.findings.map(({ subject }) => subject.cluster)).size > 1,
    }),
    ...(view.ignored === 0
      ? []
      : wrap(
          style.dim(`${count(view.ignored, "finding")} muted by ignore: in certkeep.yaml.`),
          width,
          "  ",
        )),
    ...(view.kind === "cluster"
      ? []
      : view.accounts.flatMap((account) => timelineLines(account, view, page))),
    ...section("What is left", leftLines(view, page), page),
    ...(view.planned === null
      ? []
      : view.accounts.flatMap((account) => planLines(account, view.planned ?? 0, view, page))),
    ...section("Backups", copyLines(view, page), page),
  ].join("\n");
}

/**
 * The cluster that every place is in, or `null`: a column for it would take the room that names
 * need.
 */
function onlyCluster({ places }: ExplainView): string | null {
  const clusters = new Set(places.map(({ entry }) => entry.cluster));
  const [first] = clusters;
  return clusters.size === 1 && first !== undefined ? first : null;
}

function section(title: string, lines: readonly string[], { style }: PageStyle): string[] {
  return lines.length === 0 ? [] : ["", style.bold(title), ...lines];
}

/** Whoever reads this page needn't be offered it. */
function withoutItself(finding: Finding, name: string): Finding {
  const actions = finding.actions.filter(
    (action) => action.kind !== "explain" || action.name !== name,
  );
  return { ...finding, actions };
}

/** What is said of several clusters in the same words is said once, with all of them. */
function onceEach(findings: readonly Finding[]): Finding[] {
  const groups = Map.groupBy(findings, ({ code, severity, params }) =>
    JSON.stringify([code, severity, params], (_key, value: unknown) =>
      typeof value === "bigint" ? value.toString() : value,
    ),
  );
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    if (group.length === 1) return [first];
    return [
      {
        ...first,
        subject: {
          ...first.subject,
          cluster: [...new Set(group.map(({ subject }) => subject.cluster))].join(", "),
          namespace: null,
          secret: null,
        },
      },
    ];
  });
}

/** The serial's first digits, as its issuer's pages begin them: without zeros before. */
function serialText(serial: string): string {
  return serialKey(serial).slice(0, 10);
}

/** The answer first, in one sentence for each kind of name. */
function verdictLines(view: ExplainView, { width, style }: PageStyle): string[] {
  if (view.clusters.length > 0) {
    return view.clusters.flatMap(({ state, tally }) => [
      ...wrap(
        plain(
          `Cluster ${state.title} at ${state.server}: ` +
            `${count(tally.certificates, "certificate")}, ${tally.fine} ` +
            `fine${tally.unknown === 0 ? "" : `, ${tally.unknown} not known now`}, ` +
            `${tally.critical} critical and ${tally.warning} to look at soon.`,
        ),
        width,
        "  ",
      ),
      ...wrap(
        style.dim(
          plain(
            state.audit === null
              ? "It was never audited."
              : "Last audited at " +
                  `${state.audit.finishedAt}${state.audit.complete ? "" : ", not fully read"}.`,
          ),
        ),
        width,
        "  ",
      ),
    ]);
  }
  const [place] = view.places;
  if (view.kind === "domain") {
    const held = view.places.filter(({ entry }) => entry.condition === "live").length;
    return wrap(
      "A registered domain: names under it share one limit, over all clusters. " +
        `${count(held, "live certificate")} under it.`,
      width,
      "  ",
    );
  }
  if (place === undefined && view.kind === "finding") return [];
  if (place === undefined)
    return wrap(
      "No Secret holds it now. What is told here comes from backups and from what earlier " +
        "audits saw.",
      width,
      "  ",
    );
  if (view.places.length > 1) {
    const valid = view.places.filter(({ entry }) => entry.verdict?.valid === true).length;
    return wrap(
      valid === view.places.length
        ? `Held in ${view.places.length} places, valid in all.`
        : `Held in ${view.places.length} places, valid in ${valid === 0 ? "none" : valid}.`,
      width,
      "  ",
    );
  }
  const paint =
    place.entry.verdict?.valid === true
      ? style.green
      : place.entry.condition === "pending"
        ? style.yellow
        : style.red;
  return wrap(paint(plain(verdictSentence(place, view.atMs))), width, "  ");
}

/** What is long ago is no verdict of now. */
function staleLines({ places, atMs }: ExplainView, { width, style }: PageStyle): string[] {
  const audits = new Map(
    places.flatMap(({ entry, auditedAt }) =>
      auditedAt == null ? [] : [[entry.cluster, auditedAt] as const],
    ),
  );
  return [...audits]
    .filter(([, auditedAt]) => atMs - parseMs(auditedAt) > STALE_MS)
    .slice(0, MAX_ROWS)
    .flatMap(([cluster, auditedAt]) =>
      wrap(
        style.yellow(
          plain(`As last seen at ${auditedAt}: no audit of ${cluster} has finished since.`),
        ),
        width,
        "  ",
      ),
    );
}

function verdictSentence(
  { entry, asLastSeen }: ExplainView["places"][number],
  atMs: number,
): string {
  const seen =
    asLastSeen === null ? "" : ` As last seen at ${asLastSeen}: the cluster can't be reached now.`;
  const since = formatMs(entry.sinceMs);
  if (entry.condition === "pending") return `No certificate was ever stored.${seen}`;
  if (entry.condition === "missing_content")
    return `Gone since ${since}: the Secret stands without it.${seen}`;
  if (entry.condition === "lost")
    return (
      `Gone since ${since}: ` +
      `${entry.loss.how === "removed" ? "the Secret went with what it belonged to" : "the Secret is not there"}.${seen}`
    );
  const { record: certificate, verdict } = entry;
  const staging = certificate.staging ? " (of a staging issuer: no client trusts it)" : "";
  if (verdict.valid)
    return (
      `Valid until ${certificate.notAfter}, in ` +
      `${span(parseMs(certificate.notAfter) - atMs)}${staging}.${seen}`
    );
  return `Its owner will refuse it: ${reasonText(verdict.reasons)}${staging}.${seen}`;
}

function conditionText({ condition, verdict, loss }: CertificateEntry): string {
  if (condition === "live")
    return verdict.valid ? "valid" : (verdict.reasons[0] ?? "invalid").replaceAll("_", " ");
  if (condition === "lost") return loss.how === "removed" ? "removed with its parent" : loss.how;
  return condition === "pending" ? condition : "emptied";
}

function placeLines(view: ExplainView, { width, style }: PageStyle): string[] {
  if (view.places.length === 0) return [];
  const rank = ({ entry }: ExplainView["places"][number]): number =>
    entry.verdict?.valid === true ? 1 : 0;
  const places = view.places.toSorted((a, b) => rank(a) - rank(b));
  const several = onlyCluster(view) === null;
  const rows = places
    .slice(0, MAX_ROWS)
    .map(({ entry, copies }) => [
      ...(several ? [entry.cluster] : []),
      entry.key,
      ...(view.kind === "certificate" ? [] : [titleOf(entry)]),
      conditionText(entry),
      entry.record === null ? "" : serialText(entry.record.serial),
      entry.record?.notAfter.slice(0, 10) ?? "",
      copies.some(({ good }) => good) ? "yes" : "no",
    ]);
  return [
    ...tableLines(
      [
        ...(several ? ["CLUSTER"] : []),
        "SECRET",
        ...(view.kind === "certificate" ? [] : ["NAME"]),
        "STATE",
        "SERIAL",
        "UNTIL",
        "GOOD COPY",
      ],
      rows,
      width,
      "  ",
    ),
    ...(places.length > MAX_ROWS
      ? [style.dim(`  and ${places.length - MAX_ROWS} more, all of them no worse`)]
      : []),
  ];
}

function doLines(view: ExplainView, { width }: PageStyle): string[] {
  // Of many, each finding says it.
  if (view.kind === "cluster" || view.kind === "domain") return [];
  const failing = view.places.flatMap(({ entry, advice }) =>
    advice === null ? [] : [{ entry, advice }],
  );
  if (failing.length > 0) {
    const advised = failing.slice(0, MAX_ROWS).flatMap(({ entry, advice }) => {
      const { owner, cluster, key } = entry;
      const text = plainText(adviceText(advisedPhrase(advice, { owner, name: titleOf(entry) })));
      return wrap(
        plain(`${failing.length === 1 ? "" : `${cluster} ${key}: `}${text}`),
        width,
        "  ",
      );
    });
    return [...advised, ...mendLines(view, width)];
  }
  const [worst] = sortFindings(view.findings.filter(({ severity }) => severity !== "information"));
  const mend = mendLines(view, width);
  if (mend.length > 0) return mend;
  if (worst === undefined && view.places.some(({ copies }) => !copies.some(({ good }) => good)))
    return wrap(
      "Nothing now. There is no good sealed copy of it, though: lost, it can only be issued again.",
      width,
      "  ",
    );
  if (worst === undefined)
    return view.places.length === 0 ? [] : ["  Nothing: what is known of it is fine."];
  return wrap(plain(plainText(adviceText(adviceOf(worst)))), width, "  ");
}

/** What mends a cause that is known and still holds: its first measure. */
function mendLines({ diagnoses }: ExplainView, width: number): string[] {
  const [cause] = sortCauses(diagnoses.flatMap(({ causes }) => causes)).filter(
    ({ overMs, confidence }) => overMs === null && confidence !== "possible",
  );
  const [measure] = cause?.measures ?? [];
  if (measure === undefined) return [];
  const { text, command } = measureDocument(measure);
  return [
    ...wrap(plain(`${text}${command === null ? "." : ":"}`), width, "  "),
    ...(command === null ? [] : [`    ${command}`]),
  ];
}

const SOURCE_WORDS: Readonly<Record<Sighting["kind"], string>> = {
  secret: "Secret",
  backup: "backup",
  state: "state",
  log: "log",
  ct: "certificate log",
};

/** A Secret is known by its slash; `cluster` is said where it isn't `home`. */
function sourceText({ kind, cluster, where }: Sighting, home: string | null): string {
  return [
    kind === "secret" ? null : SOURCE_WORDS[kind],
    cluster === home ? null : cluster,
    kind === "backup" ? where.slice(0, 8) : where,
  ]
    .filter((part) => part !== null)
    .join(" ");
}

const SOURCE_ORDER: readonly Sighting["kind"][] = ["secret", "ct", "backup", "state", "log"];

/** Two of them, and how many more. */
function sourcesText(sources: readonly Sighting[], home: string | null): string {
  const sorted = sources.toSorted(
    (a, b) => SOURCE_ORDER.indexOf(a.kind) - SOURCE_ORDER.indexOf(b.kind),
  );
  return (
    sorted
      .slice(0, 2)
      .map((source) => sourceText(source, home))
      .join(", ") + (sorted.length > 2 ? ` and ${sorted.length - 2} more` : "")
  );
}

/**
 * What tells the instant: an SCT; the notBefore, dated back; or no more than that it was seen then.
 */
const BASIS_WORDS = { sct: "SCT", not_before: "notBefore", first_seen: "first sight" } as const;
const EFFECT_WORDS = {
  spent: "",
  renewal: " a renewal",
  overshoot: " although none was left",
} as const;

type AccountView = ExplainView["accounts"][number];

function accountName({ kind, key }: Pick<AccountView, "kind" | "key">): string {
  return kind === "set" ? setPhrase(key) : key;
}

function timelineLines(account: AccountView, view: ExplainView, page: PageStyle): string[] {
  const { timeline, budget } = account;
  const issuer = view.across.titles.get(account.issuer) ?? account.issuer;
  if (timeline.length === 0) return [];
  const shown = timeline.slice(-MAX_ROWS);
  const clusters = new Set([
    ...view.places.map(({ entry }) => entry.cluster),
    ...shown.flatMap(({ issuance }) => issuance.sources.map(({ cluster }) => cluster)),
  ]);
  const [first = null] = clusters;
  const home = clusters.size === 1 ? first : null;
  // The usual case says it once, in the title: names need the room.
  const signed = shown.every(({ issuance }) => issuance.basis === "sct");
  const rows = shown.map(({ issuance, effect, leaves }) => [
    instantOf(issuance.issuedAtMs),
    ...(signed ? [] : [BASIS_WORDS[issuance.basis]]),
    serialText(issuance.serial),
    ...(account.kind === "domain" ? [issuance.names[0] ?? ""] : []),
    leaves === undefined || budget === null
      ? ""
      : `${account.kind === "domain" ? "" : `${bar(leaves, budget.limit.burst)} `}${leaves} of ` +
        `${budget.limit.burst}${EFFECT_WORDS[effect ?? "spent"]}`,
    sourcesText(issuance.sources, home),
  ]);
  const head = [
    "ISSUED",
    ...(signed ? [] : ["BY"]),
    "SERIAL",
    ...(account.kind === "domain" ? ["NAME"] : []),
    budget === null ? "" : "LEFT AFTER IT",
    "KNOWN FROM",
  ];
  const earlier = timeline.length - MAX_ROWS;
  return section(
    plain(
      `Issued by ${issuer}${view.accounts.length > 1 ? ` for ${accountName(account)}` : ""} ` +
        `(${timeline.length}${signed ? ", each dated by its SCT" : ""})`,
    ),
    [
      ...(earlier > 0 ? [page.style.dim(`  ${count(earlier, "earlier one")}, then:`)] : []),
      ...tableLines(head, rows, page.width, "  "),
    ],
    page,
  );
}

function budgetLine(budget: Budget, atMs: number): string {
  const phrase = plainText(leftText(budget));
  const next =
    budget.nextSlotMs === null || budget.atMost === 0 || budget.nextSlotMs === budget.fullAtMs
      ? ""
      : `; the next comes back at ${instantOf(budget.nextSlotMs)}, in ` +
        `${spanPhrase(budget.nextSlotMs - atMs)}`;
  const full =
    budget.fullAtMs === null
      ? ""
      : "; full again at " +
        `${instantOf(budget.fullAtMs)}${budget.nextSlotMs === budget.fullAtMs ? `, in ${spanPhrase(budget.fullAtMs - atMs)}` : ""}`;
  return (
    `${budget.kind === "set" ? `this set of names, ${setPhrase(budget.key)}` : `new names under ${budget.key}`}: ` +
    `${phrase}${next}${full}.`
  );
}

/** Reasons that aren't told well by their code alone. */
const REASON_WORDS: Readonly<Record<string, string>> = {
  gap: "lines are missing",
  too_much: "more than is read at once",
  debug_off: "nothing at debug level",
};

/** What is silent for the same reason in many clusters is said once, `own` first. */
function silenceTexts(silences: readonly Silence[], own: ReadonlySet<string | null>): string[] {
  const ordered = silences.toSorted(
    (a, b) => Number(!own.has(a.cluster)) - Number(!own.has(b.cluster)),
  );
  return [...Map.groupBy(ordered, ({ source, reason }) => `${source} ${reason}`).values()].flatMap(
    (group) => {
      const [first] = group;
      if (first === undefined) return [];
      const clusters = group.flatMap(({ cluster }) => cluster ?? []);
      const what = {
        secret: "Secrets",
        backup: "backups",
        state: "the state",
        log: "logs",
        ct: "certificate logs",
      }[first.source];
      const where =
        clusters.length === 0
          ? ""
          : " of " +
            `${clusters.slice(0, 3).join(", ")}${clusters.length > 3 ? ` and ${clusters.length - 3} more` : ""}`;
      const sinceMs = Math.min(...group.map((one) => one.sinceMs ?? Number.NEGATIVE_INFINITY));
      return [
        `${what}${where} ` +
          `(${REASON_WORDS[first.reason] ?? first.reason.replaceAll("_", " ")}${Number.isFinite(sinceMs) ? ` since ${instantOf(sinceMs)}` : ""})`,
      ];
    },
  );
}

function leftLines(view: ExplainView, { width, style }: PageStyle): string[] {
  const budgets = new Map<string, Budget>();
  for (const { budget, domains } of view.accounts)
    for (const one of [...(budget === null ? [] : [budget]), ...domains])
      budgets.set(`${one.kind} ${one.issuer} ${one.key}`, one);
  const unknown = view.accounts.filter(
    ({ budget, domains }) => budget === null && domains.length === 0,
  );
  const { silences, unread } = view.across.ledger.evidence;
  if (budgets.size === 0 && unknown.length === 0) return [];
  return [
    ...[...budgets.values()].slice(0, MAX_ROWS).flatMap((budget) => {
      const [first = "", ...rest] = wrap(
        plain(`${bar(budget.atMost, budget.limit.burst)}  ${budgetLine(budget, view.atMs)}`),
        width,
        "  ",
      );
      const claimed = claimedBeside(view.across, budget).flatMap((one) =>
        wrap(
          style.yellow(
            plain(
              `The log of ${one.cluster} claims ${one.count} more within a week, which ` +
                `nothing else shows: with ${one.count === 1 ? "it" : "them"} at most ` +
                `${one.atMost} of ${budget.limit.burst} are left.`,
            ),
          ),
          width,
          "  ",
        ),
      );
      return [budget.atMost === 0 ? style.red(first) : first, ...rest, ...claimed];
    }),
    ...[...budgets.values()]
      .flatMap(({ claims }) => claims)
      .flatMap((claim) =>
        wrap(
          plain(
            `Cluster ${claim.cluster} claims a refusal until ${instantOf(claim.retryAtMs)} ` +
              `(${claim.where}).`,
          ),
          width,
          "  ",
        ),
      ),
    ...[...budgets.values()].flatMap(({ key, kind, limit, overrideSeen }) =>
      overrideSeen === null
        ? []
        : wrap(
            plain(
              `A refusal tells of a limit of ${overrideSeen} for ` +
                `${kind === "set" ? setPhrase(key) : key}; ${limit.burst} is what is counted ` +
                "with. If the issuer changed it, say so: limits: in certkeep.yaml.",
            ),
            width,
            "  ",
          ),
    ),
    ...unknown.flatMap(({ issuer, key }) =>
      wrap(
        plain(
          `${setPhrase(key)}: no limit of ${view.across.titles.get(issuer) ?? issuer} is ` +
            "known; limits: in certkeep.yaml says one.",
        ),
        width,
        "  ",
      ),
    ),
    ...(silences.length === 0
      ? []
      : wrap(
          style.dim(
            plain(
              "Silent: " +
                `${silenceTexts(silences, new Set([null, ...view.places.map(({ entry }) => entry.cluster)])).join(", ")}.`,
            ),
          ),
          width,
          "  ",
        )),
    ...(unread.length === 0
      ? []
      : wrap(
          style.dim(
            plain(
              `Left unread: ${count(
                unread.reduce((sum, entry) => sum + entry.count, 0),
                "issuance",
              )}.`,
            ),
          ),
          width,
          "  ",
        )),
  ];
}

function planLines(
  account: AccountView,
  planned: number,
  view: ExplainView,
  page: PageStyle,
): string[] {
  const { plan } = account;
  const what =
    account.kind === "domain"
      ? `${count(planned, "new name")} under ${account.key}`
      : `${count(planned, "more certificate")} of ${accountName(account)}`;
  if (plan === null)
    return section(plain(`Plan: ${what}`), ["  No limit of its issuer is known."], page);
  const { earliestMs, sureMs } = plan;
  const when = (ms: number): string =>
    ms <= view.atMs ? "now" : `${instantOf(ms)} (${spanPhrase(ms - view.atMs)})`;
  // Those that go together are one line.
  const rows: { from: number; to: number; earliest: string; sure: string }[] = [];
  earliestMs.forEach((ms, i) => {
    const earliest = when(ms);
    const sure = sureMs === null ? "unknown" : when(sureMs[i] ?? ms);
    const last = rows.at(-1);
    if (last !== undefined && last.earliest === earliest && last.sure === sure) last.to = i + 1;
    else rows.push({ from: i + 1, to: i + 1, earliest, sure });
  });
  const cells = rows
    .slice(0, MAX_PLAN_ROWS)
    .map(({ from, to, earliest, sure }) => [
      from === to ? String(from) : `${from} to ${to}`,
      earliest,
      sure,
    ]);
  const last = rows.at(-1);
  return section(
    plain(`Plan: ${what}`),
    [
      ...tableLines(["", "NOT BEFORE", "SURE, IF NOTHING ELSE IS ISSUED"], cells, page.width, "  "),
      ...(rows.length > MAX_PLAN_ROWS && last !== undefined
        ? [`  … the last, ${last.to}, at ${last.earliest}`]
        : []),
      ...(earliestMs.length < planned
        ? wrap(`No further than ${earliestMs.length} is planned.`, page.width, "  ")
        : []),
    ],
    page,
  );
}

function copyLines(view: ExplainView, { width, style }: PageStyle): string[] {
  if (view.kind === "cluster" || view.kind === "domain") return [];
  const copies = [
    ...new Map(
      view.places.flatMap((place) =>
        place.copies.map((copy) => [`${copy.cluster} ${copy.version}`, { copy, place }] as const),
      ),
    ).values(),
  ];
  if (copies.length === 0)
    return view.places.length === 0 ? [] : ["  None. If it is lost, it can only be issued again."];
  const rows = copies
    .slice(0, MAX_ROWS)
    .map(({ copy }) => [
      copy.version.slice(0, 8),
      copy.cluster,
      copy.serial === null ? "" : serialText(copy.serial),
      copy.recordedAt.slice(0, 10),
      copy.notAfter?.slice(0, 10) ?? "",
      copy.retired ? "retired" : copy.good ? "good" : "not good",
    ]);
  return [
    ...tableLines(["VERSION", "CLUSTER", "SERIAL", "RECORDED", "UNTIL", ""], rows, width, "  "),
    ...(copies.length > MAX_ROWS ? [style.dim(`  and ${copies.length - MAX_ROWS} more`)] : []),
  ];
}

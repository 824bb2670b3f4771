/**
 * What a digest says, before it is known where: a verdict in one line, then sections, each an own
 * thing to do, the most important first. Pure. Nothing is cut here; a medium shows as much as it
 * can hold and says what it leaves out.
 */
import type { Severity } from "../finding/codes.ts";
import type { Finding } from "../finding/finding.ts";
import { commandOf, findingCommand, findingInvoke } from "./command.ts";
import { bar, isLow, levelText, type BudgetLevel } from "./budget.ts";
import { sortFindings } from "./findings.ts";
import { instantParts, middle, type Part } from "./part.ts";
import { adviceOf, causeText, seenText, whyText } from "./phrases.ts";
import type { ClusterSummary } from "./summary.ts";
import { count } from "./text.ts";
import { verdictText } from "./verdict.ts";

/** One line of a section, and how many findings (or whatever the section counts) it stands for. */
export interface Item {
  readonly parts: readonly Part[];
  readonly command: string | null;
  /** The same by a function on AWS, for who has neither certkeep nor its configuration at hand. */
  readonly invoke?: string | null;
  readonly weight: number;
  readonly cluster: string | null;
}

export interface Section {
  readonly title: string;
  /** Of its findings; absent where it isn't about findings. */
  readonly severity?: Severity;
  /** 0 is the most important: the last to be cut. */
  readonly rank: number;
  readonly items: readonly Item[];
  /** What the items count: `finding`, `certificate`. */
  readonly unit: readonly [one: string, many: string];
  /** Counted in the title, though no item stands for them. */
  readonly unlisted: number;
}

export type MessageKind = "first" | "news" | "urgent" | "heartbeat";

export interface Message {
  readonly kind: MessageKind;
  readonly madeMs: number;
  readonly verdict: string;
  /** One line of context below the verdict. */
  readonly context: readonly Part[];
  readonly sections: readonly Section[];
  /** What was muted, what was told before, and the like. */
  readonly notes: readonly (readonly Part[])[];
}

export interface Resolved {
  /** Of the finding; one that a newer version made up is shown as it is. */
  readonly code: string;
  readonly cluster: string;
  readonly label: string;
}

export interface MessageInput {
  readonly kind: MessageKind;
  readonly nowMs: number;
  readonly summaries: readonly ClusterSummary[];
  /** Findings to be told in full. */
  readonly told: readonly Finding[];
  /** Ids of those that were told before and are repeated. */
  readonly repeated: ReadonlySet<string>;
  readonly resolved: readonly Resolved[];
  readonly budgets: readonly BudgetLevel[];
  readonly notes: readonly (readonly Part[])[];
}

/** Groups of one severity that get a section of their own. */
const GROUPS: Readonly<Record<Severity, number>> = { critical: 5, warning: 4, information: 2 };
const TITLES: Readonly<Record<Severity, string>> = {
  critical: "Today",
  warning: "Soon",
  information: "For information",
};
/** From more findings than these on, a group is told by cause. */
const LISTED = 6;
const LISTED_FIRST = 3;
const EXAMPLES = 3;
const COMMAND_LENGTH = 700;
const FINDING: Section["unit"] = ["finding", "findings"];

export function composeMessage(input: MessageInput): Message {
  const sections: Section[] = [];
  for (const severity of ["critical", "warning", "information"] as const)
    sections.push(...findingSections(severity, input));
  sections.push(
    ...unknownSection(input),
    ...budgetSection(input),
    ...upcomingSection(input),
    ...resolvedSection(input),
  );
  return {
    kind: input.kind,
    madeMs: input.nowMs,
    verdict: verdictText(input.summaries, input.nowMs),
    context: contextOf(input),
    sections,
    notes: notesOf(input),
  };
}

const KINDS: Readonly<Record<MessageKind, string>> = {
  first: "The first digest: a summary by cause. From now on only what changes is told.",
  news: "What changed since the last digest.",
  urgent: "At once, because it is critical.",
  heartbeat: "The weekly sign of life.",
};

function contextOf({ kind, nowMs, summaries }: MessageInput): Part[] {
  return [`${KINDS[kind]} ${count(summaries.length, "cluster")}, as of `, { atMs: nowMs }, "."];
}

function notesOf({ summaries, notes, told }: MessageInput): (readonly Part[])[] {
  const ignored = summaries.reduce((sum, one) => sum + one.ignored, 0);
  const shown = new Set(told.map(({ id }) => id));
  const before = (["critical", "warning"] as const).flatMap((severity) => {
    const n = summaries.reduce(
      (sum, { findings }) =>
        sum +
        findings.filter((finding) => finding.severity === severity && !shown.has(finding.id))
          .length,
      0,
    );
    return n === 0 ? [] : [`${n} ${severity === "critical" ? "for today" : "soon"}`];
  });
  return [
    ...(before.length === 0
      ? []
      : [[`Told before and still so: ${before.join(", ")}. See them with: certkeep report`]]),
    ...(ignored === 0 ? [] : [[`${count(ignored, "finding")} muted by ignore: in certkeep.yaml.`]]),
    ...notes,
  ];
}

/** Findings of one severity: a section for each thing to do. */
function findingSections(severity: Severity, input: MessageInput): Section[] {
  const of = sortFindings(input.told).filter((finding) => finding.severity === severity);
  // The sort puts what is due first in front, and groups keep the order of their first finding.
  const groups = [...Map.groupBy(of, (finding) => adviceOf(finding).key).values()];
  const kept = groups.slice(0, GROUPS[severity]);
  const rest = groups.slice(GROUPS[severity]).flat();
  const rank = severity === "critical" ? 0 : severity === "warning" ? 1 : 6;
  const sections = kept.map((findings): Section => ({
    title: `${TITLES[severity]}: ${findings[0] === undefined ? "" : adviceOf(findings[0]).general}`,
    severity,
    rank,
    items: itemsOf(findings, input),
    unit: FINDING,
    unlisted: 0,
  }));
  if (rest.length > 0)
    sections.push({
      title: `${TITLES[severity]}: other things to do`,
      severity,
      rank,
      items: causeItems(rest, input.repeated),
      unit: FINDING,
      unlisted: 0,
    });
  return sections;
}

function itemsOf(findings: readonly Finding[], { kind, repeated }: MessageInput): Item[] {
  const listed = kind === "first" || kind === "heartbeat" ? LISTED_FIRST : LISTED;
  return findings.length > listed
    ? causeItems(findings, repeated)
    : findings.map((finding) => oneItem(finding, repeated));
}

function oneItem(finding: Finding, repeated: ReadonlySet<string>): Item {
  const why = whyText(finding);
  const { own } = adviceOf(finding);
  return {
    parts: [
      ...placeParts(finding),
      ": ",
      ...seenText(finding),
      ...(why.length === 0 ? [] : [" ", ...why]),
      ...(repeated.has(finding.id)
        ? [" Still so, since ", ...instantParts(finding.since), "."]
        : []),
      ...(own.length === 0 ? [] : [" ", ...own]),
      ...(finding.asLastSeen === null
        ? []
        : [" As last seen ", ...instantParts(finding.asLastSeen), "."]),
    ],
    command: short(findingCommand(finding)),
    invoke: short(findingInvoke(finding)),
    weight: 1,
    cluster: finding.subject.cluster,
  };
}

/** A command that is longer than can be read is left out. */
function short(command: string | null): string | null {
  return command !== null && command.length <= COMMAND_LENGTH ? command : null;
}

/** By cause and cluster, the most numerous first. */
function causeItems(findings: readonly Finding[], repeated: ReadonlySet<string>): Item[] {
  const causes = Map.groupBy(findings, ({ cause, subject }) =>
    JSON.stringify([cause, subject.cluster]),
  );
  return [...causes.values()]
    .toSorted((a, b) => b.length - a.length)
    .flatMap((of): Item[] => {
      const [first] = of;
      if (first === undefined) return [];
      if (of.length === 1) return [oneItem(first, repeated)];
      const names = of.slice(0, EXAMPLES).flatMap((finding, index): Part[] => [
        index === 0 ? "" : ", ",
        {
          name:
            finding.subject.name ??
            finding.subject.secret ??
            finding.subject.namespace ??
            finding.subject.cluster,
        },
      ]);
      const more = of.length > EXAMPLES ? ` and ${of.length - EXAMPLES} more` : "";
      return [
        {
          parts: [
            { strong: String(of.length) },
            " in ",
            { name: first.subject.cluster },
            ": ",
            { said: causeText(first.cause) },
            ": ",
            ...names,
            `${more}.`,
          ],
          command: null,
          weight: of.length,
          cluster: first.subject.cluster,
        },
      ];
    });
}

function placeParts({ subject }: Finding): Part[] {
  const { cluster, namespace, secret, name } = subject;
  const place: Part[] =
    namespace === null
      ? [" in ", { name: cluster }]
      : [
          " in ",
          { name: cluster },
          ", ",
          { name: secret === null ? namespace : `${namespace}/${secret}` },
        ];
  return name === null ? place.slice(1) : [{ name }, ...place];
}

function unknownSection({ summaries }: MessageInput): Section[] {
  const unseen = summaries.filter(({ sight }) => sight !== "now");
  if (unseen.length === 0) return [];
  const words: Readonly<Record<Exclude<ClusterSummary["sight"], "now">, string>> = {
    part: "partly read",
    stale: "no audit has finished for more than a day",
    unseen: "can't be seen",
    never: "never audited",
    unreadable: "what was seen of it can't be read",
  };
  const items = unseen
    .toSorted((a, b) => b.tally.unknown - a.tally.unknown)
    .map((one): Item => ({
      parts: [
        { name: one.title },
        `: ${one.sight === "now" ? "" : words[one.sight]}`,
        ...(one.seenAt === null || one.sight === "part"
          ? []
          : ["; last seen ", ...instantParts(one.seenAt)]),
        ...(one.tally.unknown === 0
          ? []
          : [`; nothing is known now of ${count(one.tally.unknown, "certificate")}`]),
        ".",
      ],
      command: one.sight === "never" ? commandOf({ kind: "audit", cluster: one.cluster }) : null,
      weight: 1,
      cluster: one.cluster,
    }));
  return [{ title: "Not known", rank: 2, items, unit: ["cluster", "clusters"], unlisted: 0 }];
}

function budgetSection({ budgets, summaries }: MessageInput): Section[] {
  const clusters = new Set(summaries.map(({ cluster }) => cluster));
  const low = budgets
    .filter(
      (budget) =>
        isLow(budget) &&
        (budget.clusters.length === 0 || budget.clusters.some((one) => clusters.has(one))),
    )
    .toSorted((a, b) => a.remaining / a.capacity - b.remaining / b.capacity);
  if (low.length === 0) return [];
  const items = low.map((budget): Item => ({
    parts: [
      `${bar(budget.remaining, budget.capacity)} `,
      { name: middle(budget.name, 60) },
      `: ${levelText(budget)}`,
      ...(budget.nextSlotMs === null
        ? []
        : [`; next available ${budget.overshot ? "by " : ""}`, { atMs: budget.nextSlotMs }]),
      ...(budget.fullAtMs === null
        ? []
        : [`; full again ${budget.overshot ? "by " : ""}`, { atMs: budget.fullAtMs }]),
      ".",
    ],
    command: null,
    weight: 1,
    cluster: null,
  }));
  return [
    {
      title: "Issuance budgets near their limit",
      rank: 3,
      items,
      unit: ["budget", "budgets"],
      unlisted: 0,
    },
  ];
}

const UPCOMING_SHOWN = 5;

function upcomingSection({ summaries, kind }: MessageInput): Section[] {
  if (kind === "urgent") return [];
  const all = summaries
    .flatMap(({ upcoming }) => upcoming)
    .toSorted((a, b) => (a.notAfter < b.notAfter ? -1 : a.notAfter > b.notAfter ? 1 : 0));
  if (all.length === 0) return [];
  const items = all.slice(0, UPCOMING_SHOWN).map((one): Item => ({
    parts: [
      { name: one.name },
      " in ",
      { name: one.cluster },
      ": expires ",
      ...instantParts(one.notAfter),
      ".",
    ],
    command: null,
    weight: 1,
    cluster: one.cluster,
  }));
  return [
    {
      title: "Next to expire, still to be renewed by their owners",
      rank: 5,
      items,
      unit: ["certificate", "certificates"],
      unlisted: 0,
    },
  ];
}

function resolvedSection({ resolved }: MessageInput): Section[] {
  if (resolved.length === 0) return [];
  const items = resolved.map((one): Item => ({
    parts: [
      { name: one.label },
      " in ",
      { name: one.cluster },
      ": ",
      { said: causeText([one.code]) },
      " is over.",
    ],
    command: null,
    weight: 1,
    cluster: one.cluster,
  }));
  return [
    {
      title: "Resolved since last time",
      rank: 4,
      items,
      unit: ["finding", "findings"],
      unlisted: 0,
    },
  ];
}

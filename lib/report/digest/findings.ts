/** A digest's sections about findings: one for each thing to do. Pure. */
import type { Severity } from "../../finding/codes.ts";
import type { Finding } from "../../finding/finding.ts";
import { findingCommand, findingInvoke } from "../command.ts";
import { sortFindings } from "../findings.ts";
import { instantParts, type Part } from "../part.ts";
import { adviceOf, causeText, seenText, whyText } from "../phrases.ts";
import type { Item, MessageInput, Section } from "./message.ts";

/** Groups of one severity that get a section of their own. */
const GROUPS: Readonly<Record<Severity, number>> = { critical: 5, warning: 4, info: 2 };
const TITLES: Readonly<Record<Severity, string>> = {
  critical: "Today",
  warning: "Soon",
  info: "Info",
};
/** A group of more findings than this is shown by cause. */
const LISTED = 6;
const LISTED_FIRST = 3;
const EXAMPLES = 3;
const COMMAND_LENGTH = 700;
const FINDING: Section["unit"] = ["finding", "findings"];

/** Findings of one severity: a section for each thing to do. */
export function findingSections(severity: Severity, input: MessageInput): Section[] {
  const of = sortFindings(input.reported).filter((finding) => finding.severity === severity);
  // Sorted by when each is due; a group stands where its first finding does.
  const groups = [...Map.groupBy(of, (finding) => adviceOf(finding).key).values()];
  const shown = groups.slice(0, GROUPS[severity]);
  const rest = groups.slice(GROUPS[severity]).flat();
  const title = TITLES[severity];
  const rank = severity === "critical" ? 0 : severity === "warning" ? 1 : 6;
  const sections = shown.map((findings): Section => ({
    title: `${title}: ${findings[0] === undefined ? "" : adviceOf(findings[0]).general}`,
    severity,
    rank,
    items: itemsOf(findings, input),
    unit: FINDING,
  }));
  if (rest.length > 0)
    sections.push({
      title: `${title}: other things to do`,
      severity,
      rank,
      items: causeItems(rest, input.repeated),
      unit: FINDING,
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

/** Leaves out a command that is too long to read. */
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

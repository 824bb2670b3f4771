/** Why certificates are reissued: causes, their evidence, and missing sources. Pure. */
import { instantOf } from "../../certificate/time.ts";
import {
  type Cause,
  type Diagnosis,
  EFFECTS,
  explainsReissue,
  type Measure,
  measureKey,
} from "../../diagnosis/cause.ts";
import { type EvidenceLine } from "../../diagnosis/evidence.ts";
import { plain } from "../../plain.ts";
import { measureLines } from "./actions.ts";
import { type Explanation, isOfSeveral } from "./explanation.ts";
import { plainText, say } from "../part.ts";
import {
  becausePlain,
  becauseText,
  CAUSE_TITLES,
  diagnosisText,
  EVIDENCE_TITLES,
  seenText,
} from "../phrases/causes.ts";
import { isNeeded, missingText, unknownText } from "../phrases/missing.ts";
import { accountName, setPhrase } from "../phrases/limits.ts";
import { count, type Page, paragraph, some, wrap } from "../text.ts";

/** Diagnoses written out; of a cluster there may be thousands. */
const MAX_SHOWN = 10;
const MAX_SOURCES = 8;
const MAX_CLUSTERS = 4;
const MAX_SETTINGS = 4;

export function whyLines(view: Explanation, page: Page): string[] {
  const { kind, diagnoses } = view;
  const wanting = diagnoses.filter(({ verdict }) => verdict !== "none");
  // Of a domain, names that need no cause are shown only where no name needs one.
  const groups = groupsOf(kind === "domain" && wanting.length > 0 ? wanting : diagnoses);
  const several = isOfSeveral(
    view,
    diagnoses.map(({ cluster }) => cluster),
  );
  const lines = groups.slice(0, MAX_SHOWN).flatMap((group, i) => {
    const brief = kind === "cluster" || (kind === "domain" && group[0].kind === "set");
    return brief
      ? briefLines(group, several, page)
      : [...(i > 0 ? [""] : []), ...groupLines(group, several, page)];
  });
  if (lines.length === 0) return [];
  const more = groups.length - MAX_SHOWN;
  return [
    ...lines,
    ...(more > 0 ? paragraph(`and ${more} more names`, page, page.style.dim) : []),
    ...missingLines(diagnoses, page),
    ...unreadLines(view, page),
  ];
}

type Group = readonly [Diagnosis, ...Diagnosis[]];

/** Clusters with the same diagnosis are one group, such as those that race each other. */
function groupsOf(diagnoses: readonly Diagnosis[]): readonly Group[] {
  const groups = Map.groupBy(diagnoses, ({ kind, key, verdict, causes, missing }) =>
    JSON.stringify([
      kind,
      key,
      verdict,
      causes.map((cause) => [cause.code, becausePlain(cause), cause.confidence]),
      missing.map(({ source, code, sinceMs }) => [source, code, sinceMs]),
    ]),
  );
  return [...groups.values()] as unknown as readonly Group[];
}

function headOf(group: Group): string {
  const clusters = group.map(({ cluster }) => cluster);
  return `${accountName(group[0])}, in ${some(clusters, MAX_CLUSTERS)}`;
}

function briefLines(group: Group, several: boolean, page: Page): string[] {
  const why = plainText(diagnosisText(group[0]));
  const head = several ? headOf(group) : setPhrase(group[0].key);
  return why === "" ? [] : paragraph(`${head}: ${why}`, page);
}

function groupLines(group: Group, several: boolean, page: Page): string[] {
  const [first] = group;
  const { kind, verdict, needlessMs, causes, missing } = first;
  const head = several ? paragraph(headOf(group), page, page.style.bold) : [];
  const needless =
    needlessMs.length === 0
      ? ""
      : `${count(needlessMs.length, "certificate")} reissued needlessly within a week, ` +
        `last at ${instantOf(needlessMs.at(-1) ?? 0)}.`;
  if (verdict === "none") {
    const sure = missing.length === 0 ? ", and nothing that would lead to one" : "";
    return [...head, ...paragraph(`No needless reissue was seen${sure}.`, page)];
  }
  if (verdict === "unknown")
    return [
      ...head,
      ...paragraph(`${needless} ${plainText(unknownText(first))}.`.trimStart(), page),
    ];
  const lines = causes.flatMap((cause) => causeLines(cause, page));
  const explained = kind === "domain" || causes.some(({ code }) => code === "race");
  if (needless === "" && explained) return [...head, ...lines.slice(1)];
  const lead =
    needless === ""
      ? `No needless reissue was seen; ${holdsText(causes)}.`
      : causes.some(explainsReissue)
        ? needless
        : `${needless} No cause was seen before it; ${holdsText(causes)}.`;
  return [...head, ...paragraph(lead, page), ...lines];
}

function holdsText(causes: readonly Cause[]): string {
  if (causes.every(({ overMs }) => overMs !== null)) return "these causes are over";
  return causes.some(({ code, overMs }) => overMs === null && EFFECTS[code].includes("reissues"))
    ? "this cause holds and may lead to one"
    : "this blocks new certificates";
}

function causeLines(cause: Cause, page: Page): string[] {
  const { style } = page;
  const { code, confidence, evidence, measures } = cause;
  const paint =
    cause.overMs !== null ? style.dim : confidence === "proven" ? style.red : style.yellow;
  return [
    "",
    ...paragraph(say`${CAUSE_TITLES[code]}, ${confidence}: ${becauseText(cause)}.`, page).map(
      (line) => style.bold(paint(line)),
    ),
    ...evidence.flatMap((line) => hanging(plain(evidenceText(line)), page.width)),
    ...measures.flatMap((measure) => measureLines("Do: ", measure, page, "    ")),
  ];
}

/** A line of a log ends as it ends. */
function evidenceText({ source, where, seen }: EvidenceLine): string {
  const stop = seen.kind === "logged" || seen.kind === "event" ? "" : ".";
  return `${EVIDENCE_TITLES[source]} ${where}: ${plainText(seenText(seen))}${stop}`;
}

/** `· ` and text, its further lines below the text. A longer word, as logs have it, is broken. */
function hanging(text: string, width: number): string[] {
  const room = Math.max(20, width - 6);
  const broken = text.replace(new RegExp(`\\S{${room}}(?=\\S)`, "gu"), "$& ");
  return wrap(broken, width, "      ").map((line, i) =>
    i === 0 ? `    · ${line.trimStart()}` : line,
  );
}

/** The sources without which a cause may stay unknown, and the settings that would show more. */
function missingLines(diagnoses: readonly Diagnosis[], page: Page): string[] {
  const all = diagnoses.flatMap(({ cluster, missing }) =>
    missing.filter(isNeeded).map((one) => ({ cluster, ...one })),
  );
  const open = [
    ...new Map(
      all.map((one) => [JSON.stringify([one.cluster, one.source, one.code, one.sinceMs]), one]),
    ).values(),
  ];
  if (open.length === 0) return [];
  const several = new Set(open.map(({ cluster }) => cluster)).size > 1;
  const texts = open.slice(0, MAX_SOURCES).map((one) => {
    const text = plainText(missingText(one));
    return several ? `${text} (${one.cluster})` : text;
  });
  const measures = new Map(
    open.flatMap(({ measure }): (readonly [string, Measure])[] =>
      measure === null ? [] : [[measureKey(measure), measure]],
    ),
  );
  return [
    "",
    ...(diagnoses.every(({ verdict }) => verdict === "unknown")
      ? []
      : paragraph(
          say`Not checked: ${texts.join(", ")}. Only logs show certificates that were issued and never
            stored.`,
          page,
          page.style.dim,
        )),
    ...[...measures.values()]
      .slice(0, MAX_SETTINGS)
      .flatMap((measure) => measureLines("To check it: ", measure, page, "  ")),
  ];
}

const STATUS_WORDS: ReadonlyMap<string, string> = new Map([
  ["debug_off", "nothing of certificates at its log level"],
  ["not_enabled", "not enabled"],
  ["too_much", "cut off"],
  ["gap", "a gap"],
  ["no_pod", "no pod matches"],
]);

/** Which parts of a source weren't read, since when, and how much. */
function unreadLines({ looks, diagnoses }: Explanation, page: Page): string[] {
  const keyOf = (one: { cluster: string; source: string; code: string | null }): string =>
    `${one.cluster} ${one.source} ${one.code}`;
  const shownAbove = new Set(
    diagnoses.flatMap(({ cluster, missing }) =>
      missing.filter(isNeeded).map((one) => keyOf({ cluster, ...one })),
    ),
  );
  const bySource = Map.groupBy(looks, keyOf);
  const unread = looks.filter(
    (one) =>
      one.code !== "not_enabled" &&
      (one.unread !== null ||
        !shownAbove.has(keyOf(one)) ||
        (bySource.get(keyOf(one))?.length ?? 0) > 1),
  );
  if (unread.length === 0) return [];
  const several = new Set(looks.map(({ cluster }) => cluster)).size > 1;
  const texts = unread.slice(0, MAX_SOURCES).map((one) => {
    const { cluster, source, scope, code, sinceMs } = one;
    const since =
      sinceMs === null || shownAbove.has(keyOf(one)) ? "" : ` since ${instantOf(sinceMs)}`;
    const status = STATUS_WORDS.get(code ?? "") ?? code?.replaceAll("_", " ");
    const what = [...(status === undefined ? [] : [`${status}${since}`]), one.unread ?? []].flat();
    const where = several ? `${cluster} ${scope}` : scope;
    return `${source.replaceAll("_", " ")} of ${where} (${what.join(", ")})`;
  });
  const more = unread.length - MAX_SOURCES;
  const rest = more > 0 ? `; and ${more} more` : "";
  return ["", ...paragraph(`Not read: ${texts.join("; ")}${rest}.`, page, page.style.dim)];
}

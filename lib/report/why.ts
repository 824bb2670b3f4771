/**
 * Why certificates are reissued, for explain's page: causes with their evidence, and what is
 * missing to tell. Pure.
 */
import {
  type Cause,
  type Diagnosis,
  type EvidenceLine,
  type Measure,
  measureKey,
} from "../diagnosis/cause.ts";
import { instantOf } from "../certificate/time.ts";
import type { SourceStatus } from "../state/signals.ts";
import { plainText } from "./part.ts";
import {
  becauseText,
  CAUSE_TITLES,
  diagnosisText,
  EVIDENCE_TITLES,
  isNeeded,
  missingText,
  sightingText,
  unknownText,
} from "./phrases/causes.ts";
import { setPhrase } from "./phrases/limits.ts";
import { measureDocument } from "./phrases/measures.ts";
import type { Style } from "./style.ts";
import { plain } from "../plain.ts";
import { count, wrap } from "./text.ts";

/** Diagnoses written out; of a cluster there may be thousands. */
const MAX_SHOWN = 10;
const MAX_LOOKS = 8;

interface Page {
  readonly width: number;
  readonly style: Style;
}

export interface WhyView {
  readonly kind: "certificate" | "secret" | "domain" | "cluster" | "finding";
  readonly diagnoses: readonly Diagnosis[];
  readonly looks: readonly (SourceStatus & { readonly cluster: string })[];
}

export function whyLines(view: WhyView, page: Page): string[] {
  const wanting = view.diagnoses.filter(({ verdict }) => verdict !== "none");
  // Of a domain or several clusters, what needs no cause is told only where nothing does.
  const groups = groupsOf(view.kind === "domain" && wanting.length > 0 ? wanting : view.diagnoses);
  const several = groups.length > 1 && view.kind !== "domain";
  const shown = groups.slice(0, MAX_SHOWN);
  const lines = shown.flatMap((group, i) => {
    const brief = view.kind === "cluster" || (view.kind === "domain" && group[0]?.kind === "set");
    return brief
      ? briefLines(group, page)
      : [...(i > 0 ? [""] : []), ...groupLines(group, several, page)];
  });
  if (lines.length === 0) return [];
  return [
    ...lines,
    ...(groups.length > MAX_SHOWN
      ? wrap(
          page.style.dim(`and ${groups.length - MAX_SHOWN} more names that want a cause`),
          page.width,
          "  ",
        )
      : []),
    ...missingLines(view.diagnoses, page),
    ...lookLines(view, page),
  ];
}

/** Several clusters of which the very same is to be said, such as a race of all with all. */
function groupsOf(diagnoses: readonly Diagnosis[]): readonly Diagnosis[][] {
  return [
    ...Map.groupBy(diagnoses, ({ kind, key, verdict, causes, missing }) =>
      JSON.stringify([
        kind,
        key,
        verdict,
        causes.map(({ code, because, confidence }) => [code, because, confidence]),
        missing.map(({ source, code, sinceMs }) => [source, code, sinceMs]),
      ]),
    ).values(),
  ];
}

function headOf(group: readonly Diagnosis[]): string {
  const [first] = group;
  const clusters = group.map(({ cluster }) => cluster);
  return (
    `${first?.kind === "domain" ? first.key : setPhrase(first?.key ?? "")}, in ` +
    `${clusters.slice(0, 4).join(", ")}${clusters.length > 4 ? ` and ${clusters.length - 4} more` : ""}`
  );
}

/** One sentence for each name; its own page says the rest. */
function briefLines(group: readonly Diagnosis[], { width }: Page): string[] {
  const [first] = group;
  const why = first === undefined ? "" : plainText(diagnosisText(first));
  return why === "" ? [] : wrap(plain(`${setPhrase(first?.key ?? "")}: ${why}`), width, "  ");
}

function groupLines(group: readonly Diagnosis[], several: boolean, page: Page): string[] {
  const { width, style } = page;
  const [first] = group;
  if (first === undefined) return [];
  const head = several ? wrap(style.bold(plain(headOf(group))), width, "  ") : [];
  const needless =
    first.needlessMs.length === 0
      ? []
      : [
          `${count(first.needlessMs.length, "certificate")} issued without need within a ` +
            `week, the last at ${instantOf(first.needlessMs.at(-1) ?? 0)}.`,
        ];
  if (first.verdict === "none")
    return [
      ...head,
      ...wrap(
        "No needless reissue was " +
          `seen${first.missing.length === 0 ? ", and nothing that would lead to one" : ""}.`,
        width,
        "  ",
      ),
    ];
  if (first.verdict === "unknown")
    return [
      ...head,
      ...wrap(
        plain([...needless, `${plainText(unknownText(first.missing))}.`].join(" ")),
        width,
        "  ",
      ),
    ];
  const told = first.kind === "domain" || first.causes.some(({ code }) => code === "race");
  const over = first.causes.every(({ overMs }) => overMs !== null);
  const lead =
    needless.length > 0 || told
      ? needless
      : [
          "No needless reissue was seen; " +
            `${over ? "what is told here is over" : "this holds all the same, and may lead to one"}.`,
        ];
  const lines = first.causes.flatMap((cause) => causeLines(cause, page));
  return [
    ...head,
    ...(lead.length === 0 ? lines.slice(1) : [...wrap(lead.join(" "), width, "  "), ...lines]),
  ];
}

function causeLines(cause: Cause, { width, style }: Page): string[] {
  const { code, confidence, evidence, measures } = cause;
  const paint =
    cause.overMs !== null ? style.dim : confidence === "proven" ? style.red : style.yellow;
  const [first = "", ...rest] = wrap(
    plain(`${CAUSE_TITLES[code]}, ${confidence}: ${plainText(becauseText(cause))}.`),
    width,
    "  ",
  );
  return [
    "",
    style.bold(paint(first)),
    ...rest.map((line) => style.bold(paint(line))),
    ...evidence.flatMap((line) => hanging(plain(evidenceText(line)), width)),
    ...measures.flatMap((measure) => {
      const { text, command } = measureDocument(measure);
      return [
        ...wrap(plain(`Do: ${text}${command === null ? "." : ":"}`), width, "    "),
        ...(command === null ? [] : [`      ${style.green(command)}`]),
      ];
    }),
  ];
}

/** A line of a log ends as it ends. */
function evidenceText({ source, where, seen }: EvidenceLine): string {
  const stop = seen.kind === "logged" || seen.kind === "event" ? "" : ".";
  return `${EVIDENCE_TITLES[source]} ${where}: ${plainText(sightingText(seen))}${stop}`;
}

/**
 * `· ` and text, its further lines below the text. A log's line may be one word as long as several
 * lines: it is broken.
 */
function hanging(text: string, width: number): string[] {
  const room = Math.max(20, width - 6);
  const broken = text.replace(new RegExp(`\\S{${room}}(?=\\S)`, "gu"), "$& ");
  return wrap(broken, width, "      ").map((line, i) =>
    i === 0 ? `    · ${line.trimStart()}` : line,
  );
}

/** The settings that would show more, each once; of sources whose lack a diagnosis tells. */
function missingLines(diagnoses: readonly Diagnosis[], { width, style }: Page): string[] {
  const all = diagnoses.flatMap(({ cluster, missing }) =>
    missing.filter(isNeeded).map((one) => ({ cluster, ...one })),
  );
  const open = [
    ...new Map(
      all.map((one) => [JSON.stringify([one.cluster, one.source, one.code, one.sinceMs]), one]),
    ).values(),
  ];
  if (open.length === 0) return [];
  const clusters = new Set(open.map(({ cluster }) => cluster));
  const told = diagnoses.every(({ verdict }) => verdict === "unknown")
    ? []
    : wrap(
        style.dim(
          plain(
            `Not known here: ${open
              .slice(0, MAX_LOOKS)
              .map((one) => {
                const text = plainText(missingText(one));
                return clusters.size > 1 ? `${text} (${one.cluster})` : text;
              })
              .join(", ")}. A certificate that was issued and never stored shows in logs alone.`,
          ),
        ),
        width,
        "  ",
      );
  const measures = new Map(
    open.flatMap(({ measure }): (readonly [string, Measure])[] =>
      measure === null ? [] : [[measureKey(measure), measure]],
    ),
  );
  return [
    "",
    ...told,
    ...[...measures.values()].slice(0, 4).flatMap((measure) => {
      const { text, command } = measureDocument(measure);
      return [
        ...wrap(plain(`To see it: ${text}${command === null ? "." : ":"}`), width, "  "),
        ...(command === null ? [] : [`    ${style.green(command)}`]),
      ];
    }),
  ];
}

const LOOK_WORDS: ReadonlyMap<string, string> = new Map([
  ["debug_off", "nothing of certificates at its log level"],
  ["not_enabled", "not enabled"],
  ["too_much", "cut off"],
  ["gap", "a gap"],
]);

/**
 * Which parts of a source weren't read, since when, and how much; not what was said of the source
 * already.
 */
function lookLines({ looks, diagnoses }: WhyView, { width, style }: Page): string[] {
  const said = new Set(
    diagnoses.flatMap(({ cluster, missing }) =>
      missing.filter(isNeeded).map(({ source, code }) => `${cluster} ${source} ${code}`),
    ),
  );
  const places = Map.groupBy(looks, ({ cluster, source, code }) => `${cluster} ${source} ${code}`);
  const telling = looks.filter(
    ({ cluster, source, code, unread }) =>
      code !== "not_enabled" &&
      (unread !== null ||
        !said.has(`${cluster} ${source} ${code}`) ||
        (places.get(`${cluster} ${source} ${code}`)?.length ?? 0) > 1),
  );
  if (telling.length === 0) return [];
  const several = new Set(looks.map(({ cluster }) => cluster)).size > 1;
  const shown = telling
    .slice(0, MAX_LOOKS)
    .map(({ cluster, source, scope, code, sinceMs, unread }) => {
      const since =
        sinceMs === null || said.has(`${cluster} ${source} ${code}`)
          ? ""
          : ` since ${instantOf(sinceMs)}`;
      const what = [
        ...(code === null ? [] : [`${LOOK_WORDS.get(code) ?? code.replaceAll("_", " ")}${since}`]),
        ...(unread === null ? [] : [unread]),
      ];
      return (
        `${source.replaceAll("_", " ")} of ${several ? `${cluster} ` : ""}${scope} ` +
        `(${what.join(", ")})`
      );
    });
  return [
    "",
    ...wrap(
      style.dim(
        plain(
          "Left unread: " +
            `${shown.join("; ")}${telling.length > MAX_LOOKS ? `; and ${telling.length - MAX_LOOKS} more` : ""}.`,
        ),
      ),
      width,
      "  ",
    ),
  ];
}

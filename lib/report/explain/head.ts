/** The answer: how a name is, its backup, what is left of its limits, and the cause. Pure. */
import { parseMs } from "../../certificate/time.ts";
import { type Cause, type Diagnosis, sortCauses } from "../../diagnosis/cause.ts";
import { STALE_MS } from "../../finding/reach.ts";
import { plain } from "../../plain.ts";
import { titleOf } from "../../state/certificates.ts";
import { say, shortText, shortUtc } from "../part.ts";
import { CAUSE_TITLES, becauseClause, SOURCE_NAMES } from "../phrases/causes.ts";
import { unknownClause } from "../phrases/missing.ts";
import { setPhrase } from "../phrases/limits.ts";
import { count, type Page, some, wrap } from "../text.ts";
import { clusterName, type Explanation, ownClusters } from "./explanation.ts";
import { isLimited, limitTexts } from "./limits.ts";
import { isGood, statusOf, statusText } from "./places.ts";

const LABEL = 10;
const MAX_CAUSES = 4;
const MAX_NOTES = 20;

type Paint = (text: string) => string;

export function headLines(view: Explanation, page: Page): string[] {
  const fact = (label: string, texts: readonly string[], paint?: Paint): string[] =>
    texts.flatMap((text, index) => factLines(index === 0 ? label : "", text, page, paint));
  const status = headStatus(view, page);
  return [
    ...titleLines(view, page),
    ...fact("Status", status.texts, status.paint),
    ...fact("", restoredTexts(view), page.style.green),
    ...fact("", staleTexts(view), page.style.yellow),
    ...fact("Backup", backupTexts(view)),
    ...fact("Limit", limitTexts(view), isLimited(view) ? page.style.red : undefined),
    ...fact("Cause", causeTexts(view)),
  ];
}

/** A label and a text; further lines of it stand below the text. */
function factLines(label: string, text: string, { width, style }: Page, paint?: Paint): string[] {
  return wrap(plain(text), Math.max(30, width - LABEL)).map((line, index) => {
    const shown = paint === undefined ? line : paint(line);
    return index === 0 && label !== ""
      ? `  ${style.dim(label.padEnd(LABEL - 2))}${shown}`
      : `${" ".repeat(LABEL)}${shown}`;
  });
}

function titleLines(view: Explanation, { width, style }: Page): string[] {
  const [place, ...others] = view.places;
  const single = place !== undefined && others.length === 0;
  const name = plain(single && view.kind === "secret" ? titleOf(place.entry) : view.name);
  const where = plain(whereText(view));
  if (where === "") return [style.bold(name)];
  return name.length + 3 + where.length > width
    ? [style.bold(name), `  ${where}`]
    : [`${style.bold(name)}   ${where}`];
}

function whereText(view: Explanation): string {
  const { kind, places, clusters } = view;
  const [place, ...others] = places;
  if (kind === "domain") return "registered domain";
  if (kind === "cluster") return clusters.map(({ state }) => state.server).join(", ");
  if (kind === "finding" || place === undefined) return "";
  const names = [...new Set(places.map(({ entry }) => clusterName(view, entry.cluster)))];
  const inClusters = names.length > 3 ? `${names.length} clusters` : names.join(", ");
  return others.length === 0 ? `${names.join()}  ${place.entry.key}` : inClusters;
}

interface Status {
  readonly texts: readonly string[];
  readonly paint?: Paint;
}

function headStatus(view: Explanation, { style }: Page): Status {
  const { places, kind, findings } = view;
  const [place] = places;
  if (kind === "cluster") return { texts: view.clusters.flatMap(clusterTexts(view.atMs)) };
  if (kind === "finding") return { texts: [count(findings.length, "finding")] };
  if (kind === "domain" || places.length > 1) {
    const ok = places.filter((one) => statusOf(one, findings) === "ok").length;
    const noun = kind === "domain" ? "certificate" : "Secret";
    return {
      texts: [
        ok === places.length
          ? `${count(ok, noun)}, all OK`
          : `${ok} of ${count(places.length, noun)} OK`,
      ],
      paint: ok === places.length ? style.green : style.yellow,
    };
  }
  if (place === undefined)
    return { texts: ["No Secret holds it now; known from backups, logs and earlier audits"] };
  const severity = statusOf(place, findings);
  const paint = { ok: style.green, warning: style.yellow, critical: style.red }[severity];
  return { texts: [statusText(place, view)], paint };
}

function clusterTexts(atMs: number) {
  return ({ state, tally }: Explanation["clusters"][number]): string[] => {
    const { certificates, ok, unknown, critical, warning } = tally;
    const counts = [
      `${ok} of ${count(certificates, "certificate")} OK`,
      ...(unknown === 0 ? [] : [`${unknown} unknown`]),
      ...(critical === 0 ? [] : [`${critical} critical`]),
      ...(warning === 0 ? [] : [count(warning, "warning")]),
    ].join(", ");
    const audited =
      state.audit === null
        ? "never audited"
        : `audited ${shortUtc(parseMs(state.audit.finishedAt), atMs)}` +
          (state.audit.complete ? "" : ", incomplete");
    return [`${counts}; ${audited}`];
  };
}

/** What a restore wrote since the last audit, whose look is shown. */
function restoredTexts({ places, atMs }: Explanation): string[] {
  const times = places.flatMap(({ entry, auditedAt }) => {
    const seenMs = auditedAt === null ? Number.NEGATIVE_INFINITY : parseMs(auditedAt);
    const restored = entry.backups.flatMap(({ copy: { restoredAt } }) => {
      const restoredMs = restoredAt === undefined ? null : parseMs(restoredAt);
      return restoredMs !== null && restoredMs > seenMs && restoredMs <= atMs ? [restoredMs] : [];
    });
    return restored.length === 0 ? [] : [Math.max(...restored)];
  });
  if (times.length === 0) return [];
  const share = times.length === places.length ? "" : ` in ${times.length} of ${places.length}`;
  return [`Restored ${shortUtc(Math.max(...times), atMs)}${share}; the next audit checks it`];
}

/** What an old audit saw is no verdict of now. */
function staleTexts(view: Explanation): string[] {
  const { places, atMs } = view;
  const audits = new Map(
    places.flatMap(({ entry, auditedAt }) =>
      auditedAt === null ? [] : [[clusterName(view, entry.cluster), parseMs(auditedAt)] as const],
    ),
  );
  return [...audits]
    .filter(([, auditedMs]) => atMs - auditedMs > STALE_MS)
    .slice(0, MAX_NOTES)
    .map(([cluster, auditedMs]) => `Not audited since ${shortUtc(auditedMs, atMs)} (${cluster})`);
}

function backupTexts({ kind, places }: Explanation): string[] {
  const held = places.filter(({ entry }) => entry.record !== null);
  const [place, ...others] = held;
  if (place === undefined || kind === "cluster" || kind === "finding") return [];
  if (others.length > 0 || kind === "domain") {
    const backedUp = held.filter(isGood).length;
    return [backedUp === held.length ? "all backed up" : `${backedUp} of ${held.length} backed up`];
  }
  const { copies } = place;
  const good = copies.filter((copy) => copy.good);
  const [newest] = good;
  if (newest !== undefined) {
    const until = newest.notAfter === null ? "" : `, expires ${newest.notAfter.slice(0, 10)}`;
    const more = good.length > 1 ? ` (and ${good.length - 1} older)` : "";
    return [`${newest.version.slice(0, 8)}${until}${more}`];
  }
  const retired = copies.filter((copy) => copy.retired).length;
  const why = [
    ...(retired === 0 ? [] : [`${retired} retired`]),
    ...(copies.length === retired ? [] : [`${copies.length - retired} not restorable`]),
  ].join(", ");
  if (why !== "") return [`none usable (${why})`];
  return [
    place.entry.condition === "live" ? "none: if it is lost, it can only be reissued" : "none",
  ];
}

/** The causes that a page shows: those that still hold, the most decisive first. */
export function shownCauses(diagnosis: Diagnosis, view: Explanation): readonly Cause[] {
  const sorted = sortCauses(diagnosis.causes);
  // A refusal that still runs is the limit's.
  const limited = isLimited(view);
  const causes = sorted.filter(({ code }) => !(limited && code === "rate_limited"));
  const holding = causes.filter(({ overMs }) => overMs === null);
  return (holding.length > 0 ? holding : causes).slice(0, MAX_CAUSES);
}

function causeTexts(view: Explanation): string[] {
  const { diagnoses, kind } = view;
  if (kind === "cluster" || kind === "finding") return [];
  const own = ownClusters(view);
  const clusters = new Set(diagnoses.map(({ cluster }) => cluster));
  const several = new Set([...own, ...clusters]).size > 1;
  const texts = new Map<string, string[]>();
  for (const diagnosis of diagnoses) {
    const text = diagnosisLines(diagnosis, view);
    for (const line of text) {
      const key =
        diagnosis.kind === "set" && kind === "domain"
          ? `${setPhrase(diagnosis.key)}: ${line}`
          : line;
      texts.set(key, [...(texts.get(key) ?? []), clusterName(view, diagnosis.cluster)]);
    }
  }
  const shown = [...texts].map(([text, of]) =>
    several ? `${text} (${some([...new Set(of)], 4)})` : text,
  );
  const more = shown.length - MAX_NOTES;
  return [...shown.slice(0, MAX_NOTES), ...(more > 0 ? [`and ${more} more`] : [])];
}

function diagnosisLines(diagnosis: Diagnosis, view: Explanation): string[] {
  const time = (ms: number): string => shortUtc(ms, view.atMs);
  if (diagnosis.verdict === "none") return [];
  if (diagnosis.verdict === "unknown")
    return [shortText(say`unknown: ${unknownClause(diagnosis)}`, view.atMs)];
  return shownCauses(diagnosis, view).map((cause) => {
    const { code, because, confidence, evidence, overMs } = cause;
    const sources = [...new Set(evidence.map(({ source }) => SOURCE_NAMES[source]))];
    const by = sources.length === 0 ? "" : ` by ${sources.join(", ")}`;
    const over = overMs === null ? "" : `; over since ${time(overMs)}`;
    const clause = shortText(becauseClause(because, "brief"), view.atMs);
    const sure =
      confidence === "proven" ? `proven${by}` : `${confidence}${by === "" ? "" : `,${by}`}`;
    return `${CAUSE_TITLES[code]}: ${clause}; ${sure}${over}`;
  });
}

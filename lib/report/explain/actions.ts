/** What to do about a name: for its certificates, and against a cause that still holds. Pure. */
import { sortFindings } from "../../finding/finding.ts";
import { type Measure, measureKey, sortCauses } from "../../diagnosis/cause.ts";
import { registersFirst, type RestoreAction, restoreAction, viaOf } from "../../finding/action.ts";
import { isNeeded } from "../phrases/missing.ts";
import { type CertificateEntry, titleOf } from "../../state/certificates.ts";
import { isIntended as isIntendedLoss } from "../../state/secrets.ts";
import {
  commandOf,
  findingCommand,
  isOnlyExplained,
  restoreCommand,
  fitsCommand,
} from "../command.ts";
import { shortText } from "../part.ts";
import { adviceOf, adviceText } from "../phrases.ts";
import { advisedPhrase } from "../phrases/advised.ts";
import { measureDocument } from "../phrases/measures.ts";
import { type Page, paragraph } from "../text.ts";
import { clusterName, type ExplainedPlace, type Explanation } from "./explanation.ts";

/** Places that are told what to do with; more are counted. */
const MAX_PLACES = 6;

const HOST = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/;

export function actionLines(explanation: Explanation, page: Page): string[] {
  if (explanation.kind === "cluster" || explanation.kind === "finding") return [];
  if (explanation.kind === "domain") return nameLines(explanation, page);
  const view = withinClusters(explanation);
  const failing = view.places.filter(({ advice }) => advice !== null);
  const isIntended = failing.every(({ entry }) => isIntendedLoss(entry.loss));
  const restored = failing.filter(({ advice }) => advice?.action === "restore");
  const others = failing.filter(
    ({ entry, advice }) => advice?.action !== "restore" && !isIntendedLoss(entry.loss),
  );
  const measure = causeMeasure(view);
  const prevent = measure === null ? [] : measureLines("", measure, page, "  ");
  const worst = failing.length > 0 || prevent.length > 0 ? [] : worstLines(view, page);
  // What is issued while the cause holds is lost again.
  const causeFirst = others.length > 0 && prevent.length > 0;
  const fix = fixLines(others, view, page);
  const blocks = [
    [
      isIntended ? "Restore, if it wasn't removed on purpose" : "Restore",
      restoreLines(restored, view, page),
    ],
    ["Fix first", causeFirst ? prevent : []],
    [causeFirst ? "Then" : "Fix", fix],
    [failing.length > 0 ? "Prevent" : "Fix", causeFirst ? [] : prevent],
    ["Fix", worst],
    ["To find the cause", sourceLines(view, page)],
  ] as const;
  const lines = blocks.flatMap(([title, of]) =>
    of.length === 0 ? [] : [page.style.bold(title), ...of],
  );
  return lines.length === 0 ? [] : ["", ...lines];
}

/** Of a domain: the pages of the names that something is wrong with, the worst first. */
function nameLines({ findings, name }: Explanation, page: Page): string[] {
  const names = sortFindings(findings.filter(({ severity }) => severity !== "info")).flatMap(
    ({ subject }) => (subject.name === null || subject.name === name ? [] : [subject.name]),
  );
  const via = viaOf(findings);
  const commands = [...new Set(names)].flatMap(
    (one) => commandOf({ kind: "explain", name: one, ...(via === undefined ? {} : { via }) }) ?? [],
  );
  if (commands.length === 0) return [];
  const more = commands.length - MAX_PLACES;
  return [
    "",
    page.style.bold("Details"),
    ...commands.slice(0, MAX_PLACES).map((command) => `  ${page.style.green(command)}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

/** A command each; several names of one cluster in one. */
function restoreLines(places: readonly ExplainedPlace[], view: Explanation, page: Page): string[] {
  const actions = new Map(
    places.map((place) => {
      const action = restoreOf(place, view);
      return [JSON.stringify(action), action];
    }),
  );
  const before = new Set(
    places.flatMap(({ entry }) =>
      findingsOf(entry, view).flatMap(({ actions: [first] }) =>
        first !== undefined && registersFirst(first) ? (commandOf(first) ?? []) : [],
      ),
    ),
  );
  const lines = [...actions.values()].slice(0, MAX_PLACES).flatMap((action) => {
    const command = restoreCommand(action, { apply: true });
    return command === null ? typedLines(action, page) : [`  ${page.style.green(command)}`];
  });
  const more = actions.size - MAX_PLACES;
  return [
    ...[...before].map((command) => `  ${page.style.green(command)}`),
    ...lines,
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function findingsOf({ cluster, namespace, secret }: CertificateEntry, { findings }: Explanation) {
  return findings.filter(
    ({ subject }) =>
      subject.cluster === cluster && subject.namespace === namespace && subject.secret === secret,
  );
}

function restoreOf({ entry }: ExplainedPlace, view: Explanation): RestoreAction {
  const { cluster, key } = entry;
  const offered = findingsOf(entry, view)
    .flatMap(({ actions }) => actions)
    .find((action) => action.kind === "restore");
  const action = offered ?? restoreAction(clusterName(view, cluster), [titleOf(entry)]);
  // Kubernetes keeps a Secret's name to characters that fit a command.
  return action.names.every(fitsCommand) ? action : { ...action, names: [key] };
}

function typedLines({ cluster, names }: RestoreAction, page: Page): string[] {
  const command = `certkeep restore ${fitsCommand(cluster) ? cluster : "CLUSTER"} NAME --apply`;
  return [`  ${command}`, ...paragraph(`Type the name in quotes: ${names.join(", ")}`, page)];
}

function fixLines(places: readonly ExplainedPlace[], view: Explanation, page: Page): string[] {
  const lines = places.slice(0, MAX_PLACES).flatMap(({ entry, advice }) => {
    if (advice === null) return [];
    const { owner, cluster, key } = entry;
    const name = titleOf(entry);
    const burst = advice.set?.limit.burst;
    const text =
      advice.action === "reissue" && owner === "tailscale" && HOST.test(name)
        ? `Open https://${name} once; Tailscale requests a new certificate` +
          `${burst === undefined ? "" : ` (uses 1 of ${burst})`}.`
        : shortText(adviceText(advisedPhrase(advice, { owner, name })), view.atMs);
    const whose = places.length === 1 ? "" : `${clusterName(view, cluster)} ${key}: `;
    return paragraph(`${whose}${text}`, page);
  });
  const more = places.length - MAX_PLACES;
  return [...lines, ...(more > 0 ? [`  and ${more} more`] : [])];
}

/** The advice of the worst finding, and its command where that does it. */
function worstLines({ findings, atMs }: Explanation, page: Page): string[] {
  const [worst] = sortFindings(findings.filter(({ severity }) => severity !== "info"));
  if (worst === undefined) return [];
  if (worst.code === "expiring" || worst.code === "renewal_overdue") {
    const { name } = worst.subject;
    if (worst.params.owner === "tailscale" && name !== null && HOST.test(name))
      return paragraph(`Open https://${name} once to trigger renewal.`, page);
  }
  const command = isOnlyExplained(worst) ? null : findingCommand(worst);
  const text = shortText(adviceText(adviceOf(worst)), atMs);
  return [
    ...paragraph(text, page),
    ...(command === null ? [] : [`  ${page.style.green(command)}`]),
  ];
}

/** What other clusters report is nothing to do in those that hold the name. */
function withinClusters(view: Explanation): Explanation {
  const clusters = new Set(view.places.map(({ entry }) => entry.cluster));
  if (clusters.size === 0) return view;
  return {
    ...view,
    findings: view.findings.filter(({ subject }) => clusters.has(subject.cluster)),
    diagnoses: view.diagnoses.filter(({ cluster }) => clusters.has(cluster)),
  };
}

/** The first measure against a cause that is known and still holds; a restore stands above. */
function causeMeasure({ diagnoses }: Explanation): Measure | null {
  const causes = sortCauses(diagnoses.flatMap((one) => one.causes)).filter(
    ({ overMs, confidence }) => overMs === null && confidence !== "possible",
  );
  const measures = causes.flatMap((cause) => cause.measures);
  return measures.find(({ kind }) => kind !== "restore") ?? null;
}

/** The setting that would show a cause that is unknown. */
function sourceLines({ diagnoses }: Explanation, page: Page): string[] {
  const open = diagnoses
    .filter(({ verdict }) => verdict === "unknown")
    .flatMap(({ missing }) => missing.filter(isNeeded))
    .flatMap(({ measure }) => measure ?? []);
  const [first] = new Map(open.map((measure) => [measureKey(measure), measure])).values();
  return first === undefined ? [] : measureLines("", first, page, "  ");
}

export function measureLines(lead: string, measure: Measure, page: Page, indent: string): string[] {
  const { text, command } = measureDocument(measure);
  return [
    ...paragraph(`${lead}${text}${command === null ? "." : ":"}`, page, undefined, indent),
    ...(command === null ? [] : [`${indent}  ${page.style.green(command)}`]),
  ];
}

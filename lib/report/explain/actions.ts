/** What to do about a name: for its certificates, and against a cause that still holds. Pure. */
import { sortCauses } from "../../diagnosis/cause.ts";
import { titleOf } from "../../state/certificates.ts";
import type { Explanation } from "./explanation.ts";
import { sortFindings } from "../findings.ts";
import { plainText, say } from "../part.ts";
import { adviceOf, adviceText } from "../phrases.ts";
import { advisedPhrase } from "../phrases/advised.ts";
import { type Page, paragraph } from "../text.ts";
import { measureLines } from "./why.ts";
import { MAX_ROWS } from "./places.ts";

export function actionLines(explanation: Explanation, page: Page): string[] {
  // Of many, each finding says it.
  if (explanation.kind === "cluster" || explanation.kind === "domain") return [];
  const view = withinClusters(explanation);
  const failing = view.places.flatMap(({ entry, advice }) =>
    advice === null ? [] : [{ entry, advice }],
  );
  const measures = causeMeasure(view, page);
  if (failing.length > 0) {
    const advised = failing.slice(0, MAX_ROWS).flatMap(({ entry, advice }) => {
      const { owner, cluster, key } = entry;
      const text = plainText(adviceText(advisedPhrase(advice, { owner, name: titleOf(entry) })));
      return paragraph(`${failing.length === 1 ? "" : `${cluster} ${key}: `}${text}`, page);
    });
    return [...advised, ...measures];
  }
  if (measures.length > 0) return measures;
  const [worst] = sortFindings(view.findings.filter(({ severity }) => severity !== "info"));
  if (worst !== undefined) return paragraph(plainText(adviceText(adviceOf(worst))), page);
  if (view.places.some(({ copies }) => !copies.some(({ good }) => good)))
    return paragraph(
      say`Nothing now. There is no usable backup of it, though: lost, it can only be issued
        again.`,
      page,
    );
  return view.places.length === 0 ? [] : ["  Nothing: what is known of it is fine."];
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

/** The first measure against a cause that is known and still holds. */
function causeMeasure({ diagnoses }: Explanation, page: Page): string[] {
  const [cause] = sortCauses(diagnoses.flatMap(({ causes }) => causes)).filter(
    ({ overMs, confidence }) => overMs === null && confidence !== "possible",
  );
  const [measure] = cause?.measures ?? [];
  return measure === undefined ? [] : measureLines("", measure, page, "  ");
}

/** A diagnosis in one sentence, for the line of a finding. Pure; a medium escapes it. */
import { instantOf } from "../finding/words.ts";
import type { Cause, Confidence, Diagnosis } from "./cause.ts";

const OPENINGS: Readonly<Record<Confidence, string>> = {
  proven: "Because",
  likely: "Most likely because",
  possible: "Perhaps because",
};

export function becauseText({ confidence, because, overMs }: Cause): string {
  return `${OPENINGS[confidence]} ${because}${overMs === null ? "" : `; over since ${instantOf(overMs)}`}`;
}

/** `null` where nothing wants a cause. */
export function whySentence({ verdict, causes, missing }: Diagnosis): string | null {
  const [first] = causes;
  if (first !== undefined)
    return `${becauseText(first)}${causes.length === 1 ? "" : causes.length === 2 ? ", and one more cause" : `, and ${causes.length - 1} more causes`}.`;
  return verdict === "unknown" ? `${unknownText(missing)}.` : null;
}

/** `Cause unknown: logs not enabled`. */
export function unknownText(missing: Diagnosis["missing"]): string {
  const needed = missing.filter(
    ({ source }) => source === "logs" || source === "access" || source === "events",
  );
  return needed.length === 0
    ? "Cause unknown: logs, Events and access reviews were read and name none"
    : `Cause unknown: ${needed.map(({ text }) => text).join(", ")}`;
}

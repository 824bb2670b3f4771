/**
 * A hidden stall: a renewal was begun and nothing came after it. The owner's ACME client sleeps through a 429's time
 * itself, stays asleep when the limit is gone, and starts no other meanwhile; only a restart clears it. A log can't
 * show sleep: at most likely, and only where it was read whole since.
 */
import { fractionLeft } from "../finding/verdict.ts";
import { OVERDUE_FRACTION } from "../finding/codes.ts";
import type { LogSign } from "../state/observations.ts";
import { instantOf, spanPhrase } from "../finding/words.ts";
import type { Case } from "./case.ts";
import type { Cause } from "./cause.ts";
import { causeOf, type Lead } from "./lead.ts";
import { restartMeasures } from "./measure.ts";
import { logLine } from "./text.ts";

/** An order takes seconds, with a slow resolver minutes. */
const STALL_MS = 3_600_000;

const BEGUN: ReadonlySet<LogSign["kind"]> = new Set(["renewal_started", "issuance_started"]);

export function stallCause(of: Case): Cause | null {
  return causeOf("hidden_stall", [...leads(of)]);
}

function* leads(of: Case): Generator<Lead> {
  const atNs = BigInt(Math.round(of.atMs)) * 1_000_000n;
  const waiting = of.places.filter(
    ({ condition, record }) => condition !== "live" || fractionLeft(record, atNs) < 1 / 3,
  );
  if (waiting.length === 0) return;
  const overdue = waiting.some(
    ({ condition, record }) =>
      condition !== "live" || fractionLeft(record, atNs) < OVERDUE_FRACTION,
  );
  const named = of.signs.filter(({ bearing }) => bearing === "name").map(({ seen }) => seen);
  const pods = Map.groupBy(named, ({ where }) => where);
  for (const [where, signs] of pods) {
    const begun = signs
      .filter(({ kind }) => BEGUN.has(kind))
      .toSorted((a, b) => b.lastMs - a.lastMs)[0];
    if (begun === undefined || of.atMs - begun.lastMs < STALL_MS) continue;
    if (
      signs.some(
        ({ kind, lastMs }) =>
          !BEGUN.has(kind) && kind !== "account_registered" && lastMs >= begun.lastMs,
      )
    )
      continue;
    if (of.storedMs !== null && of.storedMs > begun.lastMs) continue;
    const look = of.observations.looks.find(
      ({ source, scope }) => source === "logs" && scope === where,
    );
    const whole = look?.wholeMs != null && look.wholeMs >= begun.lastMs + STALL_MS;
    const [namespace = "", pod = ""] = where.split("/");
    yield {
      confidence: whole && overdue ? "likely" : "possible",
      because: `a renewal was begun at ${instantOf(begun.lastMs)} and nothing came of it for ${spanPhrase(of.atMs - begun.lastMs)}: its owner may be asleep, waiting out a refusal that it didn't log`,
      evidence: [
        logLine(begun),
        {
          source: "log",
          where,
          atMs: look?.wholeMs ?? look?.askedMs ?? begun.lastMs,
          text: whole
            ? `nothing more about this name until ${instantOf(look.wholeMs)}, read whole`
            : "nothing more about this name was read since; the log wasn't read whole",
        },
      ],
      measures: restartMeasures(namespace, pod),
      overMs: null,
    };
  }
}

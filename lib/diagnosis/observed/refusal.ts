/** Refusals (429) that this cluster's own logs told of, while their time isn't over. Pure. */
import { SKEW_MS } from "../../ratelimit/evidence.ts";
import { registeredDomain, setOf } from "../../ratelimit/names.ts";
import { storedRefusals } from "../../state/evidence.ts";
import { shortened } from "../text.ts";
import { commandLine, literal } from "../../finding/command.ts";
import { subjectOf, type Draft } from "../../finding/finding.ts";
import { instantOf } from "../../finding/words.ts";
import { explain, namesOf, storedMsOf, type View } from "./spot.ts";

/** No limit makes anybody wait longer: a later time is none. */
const MAX_WAIT_MS = 31 * 86_400_000;
const MAX_NAME = 120;

export function* refusalDrafts({ state, atMs, entries }: View): Generator<Draft> {
  const running = storedRefusals(state).filter(
    ({ cluster, retryAtMs, seenAtMs }) =>
      cluster === state.cluster &&
      retryAtMs > atMs &&
      seenAtMs <= atMs + SKEW_MS &&
      retryAtMs - seenAtMs <= MAX_WAIT_MS,
  );
  for (const refusals of Map.groupBy(running, ({ issuer, kind, key }) =>
    JSON.stringify([issuer, kind, key]),
  ).values()) {
    const latest = refusals.toSorted((a, b) => b.retryAtMs - a.retryAtMs)[0];
    if (latest === undefined) continue;
    const { kind, key, retryAtMs, seenAtMs, where, burst } = latest;
    const held = entries.filter((entry) => {
      const names = [...namesOf(entry)];
      return kind === "set"
        ? setOf(names).key === key
        : names.some((name) => registeredDomain(name) === key);
    });
    // One issued since tells that the refusal is over.
    if (
      kind === "set" &&
      held.some((entry) => (storedMsOf(entry) ?? Number.NEGATIVE_INFINITY) > seenAtMs)
    )
      continue;
    const safe = held.length > 0 && held.every(({ verdict }) => verdict?.valid === true);
    const only = kind === "set" && held.length === 1 ? held[0] : undefined;
    const subject = only === undefined ? null : subjectOf(only);
    const name = shortened(key, MAX_NAME);
    yield {
      code: "rate_limited",
      subject: subject ?? { cluster: state.cluster, namespace: null, secret: null, name },
      ...(safe
        ? {
            severity: "warning" as const,
            advice: "what is live is valid: keep it, nothing is issued in its place until then",
          }
        : {
            advice: `restore a copy; without one, wait until ${instantOf(retryAtMs)}, or use another host name`,
          }),
      seen: `The owner's log tells of a refusal by the issuer for ${kind === "set" ? name : `new names under ${name}`}, until ${instantOf(retryAtMs)}.`,
      evidence: [
        `${where} at ${instantOf(seenAtMs)}`,
        ...(burst === null ? [] : [`limit of ${burst}`]),
      ],
      command: subject === null ? commandLine(literal("certkeep explain"), name) : explain(subject),
      due: instantOf(retryAtMs),
      cause: `rate_limited:${kind}`,
    };
  }
}

/** Kubernetes Events of owners. They live an hour, and their messages stay those of the first time. Pure. */
import { SKEW_MS } from "../../ratelimit/evidence.ts";
import { entriesOfEvent } from "../bearing.ts";
import { shortened, whenText } from "../text.ts";
import { subjectOf, type Draft } from "../../finding/finding.ts";
import type { CertificateEntry } from "../../state/certificates.ts";
import { explain, label, storedMsOf, type View } from "./spot.ts";

const EVENT_AGE_MS = 2 * 3_600_000;
const MAX_SAMPLE = 200;

const EVENT_CODES: ReadonlyMap<string, "storage_failing" | "dns_failing"> = new Map([
  ["TailscaleStateUpdateFailed", "storage_failing"],
  ["TailscaleStateLoadFailed", "storage_failing"],
  ["HTTPSNotEnabled", "dns_failing"],
]);

export function* eventDrafts({ observations: { events }, atMs, writers }: View): Generator<Draft> {
  // Of all Events of one kind about the same Secrets the newest tells most.
  const told = new Map<string, Set<readonly CertificateEntry[]>>(
    [...new Set(EVENT_CODES.values())].map((code) => [code, new Set()]),
  );
  const yielded = new Set<string>();
  for (const event of events.toSorted((a, b) => b.lastMs - a.lastMs)) {
    const code = EVENT_CODES.get(event.reason);
    if (code === undefined || event.lastMs <= atMs - EVENT_AGE_MS || event.firstMs > atMs + SKEW_MS)
      continue;
    const entries = entriesOfEvent(event, writers);
    if (told.get(code)?.has(entries) === true) continue;
    told.get(code)?.add(entries);
    for (const entry of entries) {
      const subject = subjectOf(entry);
      const key = `${code} ${JSON.stringify(subject)}`;
      if ((storedMsOf(entry) ?? Number.NEGATIVE_INFINITY) > event.lastMs || yielded.has(key))
        continue;
      yielded.add(key);
      yield {
        code,
        subject,
        seen: `${event.reason} of ${event.object} in ${event.namespace}, which serves ${label(subject)}, ${whenText(event)}.`,
        evidence: [`the first time it said: ${shortened(event.message, MAX_SAMPLE)}`],
        command: explain(subject),
        cause: `${code}:event`,
      };
    }
  }
}

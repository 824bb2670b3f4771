/** What the issuer says of certificates that are live: that they are revoked, and when to renew them. Pure. */
import { SKEW_MS } from "../../ratelimit/evidence.ts";
import { serialKey } from "../../ratelimit/issuance.ts";
import { shortened } from "../text.ts";
import { isForced } from "../window.ts";
import { subjectOf, type Draft } from "../../finding/finding.ts";
import { parseMs } from "../../certificate/time.ts";
import { instantOf } from "../../finding/words.ts";
import { explain, label, type View } from "./spot.ts";

const MAX_SAMPLE = 200;

export function* issuerDrafts({
  observations: { windows, revocations },
  atMs,
  entries,
}: View): Generator<Draft> {
  if (windows.length === 0 && revocations.length === 0) return;
  const keyOf = (issuer: string | null, serial: string): string =>
    JSON.stringify([issuer, serialKey(serial)]);
  const windowOf = new Map(windows.map((window) => [keyOf(window.issuer, window.serial), window]));
  const revokedOf = new Map(
    revocations.map((answer) => [keyOf(answer.issuer, answer.serial), answer]),
  );
  for (const entry of entries) {
    if (entry.condition !== "live") continue;
    const { record: live } = entry;
    const subject = subjectOf(entry);
    const key = keyOf(live.issuer, live.serial);
    const answer = revokedOf.get(key);
    if (answer != null && answer.revokedMs !== null && answer.revokedMs <= atMs + SKEW_MS) {
      yield {
        code: "certificate_revoked",
        subject,
        seen: `The certificate of ${label(subject)} was revoked at ${instantOf(answer.revokedMs)}${answer.reason === null ? "" : ` (${answer.reason.replaceAll("_", " ")})`}.`,
        evidence: [
          `serial ${live.serial}`,
          shortened(answer.list, MAX_SAMPLE),
          `asked ${instantOf(answer.askedMs)}`,
        ],
        command: explain(subject),
      };
      continue;
    }
    const window = windowOf.get(key);
    if (
      window === undefined ||
      window.askedMs > atMs + SKEW_MS ||
      !isForced(window, parseMs(live.notBefore), parseMs(live.notAfter))
    )
      continue;
    yield {
      code: "renewal_window_forced",
      subject,
      seen: `The issuer asks that the certificate of ${label(subject)} be renewed from ${instantOf(window.startMs)} to ${instantOf(window.endMs)}, before it is due.`,
      evidence: [
        `serial ${live.serial}`,
        `asked ${instantOf(window.askedMs)}`,
        ...(window.explanationUrl === null ? [] : [shortened(window.explanationUrl, MAX_SAMPLE)]),
      ],
      command: explain(subject),
      due: instantOf(window.endMs),
    };
  }
}

/**
 * Validation fails: the owner's check rejects what is stored, so the owner requests another. Its
 * log doesn't say why; the judge is that check, run on what is stored now and what was stored
 * before each reissue. Expiry alone doesn't count: what has expired is reissued with need.
 */
import { serialKey } from "../ratelimit/issuance.ts";
import { parseMs } from "../certificate/time.ts";
import type { CertificateEntry } from "../state/certificates.ts";
import { NOTICED_MS, precedesReissue, type Subject } from "./subject.ts";
import { type Cause, causeOf, type Hint, type Measure } from "./cause.ts";
import { basedOn } from "./evidence.ts";
import { otherToolMeasures, restoreMeasures } from "./measure.ts";

/** cert-manager looks at the pair alone. */
const PAIR_REASONS: ReadonlySet<string> = new Set(["key_mismatch"]);
const TIME_REASONS: ReadonlySet<string> = new Set(["expired"]);
/** Gaps of which something is stored. */
const UNUSABLE: ReadonlySet<string> = new Set([
  "unreadable",
  "undecodable",
  "certificate_missing",
  "key_missing",
]);

export function validationCause(of: Subject): Cause | null {
  return causeOf("validation_fails", [
    ...of.entries.flatMap((entry) => [...nowHints(of, entry), ...earlierHints(of, entry)]),
    ...copyHints(of),
  ]);
}

/** Reasons for which this owner throws a pair away. */
function refusedFor(
  { owner }: Pick<CertificateEntry, "owner">,
  reasons: readonly string[],
): readonly string[] {
  if (owner === "nobody") return [];
  return reasons.filter(
    (reason) => !TIME_REASONS.has(reason) && (owner === "tailscale" || PAIR_REASONS.has(reason)),
  );
}

function measures(of: Subject, entry: CertificateEntry): readonly Measure[] {
  return [...restoreMeasures(of, entry), ...otherToolMeasures(entry)];
}

function* nowHints(of: Subject, entry: CertificateEntry): Generator<Hint> {
  const { missingContent } = entry;
  const unusable =
    missingContent !== null && UNUSABLE.has(missingContent.state) && entry.owner !== "nobody";
  const reasons = unusable
    ? missingContent.reasons
    : entry.condition === "live"
      ? refusedFor(entry, entry.verdict.reasons)
      : [];
  if (reasons.length === 0) return;
  const readMs = parseMs(entry.holder.recordedAt);
  yield {
    confidence: "proven",
    ...basedOn({
      source: "judge",
      where: entry.key,
      atMs: readMs,
      seen: { kind: "rejected", reasons, readMs },
    }),
    measures: measures(of, entry),
    overMs: null,
  };
}

/** What stood there when it was reissued. */
function* earlierHints(of: Subject, entry: CertificateEntry): Generator<Hint> {
  for (const { at, base, state, serial, reasons } of entry.holder.earlier ?? []) {
    if (base !== entry.fieldBase || of.atMs < parseMs(at)) continue;
    const refused = UNUSABLE.has(state)
      ? reasons
      : state === "live"
        ? refusedFor(entry, reasons)
        : [];
    if (refused.length === 0) continue;
    const changedMs = parseMs(at);
    const reissued = of.issuances.some(
      ({ issuedAtMs, serial: of_ }) =>
        of_ !== serialKey(serial ?? "") &&
        issuedAtMs <= changedMs &&
        issuedAtMs > changedMs - NOTICED_MS,
    );
    yield {
      confidence: reissued ? "proven" : "likely",
      ...basedOn({
        source: "judge",
        where: entry.key,
        atMs: changedMs,
        seen: { kind: "was_rejected", serial, reasons: refused, untilMs: changedMs },
      }),
      measures: otherToolMeasures(entry),
      overMs: entry.verdict?.valid === true ? changedMs : null,
      precedes: precedesReissue(of, changedMs - NOTICED_MS, changedMs),
    };
  }
}

/** By its backup, the certificate that was replaced was never seen valid. */
function* copyHints(of: Subject): Generator<Hint> {
  const replaced = new Set(of.needless.map(({ before }) => before.serial));
  const backups = of.entries.flatMap((entry) => entry.backups.map(({ copy }) => ({ entry, copy })));
  for (const { entry, copy } of backups) {
    if (
      copy.kind !== "certificate" ||
      copy.seenValid ||
      copy.serial === null ||
      !replaced.has(serialKey(copy.serial)) ||
      entry.owner === "nobody"
    )
      continue;
    yield {
      confidence: "possible",
      ...basedOn({
        source: "judge",
        where: entry.key,
        atMs: parseMs(copy.liveUntil),
        seen: { kind: "never_valid", serial: copy.serial, backedUpMs: parseMs(copy.recordedAt) },
      }),
      measures: otherToolMeasures(entry),
      overMs: entry.verdict?.valid === true ? parseMs(copy.liveUntil) : null,
    };
  }
}

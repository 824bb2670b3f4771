/**
 * Validation fails: what is stored isn't what its owner's check accepts, so it asks for another. The owner's log says
 * no word of why; the judge is that check, asked about what is stored now and what was stored before each reissue.
 * Expiry alone is none of it: what has expired is reissued with need.
 */
import { serialKey } from "../ratelimit/issuance.ts";
import { instantNs, msOf } from "../finding/verdict.ts";
import { reasonText } from "../finding/words.ts";
import type { CertificateEntry } from "../state/certificates.ts";
import type { Case } from "./case.ts";
import type { Cause, Measure } from "./cause.ts";
import { causeOf, type Lead } from "./lead.ts";
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

/** An audit finds a reissue at most this long after it was made; one that is rarer sees less. */
const NOTICED_MS = 26 * 3_600_000;

export function validationCause(of: Case): Cause | null {
  return causeOf("validation_fails", [
    ...of.places.flatMap((place) => [...nowLeads(of, place), ...earlierLeads(of, place)]),
    ...copyLeads(of),
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

function measures(of: Case, place: CertificateEntry): readonly Measure[] {
  return [...restoreMeasures(of, place), ...otherToolMeasures(place)];
}

function* nowLeads(of: Case, place: CertificateEntry): Generator<Lead> {
  const { missingContent } = place;
  const unusable =
    missingContent !== null && UNUSABLE.has(missingContent.state) && place.owner !== "nobody";
  const reasons = unusable
    ? missingContent.reasons
    : place.condition === "live"
      ? refusedFor(place, place.verdict.reasons)
      : [];
  if (reasons.length === 0) return;
  yield {
    confidence: "proven",
    because: `its owner refuses what is stored (${reasonText(reasons)})`,
    evidence: [
      {
        source: "judge",
        where: place.key,
        atMs: msOf(instantNs(place.holder.recordedAt)),
        text: `${reasonText(reasons)}; as read at ${place.holder.recordedAt}`,
      },
    ],
    measures: measures(of, place),
    overMs: null,
  };
}

/** What stood there when it was reissued. */
function* earlierLeads(of: Case, place: CertificateEntry): Generator<Lead> {
  for (const { at, base, state, serial, reasons } of place.holder.earlier ?? []) {
    if (base !== place.fieldBase || of.atMs < msOf(instantNs(at))) continue;
    const refused = UNUSABLE.has(state)
      ? reasons
      : state === "live"
        ? refusedFor(place, reasons)
        : [];
    if (refused.length === 0) continue;
    const changedMs = msOf(instantNs(at));
    const reissued = of.issuances.some(
      ({ issuedAtMs, serial: of_ }) =>
        of_ !== serialKey(serial ?? "") &&
        issuedAtMs <= changedMs &&
        issuedAtMs > changedMs - NOTICED_MS,
    );
    yield {
      confidence: reissued ? "proven" : "likely",
      because: `its owner refused what was stored (${reasonText(refused)})`,
      evidence: [
        {
          source: "judge",
          where: place.key,
          atMs: changedMs,
          text: `${serial === null ? "what was stored" : `serial ${serial}`}: ${reasonText(refused)}; something else stands there since ${at} at the latest`,
        },
      ],
      measures: otherToolMeasures(place),
      overMs: place.verdict?.valid === true ? changedMs : null,
    };
  }
}

/** The certificate that was replaced was never seen valid, as its copy tells. */
function* copyLeads(of: Case): Generator<Lead> {
  const replaced = new Set(of.needless.map(({ before }) => before.serial));
  for (const copy of of.copies) {
    const place = of.places.find(
      ({ namespace, secret }) => namespace === copy.namespace && secret === copy.secret,
    );
    if (
      copy.kind !== "certificate" ||
      copy.seenValid ||
      copy.serial === null ||
      !replaced.has(serialKey(copy.serial)) ||
      place === undefined ||
      place.owner === "nobody"
    )
      continue;
    yield {
      confidence: "possible",
      because: "the certificate before was never seen valid",
      evidence: [
        {
          source: "judge",
          where: place.key,
          atMs: msOf(instantNs(copy.liveUntil)),
          text: `serial ${copy.serial}, kept at ${copy.recordedAt}, was refused whenever an audit looked`,
        },
      ],
      measures: otherToolMeasures(place),
      overMs: place.verdict?.valid === true ? msOf(instantNs(copy.liveUntil)) : null,
    };
  }
}

/**
 * Issuances as one cluster's state shows them: from the certificates recorded now, what Secrets
 * held before, losses, backups, and the history of those that were replaced since.
 *
 * A record counts only with a known issuer and the key that matches: without the key anybody could
 * put a borrowed certificate into a Secret and use up somebody else's rate limit. Reading is total;
 * what can't be understood is counted as unread. What the records show isn't stored twice: the
 * history holds what they no longer show.
 */
import * as z from "zod/mini";
import { parseMsOrNull } from "../certificate/time.ts";
import {
  boundEvidence,
  type Evidence,
  KEEP_MS,
  mergeEvidence,
  NO_EVIDENCE,
  type Refusal,
  type Unread,
} from "../ratelimit/evidence.ts";
import { formatHistory, parseHistory } from "../ratelimit/history.ts";
import {
  createIssuance,
  type Issuance,
  type Sighting,
  SOURCE_KINDS,
} from "../ratelimit/issuance.ts";
import { boundClaims } from "../ratelimit/log/claims.ts";
import { forgettingMs } from "./ahead.ts";
import type { CertificateRecord, CopyRecord, SecretRecord, StateDocument } from "./document.ts";
import { heldIn, lostRecord, secretEntries, standingRecord } from "./secrets.ts";
import { validEntries } from "./validate.ts";
import { type Fields, fieldsOf } from "../untrusted.ts";

/** Entries of one kind looked at. */
const MAX_ENTRIES = 10_000;
const MAX_TEXT = 1_024;
/** ECMAScript's last instant, ms since the epoch. */
const LAST_MS = 8_640_000_000_000_000;

const textSchema = z.string().check(z.maxLength(MAX_TEXT));
const instantSchema = z.number().check(z.int(), z.minimum(-LAST_MS), z.maximum(LAST_MS));
const sourceSchema = z.enum(SOURCE_KINDS);
const kindSchema = z.enum(["set", "domain"]);

const coverageSchema = z.object({
  source: sourceSchema,
  cluster: z.nullable(textSchema),
  issuer: textSchema,
  scope: z.union([
    z.object({ kind: z.literal("all") }),
    z.object({ kind: kindSchema, key: textSchema }),
  ]),
  fromMs: instantSchema,
  untilMs: instantSchema,
});
const refusalSchema = z.object({
  issuer: textSchema,
  kind: kindSchema,
  key: textSchema,
  retryAtMs: instantSchema,
  seenAtMs: instantSchema,
  cluster: textSchema,
  where: textSchema,
  burst: z.nullable(z.number().check(z.int(), z.positive())),
});
const silenceSchema = z.object({
  source: sourceSchema,
  cluster: z.nullable(textSchema),
  reason: textSchema,
  sinceMs: z.nullable(instantSchema),
});
const unreadSchema = z.object({
  source: sourceSchema,
  cluster: z.nullable(textSchema),
  count: z.number().check(z.int(), z.positive()),
  untilMs: z.nullable(instantSchema),
});

/**
 * What sources left in a state besides issuances; an entry that isn't one is dropped. That only
 * narrows what is claimed, except for a refusal, which another source then has to report.
 */
function entriesOf<T>(schema: z.ZodMiniType<T>, value: unknown): readonly T[] {
  return validEntries(schema, value, MAX_ENTRIES);
}

/**
 * Replaced issuances kept of one cluster: 10,000 certificates renewed every 60 days leave 25,000 in
 * 150 days.
 */
const MAX_HISTORY = 30_000;

/** One issuance; `null`: it doesn't count; `undefined`: the record holds no instants. */
function issuanceOf(
  record: Pick<
    CertificateRecord,
    "issuer" | "serial" | "names" | "notBefore" | "notAfter" | "issuedAt" | "issuedBy"
  >,
  source: Omit<Sighting, "firstSeenMs">,
  seenAt: string,
  further: readonly Sighting[] = [],
): Issuance | null | undefined {
  if (record.issuer === null || record.names.length === 0) return null;
  const [notBeforeMs, notAfterMs, issuedAtMs, firstSeenMs] = [
    record.notBefore,
    record.notAfter,
    record.issuedAt,
    seenAt,
  ].map(parseMsOrNull);
  if (notBeforeMs == null || notAfterMs == null || issuedAtMs == null || firstSeenMs == null)
    return undefined;
  // One millisecond past the first sight, where the certificate claimed to be younger: so that it
  // still does.
  const claimMs =
    record.issuedBy === "first_seen" ? Math.max(notBeforeMs, issuedAtMs + 1) : issuedAtMs;
  return createIssuance({
    issuer: record.issuer,
    serial: record.serial,
    names: record.names,
    notBeforeMs,
    notAfterMs,
    sctMs: record.issuedBy === "sct" ? issuedAtMs : null,
    backdateMs: record.issuedBy === "sct" ? 0 : claimMs - notBeforeMs,
    sources: [{ ...source, firstSeenMs }, ...further],
    claimedBy: null,
  });
}

/** A copy as a sighting of the issuance that it is of, where that can be read. */
function sightingOf(cluster: string, version: string, copy: CopyRecord): Sighting | null {
  const firstSeenMs = parseMsOrNull(copy.recordedAt);
  return firstSeenMs === null ? null : { kind: "backup", cluster, where: version, firstSeenMs };
}

function ofCopy(cluster: string, version: string, copy: CopyRecord): Issuance | null | undefined {
  const { serial, notBefore, notAfter, issuedAt } = copy;
  if (
    copy.kind !== "certificate" ||
    serial === null ||
    notBefore === null ||
    notAfter === null ||
    issuedAt === null
  )
    return null;
  return issuanceOf(
    { ...copy, serial, notBefore, notAfter, issuedAt, issuedBy: "not_before" },
    { kind: "backup", cluster, where: version },
    copy.recordedAt,
  );
}

/** Collects issuances, and counts records that can't be read. */
class Collected {
  readonly issuances: Issuance[] = [];
  #unread = 0;

  add(issuance: Issuance | null | undefined): void {
    if (issuance === undefined) this.#unread += 1;
    else if (issuance !== null) this.issuances.push(issuance);
  }

  addSecret(
    cluster: string,
    key: string,
    record: SecretRecord,
    copiesOf: (certificate: CertificateRecord) => readonly Sighting[] = () => [],
  ): void {
    for (const [, certificate] of heldIn(record)) {
      if (certificate.keyFits)
        this.add(
          issuanceOf(
            certificate,
            { kind: "secret", cluster, where: key },
            certificate.firstSeenAt,
            copiesOf(certificate),
          ),
        );
    }
  }

  evidence(cluster: string): Evidence {
    const unread: readonly Unread[] =
      this.#unread === 0 ? [] : [{ source: "state", cluster, count: this.#unread, untilMs: null }];
    return { ...NO_EVIDENCE, issuances: this.issuances, unread };
  }
}

/** Refusals (429) that the cluster's own logs report. */
export function storedRefusals(state: StateDocument): readonly Refusal[] {
  return entriesOf(refusalSchema, fieldsOf(state.evidence)["refusals"]);
}

/** What was stored besides the records. */
function storedEvidence(state: StateDocument): Evidence {
  const { issuances: history, coverage, refusals, silences, unread } = fieldsOf(state.evidence);
  const known = parseHistory(history, state.cluster);
  return mergeEvidence(
    { ...NO_EVIDENCE, ...known },
    {
      issuances: [],
      coverage: entriesOf(coverageSchema, coverage),
      refusals: entriesOf(refusalSchema, refusals),
      silences: entriesOf(silenceSchema, silences),
      unread: entriesOf(unreadSchema, unread),
    },
  );
}

/** All that a state knows of issuances, and `further` parts joined to it. */
export function stateEvidence(state: StateDocument, ...further: readonly Evidence[]): Evidence {
  const { cluster } = state;
  const collected = new Collected();
  // The usual copy is of what its Secret holds: one more place of that issuance, not an issuance to
  // be joined with it.
  const unused = new Map(Object.entries(state.copies));
  const copiesOf = ({ copy, sha256, issuer, serial }: CertificateRecord): readonly Sighting[] => {
    const kept = copy === null ? undefined : unused.get(copy.version);
    if (
      copy === null ||
      kept === undefined ||
      kept.kind !== "certificate" ||
      kept.sha256 !== sha256 ||
      kept.issuer !== issuer ||
      kept.serial !== serial
    )
      return [];
    const sighting = sightingOf(cluster, copy.version, kept);
    if (sighting === null) return [];
    unused.delete(copy.version);
    return [sighting];
  };
  for (const { key, record } of secretEntries(state))
    collected.addSecret(cluster, key, record, copiesOf);
  for (const [version, copy] of unused) collected.add(ofCopy(cluster, version, copy));
  return mergeEvidence(collected.evidence(cluster), storedEvidence(state), ...further);
}

/** Whether `record` still shows this certificate, with the same first sight. */
function stillShows(record: SecretRecord | undefined, certificate: CertificateRecord): boolean {
  if (record === undefined) return false;
  for (const [, held] of heldIn(record))
    if (
      held.sha256 === certificate.sha256 &&
      held.keyFits &&
      held.firstSeenAt === certificate.firstSeenAt
    )
      return true;
  return false;
}

/**
 * What `from` shows and `to` shows no more. Records that are the very same object are passed over.
 */
function displaced(from: StateDocument, to: StateDocument): Evidence {
  const collected = new Collected();
  for (const { key, record, loss } of secretEntries(from)) {
    if ((loss === null ? standingRecord(to, key) : lostRecord(to, key)) === record) continue;
    for (const [, certificate] of heldIn(record)) {
      if (
        !certificate.keyFits ||
        stillShows(standingRecord(to, key), certificate) ||
        stillShows(lostRecord(to, key), certificate)
      )
        continue;
      collected.add(
        issuanceOf(
          certificate,
          { kind: "secret", cluster: from.cluster, where: key },
          certificate.firstSeenAt,
        ),
      );
    }
  }
  for (const [version, copy] of Object.entries(from.copies))
    if (to.copies[version] === undefined) collected.add(ofCopy(from.cluster, version, copy));
  return collected.evidence(from.cluster);
}

/**
 * What `to` has to store of issuances, having grown out of `from`: their histories joined, and what
 * their records showed and `to` shows no more, with `further` parts joined to it. Bounded, and
 * without what is 30 days past all need. The order of `from` doesn't matter; fields of a later
 * version stay.
 */
export function carryEvidence(
  from: readonly StateDocument[],
  to: StateDocument,
  nowMs: number,
  further: readonly Evidence[] = [],
  maxIssuances = MAX_HISTORY,
): unknown {
  const parts = from.flatMap((state) => [storedEvidence(state), displaced(state, to)]);
  const forgetMs = Math.min(...from.map((state) => forgettingMs(state, nowMs)));
  const { issuances, coverage, refusals, silences, unread } = boundEvidence(
    boundClaims(mergeEvidence(...parts, ...further)),
    forgetMs,
    maxIssuances,
    to.cluster,
  );
  // What was left unread at this write was issued before it, so that it stops mattering one day.
  const dated = unread
    .map((entry) => ({ ...entry, untilMs: entry.untilMs ?? nowMs }))
    .filter(({ untilMs }) => untilMs >= forgetMs - KEEP_MS);
  const others = Object.assign({}, ...from.map((state) => fieldsOf(state.evidence))) as Fields;
  if (
    Object.keys(others).length === 0 &&
    [issuances, coverage, refusals, silences, dated].every(({ length }) => length === 0)
  )
    return undefined;
  return {
    ...others,
    issuances: formatHistory(issuances),
    coverage,
    refusals,
    silences,
    unread: dated,
  };
}

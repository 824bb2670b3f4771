/** The end of an audit's state: spans of copies, resolved losses, since when findings hold, and what is old enough to forget. Pure. */
import type { BackupRecord } from "../../backup/record.ts";
import { evaluateState } from "../../finding/evaluate.ts";
import type { Finding } from "../../finding/finding.ts";
import { instantNs, msOf } from "../../finding/verdict.ts";
import { verdictAt } from "../../state/certificates.ts";
import type { CertificateRecord, SecretRecord, StateDocument } from "../../state/document.ts";
import { heldCertificates } from "../../state/held.ts";
import type { Kept } from "./keep.ts";

const DAY_NS = 86_400_000_000_000n;
/** A copy's record, and a loss, are forgotten this long after the certificate expired. */
const FORGET_AFTER_NS = 60n * DAY_NS;
const REMOVED_AFTER_NS = 7n * DAY_NS;

export function noteCopy(
  state: StateDocument,
  record: BackupRecord,
  kept: Kept,
  valid: boolean,
  now: string,
): void {
  const known = state.copies[kept.version];
  state.copies[kept.version] = {
    ...known,
    namespace: record.namespace,
    secret: record.secret,
    shape: record.shape,
    fieldBase: record.fieldBase,
    kind: record.kind,
    names: [...record.names],
    issuer: record.issuer,
    serial: record.serial,
    sha256: record.leafSha256,
    notBefore: record.notBefore,
    notAfter: record.notAfter,
    issuedAt: record.issuedAt,
    account: record.accountThumbprint,
    digest: kept.digest,
    key: kept.key,
    recordedAt: known?.recordedAt ?? now,
    seenValid: (known?.seenValid ?? false) || valid,
    liveFrom: known?.liveFrom ?? now,
    liveUntil: now,
  };
}

/** @returns the state as it is to be saved, and what is wrong by it */
export function settleState(
  state: StateDocument,
  nowNs: bigint,
  now: string,
): { readonly state: StateDocument; readonly found: readonly Finding[] } {
  if (state.audit?.lastReachedAt === now) {
    for (const record of Object.values(state.secrets)) {
      for (const certificate of Object.values(record.certificates))
        stillLive(state, certificate.copy, () => verdictAt(certificate, msOf(nowNs)).valid, now);
      for (const account of Object.values(record.accounts))
        stillLive(state, account.copy, () => true, now);
    }
  }
  forgetLosses(state, nowNs);
  for (const [version, copy] of Object.entries(state.copies)) {
    const until = copy.notAfter ?? copy.liveUntil;
    if (instantNs(until) + FORGET_AFTER_NS < nowNs) delete state.copies[version];
  }
  const findings: StateDocument["findings"] = {};
  const found = evaluateState(state, nowNs, now);
  for (const finding of found) {
    findings[finding.id] = {
      ...state.findings[finding.id],
      code: finding.code,
      since: finding.since,
      lastAt: now,
    };
  }
  return { state: { ...state, findings }, found };
}

function stillLive(
  state: StateDocument,
  ref: CertificateRecord["copy"],
  isValid: () => boolean,
  now: string,
): void {
  const copy = ref === null ? undefined : state.copies[ref.version];
  if (ref === null || copy === undefined) return;
  state.copies[ref.version] = { ...copy, liveUntil: now, seenValid: copy.seenValid || isValid() };
}

function setOf(record: SecretRecord, certificate: CertificateRecord): string {
  return `${record.shape}|${certificate.names.join(",")}`;
}

function forgetLosses(state: StateDocument, nowNs: bigint): void {
  if (Object.keys(state.lost).length === 0) return;
  /** When a valid certificate of these names was last seen for the first time at its place. */
  const appeared = new Map<string, string>();
  for (const record of Object.values(state.secrets)) {
    for (const certificate of Object.values(record.certificates)) {
      const set = setOf(record, certificate);
      if (
        verdictAt(certificate, msOf(nowNs)).valid &&
        certificate.firstSeenAt > (appeared.get(set) ?? "")
      )
        appeared.set(set, certificate.firstSeenAt);
    }
  }
  for (const [key, lost] of Object.entries(state.lost)) {
    const certificates = heldCertificates(lost.record);
    // A proxy made anew gets a Secret of another name: what appeared there since stands for what was lost.
    const moved = certificates.every(
      (certificate) =>
        certificate.names.length > 0 &&
        (appeared.get(setOf(lost.record, certificate)) ?? "") > lost.lastSeenAt,
    );
    const over = certificates.every((certificate) => instantNs(certificate.notAfter) < nowNs);
    if (
      moved ||
      over ||
      (lost.how === "removed" && instantNs(lost.lostAt) + REMOVED_AFTER_NS < nowNs)
    )
      delete state.lost[key];
  }
}

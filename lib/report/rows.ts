/** One line per certificate, gap and loss, as tables, pages and metrics show them: pure, small, without bytes. */
import { parseInstantOrNull } from "../certificate/time.ts";
import type { Severity } from "../finding/codes.ts";
import { SEVERITIES } from "../finding/codes.ts";
import type { Finding } from "../finding/finding.ts";
import { unseenPlaces } from "../finding/tally.ts";
import { msOf, recordVerdict } from "../finding/verdict.ts";
import type { CertificateRecord, StateDocument } from "../state/document.ts";

/** `fine`, `unknown` and `staging`, or the severity of the worst finding about it. */
export type RowStatus = Severity | "fine" | "unknown" | "staging";

export interface CertificateRow {
  readonly cluster: string;
  readonly namespace: string;
  readonly secret: string;
  readonly base: string;
  readonly name: string;
  readonly status: RowStatus;
  /** By the owner's own check, as far as is known. */
  readonly valid: boolean;
  /** Whether the Secret, or its fields, are gone. */
  readonly gone: boolean;
  readonly issuer: string;
  readonly serial: string;
  readonly issuedMs: number | null;
  readonly notBeforeMs: number | null;
  readonly notAfterMs: number | null;
  /** Whether a sealed copy is recorded. */
  readonly copied: boolean;
  /** Codes of its findings, the worst first. */
  readonly codes: readonly string[];
  /** What was seen of the worst. */
  readonly seen: string;
  /** Why it came to that; empty where it isn't known. */
  readonly why: string;
  readonly advice: string;
  readonly command: string | null;
  /** Earlier and present certificates of the place, by their copies: start and end, in order of time. */
  readonly history: readonly { readonly issuedMs: number; readonly untilMs: number }[];
  /** When a restore replaced what was there. */
  readonly restoredMs: readonly number[];
}

function ms(instant: string | null | undefined): number | null {
  const at = instant == null ? null : parseInstantOrNull(instant);
  return at === null ? null : msOf(at);
}

/** `findings` of this state. `vouched`: whether its last audit is recent enough to vouch for anything. */
export function* certificateRows(
  state: StateDocument,
  findings: readonly Finding[],
  atNs: bigint,
  vouched: boolean,
): Generator<CertificateRow> {
  const byPlace = new Map<string, Finding[]>();
  for (const finding of findings) {
    const place = `${finding.subject.namespace}/${finding.subject.secret}/${finding.subject.name}`;
    const of = byPlace.get(place);
    if (of === undefined) byPlace.set(place, [finding]);
    else of.push(finding);
  }
  const histories = historiesOf(state);
  const restores = restoresOf(state);
  const unseen = vouched ? unseenPlaces(state) : "all";
  const rowOf = (
    key: string,
    base: string,
    name: string,
    record: CertificateRecord | null,
    gone: boolean,
  ): CertificateRow => {
    const slash = key.indexOf("/");
    const about = (byPlace.get(`${key}/${name}`) ?? []).toSorted(
      (a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity),
    );
    const [worst] = about;
    const dark = unseen === "all" || unseen.has(key);
    const valid = record !== null && !gone && recordVerdict(record, atNs).valid;
    const status: RowStatus =
      worst !== undefined && worst.severity !== "information"
        ? worst.severity
        : record?.staging === true
          ? "staging"
          : dark
            ? "unknown"
            : (worst?.severity ?? (valid ? "fine" : "unknown"));
    return {
      cluster: state.cluster,
      namespace: key.slice(0, slash),
      secret: key.slice(slash + 1),
      base,
      name,
      status,
      valid,
      gone,
      issuer: record?.issuerName ?? "",
      serial: record?.serial ?? "",
      issuedMs: ms(record?.issuedAt),
      notBeforeMs: ms(record?.notBefore),
      notAfterMs: ms(record?.notAfter),
      copied: record !== null && record.copy !== null,
      codes: about.map(({ code }) => code),
      seen: worst?.seen ?? "",
      why: about.find(({ why }) => why !== null)?.why ?? "",
      advice: worst?.advice ?? "",
      command: worst?.command ?? null,
      history: histories.get(`${key}/${base}`) ?? [],
      restoredMs: restores.get(`${key}/${base}`) ?? [],
    };
  };
  for (const [key, record] of Object.entries(state.secrets)) {
    if (record.foreign) continue;
    for (const [base, certificate] of Object.entries(record.certificates))
      yield rowOf(
        key,
        base,
        certificate.domain ?? certificate.names[0] ?? base,
        certificate,
        false,
      );
    for (const [base, gap] of Object.entries(record.gaps))
      yield rowOf(key, base, gap.domain ?? gap.held?.names[0] ?? base, gap.held, true);
  }
  for (const [key, lost] of Object.entries(state.lost)) {
    for (const [base, certificate] of Object.entries(lost.record.certificates)) {
      if (state.secrets[key] === undefined && !certificate.staging)
        yield rowOf(
          key,
          base,
          certificate.domain ?? certificate.names[0] ?? base,
          certificate,
          true,
        );
    }
  }
}

/** Spans of the certificates that were copied from each place, by `namespace/secret/base`. */
function historiesOf(
  state: StateDocument,
): ReadonlyMap<string, { readonly issuedMs: number; readonly untilMs: number }[]> {
  const histories = new Map<string, { issuedMs: number; untilMs: number }[]>();
  for (const copy of Object.values(state.copies)) {
    if (copy.kind !== "certificate") continue;
    const issuedMs = ms(copy.issuedAt ?? copy.notBefore);
    const untilMs = ms(copy.notAfter);
    if (issuedMs === null || untilMs === null) continue;
    const key = `${copy.namespace}/${copy.secret}/${copy.fieldBase}`;
    const of = histories.get(key);
    if (of === undefined) histories.set(key, [{ issuedMs, untilMs }]);
    else of.push({ issuedMs, untilMs });
  }
  for (const of of histories.values()) of.sort((a, b) => a.issuedMs - b.issuedMs);
  return histories;
}

/** A restore keeps what it replaces: the copy tells when. By `namespace/secret/base`. */
function restoresOf(state: StateDocument): ReadonlyMap<string, number[]> {
  const restores = new Map<string, number[]>();
  for (const { kind, recordedAt, namespace, secret, fieldBase } of Object.values(state.copies)) {
    const at = kind === "replaced" ? ms(recordedAt) : null;
    if (at === null) continue;
    const key = `${namespace}/${secret}/${fieldBase}`;
    restores.set(key, [...(restores.get(key) ?? []), at]);
  }
  return restores;
}

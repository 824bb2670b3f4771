/**
 * One line per certificate, in every condition, as tables, pages and metrics show them: pure,
 * small, without bytes.
 */
import { parseMs, instantOf } from "../certificate/time.ts";
import { type Severity, SEVERITIES } from "../finding/codes.ts";
import type { Finding } from "../finding/finding.ts";
import { hasBackup, unseenPlaces } from "../finding/counts.ts";
import { certificates, type CertificateEntry, titleOf } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import { findingCommand } from "./command.ts";
import { plainText } from "./part.ts";
import { adviceOf, adviceText, seenText, whyText } from "./phrases.ts";
import { type Page, headedTable } from "./text.ts";

/** `ok`, `unknown` and `staging`, or the severity of the worst finding about it. */
export type RowStatus = Severity | "ok" | "unknown" | "staging";

export interface CertificateRow {
  readonly cluster: string;
  readonly namespace: string;
  readonly secret: string;
  readonly base: string;
  readonly name: string;
  readonly status: RowStatus;
  /** By the owner's own check, as far as is known. */
  readonly valid: boolean;
  readonly gone: boolean;
  readonly issuer: string;
  readonly serial: string;
  readonly issuedMs: number | null;
  readonly notBeforeMs: number | null;
  readonly notAfterMs: number | null;
  /** Whether a backup of what it holds, or of what it should hold, is recorded. */
  readonly copied: boolean;
  readonly codes: readonly string[];
  readonly seen: string;
  /** Why it came to that; empty where it isn't known. */
  readonly why: string;
  readonly advice: string;
  readonly command: string | null;
  /**
   * Earlier and present certificates of the place, by their copies: start and end, in order of
   * time.
   */
  readonly history: readonly { readonly issuedMs: number; readonly untilMs: number }[];
  readonly restoredMs: readonly number[];
}

function msOrNull(instant: string | null): number | null {
  return instant === null ? null : parseMs(instant);
}

/**
 * `findings` of this state. `vouched`: whether its last audit is recent enough to vouch for
 * anything.
 */
export function* certificateRows(
  state: StateDocument,
  findings: readonly Finding[],
  atMs: number,
  vouched: boolean,
): Generator<CertificateRow> {
  const byPlace = Map.groupBy(
    findings,
    ({ subject }) => `${subject.namespace}/${subject.secret}/${subject.name}`,
  );
  const incidents = findings.filter(
    (one) => one.code === "secret_lost" && one.params.of === "many",
  );
  const unseen = vouched ? unseenPlaces(state) : "all";
  for (const entry of certificates(state, atMs)) {
    const { condition, key, name, record, verdict } = entry;
    if (condition === "lost" && record.staging) continue;
    const about = [
      ...(byPlace.get(`${key}/${name}`) ?? []),
      // What took many Secrets at once is one finding about their namespace or cluster.
      ...(condition === "lost" ? incidents.filter((one) => isAbout(one, entry)) : []),
    ].toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
    const [worst] = about;
    const dark = unseen === "all" || unseen.has(key);
    const valid = verdict?.valid === true;
    const status: RowStatus =
      worst !== undefined && worst.severity !== "info"
        ? worst.severity
        : record?.staging === true
          ? "staging"
          : dark
            ? "unknown"
            : (worst?.severity ?? (valid ? "ok" : "unknown"));
    yield {
      cluster: state.cluster,
      namespace: entry.namespace,
      secret: entry.secret,
      base: entry.fieldBase,
      name: titleOf(entry),
      status,
      valid,
      gone: condition !== "live",
      issuer: record?.issuerName ?? "",
      serial: record?.serial ?? "",
      issuedMs: msOrNull(record?.issuedAt ?? null),
      notBeforeMs: msOrNull(record?.notBefore ?? null),
      notAfterMs: msOrNull(record?.notAfter ?? null),
      copied: hasBackup(entry, atMs),
      codes: about.map(({ code }) => code),
      seen: worst === undefined ? "" : plainText(seenText(worst)),
      why: plainText(about.map(whyText).find((why) => why.length > 0) ?? []),
      advice: worst === undefined ? "" : plainText(adviceText(adviceOf(worst))),
      command: worst === undefined ? null : findingCommand(worst),
      history: historyOf(entry),
      restoredMs: restoresOf(entry),
    };
  }
}

function isAbout({ subject }: Finding, { namespace, loss }: CertificateEntry): boolean {
  return loss !== null && loss.incident !== null && (subject.namespace ?? namespace) === namespace;
}

/** Spans of the certificates that were backed up from this place. */
function historyOf({ backups }: CertificateEntry): CertificateRow["history"] {
  return backups
    .flatMap(({ copy: { kind, issuedAt, notBefore, notAfter } }) => {
      const issuedMs = msOrNull(issuedAt ?? notBefore);
      const untilMs = msOrNull(notAfter);
      return kind !== "certificate" || issuedMs === null || untilMs === null
        ? []
        : [{ issuedMs, untilMs }];
    })
    .toSorted((a, b) => a.issuedMs - b.issuedMs);
}

/** A restore backs up what it replaces: that backup says when. */
function restoresOf({ backups }: CertificateEntry): readonly number[] {
  return backups.flatMap(({ copy: { kind, recordedAt } }) =>
    kind === "replaced" ? [parseMs(recordedAt)] : [],
  );
}

export function certificateTable(
  rows: readonly CertificateRow[],
  { nameOf, ...page }: Page & { readonly nameOf: (cluster: string) => string },
): string[] {
  const several = new Set(rows.map(({ cluster }) => cluster)).size > 1;
  return headedTable(
    ["CERTIFICATE", ...(several ? ["CLUSTER"] : []), "SECRET", "STATUS", "EXPIRES", "BACKUP"],
    rows.map(({ name, cluster, namespace, secret, status, notAfterMs, copied }) => [
      name,
      ...(several ? [nameOf(cluster)] : []),
      `${namespace}/${secret}`,
      status === "ok" ? "OK" : status,
      notAfterMs === null ? "-" : instantOf(notAfterMs).slice(0, 10),
      copied ? "yes" : "no",
    ]),
    page,
  );
}

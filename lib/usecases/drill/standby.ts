/**
 * Importing a standby: a certificate of another origin (an enterprise's CA, self-signed), sealed
 * and kept beside the copies of the real one as kind `standby`. A restore takes it only with
 * `--standby`, and only for generic TLS.
 */
import { type BackupRecord, type CopyFacts, NO_LEAF } from "../../backup/record.ts";
import { formatMs } from "../../certificate/time.ts";
import { CertkeepError } from "../../error.ts";
import { reasonText } from "../../report/phrases/reasons.ts";
import { UNKNOWN_IDENTITY } from "../../restoreplan/copyrule.ts";
import { type JudgedPair, leafFacts } from "../../restoreplan/view.ts";
import { TLS_FIELD_BASE } from "../../secret/allowlist.ts";
import { TLS_TYPE } from "../../secret/shapes.ts";
import { lastRecord } from "../../state/secrets.ts";
import type { StateDocument } from "../../state/document.ts";
import { emptyState } from "../../state/document.ts";
import type { AuditPorts } from "../audit/context.ts";
import { backUp, type MadeBackup, noteBackup } from "../audit/backup.ts";
import { judgeBytes } from "../restore/judge.ts";
import { changeState, readState } from "../states.ts";

export interface StandbyRequest {
  readonly cluster: string;
  readonly namespace: string;
  readonly secret: string;
  readonly certificate: Uint8Array;
  readonly key: Uint8Array;
  readonly recipients: readonly string[];
}

export interface ImportedStandby {
  readonly kept: MadeBackup;
  readonly pair: JudgedPair;
  /** What a person should know: other names than the real one's, a Secret that it can't help. */
  readonly notes: readonly string[];
}

/** Reasons of the judge that a standby may have: it is of another origin. */
const ORIGIN: ReadonlySet<string> = new Set(["unknown_issuer", "missing_intermediate"]);

export async function importStandby(
  request: StandbyRequest,
  ports: AuditPorts,
): Promise<ImportedStandby> {
  const nowMs = ports.clock.nowMs();
  const pair = await judgeBytes(request, null, ports.kit, nowMs);
  refuseUseless(pair, request.recipients);
  const state = await readState(ports.states, request.cluster);
  const record = recordOf(request, pair, state);
  const kept = await backUp(record, {
    ports,
    recipients: request.recipients,
  });
  if (kept === null)
    throw new CertkeepError("store_full", {
      where: ports.backups.url,
      found: "it has no space for another backup",
    });
  const now = formatMs(nowMs);
  await changeState(ports.states, request.cluster, request.cluster, "", (stored) => {
    const next: StateDocument = {
      ...(stored ?? emptyState(request.cluster, request.cluster, "")),
      copies: { ...stored.copies },
    };
    if (next.copies[kept.version] === undefined) noteBackup(next, record, kept, false, now);
    return next;
  });
  return { kept, pair, notes: notesOf(request, pair, state) };
}

function refuseUseless(pair: JudgedPair, recipients: readonly string[]): void {
  const refuse = (found: string, todo: string): CertkeepError =>
    new CertkeepError("usage", { where: "certkeep backups import", found, todo });
  if (pair.sha256 === null)
    throw refuse("the certificate can't be read", "Use PEM: the certificate first, then its chain");
  if (!pair.keyFits)
    throw refuse(
      `the key can't be used: ${reasonText(pair.verdict.reasons)}`,
      "Use its private key, as PEM without a passphrase",
    );
  const wrong = pair.verdict.reasons.filter(
    (reason) => !ORIGIN.has(reason) && reason !== "not_yet_valid",
  );
  if (wrong.length > 0)
    throw refuse(
      `the certificate can't be used: ${reasonText(wrong)}`,
      "Use one that is valid, or will be",
    );
  if (recipients.length === 0)
    throw refuse(
      "there are no recipients to encrypt it for",
      "Name them under recipients: in certkeep.yaml, or run: certkeep init",
    );
}

function recordOf(
  request: StandbyRequest,
  pair: JudgedPair,
  state: StateDocument | null,
): BackupRecord {
  const header: CopyFacts = {
    ...NO_LEAF,
    cluster: request.cluster,
    clusterIdentity: state?.identity?.key ?? UNKNOWN_IDENTITY,
    namespace: request.namespace,
    secret: request.secret,
    shape: "tls",
    fieldBase: TLS_FIELD_BASE,
    kind: "standby",
    ...leafFacts(pair),
    accountThumbprint: null,
  };
  return {
    header,
    type: TLS_TYPE,
    labels: {},
    annotations: {},
    data: {
      "tls.crt": Buffer.from(request.certificate).toString("base64"),
      "tls.key": Buffer.from(request.key).toString("base64"),
    },
  };
}

function notesOf(request: StandbyRequest, pair: JudgedPair, state: StateDocument | null): string[] {
  const place = `${request.namespace}/${request.secret}`;
  const record = state === null ? undefined : lastRecord(state, place);
  if (record === undefined) return [`no audit has seen Secret ${place} so far`];
  if (record.shape !== "tls")
    return [
      `Secret ${place} is Tailscale's: it would discard a certificate of another origin and ` +
        "ask for a new one at each access. What helps: another host name, or staging for the " +
        "time",
    ];
  const names = Object.values(record.certificates)[0]?.names ?? [];
  const missing = names.filter((name) => !pair.names.includes(name));
  return missing.length === 0
    ? []
    : [`it isn't for ${missing.join(", ")}, which the real one is for`];
}

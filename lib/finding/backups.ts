/** What isn't backed up, and why; backups that a drill could not use. Pure. */
import { parseMs } from "../certificate/time.ts";
import type { CertificateEntry } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import { standingSecrets } from "../state/secrets.ts";
import { clusterSubject, type Draft, type Subject, subjectOf } from "./finding.ts";

export function* backupDrafts(
  state: StateDocument,
  entries: readonly CertificateEntry[],
  atMs: number,
): Generator<Draft> {
  yield* accountDrafts(state);
  yield* certificateDrafts(state, entries, atMs);
  yield* unreadableDrafts(state);
}

/** Failures of the store, or of the encryption before it. */
const STORE_TROUBLES: ReadonlySet<string> = new Set(["store_failed", "seal_failed"]);

function* accountDrafts(state: StateDocument): Generator<Draft> {
  for (const { namespace, secret, record } of standingSecrets(state)) {
    if (record.foreign) continue;
    for (const [field, { copy, notKept }] of Object.entries(record.accounts)) {
      const reason = notKept?.reason ?? "";
      const subject = { cluster: state.cluster, namespace, secret, name: field };
      if (copy === null && STORE_TROUBLES.has(reason))
        yield notStoredDraft("account_key", subject, reason);
    }
  }
}

function* certificateDrafts(
  state: StateDocument,
  entries: readonly CertificateEntry[],
  atMs: number,
): Generator<Draft> {
  const missing = new Map<string, number>();
  for (const entry of entries) {
    if (entry.condition !== "live") continue;
    const { copy, notKept, notAfter } = entry.record;
    const reason = notKept?.reason;
    if (copy !== null || reason === undefined) continue;
    if (reason === "no_recipients" || reason === "quota")
      missing.set(reason, (missing.get(reason) ?? 0) + 1);
    else if (STORE_TROUBLES.has(reason) && parseMs(notAfter) >= atMs)
      yield notStoredDraft("certificate", subjectOf(entry), reason);
  }
  const subject = clusterSubject(state);
  const count = missing.get("no_recipients") ?? 0;
  if (count > 0)
    yield {
      code: "backup_missing",
      subject,
      params: { of: "all", count, reason: "no_recipients" },
      actions: [{ kind: "init" }],
      cause: ["no_recipients"],
    };
  const waiting = missing.get("quota") ?? 0;
  const { made, day } = state.quota;
  if (waiting > 0) yield { code: "backup_quota", subject, params: { waiting, made, day } };
}

function notStoredDraft(
  of: "certificate" | "account_key",
  subject: Subject,
  reason: string,
): Draft {
  return {
    code: "backup_missing",
    subject,
    params: { of, reason },
    actions: [{ kind: "doctor", cluster: null }],
    cause: [reason],
  };
}

export interface UnreadableBackup {
  readonly version: string;
  readonly namespace: string | null;
  readonly secret: string | null;
  /** Of lib/restoreplan/objection.ts; one of a newer version is shown as it is. */
  readonly code: string | null;
  readonly detail: string;
}

export function unreadableDraft(
  cluster: string,
  { version, namespace, secret, code, detail }: UnreadableBackup,
  key: string | null,
): Draft {
  const short = version.slice(0, 12);
  return {
    code: "backup_unreadable",
    subject: { cluster, namespace, secret, name: short },
    params: { of: "one", version, key, code, detail },
    actions: [{ kind: "backups", version: short }],
    cause: [code ?? "unknown"],
  };
}

/**
 * What the last drill recorded, until a drill finds it usable, or it is retired or deleted.
 */
function* unreadableDrafts(state: StateDocument): Generator<Draft> {
  const { drill } = state;
  if (drill === undefined) return;
  for (const one of drill.unreadable) {
    if (state.copies[one.version]?.retired !== undefined) continue;
    yield unreadableDraft(state.cluster, one, state.copies[one.version]?.key ?? null);
  }
  if (drill.more === 0) return;
  yield {
    code: "backup_unreadable",
    subject: clusterSubject(state),
    params: { of: "more", count: drill.more, drilledMs: parseMs(drill.at) },
    actions: [{ kind: "drill" }],
    cause: ["more"],
  };
}

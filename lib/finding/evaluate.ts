/**
 * What is wrong with a cluster: a pure function of its state and the time, so that an audit, a
 * report and a digest say the same. Unknown is never healthy: what could not be read is a finding
 * itself, and where the cluster can't be seen, what time alone brings is still said, as last seen.
 */
import { parseMs } from "../certificate/time.ts";
import {
  certificates,
  type CertificateEntry,
  type LiveCertificate,
  type MissingCertificate,
} from "../state/certificates.ts";
import { standingSecrets } from "../state/secrets.ts";
import type { GapRecord, StateDocument } from "../state/document.ts";
import { calledBy, notPinned } from "../state/identity.ts";
import {
  EMPTY_CRITICAL_MS,
  EMPTY_WARNING_MS,
  EXPIRING_FRACTION,
  OVERDUE_FRACTION,
  type Severity,
} from "./codes.ts";
import type { BackupStatus } from "./params.ts";
import { credentialDrafts } from "./credential.ts";
import { type Action, pinAction, restoreAction } from "./action.ts";
import {
  createFinding,
  explainAction,
  findingId,
  subjectOf,
  type Draft,
  type Finding,
  type Subject,
} from "./finding.ts";
import { observedDrafts } from "../diagnosis/findings.ts";
import {
  combinedHelp,
  recordedPlanner,
  type RecordedPlanner,
  type RestoreHelp,
} from "../restoreplan/recorded.ts";
import { isWhole, lastSeenOf } from "./reach.ts";
import { rebuiltDrafts } from "./rebuilt.ts";
import { namespaceDrafts, namespaceOf, refusedNamespaces } from "./refused.ts";
import { unreadableDrafts } from "./unreadable.ts";
import { atFraction, fractionLeft } from "./verdict.ts";

/** Every finding of `state` at `atMs`, in no order; `ignore` entries are not yet applied. */
export function evaluateState(state: StateDocument, atMs: number, now: string): Finding[] {
  const entries = [...certificates(state, atMs)];
  const planner = recordedPlanner(state, atMs);
  const drafts = [
    ...clusterDrafts(state),
    ...namespaceDrafts(state, atMs),
    ...credentialDrafts(state, atMs),
    ...entries.flatMap((entry) => [...certificateDrafts(state, entry, planner, atMs)]),
    ...lossDrafts(state, entries, planner, atMs),
    ...rebuiltDrafts(state, entries, planner, atMs),
    ...accountDrafts(state),
    ...copyDrafts(state, entries, atMs),
    ...unreadableDrafts(state),
    ...observedDrafts(state, atMs, lastSeenOf(state)),
  ];
  return drafts.map((draft) => {
    const known = state.findings[findingId(draft.code, draft.subject)];
    return createFinding(draft, known === undefined ? now : known.since);
  });
}

function clusterSubject(state: StateDocument): Subject {
  return { cluster: state.cluster, namespace: null, secret: null, name: null };
}

function* clusterDrafts(state: StateDocument): Generator<Draft> {
  const subject = clusterSubject(state);
  const { replacedBy, title, audit } = state;
  const differs = replacedBy === null ? null : notPinned(state, replacedBy);
  if (differs !== null)
    yield {
      code: "cluster_replaced",
      subject,
      params: { title, ...differs },
      actions: [pinAction(calledBy(state), state.credential != null, differs.kind)],
    };
  const lastReachedMs = audit?.lastReachedAt == null ? null : parseMs(audit.lastReachedAt);
  const refused = refusedNamespaces(state);
  for (const part of audit?.unread ?? []) {
    // One item says it of the namespace.
    if (refused.has(namespaceOf(part) ?? "")) continue;
    const { code, message, scope } = part;
    const actions: Action[] = [{ kind: "doctor", cluster: calledBy(state) }];
    if (isWhole(part))
      yield {
        code: "cluster_unreachable",
        subject,
        params: { code, message, lastReachedMs },
        actions,
        cause: [code],
      };
    else
      yield {
        code: "audit_incomplete",
        subject: { ...subject, name: scope },
        params: { of: "part", code, message, lastReachedMs },
        actions,
        cause: [code],
      };
  }
}

function* certificateDrafts(
  state: StateDocument,
  entry: CertificateEntry,
  planner: RecordedPlanner,
  atMs: number,
): Generator<Draft> {
  if (entry.condition === "live") yield* liveDrafts(state, entry, planner, atMs);
  else if (entry.condition !== "lost") yield* missingDrafts(state, entry, planner, atMs);
}

/** Restoring where that helps, else what is known of it. */
function remedy(
  state: StateDocument,
  subject: Subject,
  { backup, createNamespace, replace, standby }: RestoreHelp,
): readonly Action[] {
  const name = subject.name ?? subject.secret;
  return backup === "restorable" && name !== null
    ? [restoreAction(calledBy(state), [name], { createNamespace, replace, standby })]
    : explainAction(subject);
}

function* missingDrafts(
  state: StateDocument,
  entry: MissingCertificate,
  planner: RecordedPlanner,
  atMs: number,
): Generator<Draft> {
  const subject = subjectOf(entry);
  const { owner, missingContent: gap } = entry;
  const { held, reasons, hints = [] } = gap;
  const help = planner.helpFor(entry);
  const { backup } = help;
  const common = {
    subject,
    asLastSeen: lastSeenOf(state),
    actions: remedy(state, subject, help),
  };
  if (
    gap.state === "unreadable" ||
    gap.state === "undecodable" ||
    ((gap.state === "certificate_missing" || gap.state === "key_missing") && held === null)
  )
    yield {
      ...common,
      code: "certificate_invalid",
      params: { certificate: null, gap: gap.state, reasons, hints, owner, backup },
      cause: [reasons[0] ?? gap.state],
    };
  else yield emptyDraft(entry, gap, backup, { common, atMs });
}

/** Of a Secret without content: it lost a certificate, or waits for its first one. */
function emptyDraft(
  entry: CertificateEntry,
  { state, held, issuedFor = [], since }: GapRecord,
  backup: BackupStatus,
  { common, atMs }: { readonly common: Omit<Draft, "code" | "params">; readonly atMs: number },
): Draft {
  const emptyMs = atMs - parseMs(since);
  const certificate =
    held === null ? null : { serial: held.serial, notAfterMs: parseMs(held.notAfter) };
  const { owner, fieldBase, holder, backups } = entry;
  const isKnown =
    issuedFor.length > 0 ||
    backups.length > 0 ||
    holder.earlier?.some(({ base }) => base === fieldBase) === true;
  if (certificate === null && !isKnown)
    return {
      ...common,
      code: "certificate_pending",
      params: { emptyMs },
      severity: severityOfEmpty(emptyMs, "information"),
      ...(emptyMs < EMPTY_WARNING_MS ? { actions: [] } : {}),
    };
  const half = state === "key_missing" ? "key" : "certificate";
  return {
    ...common,
    code: "fields_emptied",
    params: {
      missing: state === "key_missing" || state === "certificate_missing" ? half : "both",
      owner,
      certificate,
      names: held?.names ?? issuedFor,
      backup,
    },
    severity: certificate === null ? severityOfEmpty(emptyMs, "warning") : "critical",
  };
}

function severityOfEmpty(emptyMs: number, first: Severity): Severity {
  if (emptyMs >= EMPTY_CRITICAL_MS) return "critical";
  return emptyMs >= EMPTY_WARNING_MS ? "warning" : first;
}

function* liveDrafts(
  state: StateDocument,
  entry: LiveCertificate,
  planner: RecordedPlanner,
  atMs: number,
): Generator<Draft> {
  const { record, verdict, owner } = entry;
  // A staging certificate is refused by every client on purpose: it is neither critical nor
  // counted.
  if (record.staging) return;
  const { serial, notAfter, keyFits } = record;
  const { valid, reasons } = verdict;
  const subject = subjectOf(entry);
  const common = {
    subject,
    due: notAfter,
    asLastSeen: lastSeenOf(state),
    actions: explainAction(subject),
  };
  const params = { serial, notAfterMs: parseMs(notAfter), owner };
  const others = reasons.filter((reason) => reason !== "expired");
  if (atMs > parseMs(notAfter) && others.length === 0) {
    const help = planner.helpFor(entry);
    yield {
      ...common,
      code: "expired",
      params: { ...params, backup: help.backup },
      actions: remedy(state, subject, help),
    };
    return;
  }
  if (!valid) {
    const help = planner.helpFor(entry);
    const { backup } = help;
    yield {
      ...common,
      code: "certificate_invalid",
      params: {
        certificate: { serial, notAfterMs: params.notAfterMs, keyFits },
        gap: null,
        reasons,
        hints: record.hints ?? [],
        owner,
        backup,
      },
      actions: remedy(state, subject, help),
      cause: [others[0] ?? "expired"],
    };
    return;
  }
  yield* renewalDrafts(state, entry, planner, atMs);
}

/** Of a valid certificate that should have been renewed by now. */
function* renewalDrafts(
  state: StateDocument,
  entry: LiveCertificate,
  planner: RecordedPlanner,
  atMs: number,
): Generator<Draft> {
  const { record, owner } = entry;
  const left = fractionLeft(record, atMs);
  if (left >= OVERDUE_FRACTION) return;
  const subject = subjectOf(entry);
  // A backup may be valid for longer than what is live, where an older one was put there.
  const help = planner.helpFor(entry);
  const { serial, notAfter } = record;
  const params = { serial, notAfterMs: parseMs(notAfter), owner, backup: help.backup };
  const common = {
    subject,
    due: notAfter,
    asLastSeen: lastSeenOf(state),
    actions: remedy(state, subject, help),
  };
  if (left < EXPIRING_FRACTION) yield { ...common, code: "expiring", params };
  else
    yield {
      ...common,
      code: "renewal_overdue",
      params: { ...params, renewalMs: parseMs(atFraction(record, 1 / 3)) },
    };
}

function* lossDrafts(
  state: StateDocument,
  entries: readonly CertificateEntry[],
  planner: RecordedPlanner,
  atMs: number,
): Generator<Draft> {
  const lost = entries.flatMap((entry) =>
    entry.condition === "lost" && !entry.record.staging && parseMs(entry.record.notAfter) >= atMs
      ? [entry]
      : [],
  );
  const incidents = new Map<
    string,
    { readonly incident: string; readonly of: CertificateEntry[][] }
  >();
  for (const held of Map.groupBy(lost, (entry) => entry.key).values()) {
    const [first] = held;
    if (first === undefined) continue;
    const { how, incident, lostMs, lastSeenMs } = first.loss;
    if (incident !== null) {
      const id = `${incident}|${lostMs}`;
      const known = incidents.get(id) ?? { incident, of: [] };
      known.of.push(held);
      incidents.set(id, known);
      continue;
    }
    const subject = subjectOf(first);
    const help = combinedHelp(held.map((entry) => planner.helpFor(entry)));
    const { backup } = help;
    const common = {
      subject,
      actions: remedy(state, subject, help),
      due: first.record.notAfter,
    };
    const params = {
      of: "one",
      lastSeenMs,
      owner: first.owner,
      serials: held.map(({ record }) => record.serial),
      backup,
    } as const;
    if (how === "removed" || how === "replaced")
      yield { ...common, code: "secret_removed", params: { ...params, parent: how } };
    else
      yield {
        ...common,
        code: "secret_lost",
        ...(how === "unknown" ? { severity: "warning" as const } : {}),
        params: { ...params, parent: how === "unknown" ? "unknown" : "stands" },
      };
  }
  for (const { incident, of } of incidents.values())
    yield incidentDraft(state, incident, of, planner);
}

/** `lost`: the certificates of each Secret. */
function incidentDraft(
  state: StateDocument,
  incident: string,
  lost: readonly (readonly CertificateEntry[])[],
  planner: RecordedPlanner,
): Draft {
  const keys = lost.flatMap(([first]) => first?.key ?? []);
  const helps = lost.map((held) => combinedHelp(held.map((entry) => planner.helpFor(entry))));
  const { backup, createNamespace } = combinedHelp(helps);
  const namespaces = [...new Set(keys.map((key) => key.slice(0, key.indexOf("/"))))];
  const namespace = namespaces.length === 1 ? (namespaces[0] ?? null) : null;
  return {
    code: "secret_lost",
    subject: { cluster: state.cluster, namespace, secret: null, name: null },
    params: {
      of: "many",
      count: keys.length,
      restorable: helps.filter((help) => help.backup === "restorable").length,
      backup,
      incident,
      keys: keys.slice(0, 50),
    },
    actions:
      backup === "restorable"
        ? [restoreAction(calledBy(state), [], { all: true, namespace, createNamespace })]
        : [{ kind: "explain", name: state.cluster }],
    cause: [incident],
  };
}

/** Why something that should be kept isn't. */
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

function* copyDrafts(
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

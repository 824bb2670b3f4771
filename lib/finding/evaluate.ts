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
import type { GapRecord, StateDocument } from "../state/document.ts";
import { calledBy, notPinned } from "../state/identity.ts";
import {
  EMPTY_CRITICAL_MS,
  EMPTY_WARNING_MS,
  EXPIRING_FRACTION,
  OVERDUE_FRACTION,
  type Severity,
  atFraction,
  fractionLeft,
} from "./codes.ts";
import type { BackupStatus } from "./params.ts";
import { credentialDrafts } from "./credential.ts";
import { type Action, confirmAction } from "./action.ts";
import {
  clusterSubject,
  createFinding,
  explainAction,
  findingId,
  subjectOf,
  type Draft,
  type Finding,
} from "./finding.ts";
import { observedDrafts } from "../diagnosis/findings.ts";
import { recordedPlanner, type RecordedPlanner } from "../restoreplan/recorded.ts";
import { backupDrafts } from "./backups.ts";
import { lossDrafts, remedy } from "./losses.ts";
import { isWhole, lastSeenOf } from "./reach.ts";
import { rebuiltDrafts } from "./rebuilt.ts";
import { namespaceDrafts, namespaceOf, refusedNamespaces } from "./refused.ts";

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
    ...backupDrafts(state, entries, atMs),
    ...observedDrafts(state, atMs, lastSeenOf(state)),
  ];
  return drafts.map((draft) => {
    const known = state.findings[findingId(draft.code, draft.subject)];
    return createFinding(draft, known === undefined ? now : known.since);
  });
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
      actions: [confirmAction(calledBy(state), state.credential != null, differs.kind)],
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
  if (entry.condition === "lost") return;
  const drafts =
    entry.condition === "live"
      ? liveDrafts(state, entry, planner, atMs)
      : missingDrafts(state, entry, planner, atMs);
  const { newName } = entry;
  for (const draft of drafts)
    if (newName === null) yield draft;
    else yield* renamedDraft(draft, entry, newName);
}

/** Of a pair that its node doesn't serve, nothing has to be done; it needs no renewal. */
function* renamedDraft(draft: Draft, entry: CertificateEntry, newName: string): Generator<Draft> {
  const of = { actions: explainAction(subjectOf(entry)), severity: "info" as const };
  if (draft.code === "expired") yield { ...draft, ...of, params: { ...draft.params, newName } };
  else if (draft.code === "fields_emptied")
    yield { ...draft, ...of, params: { ...draft.params, newName } };
  else if (draft.code === "certificate_invalid")
    yield { ...draft, ...of, params: { ...draft.params, newName } };
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
      severity: severityOfEmpty(emptyMs, "info"),
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
  const params = {
    serial,
    notAfterMs: parseMs(notAfter),
    owner,
    backup: help.backup,
    renewalMs: parseMs(atFraction(record, 1 / 3)),
  };
  const common = {
    subject,
    due: notAfter,
    asLastSeen: lastSeenOf(state),
    actions: remedy(state, subject, help),
  };
  if (left < EXPIRING_FRACTION) yield { ...common, code: "expiring", params };
  else yield { ...common, code: "renewal_overdue", params };
}

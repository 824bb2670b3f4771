/**
 * What is wrong with a cluster: a pure function of its state and the time, so that an audit, a report and a
 * digest say the same. Unknown is never healthy: what could not be read is a finding itself, and where the
 * cluster can't be seen, what time alone brings is still said, as last seen.
 */
import { formatMs } from "../certificate/time.ts";
import {
  certificates,
  type CertificateEntry,
  type LiveCertificate,
  titleOf,
} from "../state/certificates.ts";
import { standingSecrets } from "../state/secrets.ts";
import type { GapRecord, StateDocument } from "../state/document.ts";
import { calledBy } from "../state/identity.ts";
import { EXPIRING_FRACTION, OVERDUE_FRACTION } from "./codes.ts";
import { credentialDrafts } from "./credential.ts";
import { commandLine, literal } from "./command.ts";
import {
  createFinding,
  explainCommand,
  findingId,
  subjectOf,
  type Draft,
  type Finding,
  type Subject,
} from "./finding.ts";
import { observedDrafts } from "../diagnosis/findings.ts";
import { isGoodCopy } from "./advise.ts";
import { consequence, lossLeadsTo } from "./owner.ts";
import { isWhole, lastSeenOf } from "./reach.ts";
import { unreadableDrafts } from "./unreadable.ts";
import { atFraction, fractionLeft, instantNs, msOf } from "./verdict.ts";
import { reasonText } from "./words.ts";

/** Every finding of `state` at `atNs`, in no order; `ignore` entries are not yet applied. */
export function evaluateState(state: StateDocument, atNs: bigint, now: string): Finding[] {
  const entries = [...certificates(state, msOf(atNs))];
  const drafts = [
    ...clusterDrafts(state),
    ...credentialDrafts(state, atNs),
    ...entries.flatMap((entry) => [...certificateDrafts(state, entry, atNs)]),
    ...lossDrafts(state, entries, atNs),
    ...accountDrafts(state),
    ...copyDrafts(state, entries, atNs),
    ...unreadableDrafts(state),
    ...observedDrafts(state, atNs, lastSeenOf(state)),
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
  if (state.replacedBy !== null) {
    yield {
      code: "cluster_replaced",
      subject,
      seen: `${state.title} is answered by another cluster than the one recorded (uid of kube-system ${state.replacedBy.uid ?? "unknown"}, recorded ${state.identity?.uid ?? "unknown"}).`,
      command: commandLine(literal("certkeep clusters add"), calledBy(state), literal("--rebuilt")),
    };
  }
  if (state.audit === null) return;
  const doctor = commandLine(literal("certkeep doctor"), calledBy(state));
  for (const part of state.audit.unread) {
    const whole = isWhole(part);
    yield {
      code: whole ? "cluster_unreachable" : "audit_incomplete",
      subject: whole ? subject : { ...subject, name: part.scope },
      seen: part.message,
      evidence: [
        part.code,
        ...(state.audit.lastReachedAt === null
          ? []
          : [`last reached ${state.audit.lastReachedAt}`]),
      ],
      command: doctor,
      cause: whole ? `cluster_unreachable:${part.code}` : `audit_incomplete:${part.code}`,
    };
  }
}

function* certificateDrafts(
  state: StateDocument,
  entry: CertificateEntry,
  atNs: bigint,
): Generator<Draft> {
  if (entry.condition === "live") yield* liveDrafts(state, entry, atNs);
  else if (entry.condition !== "lost") yield* missingDrafts(state, entry, entry.missingContent);
}

function restoreCommand(state: StateDocument, subject: Subject): string | null {
  const name = subject.name ?? subject.secret;
  return name === null ? null : commandLine(literal("certkeep restore"), calledBy(state), name);
}

function* missingDrafts(
  state: StateDocument,
  entry: CertificateEntry,
  gap: GapRecord,
): Generator<Draft> {
  const subject = subjectOf(entry);
  const seenAt = lastSeenOf(state);
  const label = titleOf(entry);
  if (
    gap.state === "unreadable" ||
    gap.state === "undecodable" ||
    ((gap.state === "certificate_missing" || gap.state === "key_missing") && gap.held === null)
  ) {
    yield {
      code: "certificate_invalid",
      subject,
      seen: `What is stored for ${label} is no certificate with its key: ${reasonText(gap.reasons)}.`,
      leadsTo: consequence(entry.owner, label, false).leadsTo,
      evidence: [gap.state, ...gap.reasons],
      ...(gap.held?.copy == null
        ? {
            advice: "there is no copy of it: find out who wrote it before the owner issues again",
            command: explainCommand(subject),
          }
        : { command: restoreCommand(state, subject) }),
      cause: `certificate_invalid:${gap.reasons[0] ?? gap.state}`,
      asLastSeen: seenAt,
    };
    return;
  }
  if (gap.held !== null) {
    yield {
      code: "fields_emptied",
      subject,
      seen: `The Secret that held the certificate of ${label} is still there, and its ${gap.state === "key_missing" ? "key is" : gap.state === "certificate_missing" ? "certificate is" : "fields are"} gone.`,
      evidence: [`held serial ${gap.held.serial} until ${gap.held.notAfter}`],
      leadsTo: lossLeadsTo(entry.owner),
      advice:
        gap.held.copy === null
          ? "there is no copy of it: keep the owner from restarting until you have decided"
          : "restore the fields before the owner restarts",
      command: gap.held.copy === null ? explainCommand(subject) : restoreCommand(state, subject),
      asLastSeen: seenAt,
    };
    return;
  }
  yield {
    code: "certificate_pending",
    subject,
    seen: `No certificate was ever stored for ${label}.`,
    asLastSeen: seenAt,
  };
}

function* liveDrafts(state: StateDocument, entry: LiveCertificate, atNs: bigint): Generator<Draft> {
  const {
    record: certificate,
    verdict: { valid, reasons },
  } = entry;
  const subject = subjectOf(entry);
  const seenAt = lastSeenOf(state);
  const label = titleOf(entry);
  // A staging certificate is refused by every client on purpose: it is neither critical nor counted.
  if (certificate.staging) return;
  const serial = `serial ${certificate.serial}`;
  const expired = atNs > instantNs(certificate.notAfter);
  const others = reasons.filter((reason) => reason !== "expired");
  if (expired && others.length === 0) {
    yield {
      code: "expired",
      subject,
      seen: `The certificate of ${label} expired at ${certificate.notAfter}.`,
      evidence: [serial],
      due: certificate.notAfter,
      command: explainCommand(subject),
      asLastSeen: seenAt,
    };
    return;
  }
  if (!valid) {
    const { refuser, leadsTo } = consequence(entry.owner, label, certificate.keyFits);
    const good = entry.backups.some(
      ({ copy }) => copy.sha256 !== certificate.sha256 && isGoodCopy(copy, msOf(atNs)),
    );
    yield {
      code: "certificate_invalid",
      subject,
      seen: `${refuser} will refuse what is stored: ${reasonText(reasons)}.`,
      leadsTo,
      evidence: [...reasons, serial],
      command: good ? restoreCommand(state, subject) : explainCommand(subject),
      advice: good
        ? "restore the last good copy"
        : "there is no good copy: look at what the owner says before it issues again",
      due: certificate.notAfter,
      cause: `certificate_invalid:${others[0] ?? "expired"}`,
      asLastSeen: seenAt,
    };
    return;
  }
  const left = fractionLeft(certificate, atNs);
  if (left >= OVERDUE_FRACTION) return;
  const expiring = left < EXPIRING_FRACTION;
  yield {
    code: expiring ? "expiring" : "renewal_overdue",
    subject,
    seen: expiring
      ? `The certificate of ${label} expires at ${certificate.notAfter}.`
      : `The certificate of ${label} was due for renewal at ${atFraction(certificate, 1 / 3)} and expires at ${certificate.notAfter}.`,
    evidence: [serial],
    due: certificate.notAfter,
    command: explainCommand(subject),
    asLastSeen: seenAt,
  };
}

function* lossDrafts(
  state: StateDocument,
  entries: readonly CertificateEntry[],
  atNs: bigint,
): Generator<Draft> {
  const lost = entries.flatMap((entry) =>
    entry.condition === "lost" && !entry.record.staging && instantNs(entry.record.notAfter) >= atNs
      ? [entry]
      : [],
  );
  const incidents = new Map<string, { readonly incident: string; readonly keys: string[] }>();
  for (const [key, held] of Map.groupBy(lost, (entry) => entry.key)) {
    const [first] = held;
    if (first === undefined) continue;
    const { how, incident, lostMs, lastSeenMs } = first.loss;
    if (incident !== null) {
      const id = `${incident}|${lostMs}`;
      const known = incidents.get(id) ?? { incident, keys: [] };
      known.keys.push(key);
      incidents.set(id, known);
      continue;
    }
    const subject = subjectOf(first);
    const lastSeenAt = formatMs(lastSeenMs);
    const copied = held.some(({ record }) => record.copy !== null);
    yield {
      code: how === "removed" ? "secret_removed" : "secret_lost",
      ...(how === "unknown" ? { severity: "warning" as const } : {}),
      subject,
      seen: `The Secret that held the certificate of ${titleOf(first)} is gone since ${lastSeenAt} at the earliest${how === "unknown" ? "; what it belonged to is not known" : how === "removed" ? ", together with what it belonged to" : ""}.`,
      ...(how === "removed" ? {} : { leadsTo: lossLeadsTo(first.owner) }),
      evidence: [`last seen ${lastSeenAt}`, ...held.map(({ record }) => `serial ${record.serial}`)],
      advice: copied ? lossAdvice(how) : "there is no copy of it: it can only be issued again",
      command: copied ? restoreCommand(state, subject) : explainCommand(subject),
      due: first.record.notAfter,
    };
  }
  for (const { incident, keys } of incidents.values()) {
    const namespaces = [...new Set(keys.map((key) => key.slice(0, key.indexOf("/"))))];
    const one = namespaces.length === 1 ? (namespaces[0] ?? null) : null;
    yield {
      code: "secret_lost",
      subject: { cluster: state.cluster, namespace: one, secret: null, name: null },
      seen: `${keys.length === 1 ? "One Secret" : `${keys.length} Secrets`} with certificates went at once: ${incident}.`,
      evidence: keys.slice(0, 50),
      advice: "restore them all before their owners start again",
      command:
        one === null
          ? commandLine(literal("certkeep restore"), calledBy(state), literal("--all"))
          : commandLine(
              literal("certkeep restore"),
              calledBy(state),
              literal("--all --namespace"),
              one,
            ),
      cause: `secret_lost:${incident}`,
    };
  }
}

function lossAdvice(how: string): string {
  return how === "removed"
    ? "nothing to do if it was meant"
    : how === "unknown"
      ? "if nobody removed it on purpose, restore it"
      : "restore it before its owner is used again";
}

/** Why something that should be kept isn't. */
const STORE_TROUBLES: ReadonlySet<string> = new Set(["store_failed", "seal_failed"]);

function* accountDrafts(state: StateDocument): Generator<Draft> {
  for (const { namespace, secret, record } of standingSecrets(state)) {
    if (record.foreign) continue;
    for (const [field, { copy, notKept }] of Object.entries(record.accounts)) {
      const reason = notKept?.reason ?? "";
      if (copy !== null || !STORE_TROUBLES.has(reason)) continue;
      yield {
        code: "backup_missing",
        subject: { cluster: state.cluster, namespace, secret, name: field },
        seen: "An ACME account key has no sealed copy: the store did not take or show it.",
        evidence: [reason],
        command: commandLine(literal("certkeep doctor")),
        cause: `backup_missing:${reason}`,
      };
    }
  }
}

function* copyDrafts(
  state: StateDocument,
  entries: readonly CertificateEntry[],
  atNs: bigint,
): Generator<Draft> {
  const missing = new Map<string, number>();
  for (const entry of entries) {
    if (entry.condition !== "live") continue;
    const { copy, notKept, notAfter } = entry.record;
    const reason = notKept?.reason;
    if (copy !== null || reason === undefined) continue;
    if (reason === "no_recipients" || reason === "quota")
      missing.set(reason, (missing.get(reason) ?? 0) + 1);
    else if (STORE_TROUBLES.has(reason) && instantNs(notAfter) >= atNs)
      yield {
        code: "backup_missing",
        subject: subjectOf(entry),
        seen: `The certificate of ${titleOf(entry)} has no sealed copy: the store did not take or show it.`,
        evidence: [reason],
        command: commandLine(literal("certkeep doctor")),
        cause: `backup_missing:${reason}`,
      };
  }
  const subject = clusterSubject(state);
  const unsealed = missing.get("no_recipients") ?? 0;
  if (unsealed > 0) {
    yield {
      code: "backup_missing",
      subject,
      seen: `${unsealed === 1 ? "1 good certificate has" : `${unsealed} good certificates have`} no sealed copy, because no recipient is configured.`,
      evidence: ["no_recipients"],
      advice: "make a key to seal for; the next audit then backs everything up",
      command: commandLine(literal("certkeep init")),
      cause: "backup_missing:no_recipients",
    };
  }
  const over = missing.get("quota") ?? 0;
  if (over > 0) {
    yield {
      code: "backup_quota",
      subject,
      seen: `${over === 1 ? "1 certificate waits" : `${over} certificates wait`} for a copy: ${state.quota.made} were made on ${state.quota.day}, which is the cap.`,
      evidence: [`made ${state.quota.made}`, `waiting ${over}`],
    };
  }
}

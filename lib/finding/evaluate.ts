/**
 * What is wrong with a cluster: a pure function of its state and the time, so that an audit, a report and a
 * digest say the same. Unknown is never healthy: what could not be read is a finding itself, and where the
 * cluster can't be seen, what time alone brings is still said, as last seen.
 */
import type {
  CertificateRecord,
  LostRecord,
  SecretRecord,
  StateDocument,
} from "../state/document.ts";
import { calledBy } from "../state/identity.ts";
import { heldCertificates } from "../state/held.ts";
import { EXPIRING_FRACTION, OVERDUE_FRACTION } from "./codes.ts";
import { credentialDrafts } from "./credential.ts";
import { commandLine, literal } from "./command.ts";
import { createFinding, findingId, type Draft, type Finding, type Subject } from "./finding.ts";
import { observedDrafts } from "../diagnosis/observed.ts";
import { consequence, lossLeadsTo, ownerOf } from "./owner.ts";
import { isWhole, lastSeenOf } from "./reach.ts";
import { unreadableDrafts } from "./unreadable.ts";
import { atFraction, fractionLeft, instantNs, recordVerdict } from "./verdict.ts";
import { reasonText } from "./words.ts";

interface Place {
  readonly subject: Subject;
  readonly record: SecretRecord;
}

/** Every finding of `state` at `atNs`, in no order; `ignore` entries are not yet applied. */
export function evaluateState(state: StateDocument, atNs: bigint, now: string): Finding[] {
  const drafts = [
    ...clusterDrafts(state),
    ...credentialDrafts(state, atNs),
    ...secretDrafts(state, atNs),
    ...lossDrafts(state, atNs),
    ...copyDrafts(state, atNs),
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

function subjectOf(state: StateDocument, key: string, name: string | null): Subject {
  const slash = key.indexOf("/");
  return {
    cluster: state.cluster,
    namespace: key.slice(0, slash),
    secret: key.slice(slash + 1),
    name,
  };
}

function* secretDrafts(state: StateDocument, atNs: bigint): Generator<Draft> {
  const seenAt = lastSeenOf(state);
  for (const [key, record] of Object.entries(state.secrets)) {
    if (record.foreign) continue;
    for (const [base, certificate] of Object.entries(record.certificates)) {
      const place = {
        record,
        subject: subjectOf(state, key, certificate.domain ?? certificate.names[0] ?? base),
      };
      yield* certificateDrafts(state, place, certificate, atNs, seenAt);
    }
    for (const [base, gap] of Object.entries(record.gaps)) {
      const subject = subjectOf(
        state,
        key,
        gap.domain ?? gap.held?.names[0] ?? (base === "tls" ? null : base),
      );
      yield* gapDrafts(state, { record, subject }, gap, seenAt);
    }
  }
}

function restoreCommand(state: StateDocument, subject: Subject): string | null {
  const name = subject.name ?? subject.secret;
  return name === null ? null : commandLine(literal("certkeep restore"), calledBy(state), name);
}

function explainCommand(subject: Subject): string | null {
  const name =
    subject.name ??
    (subject.namespace === null || subject.secret === null
      ? null
      : `${subject.namespace}/${subject.secret}`);
  return name === null ? null : commandLine(literal("certkeep explain"), name);
}

function* gapDrafts(
  state: StateDocument,
  place: Place,
  gap: SecretRecord["gaps"][string],
  seenAt: string | null,
): Generator<Draft> {
  const { subject } = place;
  const label = subject.name ?? `${subject.namespace}/${subject.secret}`;
  if (
    gap.state === "unreadable" ||
    gap.state === "undecodable" ||
    ((gap.state === "certificate_missing" || gap.state === "key_missing") && gap.held === null)
  ) {
    yield {
      code: "certificate_invalid",
      subject,
      seen: `What is stored for ${label} is no certificate with its key: ${reasonText(gap.reasons)}.`,
      leadsTo: consequence(ownerOf(place.record), label, false).leadsTo,
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
      leadsTo: lossLeadsTo(ownerOf(place.record)),
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

function* certificateDrafts(
  state: StateDocument,
  place: Place,
  certificate: CertificateRecord,
  atNs: bigint,
  seenAt: string | null,
): Generator<Draft> {
  const { subject } = place;
  const label = subject.name ?? "a certificate";
  // A staging certificate is refused by every client on purpose: it is neither critical nor counted.
  if (certificate.staging) return;
  const verdict = recordVerdict(certificate, atNs);
  const serial = `serial ${certificate.serial}`;
  const expired = atNs > instantNs(certificate.notAfter);
  const others = verdict.reasons.filter((reason) => reason !== "expired");
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
  if (!verdict.valid) {
    const { refuser, leadsTo } = consequence(ownerOf(place.record), label, certificate.keyFits);
    yield {
      code: "certificate_invalid",
      subject,
      seen: `${refuser} will refuse what is stored: ${reasonText(verdict.reasons)}.`,
      leadsTo,
      evidence: [...verdict.reasons, serial],
      command: goodCopy(state, place, certificate, atNs)
        ? restoreCommand(state, subject)
        : explainCommand(subject),
      advice: goodCopy(state, place, certificate, atNs)
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

/** Whether a copy of another content is known for the same place that was seen valid and isn't expired. */
function goodCopy(
  state: StateDocument,
  place: Place,
  certificate: CertificateRecord,
  atNs: bigint,
): boolean {
  return Object.values(state.copies).some(
    (copy) =>
      copy.kind === "certificate" &&
      copy.namespace === place.subject.namespace &&
      copy.secret === place.subject.secret &&
      copy.seenValid &&
      copy.retired === undefined &&
      copy.sha256 !== certificate.sha256 &&
      copy.notAfter !== null &&
      instantNs(copy.notAfter) >= atNs,
  );
}

function* lossDrafts(state: StateDocument, atNs: bigint): Generator<Draft> {
  const incidents = new Map<string, { key: string; lost: LostRecord }[]>();
  for (const [key, lost] of Object.entries(state.lost)) {
    const certificates = heldCertificates(lost.record).filter(
      (certificate) => !certificate.staging && instantNs(certificate.notAfter) >= atNs,
    );
    if (certificates.length === 0) continue;
    if (lost.incident !== null) {
      const id = `${lost.incident}|${lost.lostAt}`;
      incidents.set(id, [...(incidents.get(id) ?? []), { key, lost }]);
      continue;
    }
    const subject = subjectOf(
      state,
      key,
      certificates[0]?.domain ?? certificates[0]?.names[0] ?? null,
    );
    const copied = certificates.some((certificate) => certificate.copy !== null);
    yield {
      code: lost.how === "removed" ? "secret_removed" : "secret_lost",
      ...(lost.how === "unknown" ? { severity: "warning" as const } : {}),
      subject,
      seen: `The Secret that held the certificate of ${subject.name ?? "a name"} is gone since ${lost.lastSeenAt} at the earliest${lost.how === "unknown" ? "; what it belonged to is not known" : lost.how === "removed" ? ", together with what it belonged to" : ""}.`,
      ...(lost.how === "removed" ? {} : { leadsTo: lossLeadsTo(ownerOf(lost.record)) }),
      evidence: [
        `last seen ${lost.lastSeenAt}`,
        ...certificates.map((certificate) => `serial ${certificate.serial}`),
      ],
      advice: copied ? lossAdvice(lost.how) : "there is no copy of it: it can only be issued again",
      command: copied ? restoreCommand(state, subject) : explainCommand(subject),
      due: certificates[0]?.notAfter ?? null,
    };
  }
  for (const group of incidents.values()) {
    const first = group[0];
    if (first === undefined) continue;
    const incident = first.lost.incident ?? "";
    const namespaces = [...new Set(group.map(({ key }) => key.slice(0, key.indexOf("/"))))];
    const one = namespaces.length === 1 ? (namespaces[0] ?? null) : null;
    yield {
      code: "secret_lost",
      subject: { cluster: state.cluster, namespace: one, secret: null, name: null },
      seen: `${group.length === 1 ? "One Secret" : `${group.length} Secrets`} with certificates went at once: ${incident}.`,
      evidence: group.slice(0, 50).map(({ key }) => key),
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

function* copyDrafts(state: StateDocument, atNs: bigint): Generator<Draft> {
  const missing = new Map<string, number>();
  for (const [key, record] of Object.entries(state.secrets)) {
    if (record.foreign) continue;
    for (const [field, account] of Object.entries(record.accounts)) {
      if (account.copy !== null || !STORE_TROUBLES.has(account.notKept?.reason ?? "")) continue;
      yield {
        code: "backup_missing",
        subject: subjectOf(state, key, field),
        seen: "An ACME account key has no sealed copy: the store did not take or show it.",
        evidence: [account.notKept?.reason ?? ""],
        command: commandLine(literal("certkeep doctor")),
        cause: `backup_missing:${account.notKept?.reason}`,
      };
    }
    for (const [base, certificate] of Object.entries(record.certificates)) {
      const reason = certificate.notKept?.reason;
      if (certificate.copy !== null || reason === undefined) continue;
      if (reason === "no_recipients" || reason === "quota")
        missing.set(reason, (missing.get(reason) ?? 0) + 1);
      else if (STORE_TROUBLES.has(reason) && instantNs(certificate.notAfter) >= atNs) {
        const subject = subjectOf(state, key, certificate.domain ?? certificate.names[0] ?? base);
        yield {
          code: "backup_missing",
          subject,
          seen: `The certificate of ${subject.name ?? "a name"} has no sealed copy: the store did not take or show it.`,
          evidence: [reason],
          command: commandLine(literal("certkeep doctor")),
          cause: `backup_missing:${reason}`,
        };
      }
    }
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

/** A finding: a coded statement with severity, subject, evidence, advice and since when. Pure data. */
import { createHash } from "node:crypto";
import type { CertificateEntry } from "../state/certificates.ts";
import { CODES, type FindingCode, type Severity } from "./codes.ts";
import { commandLine, literal } from "./command.ts";

export interface Subject {
  readonly cluster: string;
  readonly namespace: string | null;
  readonly secret: string | null;
  /** The certificate's name: domain or field base. */
  readonly name: string | null;
}

/** What a finding about this certificate is about. */
export function subjectOf({
  cluster,
  namespace,
  secret,
  name,
}: Pick<CertificateEntry, "cluster" | "namespace" | "secret" | "name">): Subject {
  return { cluster, namespace, secret, name };
}

/** What a sentence calls it. */
export function labelOf({ name, namespace, secret, cluster }: Subject): string {
  return name ?? (secret === null ? (namespace ?? cluster) : `${namespace}/${secret}`);
}

/** `null` where there is nothing to explain, or its name doesn't fit a command. */
export function explainCommand({ name, namespace, secret }: Subject): string | null {
  const about = name ?? (namespace === null || secret === null ? null : `${namespace}/${secret}`);
  return about === null ? null : commandLine(literal("certkeep explain"), about);
}

export interface Finding {
  /** Stable over runs: code and subject. */
  readonly id: string;
  readonly code: FindingCode;
  readonly severity: Severity;
  readonly subject: Subject;
  /** What was seen, one sentence. Text of a cluster may be in it: a medium escapes it. */
  readonly seen: string;
  /** Codes and numbers that it rests on. */
  readonly evidence: readonly string[];
  readonly leadsTo: string;
  readonly advice: string;
  /** A command that can be pasted, made by `commandLine` of lib/finding/command.ts, or `null`. */
  readonly command: string | null;
  /** The same restore by the function on AWS, made by `invokeLine` of lib/finding/invoke.ts; absent where none is configured. */
  readonly invoke?: string;
  /** RFC 3339: first seen. */
  readonly since: string;
  /** Instant at which it comes true or matters, for sorting; RFC 3339 or `null`. */
  readonly due: string | null;
  /** RFC 3339 where the cluster can't be seen now: the finding holds as last seen then. */
  readonly asLastSeen: string | null;
  /** Why it came to that, one sentence, where that is known or worth saying; text of a cluster may be in it. */
  readonly why: string | null;
  /** Groups findings of one origin in a summary: `expired`, `certificate_invalid:key_mismatch`. */
  readonly cause: string;
}

/** What a rule says; the rest follows from the code's table and the state. */
export interface Draft {
  readonly code: FindingCode;
  readonly subject: Subject;
  readonly seen: string;
  readonly evidence?: readonly string[];
  readonly advice?: string;
  /** `null`: there is one, and a name in it doesn't fit a command; the finding is named instead. */
  readonly command?: string | null;
  readonly due?: string | null;
  readonly asLastSeen?: string | null;
  readonly cause?: string;
  readonly leadsTo?: string;
  readonly severity?: Severity;
  readonly why?: string | null;
}

export function findingId(code: FindingCode, subject: Subject): string {
  return [
    code,
    subject.cluster,
    subject.namespace ?? "",
    subject.secret ?? "",
    subject.name ?? "",
  ].join("|");
}

/** A name for a finding that always fits a command: its code and a digest of its id. */
export function findingRef(id: string): string {
  return `${id.slice(0, id.indexOf("|"))}:${createHash("sha256").update(id).digest("hex").slice(0, 12)}`;
}

/** `since` is the instant at which this id was first recorded, else now. */
export function createFinding(draft: Draft, since: string): Finding {
  const entry = CODES[draft.code];
  const id = findingId(draft.code, draft.subject);
  return {
    id,
    code: draft.code,
    severity: draft.severity ?? entry.severity,
    subject: draft.subject,
    seen: draft.seen,
    evidence: draft.evidence ?? [],
    leadsTo: draft.leadsTo ?? entry.leadsTo,
    advice: draft.advice ?? entry.advice,
    command:
      draft.command === undefined
        ? null
        : (draft.command ?? commandLine(literal("certkeep explain"), findingRef(id))),
    since,
    due: draft.due ?? null,
    asLastSeen: draft.asLastSeen ?? null,
    why: draft.why ?? null,
    cause: draft.cause ?? draft.code,
  };
}

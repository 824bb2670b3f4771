/**
 * A finding: what is wrong with what, since when, and what can be done, as data. lib/report/ says
 * it.
 */
import { createHash } from "node:crypto";
import type { Diagnosis } from "../diagnosis/cause.ts";
import type { Advice } from "../ratelimit/advice.ts";
import type { CertificateEntry } from "../state/certificates.ts";
import type { Action } from "./action.ts";
import { CODES, type FindingCode, SEVERITIES, type Severity } from "./codes.ts";
import type { ParamsOf } from "./params.ts";

export interface Subject {
  readonly cluster: string;
  readonly namespace: string | null;
  readonly secret: string | null;
  /** The certificate's name: domain or field base. */
  readonly name: string | null;
}

export function subjectOf({
  cluster,
  namespace,
  secret,
  name,
}: Pick<CertificateEntry, "cluster" | "namespace" | "secret" | "name">): Subject {
  return { cluster, namespace, secret, name };
}

export function clusterSubject({ cluster }: Pick<Subject, "cluster">): Subject {
  return { cluster, namespace: null, secret: null, name: null };
}

interface FindingBase {
  /** Stable over runs: code and subject. */
  readonly id: string;
  readonly severity: Severity;
  readonly subject: Subject;
  /** What does something about it, the most direct first. */
  readonly actions: readonly Action[];
  /**
   * What can be done about a certificate that fails or is lost, by what is known of issuances;
   * `null`: not asked.
   */
  readonly advice: Advice | null;
  readonly why: Diagnosis | null;
  readonly since: string;
  /** Instant at which it comes true or matters, for sorting; RFC 3339 or `null`. */
  readonly due: string | null;
  /** RFC 3339 where the cluster can't be seen now: the finding holds as last seen then. */
  readonly asLastSeen: string | null;
  /**
   * What findings of one origin have in common, the code first: `["certificate_invalid",
   * "key_mismatch"]`.
   */
  readonly cause: readonly [FindingCode, ...string[]];
}

export type FindingOf<C extends FindingCode> = FindingBase & {
  readonly code: C;
  readonly params: ParamsOf<C>;
};

export type Finding = { [C in FindingCode]: FindingOf<C> }[FindingCode];

interface DraftBase {
  readonly subject: Subject;
  readonly actions?: readonly Action[];
  readonly due?: string | null;
  readonly asLastSeen?: string | null;
  readonly cause?: readonly string[];
  readonly severity?: Severity;
}

type DraftOf<C extends FindingCode> = DraftBase & {
  readonly code: C;
  readonly params: ParamsOf<C>;
};

/** What a rule gives; the rest follows from the code and the state. */
export type Draft = { [C in FindingCode]: DraftOf<C> }[FindingCode];

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
export function findingRef({ code, id }: Pick<Finding, "code" | "id">): string {
  return `${code}:${createHash("sha256").update(id).digest("hex").slice(0, 12)}`;
}

/** `since` is the instant at which this id was first recorded, else now. */
export function createFinding(draft: Draft, since: string): Finding {
  const { code, params, subject, severity, actions, due, asLastSeen, cause } = draft;
  const base: FindingBase = {
    id: findingId(code, subject),
    severity: severity ?? CODES[code],
    subject,
    actions: actions ?? [],
    advice: null,
    why: null,
    since,
    due: due ?? null,
    asLastSeen: asLastSeen ?? null,
    cause: [code, ...(cause ?? [])],
  };
  return { ...base, code, params } as Finding;
}

/** What `certkeep explain` takes for a subject, or `null` for one that is the cluster itself. */
export function explainAction({ name, namespace, secret }: Subject): Action[] {
  const what = name ?? (namespace === null || secret === null ? null : `${namespace}/${secret}`);
  return what === null ? [] : [{ kind: "explain", name: what }];
}

export function labelOf({ name, namespace, secret, cluster }: Subject): string {
  return name ?? (secret === null ? (namespace ?? cluster) : `${namespace}/${secret}`);
}

export function sortFindings(findings: readonly Finding[]): Finding[] {
  return findings.toSorted(
    (a, b) =>
      SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
      compare(a.due ?? "9", b.due ?? "9") ||
      compare(a.id, b.id),
  );
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

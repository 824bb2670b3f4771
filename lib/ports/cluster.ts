import type { V1Secret } from "@kubernetes/client-node";
import type { GrantedRules } from "../rbac/excess.ts";
import type { AccessObject } from "../rbac/manifest.ts";
import type { Question } from "../rbac/rules.ts";
import type { Secret, SecretMeta } from "../secret/secret.ts";
import type { ClusterIdentity } from "../state/identity.ts";

export interface Scope {
  /** `null`: all namespaces. */
  readonly namespace: string | null;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface ReaderStats {
  /** Requests by what they asked: `list_metadata`, `list_full`, `get`, `identity`, `other`. */
  readonly requests: Readonly<Record<string, number>>;
  /** Secrets whose values were received. */
  readonly valuesRead: number;
  /** Listings with values that no selector narrowed. */
  readonly unfilteredFullListings: number;
  /**
   * One line, fit to print, for each item of a listing that can't be understood; some hundred at
   * most.
   */
  readonly unreadable: readonly string[];
}

/** What a look at a namespace or a parent says; `unknown` without permission to ask. */
export type Presence =
  | {
      readonly state: "present";
      readonly uid: string;
      /** It is being deleted. */
      readonly deleting?: true;
      /** Of an Ingress, a ProxyGroup or cert-manager's Certificate. */
      readonly wants?: ParentWants;
    }
  | { readonly state: "absent" }
  | { readonly state: "unknown" };

/** What certificate a parent wants by now. */
export interface ParentWants {
  /** As its spec names them; Tailscale uses the first label of the first one. */
  readonly hosts: readonly string[];
  /** Full names that its status publishes. */
  readonly published: readonly string[];
  /** Name of its Secret, where its spec gives one. */
  readonly secret: string | null;
}

/** Any object, to ask whether it is still there. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string | null;
  readonly name: string;
}

/**
 * Reading a cluster: what an audit may ask of a Kubernetes API.
 *
 * Contract (test/contract/cluster.ts): nothing is written. A listing is whole or it throws: a
 * caller that reaches the end of the iteration has seen every Secret of the scope. Every failure is
 * a `CertkeepError` with a `cluster_*` code whose text holds status, reason and reference, and
 * never a body or a header of the answer.
 */
export interface ClusterReader {
  identity(): Promise<ClusterIdentity>;
  /**
   * Metadata page by page; each page may be dropped once processed. Starts again by itself on 410
   * (pages then repeat Secrets).
   */
  listMetadata(scope: Scope): AsyncIterable<readonly SecretMeta[]>;
  /** Secrets with values, page by page, small pages where values are large. */
  listSecrets(scope: Scope): AsyncIterable<readonly Secret[]>;
  /**
   * What tells whether a Secret changed, without its values; `null` where there is no such Secret.
   */
  getStamp(
    namespace: string,
    name: string,
  ): Promise<Pick<SecretMeta, "uid" | "resourceVersion"> | null>;
  /** `null` where there is no such Secret. */
  getSecret(namespace: string, name: string): Promise<Secret | null>;
  /** Presence of a namespace (cluster-scoped object `v1 Namespace`) or any parent. */
  presence(ref: ObjectRef): Promise<Presence>;
  stats(): ReaderStats;
  close(): Promise<void>;
}

export interface SecretPlace {
  readonly namespace: string;
  readonly name: string;
}

export interface NewSecret extends SecretPlace {
  readonly type: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Base64 by field. */
  readonly data: Readonly<Record<string, string>>;
}

export interface SecretChange extends SecretPlace {
  /** The version that the change was planned from. */
  readonly resourceVersion: string;
  /** Added to those that are there. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly data: Readonly<Record<string, string>>;
}

export interface SecretVersion extends SecretPlace {
  readonly uid: string;
  readonly resourceVersion: string;
}

export interface WriteOptions {
  /** Default false. */
  readonly dryRun?: boolean;
}

/** `conflict`: somebody else was there first, or it changed since it was planned from. */
export type WriteOutcome = "done" | "conflict";

export type SecretEvent =
  | { readonly type: "present"; readonly secret: Secret }
  | { readonly type: "gone"; readonly namespace: string; readonly name: string };

/**
 * Writing to a cluster: what a restore may ask of a Kubernetes API.
 *
 * Contract (test/contract/writer.ts): a patch or a deletion happens only to the very version it
 * names; a creation never changes what exists. A call that returns has taken effect, also where the
 * first answer was lost: it was found out by reading. With `dryRun` the server checks and stores
 * nothing. Failures are `CertkeepError`s whose text holds no body of a request.
 */
export interface ClusterWriter {
  /** @throws CertkeepError cluster_not_found where the namespace is gone */
  createSecret(secret: NewSecret, options?: WriteOptions): Promise<WriteOutcome>;
  patchSecret(change: SecretChange, options?: WriteOptions): Promise<WriteOutcome>;
  deleteSecret(version: SecretVersion, options?: WriteOptions): Promise<WriteOutcome>;
  /**
   * A Secret with everything in it, as the API gives it, so that the very same can be created
   * again; `null` where there is none. No other part of certkeep may read its values.
   */
  readWhole(place: SecretPlace): Promise<V1Secret | null>;
  /** Creates what `readWhole` gave, changed as is wanted; never over what exists. */
  createWhole(place: SecretPlace, whole: V1Secret, options?: WriteOptions): Promise<WriteOutcome>;
  /** One that is there already is fine. */
  createNamespace(name: string, options?: WriteOptions): Promise<void>;
  /**
   * What lies in a namespace under a label selector, and what becomes of it from now on; ends where
   * the server ends the watch or `signal` is aborted. @throws CertkeepError cluster_forbidden where
   * watching isn't granted
   */
  watchSecrets(
    scope: { readonly namespace: string; readonly labelSelector: string },
    signal: AbortSignal,
  ): AsyncIterable<SecretEvent>;
  close(): Promise<void>;
}

export interface ContainerFacts {
  readonly name: string;
  /** When the one that runs now was started; `null` where none runs. */
  readonly startedMs: number | null;
  readonly restarts: number;
  /**
   * The ACME directory that its environment names; empty: it is set from elsewhere; absent: none
   * is.
   */
  readonly acmeDirectory?: string;
}

export interface PodFacts {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Name of its service account; `null` where it isn't told. */
  readonly account: string | null;
  readonly containers: readonly ContainerFacts[];
}

export interface LogQuery {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** The one before the last restart. */
  readonly previous?: boolean;
  /** Lines from then on; cut to the second. */
  readonly sinceMs?: number | null;
  /** The last so many lines alone. */
  readonly tailLines?: number | null;
  /** Bytes at most; lines beyond are left out, the oldest are given. */
  readonly limitBytes: number;
}

export type LogText =
  /** Each line begins with the kubelet's time. `cut`: there was more than was to be read. */
  | { readonly state: "read"; readonly bytes: Uint8Array; readonly cut: boolean }
  /**
   * There is no such log: the container hasn't started, has no previous one, is gone, or its file
   * is.
   */
  | { readonly state: "none" };

export interface EventFacts {
  readonly namespace: string;
  /** Kind and name of what it is about. */
  readonly kind: string;
  readonly name: string;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  /** As it is: not redacted yet. */
  readonly message: string;
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

export interface AccessQuestion {
  readonly namespace: string;
  readonly secret: string;
  /** Service account of the same namespace. */
  readonly account: string;
  readonly verb: string;
}

/** Items of a listing, and whether there are more than were taken. */
export interface Listed<T> {
  readonly items: readonly T[];
  readonly more: boolean;
}

/**
 * What may be asked of a cluster about why certificates are issued: the pods that write them, their
 * logs, events, and what the server says of an account's rights.
 *
 * Contract (test/contract/diagnosis.ts): nothing is stored; the one thing that is posted is a
 * SubjectAccessReview. Every call is bounded in time and bytes. What isn't there is an answer;
 * every failure is a `CertkeepError` with a `cluster_*` code whose text holds nothing of a body.
 */
export interface ClusterDiagnosis {
  listPods(
    namespace: string,
    labelSelector: string,
    signal?: AbortSignal,
  ): Promise<Listed<PodFacts>>;
  readLog(query: LogQuery, signal?: AbortSignal): Promise<LogText>;
  listEvents(
    namespace: string,
    fieldSelector: string,
    signal?: AbortSignal,
  ): Promise<Listed<EventFacts>>;
  /**
   * What a service account may do to a Secret, by the server's own word; the reason is the
   * server's, as it is.
   */
  reviewAccess(
    question: AccessQuestion,
    signal?: AbortSignal,
  ): Promise<{ readonly allowed: boolean; readonly reason: string }>;
  /** Requests by what they asked: `pods`, `logs`, `events`, `access`. */
  requests(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

/** An object by what names it. */
export interface ObjectName {
  readonly apiVersion: string;
  readonly kind: AccessObject["kind"];
  readonly namespace: string | null;
  readonly name: string;
}

export interface GrantedToken {
  readonly token: string;
  /** Milliseconds since 1970; `null`: it doesn't end by itself. */
  readonly expiresAtMs: number | null;
}

/**
 * What registering a cluster asks of its API, by an administrator's credential; and what any
 * credential may ask about itself.
 *
 * Contract (test/adapters/kubernetes/register.test.ts, test/e2e/register.test.ts): `apply` makes an
 * object be as given and says whether it was new; applying twice changes nothing. `remove` of what
 * isn't there is no error. Failures are `CertkeepError`s that hold no token.
 */
export interface Registrar {
  /** @throws CertkeepError cluster_forbidden, naming the verb that the administrator lacks */
  apply(object: AccessObject): Promise<"created" | "there">;
  /** Objects with these labels, of the kinds that registering makes, Namespaces left out. */
  find(selector: string): Promise<readonly ObjectName[]>;
  /** Annotations of a ClusterRole; empty where there is none. */
  annotationsOf(clusterRole: string): Promise<Readonly<Record<string, unknown>>>;
  remove(object: ObjectName): Promise<void>;
  /** A bound token of a service account; the server may grant less than was asked for. */
  requestToken(namespace: string, account: string, seconds: number): Promise<GrantedToken>;
  /**
   * The token of a service-account-token Secret, once the cluster's controller has filled it in.
   * @throws CertkeepError cluster_timeout where it doesn't
   */
  readToken(namespace: string, name: string): Promise<GrantedToken>;
  /**
   * What anyone at all may do in a namespace; `null` where this credential has no permission to ask
   * as somebody else.
   */
  everybodysRules(namespace: string): Promise<GrantedRules | null>;
  close(): Promise<void>;
}

export interface ServerFacts {
  /** As the server says it: `v1.34.4`; `null` where it doesn't. */
  readonly version: string | null;
  /**
   * The server's clock by its Date header, less this machine's, in milliseconds; the header has
   * whole seconds.
   */
  readonly clockOffsetMs: number | null;
}

/** A credential's questions about itself; they store nothing. */
export interface SelfAccess {
  facts(): Promise<ServerFacts>;
  /** As the server names whoever asks; `null` where the server is too old to say. */
  whoAmI(): Promise<string | null>;
  isAllowed(
    question: Pick<Question, "verb" | "group" | "resource" | "namespace" | "name">,
  ): Promise<boolean>;
  rulesIn(namespace: string): Promise<GrantedRules>;
  /** Groups of the API whose server doesn't answer, such as an aggregated one that is down. */
  deadGroups(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/**
 * Reading a cluster: what an audit may ask of a Kubernetes API.
 *
 * Contract (test/contract/cluster.ts): nothing is written. A listing is whole or it throws: a caller
 * that reaches the end of the iteration has seen every Secret of the scope. Every failure is a
 * `CertkeepError` with a `cluster_*` code whose text holds status, reason and reference, and never a
 * body or a header of the answer.
 */
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
  /** One line, fit to print, for each item of a listing that can't be understood; some hundred at most. */
  readonly unreadable: readonly string[];
}

/** What a look at a namespace or a parent says; `unknown` where the credential may not ask. */
export type Presence =
  | { readonly state: "present"; readonly uid: string }
  | { readonly state: "absent" }
  | { readonly state: "unknown" };

/** Any object, to ask whether it is still there. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string | null;
  readonly name: string;
}

export interface ClusterReader {
  identity(): Promise<ClusterIdentity>;
  /** Metadata page by page; each page may be dropped once processed. Starts again by itself on 410 (pages then repeat Secrets). */
  listMetadata(scope: Scope): AsyncIterable<readonly SecretMeta[]>;
  /** Secrets with values, page by page, small pages where values are large. */
  listSecrets(scope: Scope): AsyncIterable<readonly Secret[]>;
  /** What tells whether a Secret changed, without its values; `null` where there is no such Secret. */
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

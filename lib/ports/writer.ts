/**
 * Writing to a cluster: what a restore may ask of a Kubernetes API.
 *
 * Contract (test/contract/writer.ts, on the sandbox and on a real server): a patch or a deletion happens only to
 * the very version it names; a creation never changes what exists. A call that returns has taken effect, also
 * where the first answer was lost: it was found out by reading. With `dryRun` the server checks and stores
 * nothing. Failures are `CertkeepError`s whose text holds no body of a request.
 */
import type { Secret } from "../secret/secret.ts";

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

export interface ClusterWriter {
  /** @throws CertkeepError cluster_not_found where the namespace is gone */
  createSecret(secret: NewSecret, options?: WriteOptions): Promise<WriteOutcome>;
  patchSecret(change: SecretChange, options?: WriteOptions): Promise<WriteOutcome>;
  deleteSecret(version: SecretVersion, options?: WriteOptions): Promise<WriteOutcome>;
  /** One that is there already is fine. */
  createNamespace(name: string, options?: WriteOptions): Promise<void>;
  /**
   * What lies in a namespace under a label selector, and what becomes of it from now on; ends where the server
   * ends the watch or `signal` is aborted. @throws CertkeepError cluster_forbidden where watching isn't granted
   */
  watchSecrets(
    scope: { readonly namespace: string; readonly labelSelector: string },
    signal: AbortSignal,
  ): AsyncIterable<SecretEvent>;
  close(): Promise<void>;
}

/** What an audit of one cluster is given. */
import type { Anchors } from "../../certificate/anchors.ts";
import type { Verifier } from "../../certificate/verifier.ts";
import type { LimitOverride } from "../../ratelimit/limit.ts";
import type { Issuer } from "../../issuer/issuers.ts";
import type { BlobStore, Sealer, StateStore } from "../../ports/stores.ts";
import type { Clock, Progress, Timer } from "../../ports/runtime.ts";
import type { ClusterReader, ClusterDiagnosis } from "../../ports/cluster.ts";
import type { RenewalInfoSource, TransparencySource } from "../../ports/outside.ts";
import type { StateDocument } from "../../state/document.ts";
import type { RevocationLists } from "../revocation.ts";

export interface JudgeKit {
  /**
   * What a Tailscale owner trusts: Mozilla's bundle and Let's Encrypt's roots, and configured
   * issuers'.
   */
  readonly anchors: Anchors;
  /** Known issuers, Let's Encrypt first. */
  readonly issuers: readonly Issuer[];
  /** Intermediates of known issuers, to tell a missing one from an unknown issuer. */
  readonly intermediates: Anchors;
  readonly verifier: Verifier;
  /** Changes whenever a verdict could: version of the judge, digest of the anchors. */
  readonly version: string;
}

export interface Shortfall {
  readonly scope: string;
  readonly code: string;
  readonly message: string;
  /** Of a namespace without permission to list it. */
  readonly namespaceExists?: true;
}

export interface AuditSettings {
  /** Names or patterns; `null`: everything that the credential may see. */
  readonly namespaces: readonly string[] | null;
  readonly selector: string | null;
  /** `namespace/name` of Secrets that are wanted whatever their shape. */
  readonly secrets: readonly string[];
  readonly operatorNamespace: string;
  readonly operatorSecret: string;
  /** `age1…`; none: no copy is made. */
  readonly recipients: readonly string[];
  readonly copiesPerDay: number;
}

export interface AuditTarget {
  /** Registered name, or `null`: the identity is the key then. */
  readonly name: string | null;
  readonly title: string;
  readonly server: string;
  /** Namespace of the context: looked at without permission to list all of them. */
  readonly homeNamespace: string | null;
  readonly reader: ClusterReader;
  /**
   * Why certificates are issued: logs, events, access reviews; absent where nobody is to be asked.
   */
  readonly diagnosis?: ClusterDiagnosis;
  /**
   * Of a registered credential: its kind, its end by its own words, when it was made (RFC 3339),
   * and what was registered.
   */
  readonly credential?: {
    readonly kind: string;
    readonly endsAt: string | null;
    readonly madeAt: string | null;
    readonly parts?: string[];
    readonly namespaces?: string[] | null;
  } | null;
  readonly settings: AuditSettings;
  /** Of a context: the settings of the cluster that it may turn out to lead to, by its name. */
  readonly settingsOf?: (name: string) => Promise<AuditSettings>;
  /**
   * The only namespace that this audit looks at; nothing is concluded about the others. Absent or
   * `null`: all that the settings name.
   */
  readonly only?: string | null;
}

/** One audit of one cluster, which changes `state` and leaves `before` as it was stored. */
export interface AuditRun {
  readonly target: AuditTarget;
  readonly ports: AuditPorts;
  readonly before: StateDocument;
  readonly state: StateDocument;
  readonly nowMs: number;
  readonly now: string;
  /** What could not be read or backed up: the audit is incomplete. */
  shortfall(shortfall: Shortfall): void;
}

/** What is asked of others than the cluster; each part `null` where it isn't switched on. */
export interface OutsidePorts {
  /**
   * `domains`: those to ask about; `null`: the registered domains of the certificates that were
   * seen.
   */
  readonly transparency: {
    readonly source: TransparencySource;
    readonly domains: readonly string[] | null;
  } | null;
  readonly renewalInfo: RenewalInfoSource | null;
  readonly revocation: RevocationLists | null;
  /**
   * Asking ends then, whatever doesn't answer: within the audit of each cluster, and once more
   * after all of them. Default 10 s.
   */
  readonly withinMs?: number;
  readonly endsIn: (ms: number) => AbortSignal;
}

export function outsideSignal(
  { endsIn, withinMs = OUTSIDE_MS }: OutsidePorts,
  signal: AbortSignal | undefined,
): AbortSignal {
  return AbortSignal.any([endsIn(withinMs), ...(signal === undefined ? [] : [signal])]);
}

export const OUTSIDE_MS = 10_000;

export interface AuditPorts {
  readonly backups: BlobStore;
  readonly states: StateStore;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** The time it really is, where `clock` tells another. */
  readonly wall?: Clock;
  /** Limits of the configuration, instead of those that an issuer's documentation tells. */
  readonly overrides?: readonly LimitOverride[];
  readonly outside?: OutsidePorts;
  readonly kit: JudgeKit;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
  /** When `signal` will be aborted, ms since 1970; absent where nothing ends the run. */
  readonly deadlineMs?: number;
  /**
   * Bounds what is asked besides Secrets; absent where nothing but the cluster's own time-outs
   * does.
   */
  readonly timer?: Timer;
  readonly observeMs?: number;
  /** `true`: nothing is written anywhere, and the instant of the verdicts is `clock`'s. */
  readonly dryRun: boolean;
}

/** What was read of a cluster by then counts; the rest is read next time. */
export const CLUSTER_MS = 5 * 60_000;

/**
 * Calls `cut` once the time of a cluster is over. @returns what to call when it was done in time
 */
export function cutInTime(timer: Timer | undefined, cut: () => void | Promise<void>): () => void {
  const done = new AbortController();
  void timer?.sleep(CLUSTER_MS, done.signal).then(() => (done.signal.aborted ? undefined : cut()));
  return () => done.abort();
}

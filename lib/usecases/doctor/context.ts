/**
 * What the doctor looks at, and what it expects of a cluster's credentials. Every look is a
 * function, so that one that fails is a line and hides no other.
 */
import type { AccessPlan, Question } from "../../rbac/rules.ts";
import type { Bearer, Part } from "../../rbac/table.ts";
import type { ClusterEntry } from "../../config/cluster.ts";
import type { CertkeepError } from "../../error.ts";
import type { Action } from "../../finding/action.ts";
import type { BlobStore, StateStore } from "../../ports/stores.ts";
import type { AlarmTopic, Clock, Timer } from "../../ports/runtime.ts";
import type { ClusterReader, SelfAccess } from "../../ports/cluster.ts";
import type { Poster } from "../../ports/slack.ts";

export interface ExaminedCluster extends ClusterEntry {
  /**
   * The configuration names it; else it is a context of a kubeconfig, and its state isn't found by
   * that name.
   */
  readonly named: boolean;
  readonly registered: boolean;
  /** Those that its copies are sealed for. */
  readonly sealedFor: readonly string[];
}

export interface ExaminedConnection {
  readonly server: string;
  readonly insecure: boolean;
  readonly expiresAtMs: number | null;
  readonly self: SelfAccess;
  readonly reader: ClusterReader;
  close(): Promise<void>;
}

export interface IdentityFacts {
  readonly where: string;
  readonly recipients: readonly string[];
  /** Others than this user may read the file. */
  readonly shared: boolean;
  /** Git work tree that it lies in, or `null`. */
  readonly workTree: string | null;
  /** Where it could go instead; `null`: nowhere that is known. */
  readonly outside: string | null;
}

export interface ExaminedRoute {
  readonly name: string;
  readonly poster: Poster | null;
  readonly problem: CertkeepError | null;
}

export interface DoctorPorts {
  /**
   * The configuration in use, for people, and why it counts; `null`: there is none and the defaults
   * hold.
   */
  readonly configuration: {
    readonly file: string;
    readonly trust: "named" | "user" | "approved";
  } | null;
  readonly clusters: readonly ExaminedCluster[];
  readonly broken: readonly {
    readonly name: string;
    readonly error: CertkeepError;
    /** The registration itself can be read, so registering again keeps what it says. */
    readonly isReadable: boolean;
  }[];
  identity(): Promise<IdentityFacts | null>;
  /** Where clusters are registered for everybody; `null`: in files. */
  readonly registry: {
    readonly url: string;
    readonly clusters: number;
    readonly failure: CertkeepError | null;
  } | null;
  /** Where alarms go; `null`: none is named. */
  readonly topic: AlarmTopic | null;
  readonly backups: BlobStore;
  readonly states: StateStore;
  connect(cluster: ExaminedCluster, bearer: Bearer): Promise<ExaminedConnection>;
  routes(): Promise<readonly ExaminedRoute[]>;
  readonly sendTest: boolean;
  readonly clock: Clock;
  readonly timer: Timer;
  /** A word that no other probe has. */
  readonly newId: () => string;
}

const DEFAULT_PARTS: readonly Part[] = ["secrets", "parents", "diagnosis"];

export function planOfEntry(cluster: ExaminedCluster): AccessPlan {
  const byName = cluster.namespaces !== null && cluster.namespaces.length === 0;
  const parts =
    cluster.access?.parts ??
    (byName
      ? ["named" as const]
      : [...DEFAULT_PARTS, ...(cluster.secrets.length > 0 ? ["named" as const] : [])]);
  const patterns = cluster.namespaces?.some((name) => name.includes("*")) === true;
  return { parts, namespaces: patterns ? null : cluster.namespaces, secrets: cluster.secrets };
}

export function hasRestoring({ restoreKubeconfig, eks }: ExaminedCluster): boolean {
  return restoreKubeconfig !== null || eks?.restoreRole != null;
}

/** Without these nothing works; the rest leaves something unknown. */
export function isEssential({ capability }: Question): boolean {
  return ["secrets", "named", "restore"].includes(capability.part) || capability.id === "identity";
}

/** What to run where a cluster doesn't answer. `repair`: registers it again. */
export function askAgain(
  { code }: CertkeepError,
  { registered, context, kubeconfig }: ExaminedCluster,
  repair: Action | null,
): Action | null {
  // The administrator's kubeconfig may have the CA that the cluster has now.
  if (code === "cluster_tls") return repair;
  const isSilent = code === "cluster_unreachable" || code === "cluster_timeout";
  return isSilent && !registered
    ? { kind: "clusterInfo", via: { context, kubeconfig, config: null } }
    : null;
}

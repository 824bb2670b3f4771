/** What registering is given, and what it gives back. */
import type { Excess } from "../../rbac/excess.ts";
import type { AccessObject } from "../../rbac/manifest.ts";
import type { ServerPlace, StoredCredential } from "../../rbac/kubeconfig.ts";
import type { AccessPlan, Question } from "../../rbac/rules.ts";
import type { AccessKind, Bearer } from "../../rbac/table.ts";
import type { EksAccess } from "../../config/cluster.ts";
import type { Clock, Timer } from "../../ports/runtime.ts";
import type { ClusterReader, Registrar, SelfAccess } from "../../ports/cluster.ts";
import type { Registrations } from "../../ports/registry.ts";
import type { StateStore } from "../../ports/stores.ts";

export interface RegisterRequest {
  readonly name: string;
  readonly kind: AccessKind;
  readonly plan: AccessPlan;
  readonly eks: EksAccess | null;
  /** Asked for; a server may grant less. Below 30 a credential that ends soon is accepted. */
  readonly tokenDays: number;
  /** `false`: somebody else applies the manifest. */
  readonly apply: boolean;
  readonly allowBroad: boolean;
  /** Another cluster answers, and it is the successor of the one that was registered. */
  readonly rebuilt: boolean;
}

/** A credential in use. */
export interface OpenedCredential {
  readonly self: SelfAccess;
  readonly reader: ClusterReader;
  /** Milliseconds since 1970, by the credential's own words. */
  readonly expiresAtMs: number | null;
  close(): Promise<void>;
}

export interface RegisterPorts {
  /** The administrator's. */
  readonly registrar: Registrar;
  readonly self: SelfAccess;
  readonly reader: ClusterReader;
  readonly place: ServerPlace;
  /**
   * A credential of the person's own, for the kinds that bring one; `null` where none was named.
   */
  readonly brought: Readonly<Record<Bearer, StoredCredential | null>>;
  /** Reads a kubeconfig's text as an audit would. @throws CertkeepError */
  open(bearer: Bearer, kubeconfig: string, eks: EksAccess | null): Promise<OpenedCredential>;
  readonly registrations: Registrations;
  readonly states: StateStore;
  readonly clock: Clock;
  readonly timer: Timer;
  /** Shown before anything is done. @returns whether to go on */
  consent(preview: Preview): Promise<boolean>;
  /** As the registration names the schema, or `null`. */
  readonly schema: string | null;
  note(message: string): void;
}

export interface Preview {
  readonly server: string;
  readonly version: string | null;
  readonly objects: readonly AccessObject[];
  readonly rotates: boolean;
}

export interface CheckedCredential {
  readonly bearer: Bearer;
  readonly user: string | null;
  readonly expiresAtMs: number | null;
  /** What was asked for and isn't granted; the registration works without it, and knows less. */
  readonly missing: readonly Question[];
  readonly excess: readonly Excess[];
}

/** What a credential that may list Secrets sees beside certificates. */
export interface Exposure {
  readonly namespace: string;
  /** Secrets that hold no certificate. */
  readonly others: number;
  /** Some of their names, the telling ones first. */
  readonly names: readonly string[];
}

export interface RegisterResult {
  readonly name: string;
  readonly server: string;
  readonly version: string | null;
  /** Key of the cluster's identity. */
  readonly identity: string;
  readonly kind: AccessKind;
  readonly rotated: boolean;
  readonly created: number;
  readonly credentials: readonly CheckedCredential[];
  readonly exposures: readonly Exposure[];
  /** What is to be done elsewhere, for pasting. */
  readonly commands: readonly string[];
}

/** What registering is given, and what it gives back. */
import type { AccessObject, ServerPlace, StoredCredential } from "../../rbac/manifest.ts";
import type { AccessPlan } from "../../rbac/rules.ts";
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
  /** Namespaces that it was registered or audited with: one that was deleted is created again. */
  readonly knownNamespaces: readonly string[];
  /** `false`: somebody else applies the manifest. */
  readonly apply: boolean;
  readonly allowBroad: boolean;
  /** Another cluster answers, and it is the successor of the one that was registered. */
  readonly rebuilt: boolean;
}

export interface OpenedCredential {
  readonly self: SelfAccess;
  readonly reader: ClusterReader;
  /** Milliseconds since 1970, by the credential's own words. */
  readonly expiresAtMs: number | null;
  close(): Promise<void>;
}

export interface RegisterPorts {
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
  /** The entry in certkeep.yaml whose place the registration takes; `null`: there is none. */
  readonly configured: {
    readonly file: string;
    /** What it says besides how the cluster is reached, as YAML. */
    readonly settings: string;
    /** @returns whether it was taken out; else somebody changed the file meanwhile */
    remove(): Promise<boolean>;
  } | null;
  readonly otherNames: readonly string[];
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

import type { ClusterEntry } from "../config/cluster.ts";
import type { Bearer } from "../rbac/table.ts";

export interface RegisteredCluster {
  /** Its kubeconfigs are references into the registry. */
  readonly entry: ClusterEntry;
  /** Text of the reading kubeconfig; it holds a credential. */
  readonly kubeconfig: string;
}

/**
 * The clusters that are registered in one place for everybody: read by the functions and by command
 * lines, each no more than it needs; `Registrations` writes them.
 */
export interface Registry {
  /** For people. */
  readonly url: string;
  /** What lies there for a cluster each, read or not. No value is asked for. */
  names(): Promise<readonly string[]>;
  /** `null` where there is none. @throws CertkeepError config_invalid for one that isn't whole */
  read(name: string): Promise<RegisteredCluster | null>;
  /**
   * Text of the restoring kubeconfig, a secret of its own. @throws CertkeepError config_invalid
   * where there is none
   */
  restoring(name: string): Promise<string>;
}

export interface StoredRegistration {
  /** Opaque; only for `write`. */
  readonly revision: string;
  /**
   * Empty where something is there that can't be read as a registration, and may be written over.
   */
  readonly text: string;
}

/** A registration to be written. */
export interface NextRegistration {
  /** Texts of kubeconfigs. */
  readonly credentials: { readonly read: string; readonly restore: string | null };
  /** Its text, once it is known how it has to call its kubeconfigs; `null`: not at all. */
  text(names: Readonly<Record<Bearer, string | null>>): string;
}

/**
 * Where clusters are registered, each with its credentials.
 *
 * Contract (test/contract/registrations.ts): a registration and its credentials are written
 * together or not at all, and only over what was read: of two people who register one name at once,
 * one gets `changed`. The credentials before stay valid until the next time, for an audit that has
 * just read them.
 */
export interface Registrations {
  /** For people. */
  readonly place: string;
  /** One registration, for people. */
  where(name: string): string;
  /** `null` where there is none. */
  read(name: string): Promise<StoredRegistration | null>;
  /**
   * `changed` where something else than `before` is there by now (`null`: anything); nothing of
   * `next` is left then, nor where it fails.
   */
  write(
    name: string,
    before: StoredRegistration | null,
    next: NextRegistration,
  ): Promise<"written" | "changed">;
  /** Takes away credentials that neither the registration nor the one `before` it has use for. */
  tidy(name: string, before: StoredRegistration | null): Promise<void>;
  /** Removes the registration, then its credentials; one that is gone is no error. */
  remove(name: string): Promise<void>;
}

/**
 * Values that a configuration names and doesn't hold: `secretsmanager://NAME`.
 * Errors are `CertkeepError` with a `store_*` code that names the secret; never its value.
 */
export interface SecretValues {
  /**
   * The current value as text; `null` where there is no secret of that name, or it has no value.
   */
  read(name: string): Promise<string | null>;
}

/**
 * Makes secrets that settings refer to. Contract (test/e2e/aws/commands.test.ts): a secret that is
 * there is never changed, and no value is read.
 */
export interface SecretKeeper {
  exists(name: string): Promise<boolean>;
  /** `exists` where the name is taken; nothing is changed then. @throws CertkeepError */
  create(name: string, value: string, description: string): Promise<"created" | "exists">;
}

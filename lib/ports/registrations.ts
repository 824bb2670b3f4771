/**
 * Where clusters are registered, each with its credentials. Contract: test/contract/registrations.ts, run on every
 * adapter.
 *
 * A registration and its credentials are written together or not at all, and in the place of exactly what was read: of
 * two people who register one name at once, one is told. The credentials before stay valid until the next time, for an
 * audit that has just read them.
 */
import type { Bearer } from "../rbac/table.ts";

export interface StoredRegistration {
  /** Opaque; only for `write`. */
  readonly revision: string;
  /** Empty where something is there that can't be read as a registration, and may be written over. */
  readonly text: string;
}

/** A registration to be written. */
export interface NextRegistration {
  /** Texts of kubeconfigs. */
  readonly credentials: { readonly read: string; readonly restore: string | null };
  /** Its text, once it is known how it has to call its kubeconfigs; `null`: not at all. */
  text(names: Readonly<Record<Bearer, string | null>>): string;
}

export interface Registrations {
  /** For people. */
  readonly place: string;
  /** One registration, for people. */
  where(name: string): string;
  /** `null` where there is none. */
  read(name: string): Promise<StoredRegistration | null>;
  /** `changed` where something else than `before` is there by now (`null`: anything); nothing of `next` is left then, nor where it fails. */
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

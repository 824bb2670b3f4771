/**
 * What planning looks at: opened and judged copies, and what lies in the cluster now. Both hold key
 * bytes of the allowlisted fields and nothing else of a Secret; they live in memory for one run.
 */
import { formatMsOrNull } from "../certificate/time.ts";
import type { BackupRecord, CopyFacts, CopyKind } from "../backup/record.ts";
import type { ParentRef } from "../state/document.ts";
import type { Shape } from "../secret/shapes.ts";
import type { Detail, PlanCode } from "./objection.ts";

/** What the owner's check says at the instant of the plan. */
export interface Verdict {
  readonly valid: boolean;
  /** Codes of lib/certificate/reason.ts; empty where valid. */
  readonly reasons: readonly string[];
}

/** The leaf of a judged pair; instants in Milliseconds since 1970. */
export interface JudgedPair {
  readonly verdict: Verdict;
  /** Whether there is an instant at which it holds; expiry alone doesn't make it false. */
  readonly everHolds: boolean;
  readonly keyFits: boolean;
  readonly names: readonly string[];
  /** `null` where the first block is no certificate. */
  readonly sha256: string | null;
  readonly serial: string | null;
  readonly notBeforeMs: number | null;
  readonly notAfterMs: number | null;
  readonly staging: boolean;
  /** Id of a known issuer. */
  readonly issuer: string | null;
}

/** What a backup's header says of this leaf. */
export function leafFacts({
  names,
  issuer,
  serial,
  sha256,
  notBeforeMs,
  notAfterMs,
}: JudgedPair): Pick<
  CopyFacts,
  "names" | "issuer" | "serial" | "leafSha256" | "notBefore" | "notAfter"
> {
  return {
    names: [...names],
    issuer,
    serial,
    leafSha256: sha256,
    notBefore: formatMsOrNull(notBeforeMs),
    notAfter: formatMsOrNull(notAfterMs),
  };
}

/** Why nothing is known of a certificate's revocation. */
export type RevocationGap =
  | {
      readonly gap:
        | "not_asked"
        | "issuer_not_asked"
        | "no_list"
        | "no_issuer"
        | "list_unreadable"
        | "other_issuer"
        | "bad_signature"
        | "no_end"
        | "unread_extension"
        | "unread_entries"
        | "partial"
        | "other_address";
    }
  | { readonly gap: "to_come" | "outdated"; readonly atMs: number }
  /** In the words of who asked. */
  | { readonly gap: "unreached"; readonly found: string };

/** What is known of a certificate's revocation. */
export type Revocation =
  | { readonly state: "good" }
  | { readonly state: "revoked"; readonly at: string | null }
  | { readonly state: "unknown"; readonly gap: RevocationGap };

/** A copy that opened, passed the allowlist, and was judged for the name it is served under. */
export interface OpenedCopy {
  readonly version: string;
  readonly record: BackupRecord;
  readonly shape: Shape;
  /** `null` for an account key. */
  readonly pair: JudgedPair | null;
  /** Whether an audit recorded this very digest. */
  readonly recorded: boolean;
  readonly retired: string | null;
  readonly revocation: Revocation;
}

/** A copy that can't be used, with why. */
export interface UnusableCopy {
  readonly version: string;
  readonly code: PlanCode;
  readonly detail: Detail | null;
}

/**
 * One thing that is to be restored: a certificate or an account key, at the place it was last seen.
 */
export interface Wanted {
  readonly namespace: string;
  readonly secret: string;
  readonly fieldBase: string;
  readonly kind: CopyKind;
  /** What people call a certificate; of an account key its Secret's name. */
  readonly title: string;
  /** Names last seen at that place, or `null` where that isn't known. */
  readonly lastNames: readonly string[] | null;
  /** Accounts that were seen at that place (RFC 7638 thumbprints); for an account key alone. */
  readonly knownAccounts: readonly string[];
  /** Shape of the real thing at that place, as audits saw it; `null` where none did. */
  readonly lastShape: string | null;
  /**
   * What of the Secret's metadata backups don't hold, as the last audit saw it; `null` where none
   * recorded it.
   */
  readonly unkept: readonly string[] | null;
  /** Whether a person named it, or this version of it. */
  readonly named: boolean;
  readonly versionNamed: boolean;
  /** The best first. */
  readonly copies: readonly OpenedCopy[];
  readonly unusable: readonly UnusableCopy[];
}

/** A Secret as it is now: the allowlisted fields' values, the names of all. */
export interface LiveSecret {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly type: string;
  readonly immutable: boolean;
  readonly deleting: boolean;
  readonly finalizers: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Those of the allowlist. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Names of all its fields, sorted. */
  readonly fields: readonly string[];
  /** Base64 of the allowlisted fields alone. */
  readonly data: Readonly<Record<string, string>>;
  /**
   * Where the values aren't at hand: by field base the version of the backup that holds them,
   * `null` for none.
   */
  readonly backedUpAs?: ReadonlyMap<string, string | null>;
  /** By field base, where certificate and key both have content. */
  readonly pairs: Readonly<Record<string, JudgedPair>>;
  /** Thumbprint by field, `null` where a field holds no key; absent fields are left out. */
  readonly accounts: Readonly<Record<string, string | null>>;
  /** `device_fqdn` without its trailing dot; `null` before the first start. */
  readonly deviceName: string | null;
  /** `Hostname` of the configuration that the operator wrote for its proxy. */
  readonly hostName: string | null;
}

/** What is at a place. */
export type Live =
  | { readonly state: "present"; readonly secret: LiveSecret }
  | { readonly state: "absent"; readonly namespace: "present" | "absent" | "unknown" }
  /** In the words of an error. */
  | { readonly state: "unknown"; readonly found: string };

/** What a plan may ask of the cluster as it was read. */
export interface LiveViews {
  at(namespace: string, name: string): Live;
  /** Secrets of Tailscale's operator in a namespace, for those that get a new name. */
  managed(namespace: string): readonly LiveSecret[];
  /**
   * Secrets of Tailscale's in a namespace whose certificates may belong to an account key in
   * another Secret, where one is restored; `null`: they could not be listed.
   */
  sharing(namespace: string): readonly LiveSecret[] | null;
  /**
   * ACME account that a leaf was issued under (thumbprints of both), where backups or the state
   * know.
   */
  accountOf(leafSha256: string): string | null;
  /** Whether an object was seen to be there: a cert-manager Certificate, an Ingress. */
  object(ref: ParentRef): "present" | "absent" | "unknown";
}

/**
 * What is kept of one certificate or of one ACME account key, and the header that says so without a secret.
 *
 * A record holds key bytes (`data`): it lives in memory and inside sealed copies, nowhere else. A header
 * holds none and may be listed, printed and logged.
 */

/** The format that this version writes, and the newest that it reads. */
export const BACKUP_FORMAT = 1;

/** `standby` was imported by a person; `replaced` is what a restore took the place of, whatever its verdict. */
export const COPY_KINDS = ["certificate", "account-key", "standby", "replaced"] as const;
export type CopyKind = (typeof COPY_KINDS)[number];

/** Facts about a copy. None of them is a secret, and all but the place are derived from the content. */
export interface CopyFacts {
  /** Registered name of the cluster, or the key of its identity where it has none. */
  readonly cluster: string;
  /** Key of the cluster's identity: `uid-…`, `ca-…` or `server-…`. */
  readonly clusterIdentity: string;
  readonly namespace: string;
  readonly secret: string;
  readonly shape: string;
  /** What the names of the fields begin with: `shop.example.ts.net` of `shop.example.ts.net.crt`, `tls` of `tls.crt`. */
  readonly fieldBase: string;
  readonly kind: CopyKind;
  /** Lower-cased, sorted, without doubles; empty for an account key. */
  readonly names: readonly string[];
  /** Id of a known issuer, or `null`. */
  readonly issuer: string | null;
  readonly issuerName: string;
  /** Hexadecimal; `null` where there is no readable leaf, as for an account key. The four below likewise. */
  readonly serial: string | null;
  /** SHA-256 of the leaf's DER, lower-case hexadecimal. */
  readonly leafSha256: string | null;
  /** RFC 3339. */
  readonly notBefore: string | null;
  readonly notAfter: string | null;
  /** RFC 3339; `null` where unknown. */
  readonly issuedAt: string | null;
  /** RFC 7638 thumbprint of the ACME account key that it was issued under, as far as could be seen; `null` where none was there. */
  readonly accountThumbprint: string | null;
}

/** What is to be kept: the facts, what adoption depends on, and the values as the API gives them (base64). */
export interface BackupRecord extends CopyFacts {
  /** Type of the Secret, such as `kubernetes.io/tls`. */
  readonly type: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Base64 by field name. */
  readonly data: Readonly<Record<string, string>>;
}

/** A header before it is sealed: the facts, and for whom. */
export interface DraftHeader extends CopyFacts {
  /** `age1…`, sorted, without doubles. */
  readonly recipients: readonly string[];
}

/** The header of a stored copy. */
export interface BackupHeader extends DraftHeader {
  /** SHA-256 of the text `sealed` in UTF-8, lower-case hexadecimal. */
  readonly digest: string;
}

/** The facts alone, in the order in which they are written. */
export function factsOf(from: CopyFacts): CopyFacts {
  return {
    cluster: from.cluster,
    clusterIdentity: from.clusterIdentity,
    namespace: from.namespace,
    secret: from.secret,
    shape: from.shape,
    fieldBase: from.fieldBase,
    kind: from.kind,
    names: [...from.names],
    issuer: from.issuer,
    issuerName: from.issuerName,
    serial: from.serial,
    leafSha256: from.leafSha256,
    notBefore: from.notBefore,
    notAfter: from.notAfter,
    issuedAt: from.issuedAt,
    accountThumbprint: from.accountThumbprint,
  };
}

/** By UTF-16 code units: the same on every machine, whatever its locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Sorted, without doubles: the form in which recipients enter a header and a version. */
export function sortedSet(values: readonly string[]): readonly string[] {
  return [...new Set(values)].toSorted(compareText);
}

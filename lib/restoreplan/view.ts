/**
 * What planning looks at: opened and judged copies, and what lies in the cluster now. Both hold key
 * bytes of the allowlisted fields and nothing else of a Secret; they live in memory for one run.
 *
 * Where a restore may put something: the fields of one certificate, or of one ACME account key, in
 * a Secret, with the backups of it. Of what audits recorded and of the backups' own headers.
 */
import { type BackupRecord, COPY_KINDS, type CopyFacts, type CopyKind } from "../backup/record.ts";
import { formatMsOrNull, parseMs } from "../certificate/time.ts";
import { accountFieldBase } from "../secret/allowlist.ts";
import { isShape, type Shape } from "../secret/shapes.ts";
import type { CertificateRecord, CopyRecord, ParentRef, StateDocument } from "../state/document.ts";
import { heldIn, isIntended, secretEntries } from "../state/secrets.ts";
import type { Detail, PlanCode } from "./objection.ts";

/** What the owner's check says at the instant of the plan. */
interface Verdict {
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
export function leafFacts(pair: JudgedPair) {
  const { issuer, serial, sha256: leafSha256 } = pair;
  return {
    ...{ names: [...pair.names], issuer, serial, leafSha256 },
    notBefore: formatMsOrNull(pair.notBeforeMs),
    notAfter: formatMsOrNull(pair.notAfterMs),
  } satisfies Partial<CopyFacts>;
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

/** A copy as the state or, where `recorded` is false, its own header tells of it. */
export interface KnownCopy extends CopyRecord {
  readonly recorded: boolean;
}

/** Kind of a copy, or `null` for one that a newer version made up. */
export function kindOf(copy: CopyRecord): CopyKind | null {
  return COPY_KINDS.find((kind) => kind === copy.kind) ?? null;
}

export interface Slot {
  readonly namespace: string;
  readonly secret: string;
  readonly fieldBase: string;
  readonly account: boolean;
  /** What it was last known to hold, from a whole record. */
  held: CertificateRecord | null;
  /** Part of `all`. */
  live: boolean;
  shape: string | null;
  unkept: readonly string[] | null;
  readonly accounts: Set<string>;
  readonly copies: (readonly [version: string, copy: KnownCopy])[];
}

export function slotKey(
  namespace: string,
  secret: string,
  fieldBase: string,
  account: boolean,
): string {
  return JSON.stringify([namespace, secret, fieldBase, account]);
}

/** Every slot that a state or a copy tells of. */
export function indexSlots(
  state: StateDocument,
  copies: Readonly<Record<string, KnownCopy>>,
): Map<string, Slot> {
  const slots = new Map<string, Slot>();
  const at = (namespace: string, secret: string, fieldBase: string, account: boolean): Slot => {
    const key = slotKey(namespace, secret, fieldBase, account);
    const slot: Slot = slots.get(key) ?? {
      ...{ namespace, secret, fieldBase, account },
      ...{ held: null, live: false, shape: null, unkept: null },
      accounts: new Set(),
      copies: [],
    };
    slots.set(key, slot);
    return slot;
  };
  for (const { namespace, secret, record, loss } of secretEntries(state)) {
    if (record.foreign || record.shape === null || !isShape(record.shape)) continue;
    const live = !isIntended(loss);
    for (const [base, held] of heldIn(record)) {
      const slot = at(namespace, secret, base, false);
      slot.held ??= held;
      slot.live ||= live;
      slot.shape ??= record.shape;
      slot.unkept ??= record.unkept ?? null;
    }
    for (const [field, { thumbprint }] of Object.entries(record.accounts)) {
      const base = accountFieldBase(record.shape, field);
      if (base === null) continue;
      const slot = at(namespace, secret, base, true);
      if (thumbprint !== null) slot.accounts.add(thumbprint);
      slot.unkept ??= record.unkept ?? null;
      slot.live ||= live;
    }
  }
  for (const [version, copy] of Object.entries(copies)) {
    if (kindOf(copy) === null) continue;
    const slot = at(copy.namespace, copy.secret, copy.fieldBase, copy.kind === "account-key");
    slot.copies.push([version, copy]);
    if (copy.kind === "certificate" && copy.recorded) slot.shape ??= copy.shape;
    if (copy.kind === "account-key" && copy.account !== null && copy.recorded)
      slot.accounts.add(copy.account);
  }
  return slots;
}

/** Names last seen at a slot: of what was judged able to hold, else of the newest copy of it. */
export function namesOf(slot: Slot): readonly string[] | null {
  if (slot.account) return null;
  const { held } = slot;
  if (held !== null && held.windows.length > 0) return held.names;
  const copies = slot.copies.filter(([, copy]) => copy.kind === "certificate" && copy.recorded);
  const seen = copies.filter(([, copy]) => copy.seenValid);
  const [newest] = (seen.length > 0 ? seen : copies).toSorted(([, a], [, b]) =>
    parseMs(a.liveUntil) > parseMs(b.liveUntil) ? -1 : 1,
  );
  return newest?.[1].names ?? held?.names ?? null;
}

export function titleOf(slot: Slot, names: readonly string[] | null): string {
  if (slot.account) return slot.secret;
  return slot.held?.domain ?? names?.[0] ?? slot.fieldBase;
}

export function textsOf(slot: Slot): readonly string[] {
  const names = new Set([slot.secret, `${slot.namespace}/${slot.secret}`]);
  if (!slot.account && slot.fieldBase !== "tls") names.add(slot.fieldBase);
  for (const name of slot.held?.names ?? []) names.add(name);
  for (const [, copy] of slot.copies) for (const name of copy.names) names.add(name);
  return [...names];
}

export function kindsFor(slot: Slot, standby: boolean): ReadonlySet<CopyKind> {
  if (slot.account) return new Set(["account-key"]);
  return new Set(standby ? ["certificate", "standby"] : ["certificate"]);
}

export function isOf(kinds: ReadonlySet<CopyKind>, copy: CopyRecord): boolean {
  const kind = kindOf(copy);
  return kind !== null && kinds.has(kind);
}

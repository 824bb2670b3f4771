/**
 * Where a restore may put something: the fields of one certificate, or of one ACME account key, in
 * a Secret, with the backups of it. Of what audits recorded and of the backups' own headers.
 */
import { parseMs } from "../certificate/time.ts";
import { COPY_KINDS, type CopyKind } from "../backup/record.ts";
import { accountFieldBase } from "../secret/allowlist.ts";
import { isShape } from "../secret/shapes.ts";
import type { CertificateRecord, CopyRecord, StateDocument } from "../state/document.ts";
import { heldIn, secretEntries, isIntended } from "../state/secrets.ts";

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
    let slot = slots.get(key);
    if (slot === undefined) {
      slot = {
        namespace,
        secret,
        fieldBase,
        account,
        held: null,
        live: false,
        shape: null,
        unkept: null,
        accounts: new Set(),
        copies: [],
      };
      slots.set(key, slot);
    }
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

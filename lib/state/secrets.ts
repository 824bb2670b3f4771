/**
 * The Secrets that a state knows: those that stand, and those that are lost. Nothing else reads
 * these two maps (a lint rule); what looks for certificates reads certificates.ts. Pure, but for
 * what changes a state that an audit works on.
 */
import { parseMs } from "../certificate/time.ts";
import type { CertificateRecord, LostRecord, SecretRecord, StateDocument } from "./document.ts";

/** A Secret that is gone. */
export interface Loss {
  /**
   * `lost`: what it was made for stands, or it needs none; `removed`: together with that;
   * `replaced`: what it was made for stands and wants other names by now; `unknown`: not known.
   */
  readonly how: "lost" | "removed" | "replaced" | "unknown";
  /** What took several at once; `null` for a single one. */
  readonly incident: string | null;
  /** The incident is that many were lost within one hour. */
  readonly isMass: boolean;
  readonly lostMs: number;
  readonly lastSeenMs: number;
}

/** Whether it went on purpose: nothing wants it any more. */
export function isIntended(loss: Loss | null): boolean {
  return loss?.how === "removed" || loss?.how === "replaced";
}

export interface SecretEntry {
  /** `NAMESPACE/SECRET` */
  readonly key: string;
  readonly namespace: string;
  readonly secret: string;
  readonly record: SecretRecord;
  readonly loss: Loss | null;
}

/** Both maps of a state. */
export type Secrets = Pick<StateDocument, "secrets" | "lost">;

/** Every Secret, those of private CAs and without certificates too; lost ones last. */
export function* secretEntries(state: Secrets): Generator<SecretEntry> {
  yield* standingSecrets(state);
  yield* lostSecrets(state);
}

export function* standingSecrets({ secrets }: Pick<Secrets, "secrets">): Generator<SecretEntry> {
  // Object.entries takes twice the time over the many keys of a large cluster.
  for (const key of Object.keys(secrets)) yield entryOf(key, secrets[key] as SecretRecord, null);
}

export function* lostSecrets({ lost }: Pick<Secrets, "lost">): Generator<SecretEntry> {
  for (const [key, one] of Object.entries(lost)) yield entryOf(key, one.record, lossOf(one));
}

function entryOf(key: string, record: SecretRecord, loss: Loss | null): SecretEntry {
  const slash = key.indexOf("/");
  return { key, namespace: key.slice(0, slash), secret: key.slice(slash + 1), record, loss };
}

function lossOf({ how, incident, massLoss, lostAt, lastSeenAt }: LostRecord): Loss {
  return {
    how: how === "lost" || how === "removed" || how === "replaced" ? how : "unknown",
    incident,
    isMass: massLoss === true,
    lostMs: parseMs(lostAt),
    lastSeenMs: parseMs(lastSeenAt),
  };
}

/** The record of a Secret that stands; `undefined`: none does. */
export function standingRecord({ secrets }: Secrets, key: string): SecretRecord | undefined {
  return Object.hasOwn(secrets, key) ? secrets[key] : undefined;
}

/** The record of a Secret that is lost; `undefined`: it isn't. */
export function lostRecord({ lost }: Secrets, key: string): SecretRecord | undefined {
  return Object.hasOwn(lost, key) ? lost[key]?.record : undefined;
}

/** Namespaces that weren't there when what was in them was found lost. */
export function goneNamespaces({ lost }: Pick<Secrets, "lost">): ReadonlySet<string> {
  return new Set(
    Object.entries(lost).flatMap(([key, { namespaceGone }]) =>
      namespaceGone === true ? [key.slice(0, key.indexOf("/"))] : [],
    ),
  );
}

/** The Secrets as they would be if these namespaces had been deleted. */
export function withoutNamespaces(
  { secrets, lost }: Secrets,
  names: ReadonlySet<string>,
  at: string,
): Secrets {
  const [gone, kept] = [{ ...lost }, { ...secrets }];
  for (const { key, namespace, record } of standingSecrets({ secrets })) {
    if (!names.has(namespace)) continue;
    const times = { lostAt: at, lastSeenAt: at };
    gone[key] = { how: "lost", incident: "", ...times, namespaceGone: true, record };
    delete kept[key];
  }
  return { secrets: kept, lost: gone };
}

/** The state as far as it is about one namespace. */
export function ofNamespace<T extends Secrets>(state: T, namespace: string): T {
  const inside = <R>(records: Readonly<Record<string, R>>): Record<string, R> =>
    Object.fromEntries(Object.entries(records).filter(([key]) => key.startsWith(`${namespace}/`)));
  return { ...state, secrets: inside(state.secrets), lost: inside(state.lost) };
}

/** What was last known of a Secret, whether it stands or is lost. */
export function lastRecord(state: Secrets, key: string): SecretRecord | undefined {
  return standingRecord(state, key) ?? lostRecord(state, key);
}

/**
 * What a Secret holds, or held until its content went missing, by field base; nothing of a private
 * CA.
 */
export function heldIn(
  record: SecretRecord | undefined,
): readonly (readonly [fieldBase: string, certificate: CertificateRecord])[] {
  if (record === undefined || record.foreign) return [];
  return [
    ...Object.entries(record.certificates),
    ...Object.entries(record.gaps).flatMap(([base, { held }]) =>
      held === null ? [] : [[base, held] as const],
    ),
  ];
}

/** Secrets of private CAs, which are skipped. */
export function foreignKeys(state: Secrets): readonly string[] {
  return Object.keys(state.secrets).filter((key) => state.secrets[key]?.foreign);
}

export function foreignCount(state: Secrets): number {
  return foreignKeys(state).length;
}

/** Copies of both maps, for an audit to change. */
export function copyOfSecrets({ secrets, lost }: Secrets): Secrets {
  return { secrets: { ...secrets }, lost: { ...lost } };
}

/** A Secret that stands is lost no longer. */
export function putStanding(state: Secrets, key: string, record: SecretRecord): void {
  state.secrets[key] = record;
  delete state.lost[key];
}

export function putLost(state: Secrets, key: string, lost: LostRecord): void {
  delete state.secrets[key];
  state.lost[key] = lost;
}

/** These losses are one incident. */
export function putIncident(state: Secrets, keys: Iterable<string>, incident: string): void {
  for (const key of keys) {
    const loss = state.lost[key];
    if (loss !== undefined) state.lost[key] = { ...loss, how: "lost", incident, massLoss: true };
  }
}

export function forgetLoss(state: Secrets, key: string): void {
  delete state.lost[key];
}

export function forgetSecret(state: Secrets, key: string): void {
  delete state.secrets[key];
  delete state.lost[key];
}

/** Each record as `change` gives it, and each loss as `changeLoss` does. */
export function mapRecords(
  { secrets, lost }: Secrets,
  change: (record: SecretRecord) => SecretRecord,
  changeLoss: (loss: LostRecord) => LostRecord = (loss) => loss,
): Secrets {
  return {
    secrets: mapValues(secrets, change),
    lost: mapValues(lost, (one) => ({ ...changeLoss(one), record: change(one.record) })),
  };
}

export function mapValues<T>(all: Record<string, T>, change: (one: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(all).map(([key, one]) => [key, change(one)]));
}

/** The Secrets of `own`, and of `earlier` those that it knows nothing of. */
export function joinSecrets(own: Secrets, earlier: Secrets): Secrets {
  const only = <T>(all: Record<string, T>): Record<string, T> =>
    Object.fromEntries(Object.entries(all).filter(([key]) => lastRecord(own, key) === undefined));
  return {
    secrets: { ...only(earlier.secrets), ...own.secrets },
    lost: { ...only(earlier.lost), ...own.lost },
  };
}

/**
 * One cluster under two names: what the first one knows alike, at the same version, is counted
 * there.
 */
export function countedOnce(own: StateDocument, first: Secrets): StateDocument {
  const alike = (a: SecretRecord, b: SecretRecord | undefined): boolean =>
    a.uid === b?.uid && a.resourceVersion === b.resourceVersion;
  return {
    ...own,
    secrets: Object.fromEntries(
      Object.entries(own.secrets).filter(
        ([key, record]) => !alike(record, standingRecord(first, key)),
      ),
    ),
    lost: Object.fromEntries(
      Object.entries(own.lost).filter(
        ([key, { record }]) => !alike(record, lostRecord(first, key)),
      ),
    ),
  };
}

/** Per Secret the later observation wins; `newest` is the state whose audit looked last. */
export function mergeSecrets(theirs: Secrets, ours: Secrets, newest: StateDocument): Secrets {
  const secrets = union(theirs.secrets, ours.secrets, (a, b) =>
    a.recordedAt > b.recordedAt ? a : b,
  );
  const lost = union(theirs.lost, ours.lost, (a, b) =>
    a.lostAt < b.lostAt || (a.lostAt === b.lostAt && b.massLoss !== true) ? a : b,
  );
  for (const [key, entry] of Object.entries(lost)) {
    const present = secrets[key];
    if (present === undefined) continue;
    const gone =
      present.uid === entry.record.uid &&
      present.recordedAt <= entry.lostAt &&
      newest.lost[key] !== undefined;
    if (gone) delete secrets[key];
    else delete lost[key];
  }
  // What one side dropped without a loss (no longer in scope, or found to be nothing) is dropped if
  // that side looked last.
  for (const key of Object.keys(secrets)) {
    if (
      newest.secrets[key] === undefined &&
      newest.lost[key] === undefined &&
      (secrets[key]?.recordedAt ?? "") < (newest.audit?.startedAt ?? "")
    ) {
      delete secrets[key];
    }
  }
  return { secrets, lost };
}

/** Both maps' values, with `pick` where both have a key. */
export function union<T>(
  a: Record<string, T>,
  b: Record<string, T>,
  pick: (a: T, b: T) => T,
): Record<string, T> {
  const merged: Record<string, T> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const other = Object.hasOwn(merged, key) ? merged[key] : undefined;
    merged[key] = other === undefined ? value : pick(other, value);
  }
  return merged;
}

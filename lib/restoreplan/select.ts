/**
 * Which certificates are meant, and which of their copies, the best first: names, patterns, a
 * version, or all that the last audits saw live. Works on what audits recorded; nothing is opened
 * here.
 *
 * `all` takes what a Secret held when it was last whole: of those that stand, of those that lost
 * their fields, and of those that are gone; not what was removed together with its parent. With an
 * instant, it takes what was live as of then, as the last audit before it saw.
 */
import { parseMs } from "../certificate/time.ts";
import { compareText } from "../backup/record.ts";
import { meant } from "../config/problem.ts";
import { bareName, isMeant } from "../finding/place.ts";
import { accountSecrets } from "../secret/account.ts";
import type { StateDocument } from "../state/document.ts";
import { sameNames } from "./copyrule.ts";
import {
  indexSlots,
  isOf,
  kindOf,
  kindsFor,
  type KnownCopy,
  namesOf,
  type Slot,
  slotKey,
  textsOf,
  titleOf,
  type Wanted,
} from "./view.ts";

export interface Selection {
  /** Domains, Secrets, `namespace/secret`, or patterns of them. */
  readonly names: readonly string[];
  readonly namespace: string | null;
  readonly all: boolean;
  readonly asOfMs: number | null;
  /** A version, or the beginning of one (8 digits at least). */
  readonly version: string | null;
  readonly standby: boolean;
}

export interface Choice extends Omit<Wanted, "copies" | "unusable"> {
  /** Best first. */
  readonly versions: readonly string[];
}

export interface UnknownName {
  readonly name: string;
  /** What was probably meant. */
  readonly suggestion: string | null;
}

export interface Selected {
  readonly choices: readonly Choice[];
  readonly unknown: readonly UnknownName[];
  /** Versions that the beginning given fits, where it isn't exactly one. */
  readonly ambiguous: readonly string[];
}

const NOTHING_ELSE: Selection = {
  names: [],
  namespace: null,
  all: false,
  asOfMs: null,
  version: null,
  standby: false,
};

/** Better first: not retired, seen valid, valid for longer, seen live later. */
function better(
  [va, a]: readonly [string, KnownCopy],
  [vb, b]: readonly [string, KnownCopy],
): number {
  const flag = (x: boolean, y: boolean): number => Number(y) - Number(x);
  const instant = (x: string | null, y: string | null): number => {
    const [nx, ny] = [x === null ? 0 : parseMs(x), y === null ? 0 : parseMs(y)];
    return nx === ny ? 0 : nx > ny ? -1 : 1;
  };
  return (
    flag(a.recorded, b.recorded) ||
    flag(a.retired === undefined, b.retired === undefined) ||
    flag(a.seenValid, b.seenValid) ||
    instant(a.notAfter, b.notAfter) ||
    instant(a.liveUntil, b.liveUntil) ||
    instant(a.recordedAt, b.recordedAt) ||
    compareText(va, vb)
  );
}

/**
 * Those of the names last seen come first: one of other names is refused, however long it holds.
 */
function betterFor(names: readonly string[] | null): typeof better {
  if (names === null) return better;
  return (a, b) =>
    Number(b[1].recorded) - Number(a[1].recorded) ||
    Number(sameNames(b[1].names, names)) - Number(sameNames(a[1].names, names)) ||
    better(a, b);
}

/** Instants at which an audit is known to have looked: the last of them at or before `asOfMs`. */
function lastLook(copies: readonly KnownCopy[], asOfMs: number): number | null {
  let last: number | null = null;
  for (const copy of copies) {
    for (const text of [copy.liveFrom, copy.liveUntil]) {
      const at = parseMs(text);
      if (at <= asOfMs && (last === null || at > last)) last = at;
    }
  }
  return last;
}

function wasLive(copy: KnownCopy, at: number | null): boolean {
  return at !== null && parseMs(copy.liveFrom) <= at && at <= parseMs(copy.liveUntil);
}

/**
 * What a restore by its name would choose of each certificate's slot; slots are looked up once.
 */
export function choicesAt(
  state: StateDocument,
): (slot: Pick<Choice, "namespace" | "secret" | "fieldBase">, standby: boolean) => Choice | null {
  const copies = Object.fromEntries(
    Object.entries(state.copies).map(([version, copy]) => [version, { ...copy, recorded: true }]),
  );
  const slots = indexSlots(state, copies);
  return ({ namespace, secret, fieldBase }, standby) => {
    const slot = slots.get(slotKey(namespace, secret, fieldBase, false));
    return slot === undefined ? null : choose(slot, { ...NOTHING_ELSE, standby }, true, null);
  };
}

export function selectCopies(
  state: StateDocument,
  copies: Readonly<Record<string, KnownCopy>>,
  wanted: Selection,
): Selected {
  const slots = [...indexSlots(state, copies).values()].filter(
    (slot) => wanted.namespace === null || slot.namespace === wanted.namespace,
  );
  const look = wanted.asOfMs === null ? null : lastLook(Object.values(copies), wanted.asOfMs);
  if (wanted.version !== null)
    return selectVersion(slots, copies, wanted.version, wanted.namespace, wanted.names);

  const unknown: UnknownName[] = [];
  const named = new Set<Slot>();
  for (const name of wanted.names) {
    const hits = slots.filter((slot) => isMeant(name, textsOf(slot)));
    for (const slot of hits) named.add(slot);
    if (hits.length === 0)
      unknown.push({
        name,
        suggestion: meant(bareName(name), [...new Set(slots.flatMap(textsOf))]),
      });
  }
  const everything = wanted.all || (wanted.names.length === 0 && wanted.namespace !== null);
  const secrets = new Set([...named].map((slot) => `${slot.namespace}/${slot.secret}`));
  const chosen = slots.filter((slot) => {
    if (named.has(slot)) return true;
    // The account key goes with the certificates of its Secret.
    if (slot.account && secrets.has(`${slot.namespace}/${slot.secret}`)) return true;
    if (!everything) return false;
    return wanted.asOfMs === null
      ? slot.live
      : slot.copies.some(([, copy]) => isOf(kindsFor(slot, false), copy) && wasLive(copy, look));
  });
  return {
    choices: chosen
      .map((slot) => choose(slot, wanted, named.has(slot), look))
      .filter((choice) => choice !== null)
      .toSorted(bySlot),
    unknown,
    ambiguous: [],
  };
}

function choose(slot: Slot, wanted: Selection, named: boolean, look: number | null): Choice | null {
  const kinds = kindsFor(slot, wanted.standby);
  const wasThen = (copy: KnownCopy): boolean => wanted.asOfMs === null || wasLive(copy, look);
  // An account key of another time may be the one that the certificate belongs to.
  const fit = slot.copies.filter(
    ([, copy]) => isOf(kinds, copy) && (slot.account || wasThen(copy)),
  );
  // A slot that only a replaced or standby copy tells of isn't meant by a name alone.
  if (
    fit.length === 0 &&
    slot.held === null &&
    slot.accounts.size === 0 &&
    !slot.copies.some(([, copy]) => copy.kind === "standby")
  )
    return null;
  const shown = fit.length === 0 ? slot.copies.filter(([, copy]) => copy.kind === "standby") : fit;
  const best = betterFor(namesOf(slot));
  return {
    ...choiceOf(slot, shown[0]?.[1]),
    named,
    versionNamed: false,
    versions: shown
      .toSorted((a, b) => Number(wasThen(b[1])) - Number(wasThen(a[1])) || best(a, b))
      .map(([version]) => version),
  };
}

function choiceOf(
  slot: Slot,
  copy: KnownCopy | undefined,
): Omit<Choice, "named" | "versionNamed" | "versions"> {
  const { namespace, secret, fieldBase, unkept } = slot;
  const lastNames = namesOf(slot);
  const kind = copy === undefined ? null : kindOf(copy);
  return {
    ...{ namespace, secret, fieldBase, unkept, lastNames },
    kind: slot.account ? "account-key" : (kind ?? "certificate"),
    title: titleOf(slot, lastNames ?? copy?.names ?? null),
    knownAccounts: [...slot.accounts],
    lastShape: slot.shape,
  };
}

/**
 * The account keys that certificates need, beside those that were asked for: in the certificate's
 * own Secret or in that of the node that issued it. Backups of the accounts that the certificates
 * were issued under come first.
 */
export function withAccountsOf(
  certificates: readonly Wanted[],
  keys: readonly Choice[],
  state: StateDocument,
  copies: Readonly<Record<string, KnownCopy>>,
): readonly Choice[] {
  const slots = [...indexSlots(state, copies).values()].filter(({ account }) => account);
  const all = new Map(
    keys.map((key) => [slotKey(key.namespace, key.secret, key.fieldBase, true), key]),
  );
  const needed = new Set<string>();
  for (const { copies: opened } of certificates) {
    for (const { record } of opened)
      if (record.header.accountThumbprint !== null) needed.add(record.header.accountThumbprint);
    const [copy] = opened;
    if (copy === undefined || copy.record.header.kind !== "certificate") continue;
    const { namespace, secret } = copy.record.header;
    const at = accountSecrets(copy.shape, secret, copy.record.labels)
      .map((name) => slots.filter((one) => one.namespace === namespace && one.secret === name))
      .find((found) => found.length > 0);
    for (const slot of at ?? []) {
      const key = slotKey(namespace, slot.secret, slot.fieldBase, true);
      const choice = all.has(key) ? null : choose(slot, NOTHING_ELSE, false, null);
      if (choice !== null) all.set(key, choice);
    }
  }
  const first = (version: string): number => Number(needed.has(copies[version]?.account ?? ""));
  return [...all.values()].map((choice) =>
    choice.versionNamed
      ? choice
      : { ...choice, versions: choice.versions.toSorted((a, b) => first(b) - first(a)) },
  );
}

function selectVersion(
  slots: readonly Slot[],
  copies: Readonly<Record<string, KnownCopy>>,
  prefix: string,
  namespace: string | null,
  wanted: readonly string[],
): Selected {
  const fit = Object.keys(copies).filter(
    (version) =>
      prefix.length >= 8 &&
      version.startsWith(prefix.toLowerCase()) &&
      (namespace === null || copies[version]?.namespace === namespace),
  );
  const [version] = fit;
  if (fit.length !== 1 || version === undefined) {
    return {
      choices: [],
      unknown: fit.length === 0 ? [{ name: prefix, suggestion: null }] : [],
      ambiguous: fit,
    };
  }
  const slot = slots.find((one) => one.copies.some(([known]) => known === version));
  const copy = copies[version];
  if (slot === undefined || copy === undefined)
    return { choices: [], unknown: [{ name: prefix, suggestion: null }], ambiguous: [] };
  // Who names both means a copy of that very certificate, or the account key beside it.
  const texts = slots
    .filter(
      (one) =>
        one === slot ||
        (slot.account && one.namespace === slot.namespace && one.secret === slot.secret),
    )
    .flatMap(textsOf);
  const foreign = wanted.filter((name) => !isMeant(name, texts));
  if (foreign.length > 0)
    return {
      choices: [],
      unknown: foreign.map((name) => ({ name, suggestion: meant(name, texts) })),
      ambiguous: [],
    };
  const choice = { ...choiceOf(slot, copy), named: true, versionNamed: true, versions: [version] };
  return { choices: [choice], unknown: [], ambiguous: [] };
}

type InSlot = Pick<Choice, "namespace" | "secret" | "fieldBase" | "kind">;

export function bySlot(a: InSlot, b: InSlot): number {
  return (
    compareText(a.namespace, b.namespace) ||
    compareText(a.secret, b.secret) ||
    Number(a.kind === "account-key") - Number(b.kind === "account-key") ||
    compareText(a.fieldBase, b.fieldBase)
  );
}

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
import { compareText, COPY_KINDS, type CopyKind } from "../backup/record.ts";
import { meant } from "../config/suggest.ts";
import { matchesPattern } from "../finding/pattern.ts";
import { accountSecrets } from "../secret/account.ts";
import { accountFieldBase } from "../secret/allowlist.ts";
import { sameNames } from "./copyrule.ts";
import { isShape } from "../secret/shapes.ts";
import type { CertificateRecord, CopyRecord, StateDocument } from "../state/document.ts";
import { heldIn, secretEntries } from "../state/secrets.ts";
import type { Wanted } from "./view.ts";

/** A copy as the state or, where `recorded` is false, its own header tells of it. */
export interface KnownCopy extends CopyRecord {
  readonly recorded: boolean;
}

/** Kind of a copy, or `null` for one that a newer version made up. */
function kindOf(copy: CopyRecord): CopyKind | null {
  return COPY_KINDS.find((kind) => kind === copy.kind) ?? null;
}

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

interface Place {
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

function placeKey(namespace: string, secret: string, fieldBase: string, account: boolean): string {
  return JSON.stringify([namespace, secret, fieldBase, account]);
}

/** Every place that a state or a copy tells of. */
function indexPlaces(
  state: StateDocument,
  copies: Readonly<Record<string, KnownCopy>>,
): Map<string, Place> {
  const places = new Map<string, Place>();
  const at = (namespace: string, secret: string, fieldBase: string, account: boolean): Place => {
    const key = placeKey(namespace, secret, fieldBase, account);
    let place = places.get(key);
    if (place === undefined) {
      place = {
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
      places.set(key, place);
    }
    return place;
  };
  for (const { namespace, secret, record, loss } of secretEntries(state)) {
    if (record.foreign || record.shape === null || !isShape(record.shape)) continue;
    const live = loss?.how !== "removed";
    for (const [base, held] of heldIn(record)) {
      const place = at(namespace, secret, base, false);
      place.held ??= held;
      place.live ||= live;
      place.shape ??= record.shape;
      place.unkept ??= record.unkept ?? null;
    }
    for (const [field, { thumbprint }] of Object.entries(record.accounts)) {
      const base = accountFieldBase(record.shape, field);
      if (base === null) continue;
      const place = at(namespace, secret, base, true);
      if (thumbprint !== null) place.accounts.add(thumbprint);
      place.unkept ??= record.unkept ?? null;
      place.live ||= live;
    }
  }
  for (const [version, copy] of Object.entries(copies)) {
    if (kindOf(copy) === null) continue;
    const place = at(copy.namespace, copy.secret, copy.fieldBase, copy.kind === "account-key");
    place.copies.push([version, copy]);
    if (copy.kind === "certificate" && copy.recorded) place.shape ??= copy.shape;
    if (copy.kind === "account-key" && copy.account !== null && copy.recorded)
      place.accounts.add(copy.account);
  }
  return places;
}

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

/** Names last seen at a place: of what was judged able to hold, else of the newest copy of it. */
function namesAt(place: Place): readonly string[] | null {
  if (place.account) return null;
  const { held } = place;
  if (held !== null && held.windows.length > 0) return held.names;
  const copies = place.copies.filter(([, copy]) => copy.kind === "certificate" && copy.recorded);
  const seen = copies.filter(([, copy]) => copy.seenValid);
  const [newest] = (seen.length > 0 ? seen : copies).toSorted(([, a], [, b]) =>
    parseMs(a.liveUntil) > parseMs(b.liveUntil) ? -1 : 1,
  );
  return newest?.[1].names ?? held?.names ?? null;
}

function titleOf(place: Place, names: readonly string[] | null): string {
  if (place.account) return place.secret;
  return place.held?.domain ?? names?.[0] ?? place.fieldBase;
}

function textsOf(place: Place): readonly string[] {
  const names = new Set([place.secret, `${place.namespace}/${place.secret}`]);
  if (!place.account && place.fieldBase !== "tls") names.add(place.fieldBase);
  for (const name of place.held?.names ?? []) names.add(name);
  for (const [, copy] of place.copies) for (const name of copy.names) names.add(name);
  return [...names];
}

function kindsFor(place: Place, standby: boolean): ReadonlySet<CopyKind> {
  if (place.account) return new Set(["account-key"]);
  return new Set(standby ? ["certificate", "standby"] : ["certificate"]);
}

function isOf(kinds: ReadonlySet<CopyKind>, copy: CopyRecord): boolean {
  const kind = kindOf(copy);
  return kind !== null && kinds.has(kind);
}

/**
 * What a restore by its name would choose of each certificate's place; places are looked up once.
 */
export function choicesAt(
  state: StateDocument,
): (place: Pick<Choice, "namespace" | "secret" | "fieldBase">, standby: boolean) => Choice | null {
  const copies = Object.fromEntries(
    Object.entries(state.copies).map(([version, copy]) => [version, { ...copy, recorded: true }]),
  );
  const places = indexPlaces(state, copies);
  return ({ namespace, secret, fieldBase }, standby) => {
    const place = places.get(placeKey(namespace, secret, fieldBase, false));
    return place === undefined ? null : choose(place, { ...NOTHING_ELSE, standby }, true, null);
  };
}

export function selectCopies(
  state: StateDocument,
  copies: Readonly<Record<string, KnownCopy>>,
  wanted: Selection,
): Selected {
  const places = [...indexPlaces(state, copies).values()].filter(
    (place) => wanted.namespace === null || place.namespace === wanted.namespace,
  );
  const look = wanted.asOfMs === null ? null : lastLook(Object.values(copies), wanted.asOfMs);
  if (wanted.version !== null)
    return selectVersion(places, copies, wanted.version, wanted.namespace, wanted.names);

  const unknown: UnknownName[] = [];
  const named = new Set<Place>();
  for (const name of wanted.names) {
    const lower = name.toLowerCase();
    const hits = places.filter((place) =>
      textsOf(place).some((text) => matchesPattern(lower, text.toLowerCase())),
    );
    for (const place of hits) named.add(place);
    if (hits.length === 0)
      unknown.push({ name, suggestion: meant(lower, [...new Set(places.flatMap(textsOf))]) });
  }
  const everything = wanted.all || (wanted.names.length === 0 && wanted.namespace !== null);
  const secrets = new Set([...named].map((place) => `${place.namespace}/${place.secret}`));
  const chosen = places.filter((place) => {
    if (named.has(place)) return true;
    // The account key goes with the certificates of its Secret.
    if (place.account && secrets.has(`${place.namespace}/${place.secret}`)) return true;
    if (!everything) return false;
    return wanted.asOfMs === null
      ? place.live
      : place.copies.some(([, copy]) => isOf(kindsFor(place, false), copy) && wasLive(copy, look));
  });
  return {
    choices: chosen
      .map((place) => choose(place, wanted, named.has(place), look))
      .filter((choice) => choice !== null)
      .toSorted(byPlace),
    unknown,
    ambiguous: [],
  };
}

function choose(
  place: Place,
  wanted: Selection,
  named: boolean,
  look: number | null,
): Choice | null {
  const kinds = kindsFor(place, wanted.standby);
  const wasThen = (copy: KnownCopy): boolean => wanted.asOfMs === null || wasLive(copy, look);
  // An account key of another time may be the one that the certificate belongs to.
  const fit = place.copies.filter(
    ([, copy]) => isOf(kinds, copy) && (place.account || wasThen(copy)),
  );
  // A place that only a replaced or standby copy tells of isn't meant by a name alone.
  if (
    fit.length === 0 &&
    place.held === null &&
    place.accounts.size === 0 &&
    !place.copies.some(([, copy]) => copy.kind === "standby")
  )
    return null;
  const shown = fit.length === 0 ? place.copies.filter(([, copy]) => copy.kind === "standby") : fit;
  const names = namesAt(place);
  return {
    namespace: place.namespace,
    secret: place.secret,
    fieldBase: place.fieldBase,
    kind: place.account
      ? "account-key"
      : ((shown[0] === undefined ? null : kindOf(shown[0][1])) ?? "certificate"),
    title: titleOf(place, names ?? shown[0]?.[1].names ?? null),
    lastNames: names,
    knownAccounts: [...place.accounts],
    lastShape: place.shape,
    unkept: place.unkept,
    named,
    versionNamed: false,
    versions: shown
      .toSorted((a, b) => Number(wasThen(b[1])) - Number(wasThen(a[1])) || betterFor(names)(a, b))
      .map(([version]) => version),
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
  const places = [...indexPlaces(state, copies).values()].filter(({ account }) => account);
  const all = new Map(
    keys.map((key) => [placeKey(key.namespace, key.secret, key.fieldBase, true), key]),
  );
  const needed = new Set<string>();
  for (const { copies: opened } of certificates) {
    for (const { record } of opened)
      if (record.header.accountThumbprint !== null) needed.add(record.header.accountThumbprint);
    const [copy] = opened;
    if (copy === undefined || copy.record.header.kind !== "certificate") continue;
    const { namespace, secret } = copy.record.header;
    const at = accountSecrets(copy.shape, secret, copy.record.labels)
      .map((name) => places.filter((one) => one.namespace === namespace && one.secret === name))
      .find((found) => found.length > 0);
    for (const place of at ?? []) {
      const key = placeKey(namespace, place.secret, place.fieldBase, true);
      const choice = all.has(key) ? null : choose(place, NOTHING_ELSE, false, null);
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
  places: readonly Place[],
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
  const place = places.find((one) => one.copies.some(([known]) => known === version));
  const copy = copies[version];
  if (place === undefined || copy === undefined)
    return { choices: [], unknown: [{ name: prefix, suggestion: null }], ambiguous: [] };
  // Who names both means a copy of that very certificate, or the account key beside it.
  const texts = places
    .filter(
      (one) =>
        one === place ||
        (place.account && one.namespace === place.namespace && one.secret === place.secret),
    )
    .flatMap(textsOf);
  const foreign = wanted.filter(
    (name) => !texts.some((text) => matchesPattern(name.toLowerCase(), text.toLowerCase())),
  );
  if (foreign.length > 0)
    return {
      choices: [],
      unknown: foreign.map((name) => ({ name, suggestion: meant(name, texts) })),
      ambiguous: [],
    };
  const names = namesAt(place);
  const choice: Choice = {
    namespace: place.namespace,
    secret: place.secret,
    fieldBase: place.fieldBase,
    kind: kindOf(copy) ?? "certificate",
    title: titleOf(place, names ?? copy.names),
    lastNames: names,
    knownAccounts: [...place.accounts],
    lastShape: place.shape,
    unkept: place.unkept,
    named: true,
    versionNamed: true,
    versions: [version],
  };
  return { choices: [choice], unknown: [], ambiguous: [] };
}

type AtPlace = Pick<Choice, "namespace" | "secret" | "fieldBase" | "kind">;

export function byPlace(a: AtPlace, b: AtPlace): number {
  return (
    compareText(a.namespace, b.namespace) ||
    compareText(a.secret, b.secret) ||
    Number(a.kind === "account-key") - Number(b.kind === "account-key") ||
    compareText(a.fieldBase, b.fieldBase)
  );
}

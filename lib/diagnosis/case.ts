/**
 * What is known of one set of names in one cluster, gathered for a diagnosis: its places, what its owner logged, what
 * the server answered, and its issuances as this cluster sees them. Pure; another cluster's claims never enter.
 */
import { issuanceKey, type Issuance, mayBeOf, serialKey } from "../ratelimit/issuance.ts";
import { accountOf } from "../ratelimit/ledger.ts";
import { LOOK_BACK_MS, needlessIn } from "../ratelimit/rules.ts";
import { setOf } from "../ratelimit/names.ts";
import { SKEW_MS } from "../ratelimit/evidence.ts";
import { certificates, type CertificateEntry, requestedNames } from "../state/certificates.ts";
import type { CopyRecord, StateDocument } from "../state/document.ts";
import {
  observationsOf,
  type AccessAnswer,
  type EventSign,
  type LogSign,
  type Observations,
  type RenewalWindow,
  type SourceLook,
} from "../state/observations.ts";
import type { Across } from "../finding/across.ts";
import { parseMs } from "../certificate/time.ts";
import { bareName } from "../finding/place.ts";
import { type Bearing, createWriters, podOf, type Spot, entriesOfEvent } from "./bearing.ts";

/** Events are kept for an hour, and what was seen of them shortly before an audit is still told: two. */
export const EVENT_MS = 2 * 3_600_000;

/** Something seen, and how surely it is about this certificate. */
export interface Borne<T> {
  readonly seen: T;
  readonly bearing: Bearing;
}

export interface Case {
  readonly state: StateDocument;
  readonly across: Across;
  readonly atMs: number;
  readonly observations: Observations;
  readonly issuer: string | null;
  readonly key: string;
  readonly names: readonly string[];
  readonly places: readonly CertificateEntry[];
  /** Copies of what those places hold or held. */
  readonly copies: readonly CopyRecord[];
  /** Within the last week, by their last line. */
  readonly signs: readonly Borne<LogSign>[];
  readonly events: readonly Borne<EventSign>[];
  readonly access: readonly AccessAnswer[];
  /** By `issuanceKey`. */
  readonly windows: ReadonlyMap<string, RenewalWindow>;
  /** As this cluster sees them, its own claims among them, in order of time. */
  readonly issuances: readonly Issuance[];
  readonly needless: readonly { readonly issuance: Issuance; readonly before: Issuance }[];
  /** When the newest certificate that is stored now, with its key, was issued; `null`: none is. */
  readonly storedMs: number | null;
}

/**
 * What was told, by the Secret (`namespace/secret`) whose owner told it, in one list for each owner, as one may write ten
 * thousand; and by namespace where it is nobody's that is known.
 */
export interface Told<T> {
  readonly bySecret: ReadonlyMap<string, readonly (readonly T[])[]>;
  readonly byNamespace: ReadonlyMap<string, readonly T[]>;
}

/** Of what is nobody's a case takes so many, the newest: it is no more than possible anyway. */
const MAX_NAMESPACE = 5;
/** Likewise of what its owner told without naming it. */
const MAX_OWN = 20;

function toldBy<T>(
  all: readonly T[],
  spotsOf: (one: T) => readonly Spot[],
  namespaceOf: (one: T) => string,
): Told<T> {
  const byOwner = Map.groupBy(all, spotsOf);
  const bySecret = new Map<string, (readonly T[])[]>();
  for (const [spots, told] of byOwner) {
    for (const key of new Set(spots.map((spot) => spot.key))) {
      const of = bySecret.get(key);
      if (of === undefined) bySecret.set(key, [told]);
      else of.push(told);
    }
  }
  const nobodys = [...byOwner].flatMap(([spots, told]) => (spots.length === 0 ? told : []));
  return { bySecret, byNamespace: Map.groupBy(nobodys, namespaceOf) };
}

/** What the owners of these Secrets told, each once. */
export function toldOf<T>({ bySecret }: Told<T>, secrets: Iterable<string>): readonly T[] {
  return [...new Set([...secrets].flatMap((secret) => bySecret.get(secret) ?? []))].flat();
}

function borneOf<T>(
  told: Told<T>,
  secrets: ReadonlySet<string>,
  namespaces: ReadonlySet<string>,
): Borne<T>[] {
  const own = toldOf(told, secrets).slice(0, MAX_OWN);
  const near = [...namespaces].flatMap((namespace) =>
    (told.byNamespace.get(namespace) ?? []).slice(0, MAX_NAMESPACE),
  );
  return [
    ...own.map((seen) => ({ seen, bearing: "owner" as const })),
    ...near.map((seen) => ({ seen, bearing: "namespace" as const })),
  ];
}

/** One cluster's state as cases are made from it: what all of them share is worked out once. */
export interface Ward {
  readonly state: StateDocument;
  readonly across: Across;
  readonly observations: Observations;
  readonly places: readonly CertificateEntry[];
  /** By the set that their owners ask for. */
  readonly byKey: ReadonlyMap<string, readonly CertificateEntry[]>;
  /** By `namespace/secret`. */
  readonly copies: ReadonlyMap<string, readonly CopyRecord[]>;
  /** Signs of the last week by the name that they bear. */
  readonly signs: ReadonlyMap<string, readonly LogSign[]>;
  /** Those without a name. */
  readonly nameless: Told<LogSign>;
  readonly events: Told<EventSign>;
  /** Looks at what a place's owner does; all others by namespace. */
  readonly looks: Told<SourceLook>;
  readonly access: ReadonlyMap<string, readonly AccessAnswer[]>;
  readonly windows: ReadonlyMap<string, RenewalWindow>;
}

/** `observations` are the state's own unless others are given. */
export function createWard(
  state: StateDocument,
  across: Across,
  observations: Observations = observationsOf(state),
): Ward {
  const { atMs } = across;
  const places = [...certificates(state, atMs)].filter(({ record }) => record?.staging !== true);
  const isRecent = ({
    firstMs,
    lastMs,
  }: {
    readonly firstMs: number;
    readonly lastMs: number;
  }): boolean => firstMs <= atMs + SKEW_MS && lastMs > atMs - LOOK_BACK_MS;
  const newest = (a: { readonly lastMs: number }, b: { readonly lastMs: number }): number =>
    b.lastMs - a.lastMs;
  const recent = observations.signs.filter(isRecent).toSorted(newest);
  const writers = createWriters(places, observations.access);
  return {
    state,
    across,
    observations,
    places,
    byKey: Map.groupBy(places, keyOf),
    copies: Map.groupBy(
      Object.values(state.copies),
      ({ namespace, secret }) => `${namespace}/${secret}`,
    ),
    signs: Map.groupBy(
      recent.filter(({ domain }) => domain !== null),
      ({ domain }) => bareName(domain ?? ""),
    ),
    nameless: toldBy(
      recent.filter(({ domain }) => domain === null),
      ({ where }) => writers.ofPod(...podOf(where)),
      ({ where }) => podOf(where)[0],
    ),
    events: toldBy(
      observations.events.filter(isRecent).toSorted(newest),
      (event) => entriesOfEvent(event, writers),
      ({ namespace }) => namespace,
    ),
    looks: toldBy(
      observations.looks,
      ({ source, scope }) => (source === "logs" ? writers.ofPod(...podOf(scope)) : []),
      ({ scope }) => /^[^/,]*/.exec(scope)?.[0] ?? "",
    ),
    access: Map.groupBy(
      observations.access.filter(({ atMs: askedMs }) => askedMs <= atMs + SKEW_MS),
      ({ secret }) => secret,
    ),
    windows: new Map(
      observations.windows.map((window) => [
        issuanceKey({ issuer: window.issuer, serial: serialKey(window.serial), claimedBy: null }),
        window,
      ]),
    ),
  };
}

/** The key of the set that the owner requests. */
export function keyOf(entry: CertificateEntry): string {
  return setOf(requestedNames(entry).map(bareName)).key;
}

/** The case of a set of names; `issuer` `null` where none is known. */
export function createCase(ward: Ward, issuer: string | null, key: string): Case {
  const { state, across, observations } = ward;
  const names = key.split(",");
  const places = (ward.byKey.get(key) ?? []).filter(
    ({ record }) => issuer === null || record === null || record.issuer === issuer,
  );
  const secrets = new Set(places.map(({ key: secret }) => secret));
  const namespaces = new Set(places.map(({ namespace }) => namespace));
  const named = [...new Set(names)].flatMap((name) =>
    (ward.signs.get(name) ?? []).map((seen): Borne<LogSign> => ({ seen, bearing: "name" })),
  );
  const account =
    issuer === null ? null : accountOf(across.ledgerOf(state.cluster), "set", issuer, key);
  const ours = (issuance: Issuance): boolean =>
    issuance.claimedBy === state.cluster || mayBeOf(issuance, state.cluster);
  const stored = places.flatMap(({ condition, record }) =>
    condition === "live" && record.keyFits ? [parseMs(record.issuedAt)] : [],
  );
  return {
    state,
    across,
    atMs: across.atMs,
    observations,
    issuer,
    key,
    names,
    places,
    copies: [...secrets].flatMap((secret) => ward.copies.get(secret) ?? []),
    signs: [...named, ...borneOf(ward.nameless, secrets, namespaces)],
    events: borneOf(ward.events, secrets, namespaces),
    access: [...secrets].flatMap((secret) => ward.access.get(secret) ?? []),
    windows: ward.windows,
    issuances: (account?.entries ?? [])
      .map(({ issuance }) => issuance)
      .filter(({ issuedAtMs }) => issuedAtMs <= across.atMs),
    needless:
      account === null
        ? []
        : needlessIn(account, across.atMs, across.need).filter(({ issuance }) => ours(issuance)),
    storedMs: stored.length === 0 ? null : Math.max(...stored),
  };
}

/** Until when something seen at `lastMs` held: a certificate was stored since; `null`: it may still hold. */
export function overSince(of: Pick<Case, "storedMs">, lastMs: number): number | null {
  return of.storedMs !== null && of.storedMs > lastMs ? of.storedMs : null;
}

/** The name that a person asks for: a set's first. */
export function titleOf({ names }: Pick<Case, "names">): string {
  return names[0] ?? "";
}

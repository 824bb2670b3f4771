/**
 * What is known of one set of names in one cluster, gathered for a diagnosis: its places, what its owner logged, what
 * the server answered, and its issuances as this cluster sees them. Pure; another cluster's claims never enter.
 */
import { issuanceKey, type Issuance, mayBeOf, serialKey } from "../../issuance/issuance.ts";
import { accountOf } from "../../issuance/ledger.ts";
import { LOOK_BACK_MS, needlessIn } from "../../issuance/rules.ts";
import { setOf } from "../../issuance/names.ts";
import { SKEW_MS } from "../../issuance/evidence.ts";
import type { SecretRecord, StateDocument } from "../../state/document.ts";
import { observationsOf, type AccessAnswer, type EventSign, type LogSign, type Observations, type RenewalWindow } from "../../state/observations.ts";
import type { Across } from "../across.ts";
import { ownerOf, type Owner } from "../owner.ts";
import { bareName, certificatePlaces, type CertificatePlace } from "../place.ts";
import { instantNs, msOf } from "../verdict.ts";
import { accountsBySecret, type Bearing, bearingOf, eventBearing, type Spot } from "./bearing.ts";

/** Events are kept for an hour, and what was seen of them shortly before an audit is still told: two. */
export const EVENT_MS = 2 * 3_600_000;

export interface CasePlace extends CertificatePlace, Spot {
  readonly record: SecretRecord;
  readonly owner: Owner;
}

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
  readonly places: readonly CasePlace[];
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

/** One cluster's state as cases are made from it: what all of them share is worked out once. */
export interface Ward {
  readonly state: StateDocument;
  readonly across: Across;
  readonly observations: Observations;
  readonly places: readonly CasePlace[];
  readonly accounts: ReadonlyMap<string, readonly string[]>;
  /** Signs of the last week by the name that they bear, `""` for none. */
  readonly signs: ReadonlyMap<string, readonly LogSign[]>;
  readonly windows: ReadonlyMap<string, RenewalWindow>;
}

function recordOf(state: StateDocument, { namespace, secret }: Pick<CertificatePlace, "namespace" | "secret">): SecretRecord | null {
  const key = `${namespace}/${secret}`;
  return state.secrets[key] ?? state.lost[key]?.record ?? null;
}

/** `observations` are the state's own unless others are given. */
export function createWard(state: StateDocument, across: Across, observations: Observations = observationsOf(state)): Ward {
  const { atMs } = across;
  const places = [...certificatePlaces(state, BigInt(Math.round(atMs)) * 1_000_000n)].flatMap((place): CasePlace[] => {
    const record = recordOf(state, place);
    return record === null || place.certificate?.staging === true ? [] : [{ ...place, record, owner: ownerOf(record) }];
  });
  const recent = observations.signs.filter(({ firstMs, lastMs }) => firstMs <= atMs + SKEW_MS && lastMs > atMs - LOOK_BACK_MS);
  return {
    state,
    across,
    observations,
    places,
    accounts: accountsBySecret(observations.access),
    signs: Map.groupBy(recent, ({ domain }) => (domain === null ? "" : bareName(domain))),
    windows: new Map(observations.windows.map((window) => [issuanceKey({ issuer: window.issuer, serial: serialKey(window.serial), claimedBy: null }), window])),
  };
}

/** The names that its owner asks for, whatever stands in the certificate that it refuses. */
export function namesOf(place: Pick<CertificatePlace, "name" | "certificate">): readonly string[] {
  const { certificate } = place;
  return certificate === null ? [place.name] : certificate.domain === null ? certificate.names : [certificate.domain];
}

/** The case of a set of names; `issuer` `null` where none is known. */
export function createCase(ward: Ward, issuer: string | null, key: string): Case {
  const { state, across, observations } = ward;
  const { atMs } = across;
  const names = key.split(",");
  const wanted = new Set(names);
  const places = ward.places.filter((place) => setOf(namesOf(place).map(bareName)).key === key && (issuer === null || place.certificate === null || place.certificate.issuer === issuer));
  const secrets = new Set(places.map(({ namespace, secret }) => `${namespace}/${secret}`));
  const signs = [...wanted, ""].flatMap((name) =>
    (ward.signs.get(name) ?? []).flatMap((seen): Borne<LogSign>[] => {
      const bearing = bearingOf(seen, wanted, places, ward.accounts);
      return bearing === null ? [] : [{ seen, bearing }];
    }),
  );
  const events = observations.events.flatMap((seen): Borne<EventSign>[] => {
    const bearing = seen.firstMs <= atMs + SKEW_MS && seen.lastMs > atMs - LOOK_BACK_MS ? eventBearing(seen, places, ward.accounts) : null;
    return bearing === null ? [] : [{ seen, bearing }];
  });
  const account = issuer === null ? null : accountOf(across.ledgerOf(state.cluster), "set", issuer, key);
  const ours = (issuance: Issuance): boolean => issuance.claimedBy === state.cluster || mayBeOf(issuance, state.cluster);
  const stored = places.flatMap(({ state: how, certificate }) => (how === "live" && certificate !== null && certificate.keyFits ? [msOf(instantNs(certificate.issuedAt))] : []));
  return {
    state,
    across,
    atMs,
    observations,
    issuer,
    key,
    names,
    places,
    signs,
    events,
    access: observations.access.filter(({ secret, atMs: askedMs }) => secrets.has(secret) && askedMs <= atMs + SKEW_MS),
    windows: ward.windows,
    issuances: (account?.entries ?? []).map(({ issuance }) => issuance).filter(({ issuedAtMs }) => issuedAtMs <= atMs),
    needless: account === null ? [] : needlessIn(account, atMs, across.need).filter(({ issuance }) => ours(issuance)),
    storedMs: stored.length === 0 ? null : Math.max(...stored),
  };
}

/** Until when something seen at `lastMs` held: a certificate was stored since; `null`: it may still hold. */
export function overSince(of: Pick<Case, "storedMs">, lastMs: number): number | null {
  return of.storedMs !== null && of.storedMs > lastMs ? of.storedMs : null;
}

/** A place as a line of evidence names it. */
export function placeText({ namespace, secret }: Pick<CertificatePlace, "namespace" | "secret">): string {
  return `${namespace}/${secret}`;
}

/** The name that a person asks for: a set's first. */
export function titleOf({ names }: Pick<Case, "names">): string {
  return names[0] ?? "";
}

/**
 * A cluster's identity, and the one rule for whether a cluster is the pinned one: the uid of
 * `kube-system` and the CA that proves the connection are both as pinned. Any server can claim a
 * uid, so a uid alone proves nothing. Pure.
 *
 * An audit pins a cluster that it meets for the first time. Only a person moves a pin: by `clusters
 * add`, or by `restore --rebuilt`.
 */
import { createHash } from "node:crypto";
import type { StateDocument } from "./document.ts";

/** What a cluster shows of itself. */
export interface ClusterIdentity {
  /** uid of the namespace `kube-system`; `null` without permission to read it. */
  readonly uid: string | null;
  /**
   * SHA-256 (hex) of the DER of the CA that proved the connection; `null` where the kubeconfig
   * names none.
   */
  readonly caSha256: string | null;
  /** Digests of the other certificates of the same proof, such as an intermediate CA. */
  readonly alsoProvenBy?: readonly string[];
  /**
   * Digest of the kubeconfig's whole bundle, where it holds several CAs: earlier versions pinned
   * that.
   */
  readonly bundleSha256?: string | null;
  /** Name that the server's certificate was checked for. */
  readonly host?: string | null | undefined;
}

/** As stored: `key` names states and backups, and never changes once it is pinned. */
export type StoredIdentity = NonNullable<StateDocument["identity"]>;

/** What a cluster has to show to be taken for the recorded one. */
export interface Pinned {
  readonly uid: string | null;
  readonly caSha256: string | null;
  readonly host: string | null;
  readonly key: string;
  /** `null`: an earlier version recorded it and pinned nothing; the next audit does. */
  readonly by: string | null;
}

/**
 * `another`: nothing says that it is the pinned cluster. `ca`: the pinned uid, proven by another
 * CA. `uid`: the pinned CA, and the uid can't be read. `address`: the uid or the CA isn't pinned,
 * so the address has to be the same, and isn't.
 */
export type Mismatch = "another" | "ca" | "uid" | "address";

/**
 * What a state holds its cluster to. Where audits of an earlier version followed another CA, the
 * pin still counts; where they pinned nothing, what they recorded last; where they recorded no
 * name, that of the address.
 */
export function pinnedIn({
  identity,
  server,
}: Pick<StateDocument, "identity" | "server">): Pinned | null {
  if (identity === null) return null;
  const { uid, key, pin } = identity;
  return {
    uid,
    key,
    caSha256: pin === undefined ? identity.caSha256 : pin.caSha256,
    host: identity.host === undefined ? hostOf(server) : identity.host,
    by: pin?.by ?? null,
  };
}

/** What is shown of an identity. */
export type ShownIdentity = Pick<ClusterIdentity, "uid" | "caSha256" | "host">;

export interface NotPinned {
  readonly kind: Mismatch;
  readonly pinned: ShownIdentity;
  readonly seen: ShownIdentity;
}

/**
 * The rule, for what a state holds its cluster to. `null`: it is the pinned cluster, or nothing is
 * pinned yet.
 */
export function notPinned(
  state: Pick<StateDocument, "identity" | "server">,
  seen: ClusterIdentity,
): NotPinned | null {
  const pinned = pinnedIn(state);
  const kind = pinned === null ? null : mismatch(pinned, seen);
  if (pinned === null || kind === null) return null;
  const shown = ({ uid, caSha256, host = null }: ShownIdentity): ShownIdentity => ({
    uid,
    caSha256,
    host,
  });
  return { kind, pinned: shown(pinned), seen: shown(seen) };
}

/** The rule itself. `null`: it is the pinned cluster. */
export function mismatch(
  pinned: Pick<Pinned, "uid" | "caSha256" | "host">,
  seen: ClusterIdentity,
): Mismatch | null {
  const proven = isProvenBy(pinned.caSha256, seen);
  if (pinned.uid !== null && seen.uid !== pinned.uid)
    return proven && seen.uid === null ? "uid" : "another";
  if (!proven) return pinned.uid === null ? "another" : "ca";
  const certain = pinned.uid !== null && pinned.caSha256 !== null;
  return certain || pinned.host === (seen.host ?? null) ? null : "address";
}

/**
 * The same for two states whose clusters are pinned as one and the same; `null` where nothing is
 * pinned.
 */
export function pinnedCluster(state: Pick<StateDocument, "identity" | "server">): string | null {
  const pinned = pinnedIn(state);
  if (pinned === null) return null;
  const { uid, caSha256, host } = pinned;
  return JSON.stringify([uid, caSha256, uid === null || caSha256 === null ? host : null]);
}

/** Whether two looks, each with a uid, are at one cluster. */
export function sameCluster(a: ClusterIdentity, b: ClusterIdentity): boolean {
  const { uid, caSha256, host = null } = a;
  return uid !== null && mismatch({ uid, caSha256, host }, b) === null;
}

function isProvenBy(caSha256: string | null, seen: ClusterIdentity): boolean {
  if (caSha256 === null || seen.caSha256 === null) return caSha256 === seen.caSha256;
  return (
    caSha256 === seen.caSha256 ||
    caSha256 === seen.bundleSha256 ||
    seen.alsoProvenBy?.includes(caSha256) === true
  );
}

/**
 * The identity as it is pinned; with `before`, the same cluster as before under what it shows now.
 */
export function pinIdentity(
  by: "person" | "audit",
  seen: ClusterIdentity,
  { server, at, before = null }: PinContext,
): StoredIdentity {
  const { uid, caSha256, host = null } = seen;
  const key = before?.key ?? identityKey(seen, server);
  return { ...before, uid, caSha256, host, key, pin: { caSha256, by, at } };
}

interface PinContext {
  readonly server: string;
  /** RFC 3339. */
  readonly at: string;
  readonly before?: StoredIdentity | null;
}

/**
 * The identity as an audit of the pinned cluster stores it: it moves no pin, and completes those of
 * earlier versions.
 */
export function keepPin(
  identity: StoredIdentity,
  server: string,
  seen: ClusterIdentity,
  at: string,
): StoredIdentity {
  const { caSha256: pinned = null, host = null } = pinnedIn({ identity, server }) ?? {};
  const caSha256 = pinned !== null && pinned === seen.bundleSha256 ? seen.caSha256 : pinned;
  return { ...identity, caSha256, host, pin: { by: "audit", at, ...identity.pin, caSha256 } };
}

/**
 * `uid-…` where the uid of `kube-system` is known, else `ca-…` of the CA, else `server-…` of the
 * address that was asked: the weakest, since whoever answers there is taken for the same cluster.
 */
export function identityKey(identity: ClusterIdentity, server: string): string {
  if (identity.uid !== null && /^[A-Za-z0-9-]{1,128}$/.test(identity.uid))
    return `uid-${identity.uid}`;
  if (identity.caSha256 !== null) return `ca-${identity.caSha256.slice(0, 32)}`;
  return `server-${createHash("sha256").update(server).digest("hex").slice(0, 32)}`;
}

function hostOf(server: string): string | null {
  return URL.parse(server)?.hostname.replaceAll(/^\[|\]$/g, "") || null;
}

/**
 * Of two writers' identities of one cluster: a person's pin stands, of two by persons the later, of
 * two by audits the earlier.
 */
export function mergeIdentity(
  a: StoredIdentity | null,
  b: StoredIdentity | null,
): StoredIdentity | null {
  if (a?.pin === undefined || b?.pin === undefined) return b?.pin === undefined ? (a ?? b) : b;
  if (a.pin.by !== b.pin.by) return a.pin.by === "person" ? a : b;
  return a.pin.by === "person" ? (a.pin.at >= b.pin.at ? a : b) : a.pin.at <= b.pin.at ? a : b;
}

/** Keys that `identityKey` gives to what was never reached. */
const SERVER_KEY = /^(?:ca|server)-[0-9a-f]{32}$/;

type Named = Pick<StateDocument, "cluster" | "title"> & {
  readonly identity: { readonly key: string } | null;
};

/**
 * Whether a state is that of a cluster without a name: its key is the identity's, or the address's
 * where it was never reached.
 */
export function isUnnamed({ cluster, identity }: Omit<Named, "title">): boolean {
  return identity === null ? SERVER_KEY.test(cluster) : identity.key === cluster;
}

/**
 * What a person calls a cluster in a command: its name, or the context it was reached by where it
 * has none.
 */
export function calledBy(state: Named): string {
  return isUnnamed(state) ? state.title : state.cluster;
}

/** A cluster's identity: which cluster it really is, whatever a context or a registration calls it. Pure. */
import { createHash } from "node:crypto";

/** Two observations of a cluster are compared by `sameCluster`. */
export interface ClusterIdentity {
  /** uid of the namespace `kube-system`; `null` where it may not be read. */
  readonly uid: string | null;
  /** SHA-256 (hex) of the DER of the CA bundle that the credential trusts, or of the root that the server presented; `null` where unknown. */
  readonly caSha256: string | null;
}

/** As pinned in a state: `key` names states and copies, and is never changed once pinned. */
export interface PinnedIdentity extends ClusterIdentity {
  readonly key: string;
  /** What vouched for it when it was pinned: an audit follows a new CA, and leaves this as it is. */
  readonly pin?: Pin | undefined;
}

/** Who first said that this cluster is the one, and by which CA it proves itself. */
export type Pin = {
  readonly caSha256: string | null;
  /** `person` or `audit`. */
  readonly by: string;
  /** RFC 3339. */
  readonly at: string;
};

export function pinnedBy(by: "person" | "audit", { caSha256 }: ClusterIdentity, at: string): Pin {
  return { caSha256, by, at };
}

/**
 * `uid-…` where the uid of `kube-system` is known, else `ca-…` of the CA, else `server-…` of the address
 * that was asked: the weakest, since whoever answers there is taken for the same cluster.
 */
export function identityKey(identity: ClusterIdentity, server: string): string {
  if (identity.uid !== null && /^[A-Za-z0-9-]{1,128}$/.test(identity.uid))
    return `uid-${identity.uid}`;
  if (identity.caSha256 !== null) return `ca-${identity.caSha256.slice(0, 32)}`;
  return `server-${createHash("sha256").update(server).digest("hex").slice(0, 32)}`;
}

/** Two observations differ if both know the uid and it differs, or neither does and the CA differs. */
export function sameCluster(a: ClusterIdentity, b: ClusterIdentity): boolean {
  if (a.uid !== null && b.uid !== null) return a.uid === b.uid;
  if (a.uid === null && b.uid === null) return a.caSha256 === b.caSha256;
  return true;
}

/** Of two pins of one cluster a person's stands, and of two by persons the later. */
export function mergePin(a: Pin | undefined, b: Pin | undefined): Pin | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.by !== b.by) return a.by === "person" ? a : b;
  return a.by === "person" ? (a.at >= b.at ? a : b) : a.at <= b.at ? a : b;
}

/** What is known of the pinned cluster after another look at it: gaps are filled, a new CA of the same uid is taken over. */
export function refreshIdentity(pinned: PinnedIdentity, seen: ClusterIdentity): PinnedIdentity {
  return {
    key: pinned.key,
    uid: pinned.uid ?? seen.uid,
    caSha256: seen.caSha256 ?? pinned.caSha256,
  };
}

/** Keys that `identityKey` gives to what was never reached. */
const SERVER_KEY = /^(?:ca|server)-[0-9a-f]{32}$/;

/** What a person calls a cluster in a command: its name, or the context it was reached by where it has none. */
export function calledBy(state: {
  readonly cluster: string;
  readonly title: string;
  readonly identity: { readonly key: string } | null;
}): string {
  const unnamed =
    state.identity === null ? SERVER_KEY.test(state.cluster) : state.identity.key === state.cluster;
  return unnamed ? state.title : state.cluster;
}

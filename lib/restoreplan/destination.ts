/**
 * Where the deployed function may restore to: the cluster that the copies came from, its pinned successor, or the
 * second of a pair in the deployed certkeep.yaml. Never by what a registration says, since whoever may register, or
 * invoke, could else have any key sent to a server of his own. Pure.
 *
 * A server can say any uid, so a uid alone proves nothing: what answers has to be vouched for by the CA that was
 * pinned. Audits follow a cluster whose CA is renewed; the pin is moved by a person alone, with `clusters add`, as is
 * needed for the second of a pair, which an audit may have met first as somebody else's cluster.
 */
import type { RestorePair } from "../config/schema.ts";
import { sameCluster, type ClusterIdentity } from "../state/identity.ts";
import type { StateDocument } from "../state/document.ts";
import { predecessorsOf } from "./successor.ts";

export interface Destination {
  readonly cluster: string;
  /** Another cluster whose copies are asked for, or `null`: its own. */
  readonly from: string | null;
  /** `restores:` of the deployed certkeep.yaml. */
  readonly pairs: readonly RestorePair[];
  /** `null`: no audit has recorded it. */
  readonly state: Pick<StateDocument, "identity" | "replacedBy"> | null;
  /** What answers there now. */
  readonly seen: ClusterIdentity;
}

/** What speaks against it, in the parts of an error. */
export interface Objection {
  readonly found: string;
  readonly expected: string;
  readonly todo: string;
}

/** `null`: it may. */
export function objectionTo({ cluster, from, pairs, state, seen }: Destination): Objection | null {
  const again = `certkeep clusters add ${cluster}`;
  if (
    from !== null &&
    from !== cluster &&
    !pairs.some((pair) => pair.from === from && pair.to === cluster)
  ) {
    return {
      found: `copies of ${from}, to be written to ${cluster}`,
      expected: "a pair that restores: of the deployed certkeep.yaml lists",
      todo: `Add { from: ${from}, to: ${cluster} } to restores: and deploy; or restore from the command line, with your own identity: certkeep restore ${cluster} --from-cluster ${from}`,
    };
  }
  const pinned = state?.identity ?? null;
  if (pinned === null) {
    return {
      found: "a cluster that is registered and was never recorded",
      expected: "one that an audit or certkeep clusters add pinned before",
      todo: `If it is yours, pin it: ${again}`,
    };
  }
  if (!sameCluster(pinned, seen) || (pinned.uid !== null && seen.uid === null)) {
    return {
      found: `another cluster than the recorded one answers (uid of kube-system ${seen.uid ?? "unknown"})`,
      expected: `the uid ${pinned.uid ?? "unknown"}`,
      todo: `If it was rebuilt, say so, then run this again: ${again} --rebuilt`,
    };
  }
  if (seen.caSha256 === null) {
    return {
      found: "a registration whose server any public authority may vouch for",
      expected: "the cluster's own CA in its kubeconfig",
      todo: `Register it with certificate-authority-data: ${again}    Or restore from the command line`,
    };
  }
  const vouched = pinned.pin?.caSha256 ?? null;
  if (vouched !== seen.caSha256) {
    return {
      found: `the recorded uid under another CA (${seen.caSha256.slice(0, 16)}) than the pinned one (${vouched?.slice(0, 16) ?? "none"})`,
      expected: "the CA that vouched for it when it was pinned",
      todo: `If its CA was renewed, pin it anew: ${again}`,
    };
  }
  if (from !== null && from !== cluster && pinned.pin?.by !== "person") {
    return {
      found: `${cluster} as an audit first met it`,
      expected: "a cluster that a person pinned, since it is to get the keys of another",
      todo: `If it is yours, pin it: ${again}`,
    };
  }
  return null;
}

/** Whether a copy came from the cluster of this state, or from one that it succeeded. */
export function cameFrom(copyIdentity: string, state: StateDocument): boolean {
  return (
    state.identity?.key === copyIdentity ||
    predecessorsOf(state).some(({ key }) => key === copyIdentity)
  );
}

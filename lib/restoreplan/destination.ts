/**
 * Where the deployed function may restore to: the cluster that the copies came from, its pinned successor, or the
 * second of a pair in the deployed certkeep.yaml. Never by what a registration says, since whoever may register, or
 * invoke, could else have any key sent to a server of his own. Pure.
 *
 * Which cluster answers is for the one rule of state/identity.ts. An audit pins what it meets first; the second of a
 * pair, which is to get another's keys, has to be pinned by a person.
 */
import type { RestorePair } from "../config/schema.ts";
import { pinCommand } from "../report/pinning.ts";
import type { StateDocument } from "../state/document.ts";
import { mismatchText, notPinned, type ClusterIdentity } from "../state/identity.ts";

export interface Destination {
  readonly cluster: string;
  /** Another cluster whose copies are asked for, or `null`: its own. */
  readonly from: string | null;
  /** `restores:` of the deployed certkeep.yaml. */
  readonly pairs: readonly RestorePair[];
  /** `null`: no audit has recorded it. */
  readonly state: Pick<StateDocument, "identity" | "server"> | null;
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
  if (state === null || state.identity === null) {
    return {
      found: "a cluster that is registered and was never recorded",
      expected: "one that an audit or certkeep clusters add pinned before",
      todo: `If it is yours, pin it: ${again}`,
    };
  }
  const differs = notPinned(state, seen);
  if (differs !== null) {
    const command = pinCommand({ called: cluster, registered: true }, differs.kind);
    return {
      ...mismatchText(differs),
      todo: `If it is the same cluster, or its successor, pin it: ${command}`,
    };
  }
  const { pin } = state.identity;
  if (pin === undefined) {
    return {
      found: "an earlier version recorded it and pinned no CA",
      expected: "a cluster that was pinned",
      todo: `Its next audit pins it, or: ${again}`,
    };
  }
  if (seen.caSha256 === null) {
    return {
      found: "a registration whose server any public authority may vouch for",
      expected: "the cluster's own CA in its kubeconfig",
      todo: `Register it with certificate-authority-data: ${again}    Or restore from the command line: certkeep restore ${cluster}`,
    };
  }
  if (from !== null && from !== cluster && pin.by !== "person") {
    return {
      found: `${cluster} as an audit first met it`,
      expected: "a cluster that a person pinned, since it is to get the keys of another",
      todo: `If it is yours, pin it: ${again}`,
    };
  }
  return null;
}

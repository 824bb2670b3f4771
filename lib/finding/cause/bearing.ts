/** Which certificate a line of a log, an Event or an answer is about, and how surely. Pure. */
import type { AccessAnswer, EventSign, LogSign } from "../../state/observations.ts";
import type { SecretRecord } from "../../state/document.ts";
import type { Confidence } from "./cause.ts";

/** A Secret by its place. */
export interface Spot {
  readonly namespace: string;
  readonly secret: string;
  readonly record: Pick<SecretRecord, "shape" | "parent">;
}

/** `name`: it names the certificate; `owner`: its owner's pod; `namespace`: somebody in the same namespace. */
export type Bearing = "name" | "owner" | "namespace";

export const BEARING_CONFIDENCE: Readonly<Record<Bearing, Confidence>> = { name: "proven", owner: "likely", namespace: "possible" };

/** Service accounts by the Secrets that they were asked about: a ProxyGroup's is called as the group. */
export function accountsBySecret(access: readonly AccessAnswer[]): ReadonlyMap<string, readonly string[]> {
  const accounts = new Map<string, string[]>();
  for (const { secret, account } of access) {
    const name = account.slice(account.lastIndexOf(":") + 1);
    const of = accounts.get(secret);
    if (of === undefined) accounts.set(secret, [name]);
    else if (!of.includes(name)) of.push(name);
  }
  return accounts;
}

/**
 * Whether this pod writes that Secret: a standalone proxy's Secret is called as its pod, the operator's as the head of
 * its pod's name, and a ProxyGroup's pods as the group with a number.
 */
export function isWriter(namespace: string, pod: string, spot: Spot, accounts: readonly string[]): boolean {
  if (namespace !== spot.namespace || pod === "") return false;
  const { shape, parent } = spot.record;
  if (shape === "ha-ingress" || shape === "apiserver-proxygroup") {
    const groups = [...accounts, ...(parent?.kind === "ProxyGroup" ? [parent.name] : [])];
    return groups.some((group) => pod.startsWith(`${group}-`) && /^\d+$/.test(pod.slice(group.length + 1)));
  }
  return pod === spot.secret || (shape === "operator" && pod.startsWith(`${spot.secret}-`));
}

/** How a line bears on the certificate of `names` in `spots`; `null`: it is about another. */
export function bearingOf(sign: Pick<LogSign, "domain" | "where">, names: ReadonlySet<string>, spots: readonly Spot[], accounts: ReadonlyMap<string, readonly string[]>): Bearing | null {
  if (sign.domain !== null) return names.has(sign.domain.toLowerCase()) ? "name" : null;
  const [namespace = "", pod = ""] = sign.where.split("/");
  if (spots.some((spot) => isWriter(namespace, pod, spot, accounts.get(`${spot.namespace}/${spot.secret}`) ?? []))) return "owner";
  return spots.some((spot) => spot.namespace === namespace) ? "namespace" : null;
}

/** Likewise of an Event: of its Pod, or of the Ingress that a Secret was made for. */
export function eventBearing(event: EventSign, spots: readonly Spot[], accounts: ReadonlyMap<string, readonly string[]>): Bearing | null {
  const slash = event.object.indexOf("/");
  const [kind, name] = [event.object.slice(0, slash), event.object.slice(slash + 1)];
  if (kind === "Pod") return spots.some((spot) => isWriter(event.namespace, name, spot, accounts.get(`${spot.namespace}/${spot.secret}`) ?? [])) ? "owner" : spots.some(({ namespace }) => namespace === event.namespace) ? "namespace" : null;
  return spots.some(({ record: { parent } }) => parent !== null && parent.kind === kind && parent.name === name && (parent.namespace === null || parent.namespace === event.namespace)) ? "owner" : null;
}

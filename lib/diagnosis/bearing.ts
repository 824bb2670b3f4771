/**
 * Which certificates a line of a log, an Event or a look is about, and how surely. Whose pod writes which Secret is worked
 * out once: there may be ten thousand Secrets and as many lines. Pure.
 */
import type { CertificateEntry } from "../state/certificates.ts";
import type { AccessAnswer, EventSign } from "../state/observations.ts";
import type { Confidence } from "./cause.ts";

export type Spot = Pick<CertificateEntry, "key" | "namespace" | "secret" | "holder">;

/** `name`: it names the certificate; `owner`: its owner's pod; `namespace`: somebody in the same namespace. */
export type Bearing = "name" | "owner" | "namespace";

export const BEARING_CONFIDENCE: Readonly<Record<Bearing, Confidence>> = {
  name: "proven",
  owner: "likely",
  namespace: "possible",
};

/** The same list each time for the same Secrets, so that what is told of them can be put together by it. */
export interface Writers<S extends Spot> {
  /** What this pod writes. */
  ofPod(namespace: string, pod: string): readonly S[];
  /** What was made for this object. */
  ofParent(kind: string, namespace: string, name: string): readonly S[];
}

/** The operator's Deployment is called so by its chart, whatever its Secret is called. */
const OPERATOR_POD = "operator-";

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const of = map.get(key);
  if (of === undefined) map.set(key, [value]);
  else if (!of.includes(value)) of.push(value);
}

/**
 * A standalone proxy's Secret is called as its pod, the operator's as the head of its pod's name, and a ProxyGroup's pods
 * as the group with a number; the group is called as the service account that the server was asked about.
 */
export function createWriters<S extends Spot>(
  spots: readonly S[],
  access: readonly AccessAnswer[],
): Writers<S> {
  const accounts = new Map<string, string[]>();
  for (const { secret, account } of access)
    push(accounts, secret, account.slice(account.lastIndexOf(":") + 1));
  const exact = new Map<string, S[]>();
  const grouped = new Map<string, S[]>();
  const made = new Map<string, S[]>();
  const operators: S[] = [];
  for (const spot of spots) {
    const {
      key,
      namespace,
      holder: { shape, parent },
    } = spot;
    if (parent !== null)
      push(made, JSON.stringify([parent.kind, parent.namespace ?? namespace, parent.name]), spot);
    if (shape === "ha-ingress" || shape === "apiserver-proxygroup") {
      for (const group of accounts.get(key) ?? []) push(grouped, `${namespace}/${group}`, spot);
      if (parent?.kind === "ProxyGroup") push(grouped, `${namespace}/${parent.name}`, spot);
    } else push(exact, key, spot);
    if (shape === "operator") operators.push(spot);
  }
  const nobody: readonly S[] = [];
  const mixed = new Map<string, readonly S[]>();
  return {
    ofPod: (namespace, pod) => {
      if (pod === "") return nobody;
      const key = `${namespace}/${pod}`;
      const group = /^(.+)-\d+$/.exec(key)?.[1];
      const members = (group === undefined ? undefined : grouped.get(group)) ?? nobody;
      const own = [
        ...(exact.get(key) ?? []),
        ...operators.filter(
          (spot) =>
            spot.namespace === namespace &&
            (pod.startsWith(`${spot.secret}-`) || pod.startsWith(OPERATOR_POD)),
        ),
      ];
      if (own.length === 0) return members;
      const known = mixed.get(key) ?? [...own, ...members];
      mixed.set(key, known);
      return known;
    },
    ofParent: (kind, namespace, name) =>
      made.get(JSON.stringify([kind, namespace, name])) ?? nobody,
  };
}

/** `namespace/pod/container` as namespace and pod. */
export function podOf(where: string): readonly [namespace: string, pod: string] {
  const [namespace = "", pod = ""] = where.split("/");
  return [namespace, pod];
}

/** What an Event is about: its Pod's Secrets, or those of the Ingress that it is about. */
export function entriesOfEvent<S extends Spot>(
  { namespace, object }: Pick<EventSign, "namespace" | "object">,
  writers: Writers<S>,
): readonly S[] {
  const slash = object.indexOf("/");
  const [kind, name] = [object.slice(0, slash), object.slice(slash + 1)];
  return kind === "Pod" ? writers.ofPod(namespace, name) : writers.ofParent(kind, namespace, name);
}

/**
 * A cluster's certificates and what its sources reported of them, indexed once: which certificates
 * a log signal, an Event, an access review or a source's status is about, and how surely. There may
 * be ten thousand certificates and as many signals. Pure.
 */
import { recordedPlanner, type RecordedPlanner } from "../restoreplan/recorded.ts";
import { bareName } from "../finding/place.ts";
import { SKEW_MS } from "../ratelimit/evidence.ts";
import { issuanceKey, serialKey } from "../ratelimit/issuance.ts";
import { setOf } from "../ratelimit/names.ts";
import { LOOK_BACK_MS } from "../ratelimit/rules.ts";
import { certificates, type CertificateEntry, requestedNames } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import { observationsOf, type Observations } from "../state/observations.ts";
import type {
  AccessAnswer,
  EventSignal,
  LogSignal,
  RenewalWindow,
  SourceStatus,
} from "../state/signals.ts";
import type { Confidence } from "./cause.ts";

/**
 * `name`: it names the certificate; `owner`: its owner's pod; `namespace`: another in its
 * namespace.
 */
export type Attribution = "name" | "owner" | "namespace";

export const ATTRIBUTION_CONFIDENCE: Readonly<Record<Attribution, Confidence>> = {
  name: "proven",
  owner: "likely",
  namespace: "possible",
};

/** A signal, and how surely it is about a certificate. */
export interface Attributed<T> {
  readonly signal: T;
  readonly attribution: Attribution;
}

/**
 * What was reported, by the Secret (`NAMESPACE/SECRET`) whose owner reported it, in one list for
 * each owner, as one may write ten thousand Secrets; and by namespace where the owner isn't known.
 */
export interface Reported<T> {
  readonly bySecret: ReadonlyMap<string, readonly (readonly T[])[]>;
  readonly byNamespace: ReadonlyMap<string, readonly T[]>;
}

export interface ClusterIndex {
  readonly state: StateDocument;
  readonly atMs: number;
  readonly observations: Observations;
  /** Every certificate but those of staging issuers. */
  readonly entries: readonly CertificateEntry[];
  /** Those whose owners request this name. */
  named(name: string): readonly CertificateEntry[];
  /** Those whose owners request exactly this set of names. */
  ofSet(key: string): readonly CertificateEntry[];
  inSecret(key: string): readonly CertificateEntry[];
  /** What a pod writes: the same list each time for the same Secrets. */
  ofPod(namespace: string, pod: string): readonly CertificateEntry[];
  /** What a Pod of an Event writes, or what was made for the object that it is about. */
  ofEvent(event: Pick<EventSignal, "namespace" | "object">): readonly CertificateEntry[];
  /** Log signals of the last week that name this name, the newest first. */
  signalsNaming(name: string): readonly LogSignal[];
  /** Those that name none. */
  readonly nameless: () => Reported<LogSignal>;
  /** Events of the last week, the newest first. */
  readonly events: () => Reported<EventSignal>;
  readonly statuses: () => Reported<SourceStatus>;
  access(secret: string): readonly AccessAnswer[];
  /** Whether a restore helps. */
  readonly planner: RecordedPlanner;
  /** By `issuanceKey`. */
  readonly windows: () => ReadonlyMap<string, RenewalWindow>;
}

const NONE: readonly never[] = [];

/** `observations` are the state's own unless others are given. */
export function createClusterIndex(
  state: StateDocument,
  atMs: number,
  observations: Observations = observationsOf(state),
): ClusterIndex {
  const entries = [...certificates(state, atMs)].filter(({ record }) => record?.staging !== true);
  const byName = once(() => {
    const map = new Map<string, CertificateEntry[]>();
    for (const entry of entries)
      for (const name of requestedNames(entry)) push(map, bareName(name), entry);
    return map;
  });
  const bySet = once(() => Map.groupBy(entries, setKeyOf));
  const bySecret = once(() => Map.groupBy(entries, ({ key }) => key));
  const writers = once(() => createWriters(entries, observations.access));

  const isRecent = ({ firstMs, lastMs }: Span): boolean =>
    firstMs <= atMs + SKEW_MS && lastMs > atMs - LOOK_BACK_MS;
  const newest = (a: Span, b: Span): number => b.lastMs - a.lastMs;
  const signals = once(() => observations.signs.filter(isRecent).toSorted(newest));
  const naming = once(() =>
    Map.groupBy(
      signals().filter(({ domain }) => domain !== null),
      ({ domain }) => bareName(domain ?? ""),
    ),
  );
  const access = once(() =>
    Map.groupBy(
      observations.access.filter(({ atMs: askedMs }) => askedMs <= atMs + SKEW_MS),
      ({ secret }) => secret,
    ),
  );
  const ofPod: ClusterIndex["ofPod"] = (namespace, pod) => writers().ofPod(namespace, pod);
  const ofEvent: ClusterIndex["ofEvent"] = ({ namespace, object }) => {
    const slash = object.indexOf("/");
    const [kind, name] = [object.slice(0, slash), object.slice(slash + 1)];
    return kind === "Pod"
      ? ofPod(namespace, name)
      : (writers().byParent.get(JSON.stringify([kind, namespace, name])) ?? NONE);
  };
  return {
    state,
    atMs,
    observations,
    entries,
    planner: recordedPlanner(state, atMs),
    named: (name) => byName().get(bareName(name)) ?? NONE,
    ofSet: (key) => bySet().get(key) ?? NONE,
    inSecret: (key) => bySecret().get(key) ?? NONE,
    ofPod,
    ofEvent,
    signalsNaming: (name) => naming().get(name) ?? NONE,
    nameless: once(() =>
      reportedBy(
        signals().filter(({ domain }) => domain === null),
        ({ where }) => ofPod(...podOf(where)),
        ({ where }) => podOf(where)[0],
      ),
    ),
    events: once(() =>
      reportedBy(
        observations.events.filter(isRecent).toSorted(newest),
        ofEvent,
        ({ namespace }) => namespace,
      ),
    ),
    statuses: once(() =>
      reportedBy(
        observations.looks,
        ({ source, scope }) => (source === "logs" ? ofPod(...podOf(scope)) : NONE),
        ({ scope }) => /^[^/,]*/.exec(scope)?.[0] ?? "",
      ),
    ),
    access: (secret) => access().get(secret) ?? NONE,
    windows: once(
      () =>
        new Map(
          observations.windows.map((window) => [
            issuanceKey({ ...window, serial: serialKey(window.serial), claimedBy: null }),
            window,
          ]),
        ),
    ),
  };
}

interface Span {
  readonly firstMs: number;
  readonly lastMs: number;
}

function once<T extends object>(make: () => T): () => T {
  let made: T | null = null;
  return () => (made ??= make());
}

function push<V>(map: Map<string, V[]>, key: string, value: V): void {
  const of = map.get(key);
  if (of === undefined) map.set(key, [value]);
  else if (of.at(-1) !== value) of.push(value);
}

/** The key of the set that the owner requests. */
export function setKeyOf(entry: CertificateEntry): string {
  return setOf(requestedNames(entry).map(bareName)).key;
}

/** `NAMESPACE/POD/CONTAINER` as namespace and pod. */
export function podOf(where: string): readonly [namespace: string, pod: string] {
  const [namespace = "", pod = ""] = where.split("/");
  return [namespace, pod];
}

/** The operator's Deployment is called so by its chart, whatever its Secret is called. */
const OPERATOR_POD = "operator-";

/**
 * A standalone proxy's Secret is called as its pod, the operator's as the head of its pod's name,
 * and a ProxyGroup's pods as the group with a number; the group is called as the service account
 * that the server was asked about.
 */
function createWriters(entries: readonly CertificateEntry[], answers: readonly AccessAnswer[]) {
  const accounts = new Map<string, string[]>();
  for (const { secret, account } of answers)
    push(accounts, secret, account.slice(account.lastIndexOf(":") + 1));
  const exact = new Map<string, CertificateEntry[]>();
  const grouped = new Map<string, CertificateEntry[]>();
  const byParent = new Map<string, CertificateEntry[]>();
  const operators: CertificateEntry[] = [];
  for (const entry of entries) {
    const { key, namespace, layout, holder } = entry;
    const { parent } = holder;
    if (parent !== null)
      push(
        byParent,
        JSON.stringify([parent.kind, parent.namespace ?? namespace, parent.name]),
        entry,
      );
    if (layout === "ha-ingress" || layout === "apiserver-proxygroup") {
      const groups = [
        ...(accounts.get(key) ?? []),
        ...(parent?.kind === "ProxyGroup" ? [parent.name] : []),
      ];
      for (const group of new Set(groups)) push(grouped, `${namespace}/${group}`, entry);
    } else push(exact, key, entry);
    if (layout === "operator") operators.push(entry);
  }
  const mixed = new Map<string, readonly CertificateEntry[]>();
  const ofPod = (namespace: string, pod: string): readonly CertificateEntry[] => {
    if (pod === "") return NONE;
    const key = `${namespace}/${pod}`;
    const group = /^(.+)-\d+$/.exec(key)?.[1];
    const members = (group === undefined ? undefined : grouped.get(group)) ?? NONE;
    const own = [
      ...(exact.get(key) ?? []),
      ...operators.filter(
        (entry) =>
          entry.namespace === namespace &&
          (pod.startsWith(`${entry.secret}-`) || pod.startsWith(OPERATOR_POD)),
      ),
    ];
    if (own.length === 0) return members;
    const known = mixed.get(key) ?? [...own, ...members];
    mixed.set(key, known);
    return known;
  };
  return { ofPod, byParent };
}

function reportedBy<T>(
  all: readonly T[],
  entriesOf: (one: T) => readonly CertificateEntry[],
  namespaceOf: (one: T) => string,
): Reported<T> {
  const byOwner = Map.groupBy(all, entriesOf);
  const bySecret = new Map<string, (readonly T[])[]>();
  for (const [entries, reports] of byOwner)
    for (const key of new Set(entries.map((entry) => entry.key))) push(bySecret, key, reports);
  const unowned = [...byOwner].flatMap(([entries, reports]) =>
    entries.length === 0 ? reports : [],
  );
  return { bySecret, byNamespace: Map.groupBy(unowned, namespaceOf) };
}

/** What the owners of these Secrets reported, each once. */
export function reportsOf<T>({ bySecret }: Reported<T>, secrets: Iterable<string>): readonly T[] {
  return [...new Set([...secrets].flatMap((secret) => bySecret.get(secret) ?? []))].flat();
}

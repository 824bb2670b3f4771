/**
 * A cluster's certificates and what its sources reported of them, indexed once: which certificates
 * a log signal, an Event, an access review or a source's status is about, and how surely. There may
 * be ten thousand certificates and as many signals. Pure.
 */
import { recordedPlanner } from "../restoreplan/recorded.ts";
import { bareName } from "../finding/place.ts";
import { SKEW_MS } from "../ratelimit/evidence.ts";
import { issuanceKey, serialKey } from "../ratelimit/issuance.ts";
import { setOf } from "../ratelimit/limit.ts";
import { LOOK_BACK_MS } from "../ratelimit/rules.ts";
import { certificates, type CertificateEntry, requestedNames } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import { observationsOf, type Observations } from "../state/observations.ts";
import type { AccessAnswer, EventSignal, LogSignal } from "../state/signals.ts";
import type { Confidence } from "./cause.ts";

/**
 * `name`: it names the certificate; `owner`: its controller's pod; `namespace`: another in its
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

const NONE: readonly never[] = [];

interface Span {
  readonly firstMs: number;
  readonly lastMs: number;
}

const newestFirst = (a: Span, b: Span): number => b.lastMs - a.lastMs;

export class ClusterIndex {
  readonly state: StateDocument;
  readonly atMs: number;
  readonly observations: Observations;
  /** Every certificate but those of staging issuers. */
  readonly entries: readonly CertificateEntry[];

  constructor(state: StateDocument, atMs: number) {
    this.state = state;
    this.atMs = atMs;
    this.observations = observationsOf(state);
    this.entries = [...certificates(state, atMs)].filter(({ record }) => record?.staging !== true);
  }

  readonly planner = once(() => recordedPlanner(this.state, this.atMs));

  readonly #byName = once(() => {
    const map = new Map<string, CertificateEntry[]>();
    for (const entry of this.entries)
      for (const name of requestedNames(entry)) push(map, bareName(name), entry);
    return map;
  });
  readonly #bySet = once(() => Map.groupBy(this.entries, setKeyOf));
  readonly #bySecret = once(() => Map.groupBy(this.entries, ({ key }) => key));
  readonly #writers = once(() => new Writers(this.entries, this.observations.access));
  readonly #signals = once(() => this.#recent(this.observations.signs));
  readonly #naming = once(() =>
    Map.groupBy(this.#signals(), ({ domain }) => bareName(domain ?? "")),
  );
  readonly #access = once(() =>
    Map.groupBy(
      this.observations.access.filter(({ atMs: askedMs }) => askedMs <= this.atMs + SKEW_MS),
      ({ secret }) => secret,
    ),
  );

  named(name: string): readonly CertificateEntry[] {
    return this.#byName().get(bareName(name)) ?? NONE;
  }

  ofSet(key: string): readonly CertificateEntry[] {
    return this.#bySet().get(key) ?? NONE;
  }

  inSecret(key: string): readonly CertificateEntry[] {
    return this.#bySecret().get(key) ?? NONE;
  }

  /** What a pod writes: the same list each time for the same Secrets. */
  ofPod(namespace: string, pod: string): readonly CertificateEntry[] {
    return this.#writers().ofPod(namespace, pod);
  }

  ofEvent({ namespace, object }: Pick<EventSignal, "namespace" | "object">) {
    const slash = object.indexOf("/");
    const [kind, name] = [object.slice(0, slash), object.slice(slash + 1)];
    return kind === "Pod"
      ? this.ofPod(namespace, name)
      : (this.#writers().byParent.get(JSON.stringify([kind, namespace, name])) ?? NONE);
  }

  /** Log signals of the last week that name this name, the newest first. */
  signalsNaming(name: string): readonly LogSignal[] {
    return name === "" ? NONE : (this.#naming().get(name) ?? NONE);
  }

  access(secret: string): readonly AccessAnswer[] {
    return this.#access().get(secret) ?? NONE;
  }

  readonly nameless = once(
    () =>
      new Reported(
        this.#naming().get("") ?? NONE,
        ({ where }) => this.ofPod(...podOf(where)),
        ({ where }) => podOf(where)[0],
      ),
  );

  /** Events of the last week, the newest first. */
  readonly events = once(
    () =>
      new Reported(
        this.#recent(this.observations.events),
        (event) => this.ofEvent(event),
        ({ namespace }) => namespace,
      ),
  );

  readonly statuses = once(
    () =>
      new Reported(
        this.observations.looks,
        ({ source, scope }) => (source === "logs" ? this.ofPod(...podOf(scope)) : NONE),
        ({ scope }) => /^[^/,]*/.exec(scope)?.[0] ?? "",
      ),
  );

  readonly windows = once(
    () =>
      new Map(
        this.observations.windows.map((window) => [
          issuanceKey({ ...window, serial: serialKey(window.serial), claimedBy: null }),
          window,
        ]),
      ),
  );

  #recent<T extends Span>(all: readonly T[]): readonly T[] {
    return all
      .filter(
        ({ firstMs, lastMs }) =>
          firstMs <= this.atMs + SKEW_MS && lastMs > this.atMs - LOOK_BACK_MS,
      )
      .toSorted(newestFirst);
  }
}

function once<T extends object>(make: () => T): () => T {
  let made: T | null = null;
  return () => (made ??= make());
}

function push<V>(map: Map<string, V[]>, key: string, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else if (values.at(-1) !== value) values.push(value);
}

export function setKeyOf(entry: CertificateEntry): string {
  return setOf(requestedNames(entry).map(bareName)).key;
}

/** `NAMESPACE/POD/CONTAINER` as namespace and pod. */
export function podOf(where: string): readonly [namespace: string, pod: string] {
  const [namespace = "", pod = ""] = where.split("/");
  return [namespace, pod];
}

/** Layouts of Secrets that all pods of a ProxyGroup share, and its first pod writes. */
export function isShared({ layout }: Pick<CertificateEntry, "layout">): boolean {
  return layout === "ha-ingress" || layout === "apiserver-proxygroup";
}

/** The operator's Deployment is called so by its chart, whatever its Secret is called. */
const OPERATOR_POD = "operator-";

/**
 * Which pod writes which Secrets. A standalone proxy's Secret is called as its pod, the operator's
 * as the head of its pod's name, and a ProxyGroup's pods as the group with a number; the group is
 * called as the service account that the server was asked about.
 */
class Writers {
  readonly #bySecret = new Map<string, CertificateEntry[]>();
  readonly #byGroup = new Map<string, CertificateEntry[]>();
  readonly #operators: CertificateEntry[] = [];
  readonly #mixed = new Map<string, readonly CertificateEntry[]>();
  /** By kind, namespace and name of what a Secret was made for. */
  readonly byParent = new Map<string, CertificateEntry[]>();

  constructor(entries: readonly CertificateEntry[], answers: readonly AccessAnswer[]) {
    const accounts = new Map<string, string[]>();
    for (const { secret, account } of answers)
      push(accounts, secret, account.slice(account.lastIndexOf(":") + 1));
    for (const entry of entries) {
      const { key, namespace, layout, holder } = entry;
      const { parent } = holder;
      if (parent !== null)
        push(
          this.byParent,
          JSON.stringify([parent.kind, parent.namespace ?? namespace, parent.name]),
          entry,
        );
      if (isShared(entry)) {
        const own = parent?.kind === "ProxyGroup" ? [parent.name] : [];
        for (const group of new Set([...(accounts.get(key) ?? []), ...own]))
          push(this.#byGroup, `${namespace}/${group}`, entry);
      } else push(this.#bySecret, key, entry);
      if (layout === "operator") this.#operators.push(entry);
    }
  }

  ofPod(namespace: string, pod: string): readonly CertificateEntry[] {
    if (pod === "") return NONE;
    const key = `${namespace}/${pod}`;
    const group = /^(.+)-\d+$/.exec(key)?.[1];
    const members = this.#byGroup.get(group ?? "") ?? NONE;
    const own = [
      ...(this.#bySecret.get(key) ?? []),
      ...this.#operators.filter(
        (entry) =>
          entry.namespace === namespace &&
          (pod.startsWith(`${entry.secret}-`) || pod.startsWith(OPERATOR_POD)),
      ),
    ];
    if (own.length === 0) return members;
    const known = this.#mixed.get(key) ?? [...own, ...members];
    this.#mixed.set(key, known);
    return known;
  }
}

/**
 * What was reported, by the Secret (`NAMESPACE/SECRET`) whose owner reported it, in one list for
 * each owner, as one may write ten thousand Secrets; and by namespace where the owner isn't known.
 */
export class Reported<T> {
  readonly #bySecret = new Map<string, (readonly T[])[]>();
  readonly #byNamespace: ReadonlyMap<string, readonly T[]>;

  constructor(
    all: readonly T[],
    entriesOf: (one: T) => readonly CertificateEntry[],
    namespaceOf: (one: T) => string,
  ) {
    const byOwner = Map.groupBy(all, entriesOf);
    for (const [entries, reports] of byOwner)
      for (const key of new Set(entries.map((entry) => entry.key)))
        push(this.#bySecret, key, reports);
    this.#byNamespace = Map.groupBy(
      [...byOwner].flatMap(([entries, reports]) => (entries.length === 0 ? reports : [])),
      namespaceOf,
    );
  }

  byOwnersOf(secrets: Iterable<string>): readonly T[] {
    return [...new Set([...secrets].flatMap((secret) => this.#bySecret.get(secret) ?? []))].flat();
  }

  /** What was reported in a namespace by what isn't known to own anything. */
  inNamespace(namespace: string): readonly T[] {
    return this.#byNamespace.get(namespace) ?? NONE;
  }
}

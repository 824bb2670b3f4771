/**
 * What lies in the cluster now, as planning looks at it: read once, refreshed place by place where
 * a plan is made again. Of each Secret the allowlisted fields alone are kept, and the name of the
 * machine that uses it.
 */
import pLimit from "p-limit";
import { isCertkeepError } from "../../error.ts";
import type { ClusterReader, SecretPlace } from "../../ports/cluster.ts";
import type { Live, LiveSecret, LiveViews, OpenedCopy } from "../../restoreplan/view.ts";
import { certificateName } from "../../restoreplan/metadata.ts";
import { sameParent } from "../../restoreplan/shape/standalone.ts";
import { secretKey, type Secret } from "../../secret/secret.ts";
import { LABEL, type Shape } from "../../secret/shapes.ts";
import type { ParentRef } from "../../state/document.ts";
import { liveSecretOf, type Interest, type LiveContext } from "./judge.ts";

const READS_AT_ONCE = 16;
/** From so many places in a namespace on, one listing of names tells which of them are gone. */
const LIST_FROM = 20;
/** Parents that are asked for at most; of further ones it is said that they aren't known. */
const OBJECTS_ASKED = 50;

const OF_TYPE = LABEL.secretType;
/** Secrets that an operator makes for its proxies under random names. */
export const MANAGED_SELECTOR = `${LABEL.managed}=true,${OF_TYPE}!=certs,${OF_TYPE}!=config`;

/** Secrets that hold an ACME account key for certificates of others. */
const HOLDS_ACCOUNTS: ReadonlySet<Shape> = new Set(["proxygroup-state", "acme-accounts"]);

export class LiveCluster implements LiveViews {
  readonly #reader: ClusterReader;
  readonly #context: LiveContext;
  readonly #interests = new Map<string, Interest[]>();
  readonly #live = new Map<string, Live>();
  readonly #managed = new Map<string, LiveSecret[]>();
  readonly #objects = new Map<string, "present" | "absent" | "unknown">();
  readonly #namespaces = new Map<string, "present" | "absent" | "unknown">();
  readonly #standalone = new Map<string, Interest[]>();
  /** By namespace and name; `null`: they could not be listed. */
  readonly #sharing = new Map<string, Map<string, LiveSecret> | null>();

  constructor(reader: ClusterReader, context: LiveContext) {
    this.#reader = reader;
    this.#context = context;
  }

  at(namespace: string, name: string): Live {
    return (
      this.#live.get(`${namespace}/${name}`) ?? { state: "unknown", found: "it wasn't looked at" }
    );
  }

  managed(namespace: string): readonly LiveSecret[] {
    return this.#managed.get(namespace) ?? [];
  }

  sharing(namespace: string): readonly LiveSecret[] | null {
    const found = this.#sharing.get(namespace);
    return found === null ? null : [...(found?.values() ?? [])];
  }

  accountOf(leafSha256: string): string | null {
    return this.#context.accountOfLeaf.get(leafSha256) ?? null;
  }

  object(ref: ParentRef): "present" | "absent" | "unknown" {
    return this.#objects.get(objectKey(ref)) ?? "unknown";
  }

  /** Places that a copy may go to, and what of them is looked at. */
  interest(place: SecretPlace, interest: Interest): void {
    const key = `${place.namespace}/${place.name}`;
    this.#interests.set(key, [...(this.#interests.get(key) ?? []), interest]);
    if (interest.shape !== "standalone") return;
    this.#standalone.set(place.namespace, [
      ...(this.#standalone.get(place.namespace) ?? []),
      interest,
    ]);
  }

  async read(progress: (done: number, total: number) => void): Promise<void> {
    const places = [...this.#interests.keys()].map((key): SecretPlace => ({
      namespace: key.slice(0, key.indexOf("/")),
      name: key.slice(key.indexOf("/") + 1),
    }));
    const byNamespace = Map.groupBy(places, ({ namespace }) => namespace);
    const there = new Map<string, ReadonlySet<string> | null>();
    for (const [namespace, of] of byNamespace)
      there.set(namespace, of.length < LIST_FROM ? null : await this.#names(namespace));
    const limit = pLimit(READS_AT_ONCE);
    let done = 0;
    await Promise.all(
      places.map((place) =>
        limit(async () => {
          const names = there.get(place.namespace) ?? null;
          await this.refresh(place, names !== null && !names.has(place.name));
          progress((done += 1), places.length);
        }),
      ),
    );
    for (const [namespace] of this.#standalone) await this.#readManaged(namespace);
    const shared = Map.groupBy(
      [...this.#interests].filter(([, of]) => of.some(({ shape }) => HOLDS_ACCOUNTS.has(shape))),
      ([key]) => key.slice(0, key.indexOf("/")),
    );
    for (const [namespace, of] of shared)
      await this.#readSharing(
        namespace,
        of.some(([, interests]) => interests.some(({ shape }) => shape === "acme-accounts")),
      );
  }

  /** `all`: an account may serve any node of the namespace; else those of a ProxyGroup. */
  async #readSharing(namespace: string, all: boolean): Promise<void> {
    const found = new Map<string, LiveSecret>();
    const labelSelector = all
      ? `${LABEL.managed}=true,${LABEL.secretType}!=config`
      : `${LABEL.managed}=true,${LABEL.secretType}=certs`;
    try {
      for await (const page of this.#reader.listSecrets({ namespace, labelSelector }))
        for (const secret of page) found.set(secret.name, await this.#liveOf(secret));
    } catch (error) {
      if (!isCertkeepError(error, "cluster_forbidden")) throw error;
      this.#sharing.set(namespace, null);
      return;
    }
    this.#sharing.set(namespace, found);
    if (!all || namespace !== this.#context.operatorNamespace) return;
    const operator = await this.refresh({ namespace, name: this.#context.operatorSecret });
    if (operator.state === "present") found.set(operator.secret.name, operator.secret);
    else if (operator.state === "unknown") this.#sharing.set(namespace, null);
  }

  async #names(namespace: string): Promise<ReadonlySet<string> | null> {
    const names = new Set<string>();
    try {
      for await (const page of this.#reader.listMetadata({ namespace }))
        for (const { name } of page) names.add(name);
      return names;
    } catch (error) {
      if (!isCertkeepError(error, "cluster_forbidden")) throw error;
      return null;
    }
  }

  /** Looks at one place again. `gone`: a listing has just shown that nothing is there. */
  async refresh(place: SecretPlace, gone = false): Promise<Live> {
    const key = `${place.namespace}/${place.name}`;
    const live = await this.#look(place, gone);
    this.#live.set(key, live);
    const sharing = this.#sharing.get(place.namespace);
    if (live.state !== "present") sharing?.delete(place.name);
    else if (live.secret.labels[LABEL.secretType] === "certs" || sharing?.has(place.name) === true)
      sharing?.set(place.name, live.secret);
    const others = (this.#managed.get(place.namespace) ?? []).filter(
      ({ name }) => name !== place.name,
    );
    if (this.#managed.has(place.namespace))
      this.#managed.set(
        place.namespace,
        live.state === "present" && live.secret.labels[LABEL.managed] === "true"
          ? [...others, live.secret]
          : others,
      );
    return live;
  }

  async #look(place: SecretPlace, gone: boolean): Promise<Live> {
    try {
      const secret = gone ? null : await this.#reader.getSecret(place.namespace, place.name);
      if (secret !== null) return { state: "present", secret: await this.#liveOf(secret) };
      return { state: "absent", namespace: await this.#namespace(place.namespace) };
    } catch (error) {
      if (!isCertkeepError(error, "cluster_forbidden", "cluster_answer_invalid")) throw error;
      return { state: "unknown", found: error.message };
    }
  }

  /** A Secret that a watch or a listing brought. */
  async take(secret: Secret): Promise<LiveSecret> {
    const live = await this.#liveOf(secret);
    this.#live.set(secretKey(secret), { state: "present", secret: live });
    const others = (this.#managed.get(secret.namespace) ?? []).filter(
      ({ name }) => name !== secret.name,
    );
    this.#managed.set(secret.namespace, [...others, live]);
    return live;
  }

  async #liveOf(secret: Secret): Promise<LiveSecret> {
    const managed =
      secret.labels[LABEL.managed] === "true" ? (this.#standalone.get(secret.namespace) ?? []) : [];
    return liveSecretOf(
      secret,
      [...(this.#interests.get(secretKey(secret)) ?? []), ...managed],
      this.#context,
    );
  }

  async #namespace(name: string): Promise<"present" | "absent" | "unknown"> {
    const known = this.#namespaces.get(name);
    if (known !== undefined) return known;
    const found = await this.#presence({
      apiVersion: "v1",
      kind: "Namespace",
      namespace: null,
      name,
    });
    this.#namespaces.set(name, found);
    return found;
  }

  namespaceMade(name: string): void {
    this.#namespaces.set(name, "present");
  }

  async #presence(ref: ParentRef): Promise<"present" | "absent" | "unknown"> {
    try {
      return (await this.#reader.presence(ref)).state;
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      return "unknown";
    }
  }

  async #readManaged(namespace: string): Promise<void> {
    const found: LiveSecret[] = [];
    try {
      for await (const page of this.#reader.listSecrets({
        namespace,
        labelSelector: MANAGED_SELECTOR,
      }))
        for (const secret of page) {
          const live = await this.#liveOf(secret);
          found.push(live);
          this.#live.set(secretKey(secret), { state: "present", secret: live });
        }
    } catch (error) {
      if (!isCertkeepError(error, "cluster_forbidden")) throw error;
    }
    this.#managed.set(namespace, found);
  }

  /**
   * Asks for the parents that plans speak of: of proxies that aren't there, and of what
   * cert-manager may be ordering.
   */
  async readObjects(copies: readonly OpenedCopy[]): Promise<void> {
    const refs = new Map<string, ParentRef>();
    for (const { record, shape } of copies) {
      if (shape === "standalone") {
        const name = record.labels[LABEL.parent];
        const waits = !this.managed(record.header.namespace).some((secret) =>
          sameParent({ record } as OpenedCopy, secret),
        );
        if (name !== undefined && waits)
          add(refs, {
            apiVersion: "networking.k8s.io/v1",
            kind: "Ingress",
            namespace: record.labels[LABEL.parentNamespace] ?? null,
            name,
          });
      }
      const certificate = shape === "tls" ? certificateName(record.annotations) : null;
      if (
        certificate !== null &&
        this.at(record.header.namespace, record.header.secret).state === "absent"
      )
        add(refs, {
          apiVersion: "cert-manager.io/v1",
          kind: "Certificate",
          namespace: record.header.namespace,
          name: certificate,
        });
    }
    const limit = pLimit(READS_AT_ONCE);
    await Promise.all(
      [...refs.values()]
        .slice(0, OBJECTS_ASKED)
        .map((ref) =>
          limit(async () => this.#objects.set(objectKey(ref), await this.#presence(ref))),
        ),
    );
  }
}

function objectKey(ref: ParentRef): string {
  return JSON.stringify([ref.kind, ref.namespace, ref.name]);
}

function add(refs: Map<string, ParentRef>, ref: ParentRef): void {
  refs.set(objectKey(ref), ref);
}

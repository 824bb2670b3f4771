/**
 * A cluster in memory behind the ports of reading and writing, for tests of thousands of steps; no
 * HTTP.
 */
import { CertkeepError } from "../../lib/error.ts";
import type { ClusterReader, Scope, ClusterWriter } from "../../lib/ports/cluster.ts";
import { secretKey, type Secret, type SecretMeta } from "../../lib/secret/secret.ts";

export interface MemoryCluster {
  readonly secrets: Map<string, Secret>;
  readonly reader: ClusterReader;
  readonly writer: ClusterWriter;
  /** Writes as an owner does: no questions asked. */
  put(secret: {
    readonly namespace: string;
    readonly name: string;
    readonly type: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly data: Readonly<Record<string, string>>;
  }): void;
}

function fits(secret: Secret, { namespace, labelSelector, fieldSelector }: Scope): boolean {
  if (namespace !== null && secret.namespace !== namespace) return false;
  const type = /(?:^|,)type=([^,]+)/.exec(fieldSelector ?? "")?.[1];
  if (type !== undefined && secret.type !== type) return false;
  return (labelSelector ?? "").split(",").every((part) => {
    if (part === "") return true;
    const [, key, not, value] = /^([^!=]+)(!?)==?(.*)$/.exec(part) ?? [];
    return key === undefined || (secret.labels[key] === value) !== (not === "!");
  });
}

export function createMemoryCluster(uid = "11111111-2222-3333-4444-555555555555"): MemoryCluster {
  const secrets = new Map<string, Secret>();
  let version = 1;
  const store = (
    secret: Omit<
      Secret,
      | "uid"
      | "resourceVersion"
      | "dataKeys"
      | "createdAt"
      | "deletedAt"
      | "owners"
      | "immutable"
      | "unreadAnnotations"
      | "finalizers"
    >,
  ): void => {
    version += 1;
    const before = secrets.get(secretKey(secret));
    secrets.set(secretKey(secret), {
      ...secret,
      uid: before?.uid ?? `uid-${version}`,
      resourceVersion: String(version),
      dataKeys: Object.keys(secret.data).toSorted(),
      owners: [],
      createdAt: null,
      deletedAt: null,
      immutable: false,
      unreadAnnotations: [],
      finalizers: [],
    });
  };
  const metaOf = ({ data: _data, immutable: _immutable, ...meta }: Secret): SecretMeta => meta;
  return {
    secrets,
    put: (secret) => store({ ...secret, annotations: {} }),
    reader: {
      identity: async () => ({ uid, caSha256: null, host: "memory" }),
      listMetadata: async function* (scope) {
        yield [...secrets.values()].filter((secret) => fits(secret, scope)).map(metaOf);
      },
      listSecrets: async function* (scope) {
        yield [...secrets.values()].filter((secret) => fits(secret, scope));
      },
      getStamp: async (namespace, name) => secrets.get(`${namespace}/${name}`) ?? null,
      getSecret: async (namespace, name) => secrets.get(`${namespace}/${name}`) ?? null,
      presence: async () => ({ state: "present", uid: "u" }),
      stats: () => ({ requests: {}, valuesRead: 0, unfilteredFullListings: 0, unreadable: [] }),
      close: async () => {},
    },
    writer: {
      createSecret: async (secret, options) => {
        if (secrets.has(secretKey(secret))) return "conflict";
        if (options?.dryRun !== true) store({ ...secret });
        return "done";
      },
      patchSecret: async (change, options) => {
        const there = secrets.get(secretKey(change));
        if (there === undefined || there.resourceVersion !== change.resourceVersion)
          return "conflict";
        if (options?.dryRun !== true)
          store({
            ...there,
            labels: { ...there.labels, ...change.labels },
            annotations: { ...there.annotations, ...change.annotations },
            data: { ...there.data, ...change.data },
          });
        return "done";
      },
      deleteSecret: async (one, options) => {
        const there = secrets.get(secretKey(one));
        if (there !== undefined && there.resourceVersion !== one.resourceVersion) return "conflict";
        if (options?.dryRun !== true) secrets.delete(secretKey(one));
        return "done";
      },
      readWhole: async (place) => {
        const there = secrets.get(secretKey(place));
        if (there === undefined) return null;
        const { type, data, immutable, namespace, name, resourceVersion } = there;
        const { labels, annotations } = there;
        const metadata = { namespace, name, resourceVersion, labels, annotations };
        return { apiVersion: "v1", kind: "Secret", metadata, type, data, immutable };
      },
      createWhole: async (place, whole, options) => {
        if (secrets.has(secretKey(place))) return "conflict";
        const { metadata, type, data } = whole as unknown as Pick<Secret, "type" | "data"> & {
          readonly metadata: Pick<Secret, "labels" | "annotations">;
        };
        if (options?.dryRun !== true)
          store({
            ...place,
            type,
            data,
            labels: metadata.labels,
            annotations: metadata.annotations,
          });
        return "done";
      },
      createNamespace: async () => {},
      // oxlint-disable-next-line require-yield
      watchSecrets: async function* () {
        throw new CertkeepError("cluster_forbidden", { where: "memory", found: "no watch" });
      },
      close: async () => {},
    },
  };
}

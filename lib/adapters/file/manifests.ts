/**
 * A folder in place of a cluster: a restore writes manifests there, for `kubectl apply
 * --server-side` elsewhere. They hold private keys, so folder and files are for this user alone,
 * and nothing that is there is changed.
 */
import type { V1Secret } from "@kubernetes/client-node";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CertkeepError } from "../../error.ts";
import type { ClusterReader, ClusterWriter, NewSecret, WriteOutcome } from "../../ports/cluster.ts";
import type { Secret } from "../../secret/secret.ts";
import { fieldsOf, jsonOf, textOf, textsOf } from "../../untrusted.ts";
import { readFileAtMost } from "../readfile.ts";
import { writeNew } from "./system.ts";

const NAME = /^[a-z0-9][a-z0-9.-]*$/;

/** A Secret has 1 MiB at most, in base64. */
const MAX_BYTES = 4 * 1024 * 1024;

function failed(where: string, error: unknown): CertkeepError {
  const code = (error as NodeJS.ErrnoException).code ?? "unknown";
  return new CertkeepError(code === "ENOSPC" ? "store_full" : "store_unavailable", {
    where,
    found: `it can't be written or read (${code})`,
    todo: "Name a folder that this user can write",
  });
}

function pathOf(root: string, namespace: string, name: string): string {
  if (!NAME.test(namespace) || !NAME.test(name))
    throw new CertkeepError("usage", {
      where: root,
      found: `${JSON.stringify(`${namespace}/${name}`)} can't be the name of a Secret`,
      todo: "Use NAMESPACE/NAME",
    });
  // An underscore is in no name, so the parts can't run into each other.
  return join(root, `${namespace}_${name}.json`);
}

async function readManifest(root: string, namespace: string, name: string): Promise<Secret | null> {
  const path = pathOf(root, namespace, name);
  let text: string;
  try {
    text = (await readFileAtMost(path, MAX_BYTES)).toString("utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw failed(path, error);
  }
  const parsed = jsonOf(text);
  if (parsed === undefined)
    throw new CertkeepError("store_damaged", {
      where: path,
      found: "the manifest is damaged",
      todo: "Move it away",
    });
  const { metadata, type, data } = fieldsOf(parsed);
  const { labels, annotations } = fieldsOf(metadata);
  const fields = textsOf(data);
  return {
    namespace,
    name,
    uid: "",
    resourceVersion: "0",
    type: textOf(type) ?? "Opaque",
    dataKeys: Object.keys(fields).toSorted(),
    labels: textsOf(labels),
    annotations: textsOf(annotations),
    owners: [],
    createdAt: null,
    deletedAt: null,
    data: fields,
    immutable: false,
    unreadAnnotations: [],
    finalizers: [],
  };
}

async function writeManifest(root: string, secret: NewSecret): Promise<WriteOutcome> {
  const path = pathOf(root, secret.namespace, secret.name);
  const temporary = `${path}.part`;
  const filled = (map: Readonly<Record<string, string>>): boolean => Object.keys(map).length > 0;
  const metadata = {
    namespace: secret.namespace,
    name: secret.name,
    ...(filled(secret.labels) ? { labels: secret.labels } : {}),
    ...(filled(secret.annotations) ? { annotations: secret.annotations } : {}),
  };
  const { type, data } = secret;
  const manifest: V1Secret = { apiVersion: "v1", kind: "Secret", metadata, type, data };
  try {
    await mkdir(root, { recursive: true, mode: 0o700 });
    if ((await stat(path).catch(() => null)) !== null) return "conflict";
    await rm(temporary, { force: true });
    await writeNew(temporary, `${JSON.stringify(manifest, null, 1)}\n`, 0o600);
    await rename(temporary, path);
    return "done";
  } catch (error) {
    throw failed(path, error);
  }
}

/** What lies in the folder, as a cluster; and writing to it. */
export function createManifestFolder(folder: string): {
  readonly reader: ClusterReader;
  readonly writer: ClusterWriter;
} {
  const root = resolve(folder);
  const getSecret = (namespace: string, name: string): Promise<Secret | null> =>
    readManifest(root, namespace, name);
  return {
    reader: {
      identity: async () => ({ uid: null, caSha256: null }),
      listMetadata: async function* () {
        yield [];
      },
      listSecrets: async function* () {
        yield [];
      },
      getStamp: getSecret,
      getSecret,
      presence: async () => ({ state: "unknown" }),
      stats: () => ({ requests: {}, valuesRead: 0, unfilteredFullListings: 0, unreadable: [] }),
      close: async () => {},
    },
    writer: {
      createSecret: (secret) => writeManifest(root, secret),
      patchSecret: async ({ namespace, name }) => {
        throw new CertkeepError("store_unavailable", {
          where: pathOf(root, namespace, name),
          found: "a different manifest is already there",
          todo: "Move it away, or name another folder",
        });
      },
      deleteSecret: async () => "conflict",
      readWhole: async () => null,
      createWhole: async () => "conflict",
      createNamespace: async () => {},
      watchSecrets: async function* () {
        yield* [];
      },
      close: async () => {},
    },
  };
}

/**
 * The demo's Kubernetes API, over HTTPS on the loopback: objects in memory by their path, and of
 * the API just what certkeep's commands ask in the demo (list, get, create, patch, watch, access
 * reviews). Nobody but the demo has its token.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { createServer } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { stringify } from "yaml";
import { createAuthority } from "./authority.ts";

type Texts = Readonly<Record<string, string>>;

export interface DemoMetadata {
  readonly name: string;
  readonly namespace?: string;
  readonly creationTimestamp?: string;
  readonly labels?: Texts;
  readonly annotations?: Texts;
}

/** An object as it is put there: uid and version are made up. */
export interface DemoObject {
  readonly apiVersion: string;
  readonly kind: keyof typeof plurals;
  readonly metadata: DemoMetadata;
  readonly type?: string;
  readonly data?: Texts;
}

type Stored = DemoObject & {
  readonly metadata: { readonly uid: string; readonly resourceVersion: string };
};

interface Answer {
  readonly status: number;
  readonly body: object;
}

export interface DemoApi {
  /** A kubeconfig for it, YAML. */
  kubeconfig(context: string): string;
  /** Puts objects there, or in the place of others. */
  put(...objects: readonly DemoObject[]): void;
  get(namespace: string, secret: string): DemoObject | null;
  remove(namespace: string, secret: string): void;
  stop(): Promise<void>;
}

const plurals = {
  Namespace: "namespaces",
  Secret: "secrets",
  Ingress: "ingresses",
  ProxyGroup: "proxygroups",
} as const;

const MAX_BODY_BYTES = 1024 * 1024;
const SECRETS = /^\/api\/v1\/(?:namespaces\/([^/]+)\/)?secrets$/u;
const REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
/** The operator and its proxies may write Secrets in their namespace. */
const WRITERS = "system:serviceaccount:tailscale:";

function pathOf({ apiVersion, kind, metadata }: DemoObject): string {
  const group = apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`;
  const { namespace, name } = metadata;
  const inside = namespace === undefined ? "" : `/namespaces/${namespace}`;
  return `${group}${inside}/${plurals[kind]}/${name}`;
}

const secretPath = (namespace: string, name: string): string =>
  `/api/v1/namespaces/${namespace}/secrets/${name}`;

const failure = (status: number, reason: string, name: string): Answer => ({
  status,
  body: {
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    reason,
    code: status,
    details: { name },
  },
});

/** The metadata, with the names of data fields as the server tells them: in managedFields. */
function metadataOf({ metadata, data = {} }: Stored): object {
  const fields = Object.fromEntries(Object.keys(data).map((key) => [`f:${key}`, {}]));
  const entry = { manager: "demo", operation: "Update", fieldsType: "FieldsV1" };
  return {
    kind: "PartialObjectMetadata",
    apiVersion: "meta.k8s.io/v1",
    metadata: { ...metadata, managedFields: [{ ...entry, fieldsV1: { "f:data": fields } }] },
  };
}

function tableOf(secrets: readonly Stored[]): object {
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: {},
    columnDefinitions: ["Name", "Type", "Data", "Age"].map((name) => ({ name, type: "string" })),
    rows: secrets.map((secret) => ({
      cells: [secret.metadata.name, secret.type, Object.keys(secret.data ?? {}).length, "1d"],
      object: metadataOf(secret),
    })),
  };
}

function reviewOf(review: { readonly spec?: object }): Answer {
  const { user = "", resourceAttributes = {} } = (review.spec ?? {}) as {
    readonly user?: string;
    readonly resourceAttributes?: { readonly resource?: string; readonly namespace?: string };
  };
  const { resource, namespace } = resourceAttributes;
  const allowed = user.startsWith(WRITERS) && resource === "secrets" && namespace === "tailscale";
  return { status: 201, body: { ...review, status: { allowed } } };
}

class Objects {
  readonly #objects = new Map<string, Stored>();
  readonly #watchers = new Set<(type: string, object: Stored) => void>();
  #version = 0;

  get(path: string): Stored | null {
    return this.#objects.get(path) ?? null;
  }

  put(object: DemoObject): Stored {
    const path = pathOf(object);
    const old = this.get(path);
    const metadata = {
      creationTimestamp: new Date().toISOString().replace(/\.\d+/u, ""),
      ...object.metadata,
      uid: old?.metadata.uid ?? randomUUID(),
      resourceVersion: String((this.#version += 1)),
    };
    const stored = { ...object, metadata };
    this.#objects.set(path, stored);
    this.#tell(old === null ? "ADDED" : "MODIFIED", stored);
    return stored;
  }

  remove(path: string): void {
    const old = this.get(path);
    if (old === null) return;
    this.#objects.delete(path);
    this.#tell("DELETED", old);
  }

  /** Secrets of one namespace, or of all, by name. */
  secrets(namespace: string | undefined, type: string | null): readonly Stored[] {
    return [...this.#objects]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, each]) =>
        each.kind === "Secret" &&
        (namespace === undefined || each.metadata.namespace === namespace) &&
        (type === null || each.type === type)
          ? [each]
          : [],
      );
  }

  /** Calls `listener` at each change. @returns what ends that */
  watch(listener: (type: string, object: Stored) => void): () => void {
    this.#watchers.add(listener);
    return () => void this.#watchers.delete(listener);
  }

  #tell(type: string, object: Stored): void {
    for (const watcher of this.#watchers) watcher(type, object);
  }
}

function list(objects: Objects, namespace: string | undefined, url: URL, accept: string): Answer {
  const selector = url.searchParams.get("fieldSelector");
  const type = selector?.match(/^type=(.+)$/u)?.[1] ?? null;
  if (selector !== null && type === null) return failure(400, "BadRequest", selector);
  const secrets = objects.secrets(namespace, type);
  const plain = { kind: "SecretList", apiVersion: "v1", metadata: {}, items: secrets };
  return { status: 200, body: accept.includes("as=Table") ? tableOf(secrets) : plain };
}

function patch(objects: Objects, path: string, change: Partial<DemoObject>): Answer {
  const old = objects.get(path);
  if (old === null) return failure(404, "NotFound", path);
  const { resourceVersion, labels, annotations } = (change.metadata ?? {}) as Partial<
    Stored["metadata"]
  >;
  if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion)
    return failure(409, "Conflict", old.metadata.name);
  const metadata = {
    ...old.metadata,
    labels: { ...old.metadata.labels, ...labels },
    annotations: { ...old.metadata.annotations, ...annotations },
  };
  const changed = objects.put({ ...old, metadata, data: { ...old.data, ...change.data } });
  return { status: 200, body: metadataOf(changed) };
}

function answerTo(
  objects: Objects,
  { method = "", headers }: IncomingMessage,
  url: URL,
  body: string,
): Answer {
  const path = url.pathname;
  const accept = headers.accept ?? "";
  const secrets = SECRETS.exec(path);
  if (method === "GET" && secrets !== null) return list(objects, secrets[1], url, accept);
  if (method === "GET" && /\/(?:pods|events)$/u.test(path))
    return { status: 200, body: { kind: "List", apiVersion: "v1", metadata: {}, items: [] } };
  if (method === "POST" && path === REVIEWS) return reviewOf(JSON.parse(body) as object);
  if (method === "POST" && secrets !== null) {
    const wanted = JSON.parse(body) as DemoObject;
    if (objects.get(pathOf(wanted)) !== null)
      return failure(409, "AlreadyExists", wanted.metadata.name);
    return { status: 201, body: metadataOf(objects.put(wanted)) };
  }
  if (method === "PATCH") return patch(objects, path, JSON.parse(body) as Partial<DemoObject>);
  const found = method === "GET" ? objects.get(path) : null;
  if (found === null) return failure(404, "NotFound", path.split("/").at(-1) ?? "");
  return { status: 200, body: accept.includes("as=PartialObject") ? metadataOf(found) : found };
}

/** Sends what is there, then each change, until the client leaves. */
function sendWatch(
  objects: Objects,
  namespace: string | undefined,
  response: ServerResponse,
): void {
  const send = (type: string, object: Stored): void => {
    if (object.kind === "Secret" && object.metadata.namespace === namespace)
      response.write(`${JSON.stringify({ type, object })}\n`);
  };
  response.writeHead(200, { "content-type": "application/json" });
  for (const secret of objects.secrets(namespace, null)) send("ADDED", secret);
  response.once("close", objects.watch(send));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) {
    body += String(chunk);
    if (body.length > MAX_BODY_BYTES) throw new Error("the body is too large");
  }
  return body;
}

function kubeconfigOf(name: string, server: string, caPem: string, token: string): string {
  const certificate = Buffer.from(caPem).toString("base64");
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    clusters: [{ name, cluster: { server, "certificate-authority-data": certificate } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  });
}

/** Starts the API; it ends with `stop`, or with the process. */
export async function startDemoApi(): Promise<DemoApi> {
  const objects = new Objects();
  const token = randomBytes(18).toString("base64url");
  const authority = createAuthority("Demo cluster");
  const dayMs = 86_400_000;
  const nowMs = Date.now();
  const { certificatePem, keyPem } = authority.issue({
    names: ["127.0.0.1"],
    notBeforeMs: nowMs - dayMs,
    notAfterMs: nowMs + dayMs,
  });
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "https://127.0.0.1");
    const known = request.headers.authorization === `Bearer ${token}`;
    if (known && url.searchParams.get("watch") === "true")
      return sendWatch(objects, SECRETS.exec(url.pathname)?.[1], response);
    const { status, body } = known
      ? answerTo(objects, request, url, await bodyOf(request))
      : failure(401, "Unauthorized", "");
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  const server = createServer({ cert: certificatePem, key: keyPem }, (request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    kubeconfig: (context) => {
      const { port } = server.address() as AddressInfo;
      return kubeconfigOf(context, `https://127.0.0.1:${port}`, authority.rootPem, token);
    },
    put: (...added) => added.forEach((object) => objects.put(object)),
    get: (namespace, name) => objects.get(secretPath(namespace, name)),
    remove: (namespace, name) => objects.remove(secretPath(namespace, name)),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * The demo's Kubernetes API, over HTTPS on the loopback: objects in memory by their path, and of
 * the API just what certkeep's commands ask in the demo (list, get, create, patch, watch, logs,
 * access reviews). Nobody but the demo has its token.
 */
import { randomBytes } from "node:crypto";
import { createServer } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { stringify } from "yaml";
import { createAuthority } from "./authority.ts";
import { type DemoObject, Objects, pathOf, type Stored } from "./objects.ts";

interface Answer {
  readonly status: number;
  /** Text: a log. */
  readonly body: object | string;
}

export interface DemoApi {
  kubeconfig(context: string): string;
  /** Puts objects there, or in the place of others. */
  put(...objects: readonly DemoObject[]): void;
  get(namespace: string, secret: string): DemoObject | null;
  remove(namespace: string, secret: string): void;
  /** Adds lines to the log of a pod, each after its instant. */
  log(namespace: string, pod: string, ...lines: readonly (readonly [number, string])[]): void;
  stop(): Promise<void>;
}

const MAX_BODY_BYTES = 1024 * 1024;
const SECRETS = /^\/api\/v1\/(?:namespaces\/([^/]+)\/)?secrets$/u;
const PODS = /^\/api\/v1\/namespaces\/([^/]+)\/pods$/u;
const REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
/** The operator and its proxies may write Secrets in their namespace. */
const WRITERS = "system:serviceaccount:tailscale:";

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
  const pods = PODS.exec(path);
  if (method === "GET" && (pods !== null || path.endsWith("/events"))) {
    const items = objects.pods(pods?.[1], url.searchParams.get("labelSelector") ?? "");
    return { status: 200, body: { kind: "List", apiVersion: "v1", metadata: {}, items } };
  }
  if (method === "GET" && path.endsWith("/log")) {
    const text = objects.log(path, Date.parse(url.searchParams.get("sinceTime") ?? "1970-01-01"));
    return text === null ? failure(404, "NotFound", path) : { status: 200, body: text };
  }
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

/**
 * Starts the API; it ends with `stop`, or with the process. `nowMs`: the time that its answers
 * have.
 */
export async function startDemoApi(nowMs: () => number = Date.now): Promise<DemoApi> {
  const objects = new Objects();
  const token = randomBytes(18).toString("base64url");
  const authority = createAuthority("Demo cluster");
  const dayMs = 86_400_000;
  const { certificatePem, keyPem } = authority.issue({
    names: ["127.0.0.1"],
    notBeforeMs: Date.now() - dayMs,
    notAfterMs: Date.now() + dayMs,
  });
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "https://127.0.0.1");
    const known = request.headers.authorization === `Bearer ${token}`;
    if (known && url.searchParams.get("watch") === "true")
      return sendWatch(objects, SECRETS.exec(url.pathname)?.[1], response);
    const { status, body } = known
      ? answerTo(objects, request, url, await bodyOf(request))
      : failure(401, "Unauthorized", "");
    const isText = typeof body === "string";
    response
      .writeHead(status, {
        "content-type": isText ? "text/plain" : "application/json",
        date: new Date(nowMs()).toUTCString(),
      })
      .end(isText ? body : JSON.stringify(body));
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
    log: (namespace, pod, ...lines) =>
      objects.addLog(`/api/v1/namespaces/${namespace}/pods/${pod}/log`, lines),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

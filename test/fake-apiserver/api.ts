/**
 * A Kubernetes API over HTTPS on the loopback for hermetic tests: enough of kube-apiserver for
 * auditing and restoring Secrets, in its words.
 *
 * It holds everything in memory and runs no controllers: what is to exist is put there.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { type Server, createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { stringify } from "yaml";
import type { AccessRule, Account } from "./access.ts";
import { createHandler } from "./handler.ts";
import type { Interceptor, LoggedRequest } from "./faults.ts";
import {
  type JsonObject,
  type ObjectMeta,
  type Resource,
  type StoredObject,
  findKind,
  findResource,
} from "./objects.ts";
import { afterUpdate } from "./ownership.ts";
import { type Authority, createAuthority } from "../support/pki.ts";
import { logKey } from "./podlog.ts";
import { Storage } from "./storage.ts";
import { builtObject, timestamp } from "./body.ts";

export interface SandboxOptions {
  /** Who there is beside the administrator, by their token. */
  readonly tokens?: Readonly<Record<string, Account>>;
  /**
   * Milliseconds since 1970, for the times in objects; default the machine's clock. The Date header
   * is always real.
   */
  readonly clock?: () => number;
  /** Default: the two of every cluster and `tailscale`. */
  readonly namespaces?: readonly string[];
  /** uid of `kube-system`, the cluster's identity; default a new one. */
  readonly clusterUid?: string;
  /** Signs the server's certificate; default a new one. */
  readonly serverAuthority?: Authority;
}

/** An object to be put there as it is: no check is made, and what is left out is made up. */
export interface PutObject {
  /** Default `v1`. */
  readonly apiVersion?: string;
  /** Default `Secret`. */
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    /** RFC 3339. */
    readonly creationTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
    readonly ownerReferences?: ObjectMeta["ownerReferences"];
    /** Default: all fields are `manager`'s. Empty: none are told. */
    readonly managedFields?: ObjectMeta["managedFields"];
  };
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
  readonly [field: string]: unknown;
}

export interface KubeconfigChoice {
  /** Default: the administrator's. */
  readonly token?: string;
  readonly namespace?: string;
  /** Name of context, cluster and user; default `sandbox`. */
  readonly context?: string;
  /** Another address, such as a proxy's in front of this server. */
  readonly server?: string;
  /** Another authority than the server's; null leaves it out. */
  readonly caPem?: string | null;
  readonly proxyUrl?: string;
}

export interface Sandbox {
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  /** The root that signed the server's certificate. */
  readonly caPem: string;
  readonly adminToken: string;
  /** Every request since the start or the last `forgetRequests`, oldest first. */
  readonly requests: readonly LoggedRequest[];
  forgetRequests(): void;
  /**
   * Adds an interceptor; the first one that names a fault wins. @returns a function that takes it
   * away
   */
  intercept(interceptor: Interceptor): () => void;
  /** Makes every continue token given out so far too old. */
  expireContinueTokens(): void;
  /** Lets a token in, changes what it may, or (null) turns it away with 401. */
  setToken(token: string, account: Account | null): void;
  /** A kubeconfig, YAML. */
  kubeconfig(choice?: KubeconfigChoice): string;
  /** Puts objects there, or in the place of others, and their namespaces where they are missing. */
  put(objects: Iterable<PutObject>, manager?: string): StoredObject[];
  /** A Secret, or an object of another kind; null where there is none. */
  get(namespace: string | null, name: string, kind?: string): StoredObject | null;
  /** @returns whether there was one */
  remove(namespace: string | null, name: string, kind?: string): boolean;
  /**
   * Says what a container's log is from now on, each line with the kubelet's time before it;
   * `null`: there is none.
   */
  setLog(
    namespace: string,
    pod: string,
    container: string,
    log: string | null,
    previous?: boolean,
  ): void;
  /** All Secrets, or all objects of another kind, by namespace and name. */
  all(kind?: string): StoredObject[];
  stop(): Promise<void>;
}

/** An account as a service account of a cluster has it. */
export function serviceAccount(
  namespace: string,
  name: string,
  rules: readonly AccessRule[],
): Account {
  const groups = [
    "system:serviceaccounts",
    `system:serviceaccounts:${namespace}`,
    "system:authenticated",
  ];
  return { user: `system:serviceaccount:${namespace}:${name}`, groups, rules };
}

const secretsResource = findResource("", "v1", "secrets") as Resource;
const namespacesResource = findResource("", "v1", "namespaces") as Resource;

/** Kinds of different groups have different names here, so the name alone tells which. */
function resourceOf(kind: string, apiVersion?: string): Resource {
  if (kind === "Secret") return secretsResource;
  const versions = [
    "v1",
    "apps/v1",
    "networking.k8s.io/v1",
    "tailscale.com/v1alpha1",
    "cert-manager.io/v1",
  ];
  const found = versions
    .map((version) => findKind(version, kind))
    .find((resource) => resource !== null);
  if (found === undefined || found === null)
    throw new Error(
      `the sandbox has no kind ${kind}${apiVersion === undefined ? "" : ` in ${apiVersion}`}`,
    );
  return found;
}

function kubeconfigText(
  url: string,
  caPem: string,
  token: string,
  choice: KubeconfigChoice,
): string {
  const name = choice.context ?? "sandbox";
  const authority = choice.caPem === undefined ? caPem : choice.caPem;
  const cluster = {
    server: choice.server ?? url,
    ...(authority === null
      ? {}
      : { "certificate-authority-data": Buffer.from(authority).toString("base64") }),
    ...(choice.proxyUrl === undefined ? {} : { "proxy-url": choice.proxyUrl }),
  };
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    clusters: [{ name, cluster }],
    users: [{ name, user: { token: choice.token ?? token } }],
    contexts: [
      {
        name,
        context: {
          cluster: name,
          user: name,
          ...(choice.namespace === undefined ? {} : { namespace: choice.namespace }),
        },
      },
    ],
  });
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function putNamespace(
  storage: Storage,
  clock: () => number,
  name: string,
  uid: string = randomUUID(),
): void {
  const system = { name, uid, creationTimestamp: timestamp(clock()) };
  const namespace = builtObject(namespacesResource, {}, system);
  const writer = { manager: "kube-apiserver", apiVersion: "v1", time: system.creationTimestamp };
  const managedFields = afterUpdate(null, namespace, writer);
  storage.put(namespacesResource, {
    ...namespace,
    metadata: { ...namespace.metadata, managedFields },
  });
}

function putOne(
  storage: Storage,
  clock: () => number,
  object: PutObject,
  manager: string,
): StoredObject {
  const resource = resourceOf(object.kind ?? "Secret", object.apiVersion);
  const { metadata } = object;
  const namespace = resource.namespaced ? (metadata.namespace ?? "default") : null;
  if (namespace !== null && storage.get(namespacesResource, null, namespace) === null)
    putNamespace(storage, clock, namespace);
  const creationTimestamp = metadata.creationTimestamp ?? timestamp(clock());
  const body = JSON.parse(JSON.stringify(object)) as JsonObject;
  const built = builtObject(resource, body, {
    name: metadata.name,
    ...(namespace === null ? {} : { namespace }),
    uid:
      metadata.uid ?? storage.get(resource, namespace, metadata.name)?.metadata.uid ?? randomUUID(),
    creationTimestamp,
  });
  const writer = { manager, apiVersion: built.apiVersion, time: creationTimestamp };
  const managedFields = metadata.managedFields ?? afterUpdate(null, built, writer);
  const told = managedFields.length === 0 ? {} : { managedFields };
  return storage.put(resource, { ...built, metadata: { ...built.metadata, ...told } });
}

function serverOf(authority: Authority): Server {
  const nowMs = Date.now();
  const pair = authority.issue({
    names: ["127.0.0.1", "localhost", "kubernetes.default.svc"],
    notBefore: new Date(nowMs - 3_600_000),
    notAfter: new Date(nowMs + 365 * 86_400_000),
  });
  return createServer({
    cert: pair.certificatePem,
    key: pair.keyPem,
    keepAliveTimeout: 30_000,
  });
}

const admin: Account = {
  user: "kubernetes-admin",
  groups: ["system:masters", "system:authenticated"],
  rules: [],
};

/** Starts a fake API server; it answers as soon as this resolves (some 20 ms). */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const clock = options.clock ?? Date.now;
  const storage = new Storage();
  const adminToken = randomBytes(18).toString("base64url");
  const accounts = new Map<string, Account>([
    [adminToken, admin],
    ...Object.entries(options.tokens ?? {}),
  ]);
  const interceptors = new Set<Interceptor>();
  const requests: LoggedRequest[] = [];
  const logs = new Map<string, string>();

  putNamespace(storage, clock, "kube-system", options.clusterUid);
  for (const name of new Set(["default", ...(options.namespaces ?? ["tailscale"])]))
    putNamespace(storage, clock, name);

  const authority =
    options.serverAuthority ?? createAuthority({ name: "Sandbox cluster", intermediates: 0 });
  const server = serverOf(authority);
  server.on("request", createHandler({ storage, accounts, interceptors, requests, clock, logs }));
  const url = await listen(server);

  return {
    url,
    caPem: authority.root.pem,
    adminToken,
    requests,
    forgetRequests: () => void requests.splice(0),
    intercept: (interceptor) => {
      interceptors.add(interceptor);
      return () => void interceptors.delete(interceptor);
    },
    expireContinueTokens: () => storage.forget(),
    setToken: (token, account) =>
      void (account === null ? accounts.delete(token) : accounts.set(token, account)),
    kubeconfig: (choice = {}) => kubeconfigText(url, authority.root.pem, adminToken, choice),
    put: (objects, manager = "sandbox") =>
      [...objects].map((object) => putOne(storage, clock, object, manager)),
    get: (namespace, name, kind = "Secret") => storage.get(resourceOf(kind), namespace, name),
    remove: (namespace, name, kind = "Secret") => {
      const object = storage.get(resourceOf(kind), namespace, name);
      if (object !== null) storage.remove(resourceOf(kind), object);
      return object !== null;
    },
    setLog: (namespace, pod, container, log, previous = false) => {
      const key = logKey(namespace, pod, container, previous);
      if (log === null) logs.delete(key);
      else logs.set(key, log);
    },
    all: (kind = "Secret") => storage.all(resourceOf(kind)).map(([, object]) => object),
    stop: async () => {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/**
 * Creates what tests need in a cluster: namespaces, service accounts with rights, Secrets by the
 * thousand.
 */
import type { Kube } from "./kube.ts";

/** One rule of an RBAC role. */
export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** A Secret to create; `data` is base64, `stringData` isn't. */
export interface SecretManifest {
  readonly namespace: string;
  readonly name: string;
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly Readonly<Record<string, unknown>>[];
  readonly immutable?: boolean;
}

/** Creates a namespace; one that is there already is fine. */
export async function createNamespace(kube: Kube, name: string): Promise<void> {
  const answer = await kube.request("POST", "/api/v1/namespaces", {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name },
  });
  if (answer.status !== 201 && answer.status !== 409)
    throw new Error(`namespace ${name}: ${answer.body.message}`);
}

/**
 * Creates a service account that may do what `rules` say in its namespace and what `clusterRules`
 * say everywhere, and gives a token for it that lives an hour unless told otherwise (at least 600
 * seconds).
 */
export async function createServiceAccount(
  kube: Kube,
  namespace: string,
  name: string,
  rules: readonly Rule[],
  clusterRules: readonly Rule[] = [],
  expirationSeconds = 3600,
): Promise<string> {
  const rbac = "rbac.authorization.k8s.io";
  const api = `/apis/${rbac}/v1`;
  const subjects = [{ kind: "ServiceAccount", namespace, name }];
  await kube.demand("POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, {
    metadata: { name },
  });
  if (rules.length > 0) {
    await kube.demand("POST", `${api}/namespaces/${namespace}/roles`, {
      metadata: { name },
      rules,
    });
    const roleRef = { apiGroup: rbac, kind: "Role", name };
    await kube.demand("POST", `${api}/namespaces/${namespace}/rolebindings`, {
      metadata: { name },
      roleRef,
      subjects,
    });
  }
  if (clusterRules.length > 0) {
    const metadata = { name: `${namespace}-${name}` };
    await kube.demand("POST", `${api}/clusterroles`, { metadata, rules: clusterRules });
    const roleRef = { apiGroup: rbac, kind: "ClusterRole", name: metadata.name };
    await kube.demand("POST", `${api}/clusterrolebindings`, { metadata, roleRef, subjects });
  }
  return createToken(kube, namespace, name, expirationSeconds);
}

/** Asks the server for a token of a service account. */
export async function createToken(
  kube: Kube,
  namespace: string,
  name: string,
  expirationSeconds = 3600,
): Promise<string> {
  const answer = await kube.demand<{ status: { token: string } }>(
    "POST",
    `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds } },
  );
  return answer.status.token;
}

function manifest(secret: SecretManifest): Record<string, unknown> {
  const { namespace, name, labels, annotations, ownerReferences, ...rest } = secret;
  const metadata = { namespace, name, labels, annotations, ownerReferences };
  return { apiVersion: "v1", kind: "Secret", metadata, ...rest };
}

/**
 * Creates Secrets over eight connections that stay open: some 500 in two seconds. They may be made
 * while they are taken (a generator), so that many large ones are never all in memory.
 */
export async function createSecrets(
  kube: Kube,
  secrets: Iterable<SecretManifest> | AsyncIterable<SecretManifest>,
): Promise<number> {
  const source =
    Symbol.asyncIterator in secrets ? secrets[Symbol.asyncIterator]() : secrets[Symbol.iterator]();
  // The answer isn't needed: the smallest form of it saves the server and us most of the work.
  const headers = { accept: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1" };
  let count = 0;
  const work = async (): Promise<void> => {
    for (;;) {
      const next = await source.next();
      if (next.done === true) return;
      const path = `/api/v1/namespaces/${next.value.namespace}/secrets`;
      await kube.demand("POST", path, manifest(next.value), headers);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  return count;
}

/** Reads a Secret as the administrator; null where there is none. */
export async function readSecret(kube: Kube, namespace: string, name: string) {
  const answer = await kube.request("GET", `/api/v1/namespaces/${namespace}/secrets/${name}`);
  return answer.status === 404 ? null : answer.body;
}

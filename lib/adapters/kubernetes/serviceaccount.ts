/**
 * The service account of the pod that this runs in, as a `Connection` (client-go rest/config.go,
 * `InClusterConfig`).
 */
import { join } from "node:path";
import { CertkeepError } from "../../error.ts";
import type { Connection } from "./connection.ts";
import type { ConnectOptions } from "./entry.ts";
import { createProof, MAX_PEM_BYTES, parseBundle } from "./proof.ts";
import { createCredentials, readTokenFile, tokenEndMs } from "./credential.ts";
import { readFileAtMost } from "../readfile.ts";
import { bareHost, type Environment } from "../proxy.ts";

const FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

export interface InClusterOptions extends ConnectOptions {
  /** Where the service account is mounted. */
  readonly serviceAccountFolder?: string;
}

/** Whether this runs in a pod. */
export function isInCluster(environment: Environment): boolean {
  return (
    (environment["KUBERNETES_SERVICE_HOST"] ?? "") !== "" &&
    (environment["KUBERNETES_SERVICE_PORT"] ?? "") !== ""
  );
}

async function textOf(path: string): Promise<string> {
  return readFileAtMost(path, MAX_PEM_BYTES).then(
    (bytes) => bytes.toString("latin1"),
    () => "",
  );
}

/** Reads the mounted service account. @throws {CertkeepError} `kubeconfig_invalid` */
export async function inClusterConnection(options: InClusterOptions): Promise<Connection> {
  const folder = options.serviceAccountFolder ?? FOLDER;
  const where = `service account in ${folder}`;
  const host = options.environment["KUBERNETES_SERVICE_HOST"] ?? "";
  const port = options.environment["KUBERNETES_SERVICE_PORT"] ?? "";
  const server = URL.parse(`https://${host.includes(":") ? `[${host}]` : host}:${port}`);
  if (server === null)
    throw new CertkeepError("kubeconfig_invalid", {
      where,
      found: "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT aren't an address",
    });
  const tokenFile = join(folder, "token");
  const token = await readTokenFile(tokenFile, where);
  const bundle = parseBundle(await textOf(join(folder, "ca.crt")));
  if (bundle === null)
    throw new CertkeepError("kubeconfig_invalid", {
      where,
      found: "ca.crt is missing or holds no certificate",
      expected: "the cluster's authority",
    });
  const namespace = (await textOf(join(folder, "namespace"))).trim();
  const source = createCredentials(
    {
      token: null,
      tokenFile,
      basic: null,
      clientPair: null,
      exec: null,
      oidc: null,
      impersonation: {},
    },
    {
      where,
      nowMs: options.nowMs,
      exec: { environment: options.environment, timeoutMs: 0, cluster: {} },
    },
  );
  return {
    title: "in-cluster",
    source: folder,
    server,
    namespace: namespace === "" ? null : namespace,
    caPem: bundle.pem,
    proof: createProof(bundle, bareHost(server.hostname)),
    insecure: false,
    tlsServerName: null,
    proxyUrl: null,
    inCluster: true,
    usesExec: false,
    credentialExpiresAtMs: tokenEndMs(token),
    credentials: source.credentials,
    forget: source.forget,
  };
}

/**
 * One context of a kubeconfig, with its cluster and user, as a `Connection`.
 *
 * Files that the entries name are read here; what is inline counts before a file, as in client-go
 * (tools/clientcmd/api/types.go). A server without TLS is refused but on this machine.
 */
import {
  bareHost,
  type Environment,
  isLoopback,
  parseProxyUrl,
  proxyFromEnvironment,
} from "../proxy.ts";
import type { Connection } from "./connection.ts";
import { certificateEndMs, createCredentials, readTokenFile, tokenEndMs } from "./credential.ts";
import {
  type ConnectOptions,
  type ContextParts,
  invalid,
  type KubeconfigEntry,
  readMaterial,
} from "./entry.ts";
import { type Fields, fieldsOf, listOf, textOf } from "./parse.ts";
import { createProof, parseBundle } from "./proof.ts";
import { readUser } from "./user.ts";

function parseServer(cluster: KubeconfigEntry, place: string): URL {
  const text = textOf(cluster.fields["server"]) ?? "";
  if (text === "")
    throw invalid(place, "the cluster has no `server`", "the address of an API server");
  // client-go takes a bare host for http; nobody means that.
  const url = URL.parse(text.includes("://") ? text : `https://${text}`);
  if (
    url === null ||
    (url.protocol !== "https:" && url.protocol !== "http:") ||
    url.hostname === "" ||
    url.username !== "" ||
    url.password !== ""
  ) {
    throw invalid(
      place,
      "the cluster's `server` isn't the address of an API server",
      "https://HOST:PORT",
    );
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw invalid(
      place,
      "the cluster's `server` is http: the token and every Secret would cross the network in " +
        "the clear",
      "https://HOST:PORT",
    );
  }
  // client-go drops them too (rest/client.go, NewRESTClient), and `?token=` would be printed with
  // the address.
  url.search = "";
  url.hash = "";
  return url;
}

function chooseProxy(parts: ContextParts, server: URL, environment: Environment): URL | null {
  const own = textOf(parts.cluster.fields["proxy-url"]);
  const fromEnvironment =
    own === null || own === "" ? proxyFromEnvironment(server, environment) : null;
  const text = fromEnvironment ?? (own === "" ? null : own);
  if (text === null) return null;
  const url = parseProxyUrl(text);
  if (url !== null) return url;
  const where = fromEnvironment === null ? `${parts.place}, proxy-url` : "HTTPS_PROXY";
  throw invalid(where, "not the address of a proxy", "http://, https:// or socks5://HOST:PORT");
}

/** What an exec plugin learns of the cluster (client-go rest/exec.go, `ConfigToExecCluster`). */
function clusterInfo(cluster: Fields, server: URL, caText: string | null): Fields {
  const extension = listOf(cluster["extensions"])
    .map(fieldsOf)
    .find(({ name }) => name === "client.authentication.k8s.io/exec");
  const written = textOf(cluster["server"]) ?? "";
  const serverName = textOf(cluster["tls-server-name"]) ?? "";
  const proxyUrl = textOf(cluster["proxy-url"]) ?? "";
  return {
    // As it is written, but for what no request carries.
    server: /[?#]/.test(written) ? server.href : written,
    ...(serverName === "" ? {} : { "tls-server-name": serverName }),
    ...(cluster["insecure-skip-tls-verify"] === true ? { "insecure-skip-tls-verify": true } : {}),
    ...(caText === null
      ? {}
      : { "certificate-authority-data": Buffer.from(caText, "latin1").toString("base64") }),
    ...(proxyUrl === "" ? {} : { "proxy-url": proxyUrl }),
    ...(cluster["disable-compression"] === true ? { "disable-compression": true } : {}),
    config: extension?.["extension"] ?? null,
  };
}

/** Reads what the context leads to. @throws {CertkeepError} */
export async function connectionOf(
  parts: ContextParts,
  options: ConnectOptions,
): Promise<Connection> {
  const { name, place, cluster } = parts;
  const server = parseServer(cluster, place);
  const insecure = cluster.fields["insecure-skip-tls-verify"] === true;
  const caText = await readMaterial(cluster, "certificate-authority", place, options.allowFiles);
  const bundle = caText === null ? null : parseBundle(caText);
  if (caText !== null && bundle === null)
    throw invalid(place, "the cluster's certificate authority can't be read", "PEM certificates");
  const user = await readUser(parts, options);
  const firstToken =
    user.tokenFile === null ? user.token : await readTokenFile(user.tokenFile, place);
  const ends = [
    user.clientPair === null ? null : certificateEndMs(user.clientPair.cert),
    firstToken === null ? null : tokenEndMs(firstToken),
  ].filter((end) => end !== null);
  const source = createCredentials(user, {
    where: place,
    nowMs: options.nowMs,
    exec: {
      environment: options.environment,
      timeoutMs: options.execTimeoutMs ?? 60_000,
      cluster: clusterInfo(cluster.fields, server, caText),
    },
  });
  const namespace = textOf(parts.context.fields["namespace"]);
  const tlsServerName = textOf(cluster.fields["tls-server-name"]) || null;
  return {
    title: name,
    source: parts.context.file,
    server,
    namespace: namespace === "" ? null : namespace,
    caPem: bundle?.pem ?? null,
    proof: createProof(insecure ? null : bundle, tlsServerName ?? bareHost(server.hostname)),
    insecure,
    tlsServerName,
    proxyUrl: chooseProxy(parts, server, options.environment),
    inCluster: false,
    usesExec: user.exec !== null && firstToken === null && user.basic === null,
    credentialExpiresAtMs: ends.length === 0 ? null : Math.min(...ends),
    credentials: source.credentials,
    forget: source.forget,
  };
}

/**
 * One context of a kubeconfig, with its cluster and user, as a `Connection`.
 *
 * Files that the entries name are read here; what is inline counts before a file, as in client-go
 * (tools/clientcmd/api/types.go). A server without TLS is refused but on this machine.
 */
import { join } from "node:path";
import { closest, distance } from "fastest-levenshtein";
import { CertkeepError } from "../../error.ts";
import { type Fields, fieldsOf, listOf, textOf } from "../../untrusted.ts";
import {
  bareHost,
  type Environment,
  isLoopback,
  parseProxyUrl,
  proxyFromEnvironment,
} from "../proxy.ts";
import { type Connection, printable } from "./connection.ts";
import {
  certificateEndMs,
  createCredentials,
  inClusterConnection,
  isInCluster,
  readTokenFile,
  tokenEndMs,
} from "./credential.ts";
import {
  type ConnectOptions,
  type ContextParts,
  invalid,
  type Kubeconfig,
  type KubeconfigEntry,
  type KubeconfigOptions,
  loadKubeconfig,
  readMaterial,
} from "./kubeconfig.ts";
import { createProof, parseBundle } from "./proof.ts";
import { readUser } from "./user.ts";

function parseServer(cluster: KubeconfigEntry, place: string): URL {
  const text = textOf(cluster.fields["server"]) ?? "";
  if (text === "") throw invalid(place, "the cluster has no `server`", "Add it: https://HOST:PORT");
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
      "Write it as https://HOST:PORT",
    );
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw invalid(
      place,
      "the cluster's `server` uses http, which sends the token and every Secret unencrypted",
      "Use https://HOST:PORT",
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
  throw invalid(
    where,
    "it isn't the address of a proxy",
    "Use http://, https:// or socks5://HOST:PORT",
  );
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
async function connectionOf(parts: ContextParts, options: ConnectOptions): Promise<Connection> {
  const { name, place, cluster } = parts;
  const server = parseServer(cluster, place);
  const insecure = cluster.fields["insecure-skip-tls-verify"] === true;
  const caText = await readMaterial(cluster, "certificate-authority", place, options.allowFiles);
  const bundle = caText === null ? null : parseBundle(caText);
  if (caText !== null && bundle === null)
    throw invalid(
      place,
      "the cluster's certificate authority can't be read",
      "Use PEM certificates",
    );
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

/** Picks a context. @throws {CertkeepError} `context_unknown`, which lists those there are. */
function selectContext(
  config: Kubeconfig,
  wanted: string | null,
): { readonly name: string; readonly entry: KubeconfigEntry } {
  const name = wanted ?? config.currentContext;
  const names = [...config.contexts.keys()];
  const where = config.files.map((file) => printable(file, 300)).join(", ");
  const list =
    names
      .slice(0, 20)
      .map((item) => printable(item, 100))
      .join(", ") + (names.length > 20 ? ` and ${names.length - 20} more` : "");
  const todo = names.length === 0 ? "Fetch a kubeconfig for your cluster" : `Name one of: ${list}`;
  if (name === null)
    throw new CertkeepError("context_unknown", {
      where,
      found: "it sets no current-context",
      todo,
    });
  const entry = config.contexts.get(name);
  if (entry !== undefined) return { name, entry };
  const near = names.length === 0 ? null : closest(name, names);
  // Half of it otherwise is another name, not a slip.
  const meant = near !== null && distance(name, near) <= Math.max(2, near.length / 2) ? near : null;
  throw new CertkeepError("context_unknown", {
    where,
    found: `it has no context ${printable(name, 100)}`,
    todo: meant === null ? todo : `${todo}. Did you mean ${printable(meant, 100)}?`,
  });
}

/** The connection that a kubeconfig's context describes. @throws {CertkeepError} */
export async function connect(
  config: Kubeconfig,
  context: string | null,
  options: ConnectOptions,
): Promise<Connection> {
  const { name, entry } = selectContext(config, context);
  const place = `${printable(entry.file, 300)}, context ${printable(name, 100)}`;
  const find = (
    kind: "cluster" | "user",
    entries: ReadonlyMap<string, KubeconfigEntry>,
  ): KubeconfigEntry => {
    const wanted = textOf(entry.fields[kind]) ?? "";
    if (wanted === "" && kind === "user")
      return { name: "", file: entry.file, fields: {} as Fields };
    const found = entries.get(wanted);
    if (found !== undefined) return found;
    const names = [...entries.keys()]
      .slice(0, 20)
      .map((item) => printable(item, 100))
      .join(", ");
    throw invalid(
      place,
      wanted === ""
        ? `it names no ${kind}`
        : `it names the ${kind} ${printable(wanted, 100)}, which doesn't exist`,
      names === "" ? `Add a ${kind} to the kubeconfig` : `Name one of: ${names}`,
    );
  };
  return connectionOf(
    {
      name,
      place,
      context: entry,
      cluster: find("cluster", config.clusters),
      user: find("user", config.users),
    },
    options,
  );
}

/**
 * Finds kubeconfig or service account, and the context wanted. @throws {CertkeepError} one plain
 * message for each thing that can be wrong.
 */
export async function loadConnection(options: KubeconfigOptions): Promise<Connection> {
  const config = await loadKubeconfig(options);
  if (config !== null) return connect(config, options.context ?? null, options);
  if (isInCluster(options.environment)) return inClusterConnection(options);
  const usual =
    options.homeFolder === null
      ? "kubeconfig"
      : printable(join(options.homeFolder, ".kube", "config"), 300);
  throw invalid(
    usual,
    "there is no such file",
    "Fetch one for your cluster, or name it with --kubeconfig, KUBECONFIG or in certkeep.yaml",
  );
}

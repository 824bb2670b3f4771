/**
 * One context of a kubeconfig, with its cluster and user, as a `Connection`.
 *
 * Files that the entries name are read here; what is inline counts before a file, as in client-go
 * (tools/clientcmd/api/types.go). A server without TLS is refused but on this machine.
 */
import { X509Certificate, createHash, createPrivateKey } from "node:crypto";
import { dirname, isAbsolute, join } from "node:path";
import { utf8Of } from "../../encoding.ts";
import { CertkeepError } from "../../error.ts";
import { type Connection, printable } from "./connection.ts";
import {
  type UserSettings,
  certificateEndMs,
  createCredentials,
  parseImpersonation,
  readTokenFile,
  tokenEndMs,
} from "./credential.ts";
import { parseExec } from "./exec.ts";
import { type Fields, fieldsOf, listOf, textOf } from "./parse.ts";
import { type Bundle, createProof } from "./proof.ts";
import {
  bareHost,
  type Environment,
  isLoopback,
  parseProxyUrl,
  proxyFromEnvironment,
} from "../proxy.ts";
import { readFileAtMost, whyUnread } from "../readfile.ts";

/** An entry and the file that it stands in. */
export interface KubeconfigEntry {
  readonly file: string;
  readonly fields: Fields;
}

/** Gives the headers of a user with a legacy `auth-provider` (oidc, gcp, azure). */
export type AuthProvider = (user: Fields) => Promise<Readonly<Record<string, string>>>;

export interface ConnectOptions {
  /** For proxies, plugins, KUBECONFIG and the pod's service account. */
  readonly environment: Environment;
  readonly nowMs: () => number;
  /**
   * Whether programs that the kubeconfig names may be run; default `true`, which is for a person's
   * own kubeconfig.
   */
  readonly allowExec?: boolean;
  /** Default 60,000. */
  readonly execTimeoutMs?: number;
  /** Without it, users with an `auth-provider` are refused. */
  readonly authProvider?: AuthProvider;
  /**
   * Whether entries may name files of this machine; default `true`. A kubeconfig that lies in no
   * file may not.
   */
  readonly allowFiles?: boolean;
}

export interface ContextParts {
  readonly name: string;
  /** File and context, for messages. */
  readonly place: string;
  readonly context: KubeconfigEntry;
  readonly cluster: KubeconfigEntry;
  readonly user: KubeconfigEntry;
}

/** Bundles of all public authorities have 250 KB. */
export const MAX_PEM_BYTES = 4 * 1024 * 1024;
const BEGIN = "-----BEGIN CERTIFICATE-----";
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** `null` where there is no certificate or one is broken. */
export function parseBundle(text: string): Bundle | null {
  try {
    const blocks = text.match(PEM_CERTIFICATE) ?? [];
    if (blocks.length === 0 || blocks.length !== text.split(BEGIN).length - 1) return null;
    const certificates = blocks.map((block) => new X509Certificate(block));
    const unique = new Map(
      certificates.map((certificate) => [certificate.fingerprint256, certificate.raw]),
    );
    const sorted = [...unique.values()].toSorted((a, b) => Buffer.compare(a, b));
    const hash = createHash("sha256");
    for (const der of sorted) hash.update(der);
    return {
      pem: certificates.map((certificate) => certificate.toString()).join(""),
      sha256: hash.digest("hex"),
      certificates,
    };
  } catch {
    return null;
  }
}

function invalid(where: string, found: string, expected?: string, todo?: string): CertkeepError {
  return new CertkeepError("kubeconfig_invalid", {
    where,
    found,
    ...(expected === undefined ? {} : { expected }),
    ...(todo === undefined ? {} : { todo }),
  });
}

/** Whoever wrote the kubeconfig could have a file of the reader's sent to a server of his. */
function namesFile(place: string, key: string): CertkeepError {
  return invalid(
    place,
    `\`${key}\` names a file, and this kubeconfig lies in none`,
    "the text itself, in the kubeconfig",
  );
}

/** Text of `KEY-data` (base64) or of the file that `KEY` names; `null` where neither is there. */
async function readMaterial(
  entry: KubeconfigEntry,
  key: string,
  place: string,
  allowFiles = true,
): Promise<string | null> {
  const inline = textOf(entry.fields[`${key}-data`]);
  if (inline !== null && inline !== "") return Buffer.from(inline, "base64").toString("latin1");
  const named = textOf(entry.fields[key]);
  if (named === null || named === "") return null;
  if (!allowFiles) throw namesFile(place, key);
  const file = isAbsolute(named) ? named : join(dirname(entry.file), named);
  try {
    return Buffer.from(utf8Of(await readFileAtMost(file, MAX_PEM_BYTES))).toString("latin1");
  } catch (error) {
    throw invalid(
      place,
      `\`${key}\` names ${printable(file, 300)}, which ${whyUnread(error)}`,
      "a PEM file",
    );
  }
}

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
      "the cluster's `server` is no address of an API server",
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

async function readClientPair(
  user: KubeconfigEntry,
  place: string,
  { nowMs: clock, allowFiles }: ConnectOptions,
): Promise<UserSettings["clientPair"]> {
  const nowMs = clock();
  const cert = await readMaterial(user, "client-certificate", place, allowFiles);
  const key = await readMaterial(user, "client-key", place, allowFiles);
  if (cert === null && key === null) return null;
  if (cert === null || key === null)
    throw invalid(
      place,
      "the user has a client " +
        `${cert === null ? "key but no certificate" : "certificate but no key"}`,
      "both or neither",
    );
  const end = certificateEndMs(cert);
  if (end === null)
    throw invalid(place, "the user's client certificate can't be read", "a PEM certificate");
  try {
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
      throw invalid(
        place,
        "the user's client key doesn't belong to the client certificate",
        "a pair",
      );
  } catch (error) {
    if (error instanceof CertkeepError) throw error;
    throw invalid(place, "the user's client key can't be read", "a PEM key without a passphrase");
  }
  if (nowMs > end) {
    throw new CertkeepError("cluster_unauthorized", {
      where: place,
      found: `the user's client certificate expired at ${new Date(end).toISOString()}`,
      todo: "Fetch the kubeconfig anew",
    });
  }
  return { cert, key };
}

async function readUser(parts: ContextParts, options: ConnectOptions): Promise<UserSettings> {
  const { user, place } = parts;
  const { fields } = user;
  const clientPair = await readClientPair(user, place, options);
  const tokenFile = textOf(fields["tokenFile"]) ?? textOf(fields["token-file"]);
  if (tokenFile !== null && tokenFile !== "" && options.allowFiles === false)
    throw namesFile(place, "tokenFile");
  const token = textOf(fields["token"]);
  const username = textOf(fields["username"]);
  const execEntry =
    fields["exec"] === undefined || fields["exec"] === null ? null : fieldsOf(fields["exec"]);
  const exec = execEntry === null ? null : parseExec(execEntry, user.file);
  if (execEntry !== null && exec === null)
    throw invalid(place, "the user's `exec` names no command", "`command`");
  if (exec !== null && options.allowExec === false) {
    throw invalid(
      place,
      `the user needs the credential plugin ${printable(exec.command)}, and programs aren't ` +
        "run from here",
      "a token or client certificate",
      "Register the cluster with a kubeconfig of a read-only service account",
    );
  }
  const provider =
    fields["auth-provider"] === undefined || fields["auth-provider"] === null
      ? null
      : fieldsOf(fields["auth-provider"]);
  const { authProvider } = options;
  if (provider !== null && authProvider === undefined) {
    throw invalid(
      place,
      "the user has the legacy auth-provider " +
        `${printable(textOf(provider["name"]) ?? "", 40)}, which isn't supported here`,
      "a token, client certificate or exec plugin",
    );
  }
  const absolute =
    tokenFile === null || tokenFile === ""
      ? null
      : isAbsolute(tokenFile)
        ? tokenFile
        : join(dirname(user.file), tokenFile);
  return {
    token: token === null || token.trim() === "" ? null : token.trim(),
    tokenFile: absolute,
    basic:
      username === null || username === ""
        ? null
        : { username, password: textOf(fields["password"]) ?? "" },
    clientPair,
    exec,
    provider:
      provider === null || authProvider === undefined ? null : () => authProvider({ ...fields }),
    impersonation: parseImpersonation(fields),
  };
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
  throw invalid(where, "no address of a proxy", "http://, https:// or socks5://HOST:PORT");
}

/** What an exec plugin gets to know of the cluster (client-go rest/exec.go, `ConfigToExecCluster`). */
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

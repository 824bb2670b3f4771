/**
 * Who asks: the `user` of a kubeconfig, in the order of precedence that client-go has.
 *
 * Token files are read again every minute, those of plugins before they end. Nothing here is
 * kept longer than the connection.
 *
 * The service account of the pod that this runs in, as a `Connection` (client-go rest/config.go,
 * `InClusterConfig`).
 */
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { bareHost, type Environment } from "../proxy.ts";
import { readFileAtMost, whyUnread } from "../readfile.ts";
import { type Connection, type Credentials, PLAIN_CONNECTION, printable } from "./connection.ts";
import { type ConnectOptions, invalid } from "./kubeconfig.ts";
import { type ExecConfig, type ExecCredential, type ExecOptions, runExec } from "./exec.ts";
import { fieldsOf, jsonOf } from "../../untrusted.ts";
import { createProof, MAX_PEM_BYTES, parseBundle } from "./proof.ts";

/** What a kubeconfig's user comes to, files already read but for the token's. */
export interface UserSettings {
  readonly token: string | null;
  readonly tokenFile: string | null;
  readonly basic: { readonly username: string; readonly password: string } | null;
  readonly clientPair: { readonly cert: string; readonly key: string } | null;
  readonly exec: ExecConfig | null;
  /** A legacy `auth-provider`. */
  readonly oidc: { idToken(signal?: AbortSignal): Promise<string> } | null;
  readonly impersonation: Readonly<Record<string, string | string[]>>;
}

/** client-go reads token files again every minute (rest/token_source.go, `period`). */
const TOKEN_FILE_MS = 60_000;
/** A new credential is fetched this long before it ends. */
const EARLY_MS = 30_000;

/** When a client certificate ends, in milliseconds; `null` where it can't be read. */
export function certificateEndMs(pem: string): number | null {
  try {
    return new X509Certificate(pem).validToDate.getTime();
  } catch {
    return null;
  }
}

/**
 * When a JSON Web Token ends by its own words (RFC 7519 §4.1.4), in milliseconds; unverified;
 * `null` where it doesn't say.
 */
export function tokenEndMs(token: string): number | null {
  const payload = Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8");
  const end = fieldsOf(jsonOf(payload))["exp"];
  return typeof end === "number" && Math.abs(end) < 8e12 ? end * 1000 : null;
}

const MAX_TOKEN_BYTES = 65_536;

/** Reads a token file. @throws {CertkeepError} `kubeconfig_invalid` */
export async function readTokenFile(file: string, where: string): Promise<string> {
  let text: string;
  try {
    text = (await readFileAtMost(file, MAX_TOKEN_BYTES)).toString("utf8").trim();
  } catch (error) {
    throw invalid(
      where,
      `the token file ${printable(file)} ${whyUnread(error)}`,
      "Correct `tokenFile` in the kubeconfig, or recreate the file",
    );
  }
  if (text === "" || /[^\x21-\x7e]/.test(text) || text.length > MAX_TOKEN_BYTES) {
    throw invalid(
      where,
      `the token file ${printable(file)} holds no token`,
      "Put one token into it, and nothing else",
    );
  }
  return text;
}

interface CredentialSource {
  credentials(signal?: AbortSignal): Promise<Credentials>;
  forget(): boolean;
}

function basicHeader({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** Makes the source of credentials of a user. */
export function createCredentials(
  user: UserSettings,
  options: {
    readonly where: string;
    readonly nowMs: () => number;
    readonly exec: Omit<ExecOptions, "signal" | "where">;
  },
): CredentialSource {
  let fromFile: { readonly token: string; readonly readMs: number } | null = null;
  let fromExec: ExecCredential | null = null;
  let running: Promise<ExecCredential> | null = null;

  const fileToken = async (file: string): Promise<string> => {
    if (fromFile === null || options.nowMs() - fromFile.readMs >= TOKEN_FILE_MS) {
      fromFile = { token: await readTokenFile(file, options.where), readMs: options.nowMs() };
    }
    return fromFile.token;
  };
  const execCredential = async (
    config: ExecConfig,
    signal: AbortSignal | undefined,
  ): Promise<ExecCredential> => {
    if (
      fromExec !== null &&
      (fromExec.expiresAtMs === null || fromExec.expiresAtMs - EARLY_MS > options.nowMs())
    )
      return fromExec;
    running ??= runExec(config, { ...options.exec, where: options.where, signal }).finally(() => {
      running = null;
    });
    fromExec = await running;
    return fromExec;
  };

  return {
    credentials: async (signal) => {
      const headers: Record<string, string | string[]> = { ...user.impersonation };
      let clientPair = user.clientPair;
      if (user.tokenFile !== null)
        headers["authorization"] = `Bearer ${await fileToken(user.tokenFile)}`;
      else if (user.token !== null) headers["authorization"] = `Bearer ${user.token}`;
      else if (user.basic !== null) headers["authorization"] = basicHeader(user.basic);
      else if (user.exec !== null) {
        const credential = await execCredential(user.exec, signal);
        if (credential.token !== null) headers["authorization"] = `Bearer ${credential.token}`;
        clientPair = credential.clientPair ?? clientPair;
      } else if (user.oidc !== null)
        headers["authorization"] = `Bearer ${await user.oidc.idToken(signal)}`;
      return { headers, clientPair };
    },
    forget: () => {
      const other = fromFile !== null || fromExec !== null;
      fromFile = null;
      fromExec = null;
      return other;
    },
  };
}

const FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

interface InClusterOptions extends ConnectOptions {
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

async function fileText(path: string): Promise<string> {
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
    throw invalid(
      where,
      "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT aren't an address",
      "Run this in a pod, or use --kubeconfig FILE",
    );
  const tokenFile = join(folder, "token");
  const token = await readTokenFile(tokenFile, where);
  const bundle = parseBundle(await fileText(join(folder, "ca.crt")));
  if (bundle === null)
    throw invalid(
      where,
      "ca.crt is missing or holds no certificate",
      "Mount the service account's token volume, which has the cluster's CA",
    );
  const namespace = (await fileText(join(folder, "namespace"))).trim();
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
    ...PLAIN_CONNECTION,
    title: "in-cluster",
    source: folder,
    server,
    namespace: namespace === "" ? null : namespace,
    caPem: bundle.pem,
    proof: createProof(bundle, bareHost(server.hostname)),
    inCluster: true,
    credentialExpiresAtMs: tokenEndMs(token),
    credentials: source.credentials,
    forget: source.forget,
  };
}

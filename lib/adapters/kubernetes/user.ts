/**
 * The user of a kubeconfig's context, by what lets it in.
 *
 * Users of the legacy `auth-provider` oidc, as kubectl takes them (client-go
 * plugin/pkg/client/auth/oidc/oidc.go): the ID token while it lasts, then another one by the
 * refresh token, which is written back before it is used.
 *
 * As kubectl, this doesn't check the ID token's claims: the API server does, whose audience may be
 * another than the client.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { dirname, resolve } from "node:path";
import { CertkeepError } from "../../error.ts";
import { isLoopback } from "../proxy.ts";
import { printable } from "./connection.ts";
import { certificateEndMs, tokenEndMs, type UserSettings } from "./credential.ts";
import {
  type ConnectOptions,
  type ContextParts,
  invalid,
  type KubeconfigEntry,
  namesFile,
  readMaterial,
} from "./kubeconfig.ts";
import { parseExec } from "./exec.ts";
import { type AskProvider, LOGIN, type OidcSettings } from "./identityprovider.ts";
import { updateTokens } from "./kubeconfigtokens.ts";
import { type Fields, fieldsOf, listOf, textOf } from "../../untrusted.ts";

interface OidcOptions extends Pick<ConnectOptions, "environment" | "nowMs" | "rewritten"> {
  /** Kubeconfig and user that the settings stand in. */
  readonly file: string;
  readonly user: string;
  /** The file and context, for messages. */
  readonly where: string;
  readonly askProvider: AskProvider;
}

/** golang.org/x/oauth2's expiryDelta: a token is refreshed this long before its end. */
const EARLY_MS = 10_000;
function parseSettings(config: Fields, where: string): OidcSettings {
  const text = (key: string): string => textOf(config[key]) ?? "";
  for (const key of ["idp-issuer-url", "client-id"])
    if (text(key) === "")
      throw invalid(where, `the auth-provider oidc has no \`${key}\``, "Add it");
  const issuer = URL.parse(text("idp-issuer-url"));
  const secure = issuer?.protocol === "https:";
  if (issuer === null || (!secure && !(issuer.protocol === "http:" && isLoopback(issuer.hostname))))
    throw invalid(where, "`idp-issuer-url` isn't an https address", "Use https://HOST/PATH");
  return {
    issuer,
    clientId: text("client-id"),
    clientSecret: text("client-secret"),
    idToken: text("id-token"),
    refreshToken: text("refresh-token"),
    caFile: text("idp-certificate-authority"),
    caData: text("idp-certificate-authority-data"),
  };
}

/** Gives the ID token of an oidc user, for each request. */
class OidcTokens {
  readonly #options: OidcOptions;
  readonly #settings: OidcSettings;
  #idToken: string;
  #running: Promise<string> | null = null;

  /** @throws {CertkeepError} kubeconfig_invalid */
  constructor(config: Fields, options: OidcOptions) {
    this.#options = options;
    this.#settings = parseSettings(config, options.where);
    this.#idToken = this.#settings.idToken;
    if (this.#idToken !== "" && this.#idToken.split(".").length !== 3)
      throw invalid(
        options.where,
        "the `id-token` isn't a JSON Web Token",
        "Log in again with kubectl",
      );
  }

  /** @throws {CertkeepError} */
  async idToken(signal?: AbortSignal): Promise<string> {
    if (this.#lasts(this.#idToken)) return this.#idToken;
    // One refresh at a time: a refresh token may be good for one use.
    this.#running ??= this.#refresh(signal).finally(() => {
      this.#running = null;
    });
    this.#idToken = await this.#running;
    return this.#idToken;
  }

  #lasts(token: string): boolean {
    const endMs = token === "" ? null : tokenEndMs(token);
    return endMs !== null && endMs > this.#options.nowMs() + EARLY_MS;
  }

  async #refresh(signal: AbortSignal | undefined): Promise<string> {
    const { file, user, rewritten } = this.#options;
    if (this.#settings.refreshToken === "")
      throw new CertkeepError("cluster_unauthorized", {
        where: this.#options.where,
        found: "the ID token has ended, and there is no `refresh-token`",
        todo: LOGIN,
      });
    const work = async (config: Fields) => {
      const now = this.#settingsNow(config);
      if (this.#lasts(now.idToken)) return { idToken: now.idToken, write: null };
      const asking = { ...this.#options, signal };
      const { idToken, refreshToken } = await asking.askProvider(
        this.#settings,
        now.refreshToken,
        asking,
      );
      const write = {
        "id-token": idToken,
        ...(refreshToken === null ? {} : { "refresh-token": refreshToken }),
      };
      return { idToken, write };
    };
    return (await updateTokens(file, user, work, { signal, rewritten })).idToken;
  }

  /** Another program may have refreshed them; of what else it changed nothing is used. */
  #settingsNow(config: Fields): OidcSettings {
    const { where } = this.#options;
    const now = parseSettings(config, where);
    const before = this.#settings;
    if (now.issuer.href === before.issuer.href && now.clientId === before.clientId) return now;
    throw invalid(where, "the user's identity provider was changed while this ran", "Run it again");
  }
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
      "Add it, or remove the other",
    );
  const end = certificateEndMs(cert);
  if (end === null)
    throw invalid(place, "the user's client certificate can't be read", "Use a PEM certificate");
  try {
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
      throw invalid(
        place,
        "the user's client key doesn't match the client certificate",
        "Fetch the kubeconfig again",
      );
  } catch (error) {
    if (error instanceof CertkeepError) throw error;
    throw invalid(
      place,
      "the user's client key can't be read",
      "Use a PEM key without a passphrase",
    );
  }
  if (nowMs > end) {
    throw new CertkeepError("cluster_unauthorized", {
      where: place,
      found: `the user's client certificate expired at ${new Date(end).toISOString()}`,
      todo: "Fetch the kubeconfig again",
    });
  }
  return { cert, key };
}

/** @throws {CertkeepError} */
export async function readUser(
  parts: ContextParts,
  options: ConnectOptions,
): Promise<UserSettings> {
  const { user, place } = parts;
  const { fields } = user;
  const clientPair = await readClientPair(user, place, options);
  const tokenFile = textOf(fields["tokenFile"]) ?? textOf(fields["token-file"]) ?? "";
  if (tokenFile !== "" && options.allowFiles === false) throw namesFile(place, "tokenFile");
  const token = textOf(fields["token"])?.trim() ?? "";
  const username = textOf(fields["username"]) ?? "";
  const execEntry =
    fields["exec"] === undefined || fields["exec"] === null ? null : fieldsOf(fields["exec"]);
  const exec = execEntry === null ? null : parseExec(execEntry, user.file);
  if (execEntry !== null && exec === null)
    throw invalid(place, "the user's `exec` names no command", "Add `command`");
  if (exec !== null && options.allowExec === false) {
    throw invalid(
      place,
      `the user needs the credential plugin ${printable(exec.command)}, which certkeep doesn't ` +
        "run here",
      TOKEN_OR_CERTIFICATE,
    );
  }
  return {
    token: token === "" ? null : token,
    tokenFile: tokenFile === "" ? null : resolve(dirname(user.file), tokenFile),
    basic: username === "" ? null : { username, password: textOf(fields["password"]) ?? "" },
    clientPair,
    exec,
    oidc: parseAuthProvider(user, place, options),
    impersonation: parseImpersonation(fields),
  };
}

/** Headers by which a user asks as another (client-go rest/config.go, `ImpersonationConfig`). */
function parseImpersonation(user: Fields): UserSettings["impersonation"] {
  const headers: Record<string, string | string[]> = {};
  const texts = (value: unknown): string[] =>
    listOf(value).filter((item) => typeof item === "string" && item !== "") as string[];
  const name = textOf(user["as"]) ?? "";
  const uid = textOf(user["as-uid"]) ?? "";
  const groups = texts(user["as-groups"]);
  if (name !== "") headers["impersonate-user"] = name;
  if (uid !== "") headers["impersonate-uid"] = uid;
  if (groups.length > 0) headers["impersonate-group"] = groups;
  for (const [key, values] of Object.entries(fieldsOf(user["as-user-extra"]))) {
    if (texts(values).length > 0)
      headers[`impersonate-extra-${encodeURIComponent(key)}`] = texts(values);
  }
  return headers;
}

const TOKEN_OR_CERTIFICATE =
  "Use a token or client certificate: register the cluster with a kubeconfig of a read-only " +
  "service account";

/** What the user of a legacy `auth-provider` uses by now. */
const PLUGINS: Readonly<Record<string, readonly [plugin: string, todo: string]>> = {
  gcp: [
    "gke-gcloud-auth-plugin",
    "Install it, then run: gcloud container clusters get-credentials CLUSTER",
  ],
  azure: ["kubelogin", "Install it, then run: kubelogin convert-kubeconfig"],
};

function parseAuthProvider(
  user: KubeconfigEntry,
  place: string,
  options: ConnectOptions,
): OidcTokens | null {
  const provider = user.fields["auth-provider"];
  if (provider === undefined || provider === null) return null;
  const { name, config } = fieldsOf(provider);
  const shown = `the auth-provider ${printable(textOf(name) ?? "", 40)}`;
  const plugin = Object.hasOwn(PLUGINS, textOf(name) ?? "") ? PLUGINS[textOf(name) ?? ""] : null;
  if (plugin != null)
    throw invalid(
      place,
      `the user has ${shown}, which was removed from kubectl`,
      `Use the credential plugin ${plugin[0]}. ${plugin[1]}`,
    );
  if (name !== "oidc")
    throw invalid(
      place,
      `certkeep doesn't know ${shown}`,
      "Use a token, client certificate or exec plugin",
    );
  const { askProvider } = options;
  if (askProvider === undefined)
    throw invalid(
      place,
      `the user needs ${shown}, and certkeep asks no identity provider here`,
      TOKEN_OR_CERTIFICATE,
    );
  const { file, name: userName } = user;
  return new OidcTokens(fieldsOf(config), {
    ...options,
    file,
    user: userName,
    where: place,
    askProvider,
  });
}

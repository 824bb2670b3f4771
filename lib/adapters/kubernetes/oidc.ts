/**
 * Users of the legacy `auth-provider` oidc, as kubectl takes them (client-go
 * plugin/pkg/client/auth/oidc/oidc.go): the ID token while it lasts, then another one by the
 * refresh token, which is written back before it is used.
 *
 * As kubectl, this doesn't check the ID token's claims: the API server does, whose audience may be
 * another than the client.
 */
import { CertkeepError } from "../../error.ts";
import { type Environment, isLoopback } from "../proxy.ts";
import { tokenEndMs } from "./credential.ts";
import type { Rewritten } from "./entry.ts";
import { type AskProvider, LOGIN, type OidcSettings } from "./identityprovider.ts";
import { updateTokens } from "./kubeconfigtokens.ts";
import { type Fields, textOf } from "./parse.ts";

export interface OidcOptions {
  /** Kubeconfig and user that the settings stand in. */
  readonly file: string;
  readonly user: string;
  /** The file and context, for messages. */
  readonly where: string;
  readonly environment: Environment;
  readonly nowMs: () => number;
  readonly askProvider: AskProvider;
  readonly rewritten: Rewritten | undefined;
}

/** golang.org/x/oauth2's expiryDelta: a token is refreshed this long before its end. */
const EARLY_MS = 10_000;
function parseSettings(config: Fields, where: string): OidcSettings {
  const text = (key: string): string => textOf(config[key]) ?? "";
  const refuse = (found: string, expected: string): CertkeepError =>
    new CertkeepError("kubeconfig_invalid", { where, found, expected });
  for (const key of ["idp-issuer-url", "client-id"])
    if (text(key) === "") throw refuse(`the auth-provider oidc has no \`${key}\``, `\`${key}\``);
  const issuer = URL.parse(text("idp-issuer-url"));
  const secure = issuer?.protocol === "https:";
  if (issuer === null || (!secure && !(issuer.protocol === "http:" && isLoopback(issuer.hostname))))
    throw refuse("`idp-issuer-url` isn't an https address", "https://HOST/PATH");
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
export class OidcTokens {
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
      throw new CertkeepError("kubeconfig_invalid", {
        where: options.where,
        found: "the `id-token` isn't a JSON Web Token",
        expected: "the ID token of a login",
      });
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
      throw this.#refused("the ID token has ended, and there is no `refresh-token`", LOGIN);
    const work = async (config: Fields) => {
      const now = this.#settingsNow(config);
      if (this.#lasts(now.idToken)) return { idToken: now.idToken, write: null };
      const { idToken, refreshToken } = await this.#options.askProvider(
        this.#settings,
        now.refreshToken,
        {
          ...this.#options,
          signal,
        },
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
    throw new CertkeepError("kubeconfig_invalid", {
      where,
      found: "the user's identity provider was changed while this ran",
      todo: "Run it again",
    });
  }

  #refused(found: string, todo: string): CertkeepError {
    return new CertkeepError("cluster_unauthorized", { where: this.#options.where, found, todo });
  }
}

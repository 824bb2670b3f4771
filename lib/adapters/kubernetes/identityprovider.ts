/**
 * Asks an OpenID Connect provider for new tokens by a refresh token, as kubectl asks it. No answer
 * of the provider gets into an error.
 */
import { resolve } from "node:path";
import type { ClientAuth, CustomFetch } from "openid-client";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import { bareHost, type Environment, parseProxyUrl, proxyFromEnvironment } from "../proxy.ts";
import { readFileAtMost, whyUnread } from "../readfile.ts";
import { type Connection, PLAIN_CONNECTION, printable } from "./connection.ts";
import { HttpClient } from "./http.ts";
import { invalid } from "./kubeconfig.ts";
import { fieldsOf, textOf } from "../../untrusted.ts";
import { type Bundle, createProof, MAX_PEM_BYTES, parseBundle } from "./proof.ts";

/** Settings of an `auth-provider` oidc. */
export interface OidcSettings {
  readonly issuer: URL;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly idToken: string;
  readonly refreshToken: string;
  readonly caFile: string;
  readonly caData: string;
}

export interface NewTokens {
  readonly idToken: string;
  /** `null`: the provider leaves the one before. */
  readonly refreshToken: string | null;
}

interface Asking {
  /** The file and context, for messages. */
  readonly where: string;
  readonly environment: Environment;
  readonly signal: AbortSignal | undefined;
}

const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_REDIRECTS = 5;
export const LOGIN = "Log in again, as you did when the kubeconfig was made";
/** RFC 6749 §5.2. Any other word of the provider isn't shown. */
const OAUTH_ERRORS = [
  "invalid_request",
  "invalid_client",
  "invalid_grant",
  "unauthorized_client",
  "unsupported_grant_type",
  "invalid_scope",
];

/** Asks for new tokens. @throws {CertkeepError} */
export type AskProvider = (
  settings: OidcSettings,
  refreshToken: string,
  asking: Asking,
) => Promise<NewTokens>;

export const askProvider: AskProvider = async (settings, refreshToken, asking) => {
  const bundle = await readBundle(settings, asking.where);
  try {
    return await refreshTokens(settings, refreshToken, (url, request) =>
      send(new URL(url), request, bundle, asking),
    );
  } catch (error) {
    const ours = certkeepErrorIn(error);
    if (ours !== null) throw ours;
    const code = (error as { error?: unknown } | null)?.error;
    const named = OAUTH_ERRORS.find((one) => one === code);
    throw new CertkeepError("cluster_unauthorized", {
      where: asking.where,
      found:
        `the identity provider ${settings.issuer.host} gave no new ID token` +
        (named === undefined ? "" : ` (${named})`),
      todo: LOGIN,
    });
  }
};

async function readBundle({ caData, caFile }: OidcSettings, where: string): Promise<Bundle | null> {
  if (caData === "" && caFile === "") return null;
  let pem = Buffer.from(caData, "base64").toString("latin1");
  if (caData === "") {
    // Unlike other files of a kubeconfig, this one isn't looked for beside it.
    const path = resolve(caFile);
    try {
      pem = (await readFileAtMost(path, MAX_PEM_BYTES)).toString("latin1");
    } catch (error) {
      const why = `${printable(path, 300)}, which ${whyUnread(error)}`;
      throw invalid(where, `\`idp-certificate-authority\` names ${why}`, "Name a PEM file");
    }
  }
  const bundle = parseBundle(pem);
  if (bundle !== null) return bundle;
  throw invalid(
    where,
    "the identity provider's certificate authority can't be read",
    "Use PEM certificates",
  );
}

async function send(
  url: URL,
  request: ProviderRequest,
  bundle: Bundle | null,
  { environment, where, signal }: Asking,
): Promise<Response> {
  const http = new HttpClient(providerConnection(url, bundle, environment, where), {
    attempts: 2,
    requestTimeoutMs: 15_000,
  });
  try {
    const answer = await http.send({
      method: request.body === null ? "GET" : "POST",
      path: url.pathname + url.search,
      contentType: "application/x-www-form-urlencoded",
      headers: request.headers,
      maxBodyBytes: MAX_ANSWER_BYTES,
      body: request.body ?? undefined,
      signal,
    });
    const { status, contentType, location = "" } = answer;
    return new Response(status === 204 || status === 304 ? null : new Uint8Array(answer.body), {
      status,
      headers: { "content-type": contentType, location },
    });
  } catch (error) {
    if (!isCertkeepError(error) || error.code === "deadline") throw error;
    throw new CertkeepError(error.code, {
      where,
      found: `the identity provider ${url.host}: ${error.parts.found}`,
      todo:
        error.code === "cluster_tls"
          ? "Check `idp-certificate-authority` of the user in the kubeconfig"
          : "Check `idp-issuer-url` of the user, and that it is reachable from this network",
    });
  } finally {
    http.close();
  }
}

interface ProviderRequest {
  readonly headers: Readonly<Record<string, string>>;
  /** `null`: a GET. */
  readonly body: string | null;
}

type Ask = (url: string, request: ProviderRequest) => Promise<Response>;

function providerConnection(
  url: URL,
  bundle: Bundle | null,
  environment: Environment,
  where: string,
): Connection {
  const server = new URL(url.origin);
  const proxy = proxyFromEnvironment(server, environment);
  return {
    ...PLAIN_CONNECTION,
    title: where,
    source: where,
    server,
    caPem: bundle?.pem ?? null,
    proof: createProof(bundle, bareHost(server.hostname)),
    proxyUrl: proxy === null ? null : parseProxyUrl(proxy),
    credentials: async () => ({ headers: {}, clientPair: null }),
    forget: () => false,
  };
}

/** Discovers the token endpoint and asks it for new tokens. */
async function refreshTokens(
  { issuer, clientId, clientSecret }: OidcSettings,
  refreshToken: string,
  ask: Ask,
): Promise<NewTokens> {
  // Loaded here: whoever has no such user doesn't pay for it.
  const openid = await import("openid-client");
  let idToken = "";
  const customFetch: CustomFetch = async (url, { headers, body }) => {
    const form = body === undefined || body === null ? null : formText(body);
    if (form === null) return askFollowing(ask, url, { headers, body: null });
    const answer = await ask(url, { headers, body: form });
    const fields = fieldsOf(await answer.json().catch(() => null));
    idToken = textOf(fields["id_token"]) ?? "";
    if (answer.ok && idToken === "") throw withoutIdToken(issuer);
    // The ID token is for the API server, whose audience may be another than the client.
    return Response.json({ token_type: "bearer", ...fields, id_token: undefined }, answer);
  };
  const path = `${issuer.href.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const tryAs = async (authentication: ClientAuth): Promise<NewTokens> => {
    const provider = await openid.discovery(new URL(path), clientId, undefined, authentication, {
      [openid.customFetch]: customFetch,
      ...(issuer.protocol === "http:" ? { execute: [openid.allowInsecureRequests] } : {}),
    });
    const { refresh_token: next } = await openid.refreshTokenGrant(provider, refreshToken);
    return { idToken, refreshToken: next === undefined || next === refreshToken ? null : next };
  };
  // As golang.org/x/oauth2: first in the header, then in the body.
  const quote = (text: string): string => new URLSearchParams([["", text]]).toString().slice(1);
  const basic = Buffer.from(`${quote(clientId)}:${quote(clientSecret)}`).toString("base64");
  return tryAs((_server, _client, _body, headers) => {
    headers.set("authorization", `Basic ${basic}`);
  }).catch((error: unknown) => {
    if (certkeepErrorIn(error) !== null) throw error;
    return tryAs((_server, _client, body) => {
      body.set("client_id", clientId);
      if (clientSecret !== "") body.set("client_secret", clientSecret);
    });
  });
}

/** Some providers leave it out when they refresh. */
function withoutIdToken(issuer: URL): CertkeepError {
  return new CertkeepError("cluster_unauthorized", {
    where: `identity provider ${issuer.host}`,
    found: "it answered without an ID token",
    todo: "Log in again with the scope openid, if the provider can refresh ID tokens",
  });
}

/** An error of this project that went through the library's. */
function certkeepErrorIn(error: unknown): CertkeepError | null {
  if (isCertkeepError(error)) return error;
  return error instanceof Error && error.cause !== undefined ? certkeepErrorIn(error.cause) : null;
}

function formText(body: unknown): string {
  return body instanceof URLSearchParams ? body.toString() : String(body as string);
}

async function askFollowing(ask: Ask, from: string, request: ProviderRequest): Promise<Response> {
  let url = from;
  for (let redirects = 0; ; redirects += 1) {
    const answer = await ask(url, request);
    const next = URL.parse(answer.headers.get("location") ?? "", url);
    const follows = answer.status >= 300 && answer.status < 400 && redirects < MAX_REDIRECTS;
    if (!follows || next?.protocol !== "https:") return answer;
    url = next.href;
  }
}

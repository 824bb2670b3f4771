/**
 * An OpenID Connect provider: discovery, keys, and a token endpoint that takes each refresh token
 * once and gives another, as careful providers do. Its ID tokens are signed, for an API server.
 */
import { createSign, generateKeyPairSync } from "node:crypto";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createServerAuthority } from "./servercert.ts";

export interface IdentityProvider {
  readonly issuer: string;
  readonly caPem: string;
  /** Refresh tokens that were asked with, each with whether it was taken. */
  readonly refreshes: { readonly token: string; readonly taken: boolean }[];
  /** An ID token that ends so many seconds from now. */
  idToken(seconds: number): string;
  /** A refresh token that wasn't used so far. */
  refreshToken(): string;
  stop(): Promise<void>;
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** `audience`: for whom the ID tokens are; `user`: their `sub`. */
export async function startIdentityProvider(
  audience: string,
  user: string,
): Promise<IdentityProvider> {
  const authority = await createServerAuthority("identity provider");
  const { certPem, keyPem } = await authority.issue();
  const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = { ...keys.publicKey.export({ format: "jwk" }), kid: "1", alg: "RS256", use: "sig" };
  const valid = new Set<string>();
  const refreshes: { token: string; taken: boolean }[] = [];
  let issuer = "";
  let made = 0;

  const idToken = (seconds: number): string => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer, sub: user, aud: audience, iat: now - 7200, exp: now + seconds };
    const text = `${part({ alg: "RS256", kid: "1" })}.${part(claims)}`;
    return `${text}.${createSign("RSA-SHA256").update(text).sign(keys.privateKey, "base64url")}`;
  };
  const refreshToken = (): string => {
    made += 1;
    valid.add(`refresh-${made}`);
    return `refresh-${made}`;
  };
  const refresh = (form: URLSearchParams): object | null => {
    const token = form.get("refresh_token") ?? "";
    const taken = valid.delete(token);
    refreshes.push({ token, taken });
    if (!taken) return null;
    const tokens = { id_token: idToken(3600), refresh_token: refreshToken() };
    return { access_token: "a", token_type: "Bearer", ...tokens };
  };

  const server = createServer({ cert: certPem, key: keyPem }, (request, response) => {
    const give = (status: number, body: object): void => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    if (request.url === "/idp/.well-known/openid-configuration")
      return give(200, {
        issuer,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/keys`,
        response_types_supported: ["code"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["RS256"],
      });
    if (request.url === "/idp/keys") return give(200, { keys: [jwk] });
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      const answer = request.url === "/idp/token" ? refresh(new URLSearchParams(body)) : null;
      if (answer === null) give(400, { error: "invalid_grant" });
      else give(200, answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  issuer = `https://localhost:${(server.address() as AddressInfo).port}/idp`;
  return {
    issuer,
    caPem: authority.caPem,
    refreshes,
    idToken,
    refreshToken,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

import { expect, test } from "vitest";
import { createAuthProvider } from "../../../lib/adapters/kubernetes/credential.ts";
import { connectionTo, failureOf } from "./support.ts";

const SERVER = "https://api.example.com:6443";
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const idToken = (exp: number): string => `${part({ alg: "none" })}.${part({ exp })}.canary-key`;
const user = (exp: number): object => ({
  "auth-provider": { name: "oidc", config: { "client-id": "c", "id-token": idToken(exp) } },
});

test(
  "an OpenID Connect user's token is used while it lasts, and what can't be renewed is told in " +
    "words",
  async () => {
    const options = { authProvider: createAuthProvider() };
    const lasting = Math.floor(Date.now() / 1000) + 3_600;
    const connection = await connectionTo({ server: SERVER, user: user(lasting) }, options);
    expect((await connection.credentials()).headers).toEqual({
      authorization: `Bearer ${idToken(lasting)}`,
    });
    const expired = await connectionTo({ server: SERVER, user: user(1) }, options);
    const failure = await failureOf(expired.credentials());
    expect(failure).toMatchObject({
      code: "cluster_unauthorized",
      message: expect.stringContaining("auth-provider oidc: no token could be had") as string,
    });
    expect(failure.message).not.toContain("canary-key");
  },
);

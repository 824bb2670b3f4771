/** An OpenID Connect provider over TLS, and users of it as kubectl takes them (client-go 0.34). */
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { parse } from "yaml";
import { describe, expect, test } from "vitest";
import type { ConnectOptions } from "../../../lib/adapters/kubernetes/kubeconfig.ts";
import { askProvider } from "../../../lib/adapters/kubernetes/identityprovider.ts";
import type { Connection } from "../../../lib/adapters/kubernetes/connection.ts";
import { connect, loadConnection } from "../../../lib/adapters/kubernetes/context.ts";
import { parseKubeconfig } from "../../../lib/adapters/kubernetes/kubeconfig.ts";
import {
  answerJson,
  authority,
  createAuthority,
  failureOf,
  folder,
  plainOptions,
  put,
  startStub,
  type Stub,
} from "./support.ts";

const NOW = Date.parse("2026-11-29T06:00:00Z");
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const jwt = (endMs: number, more: object = {}): string =>
  `${part({ alg: "RS256" })}.${part({ exp: Math.floor(endMs / 1000), ...more })}.c2ln`;
const ENDED = jwt(NOW - 3_600_000);
const FRESH = jwt(NOW + 3_600_000, { iss: "elsewhere", aud: ["another-audience"] });

interface Form {
  readonly form: URLSearchParams;
  readonly authorization: string;
}

interface Provider extends Stub {
  /** What the token endpoint was asked. */
  readonly asked: Form[];
}

type Answer = (form: Form, response: ServerResponse) => void;

const tokens = (more: object = {}): object => ({
  access_token: "a",
  token_type: "Bearer",
  id_token: FRESH,
  refresh_token: "r1",
  ...more,
});
const fresh: Answer = (_, response) => answerJson(response, 200, tokens());

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const one of request as AsyncIterable<Buffer>) parts.push(one);
  return Buffer.concat(parts).toString("utf8");
}

async function startProvider(
  answer: Answer = fresh,
  discovery: (issuer: string) => object = (issuer) => ({
    issuer,
    token_endpoint: `${issuer}/token`,
  }),
): Promise<Provider> {
  const asked: Form[] = [];
  const stub = await startStub((request, response) => {
    if (request.url === "/idp/.well-known/openid-configuration")
      return answerJson(response, 200, discovery(`${stub.server}/idp`));
    if (request.method !== "POST") return answerJson(response, 404, {});
    return void bodyOf(request).then((body) => {
      const form = {
        form: new URLSearchParams(body),
        authorization: request.headers.authorization ?? "",
      };
      asked.push(form);
      answer(form, response);
    });
  });
  return { ...stub, asked };
}

interface User {
  readonly idToken?: string;
  readonly refreshToken?: string;
  readonly config?: Readonly<Record<string, string>>;
}

/** The settings of a user, in the order in which `kubectl config set-credentials` writes them. */
function settings(provider: Provider, user: User = {}): Record<string, string> {
  return {
    "client-id": "kube-client",
    "client-secret": "s:e c",
    "id-token": user.idToken ?? ENDED,
    "idp-certificate-authority-data": Buffer.from(authority.caPem).toString("base64"),
    "idp-issuer-url": `${provider.server}/idp`,
    "refresh-token": user.refreshToken ?? "r0",
    ...user.config,
  };
}

function kubeconfigText(config: Readonly<Record<string, string>>): string {
  return [
    "# mine",
    "apiVersion: v1",
    "kind: Config",
    "current-context: c # the one",
    "clusters:",
    "- cluster: {server: 'https://127.0.0.1:1', insecure-skip-tls-verify: no}",
    "  name: c",
    "contexts:",
    "- context: {cluster: c, user: u}",
    "  name: c",
    "users:",
    "- name: other",
    "  user: {token: t}",
    "- name: u",
    "  user:",
    "    auth-provider:",
    "      config:",
    ...Object.entries(config).map(([key, value]) => `        ${key}: ${value}`),
    "      name: oidc",
    "",
  ].join("\n");
}

interface Opened {
  readonly file: string;
  readonly connection: Connection;
}

async function open(text: string, mode = 0o600): Promise<Opened> {
  const file = put(`${folder()}/config`, text);
  chmodSync(file, mode);
  return { file, connection: await load(file) };
}

function load(file: string, more: Partial<ConnectOptions> = {}): Promise<Connection> {
  return loadConnection({
    ...plainOptions,
    ...more,
    nowMs: () => NOW,
    askProvider,
    homeFolder: null,
    files: [file],
  });
}

const bearer = async (connection: Connection): Promise<unknown> =>
  (await connection.credentials()).headers["authorization"];

function stored(file: string): Record<string, string> {
  const config = parse(readFileSync(file, "utf8")) as {
    users: { user: { "auth-provider": { config: Record<string, string> } } }[];
  };
  return config.users.at(-1)?.user["auth-provider"].config ?? {};
}

describe("a user of OpenID Connect", () => {
  test("is let in by the ID token while it lasts; nobody is asked", async () => {
    const provider = await startProvider();
    const lasting = jwt(NOW + 11_000);
    const { file, connection } = await open(
      kubeconfigText(settings(provider, { idToken: lasting })),
    );
    expect(await bearer(connection)).toBe(`Bearer ${lasting}`);
    expect([provider.seen.length, existsSync(`${file}.lock`)]).toEqual([0, false]);
  });

  test.each([
    ["ended", ENDED],
    ["ends in less than ten seconds", jwt(NOW + 9_000)],
    ["is missing", ""],
    ["says no end", `${part({})}.${part({})}.x`],
  ])("whose token %s gets another one, which is written first", async (_, idToken) => {
    const provider = await startProvider();
    const text = kubeconfigText(settings(provider, { idToken: idToken === "" ? '""' : idToken }));
    const { file, connection } = await open(text, 0o640);
    expect(await bearer(connection)).toBe(`Bearer ${FRESH}`);
    const written = readFileSync(file, "utf8");
    expect(written).toBe(
      text
        .replace(/ id-token: .*/, ` id-token: "${FRESH}"`)
        .replace("refresh-token: r0", 'refresh-token: "r1"'),
    );
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(readdirSync(file.replace(/\/config$/, ""))).toEqual(["config"]);
    expect(provider.asked).toHaveLength(1);
    expect(Object.fromEntries(provider.asked[0]?.form ?? [])).toMatchObject({
      grant_type: "refresh_token",
      refresh_token: "r0",
    });
    // As golang.org/x/oauth2 quotes them.
    expect(provider.asked[0]?.authorization).toBe(
      `Basic ${Buffer.from("kube-client:s%3Ae+c").toString("base64")}`,
    );
  });

  test("tells the provider its client in the body where it doesn't take the header", async () => {
    const provider = await startProvider(({ form, authorization }, response) =>
      authorization !== "" || form.get("client_secret") !== "s:e c"
        ? answerJson(response, 401, { error: "invalid_client" }, { "www-authenticate": "Basic" })
        : fresh({ form, authorization }, response),
    );
    const { connection } = await open(kubeconfigText(settings(provider)));
    expect(await bearer(connection)).toBe(`Bearer ${FRESH}`);
    expect(provider.asked.map(({ form }) => form.get("client_id"))).toEqual([null, "kube-client"]);
  });

  test("leaves the refresh token where the provider gives no other", async () => {
    const provider = await startProvider((_, response) =>
      answerJson(response, 200, { access_token: "a", id_token: FRESH }),
    );
    const { file, connection } = await open(kubeconfigText(settings(provider)));
    expect(await bearer(connection)).toBe(`Bearer ${FRESH}`);
    expect(stored(file)["refresh-token"]).toBe("r0");
  });

  test("is refreshed once, by several requests, connections and files that lead to it", async () => {
    const provider = await startProvider(({ form }, response) =>
      form.get("refresh_token") === "r0"
        ? void setTimeout(() => answerJson(response, 200, tokens()), 150)
        : answerJson(response, 400, { error: "invalid_grant" }),
    );
    const { file, connection } = await open(kubeconfigText(settings(provider)));
    const link = `${folder()}/link`;
    symlinkSync(file, link);
    const other = await load(file);
    const all = await Promise.all([bearer(connection), bearer(connection), bearer(other)]);
    expect(all).toEqual(Array(3).fill(`Bearer ${FRESH}`));
    expect(await bearer(await load(link))).toBe(`Bearer ${FRESH}`);
    expect(provider.asked).toHaveLength(1);
    expect(statSync(link).isFile()).toBe(true);
  });

  test("takes the token that another program wrote meanwhile", async () => {
    const provider = await startProvider();
    const { file, connection } = await open(kubeconfigText(settings(provider)));
    put(file, kubeconfigText(settings(provider, { idToken: FRESH, refreshToken: "r9" })));
    expect(await bearer(connection)).toBe(`Bearer ${FRESH}`);
    expect([provider.seen.length, stored(file)["refresh-token"]]).toEqual([0, "r9"]);
  });

  test("tells what was rewritten, once it is", async () => {
    const provider = await startProvider();
    const text = kubeconfigText(settings(provider));
    const file = put(`${folder()}/config`, text);
    const told: string[][] = [];
    const rewritten = async (...what: string[]): Promise<void> => void told.push(what);
    const connection = await load(file, { rewritten });
    await bearer(connection);
    await bearer(connection);
    expect(told).toEqual([[file, text, readFileSync(file, "utf8")]]);
  });

  test("isn't refreshed at a provider that stands in the file only since it was read", async () => {
    const [provider, other] = [await startProvider(), await startProvider()];
    const { file, connection } = await open(kubeconfigText(settings(provider)));
    put(file, kubeconfigText(settings(other)));
    const failure = await failureOf(connection.credentials());
    expect(failure.message).toContain("identity provider was changed while this ran");
    expect([provider.seen.length, other.seen.length]).toEqual([0, 0]);
  });

  test.each([
    [
      "a JSON kubeconfig",
      (config: object) =>
        JSON.stringify({
          kind: "Config",
          "current-context": "c",
          clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }],
          contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
          users: [{ name: "u", user: { "auth-provider": { name: "oidc", config } } }],
        }),
    ],
    [
      "one without an ID token so far",
      (config: Record<string, string>) =>
        kubeconfigText(
          Object.fromEntries(Object.entries(config).filter(([key]) => key !== "id-token")),
        ),
    ],
    [
      "tokens over several lines",
      (config: Record<string, string>) =>
        kubeconfigText(config).replace(/id-token: (.*)/, "id-token: >-\n          $1"),
    ],
    ["UTF-16 of PowerShell", (config: Record<string, string>) => `\ufeff${kubeconfigText(config)}`],
  ])("%s keeps its form", async (name, textOf) => {
    const provider = await startProvider();
    const text = textOf(settings(provider));
    const file = put(`${folder()}/config`, "");
    writeFileSync(file, name.startsWith("UTF-16") ? Buffer.from(text, "utf16le") : text);
    expect(await bearer(await load(file))).toBe(`Bearer ${FRESH}`);
    const written = readFileSync(file, "utf8");
    expect(stored(file)).toEqual({
      ...settings(provider),
      "id-token": FRESH,
      "refresh-token": "r1",
    });
    if (text.startsWith("{")) expect(() => JSON.parse(written) as unknown).not.toThrow();
    expect(await bearer(await load(file))).toBe(`Bearer ${FRESH}`);
    expect(provider.asked).toHaveLength(1);
  });
});

describe("nothing is asked of the provider where its answer couldn't be written:", () => {
  test.each([
    [
      "the lock of another program",
      (file: string) => void put(`${file}.lock`, ""),
      /config\.lock exists: another program is changing this kubeconfig.*Delete the lock file/,
    ],
    [
      "settings that are an alias",
      (file: string) => {
        const text = readFileSync(file, "utf8");
        const [, config = ""] = /( +client-id[^]*?)      name: oidc/.exec(text) ?? [];
        put(
          file,
          `it: &it\n${config.replace(/^ +/gm, "  ")}${text.replace(`config:\n${config}`, "config: *it\n")}`,
        );
      },
      /a new one can't be written here/,
    ],
  ])("%s", { timeout: 60_000 }, async (_, arrange, words) => {
    const provider = await startProvider();
    const { file, connection } = await open(kubeconfigText(settings(provider)));
    arrange(file);
    const failure = await failureOf(connection.credentials(AbortSignal.timeout(300)));
    expect(failure.message).toMatch(words);
    expect(failure.code).toBe("kubeconfig_invalid");
    expect(provider.seen).toEqual([]);
  });

  test("a folder in which no lock can be made", async () => {
    const provider = await startProvider();
    const text = kubeconfigText(settings(provider));
    // With `.lock` the name is longer than any file system takes.
    const connection = await load(put(`${folder()}/${"c".repeat(252)}`, text));
    const failure = await failureOf(connection.credentials());
    expect(failure.message).toContain("new tokens can't be written: no lock file can be made");
    expect(failure.message).toContain("ENAMETOOLONG");
    expect(provider.seen).toEqual([]);
  });
});

describe("what goes wrong is told without the provider's words:", () => {
  test.each<[string, Answer, RegExp]>([
    [
      "a refresh token that ended",
      (_, response) =>
        answerJson(response, 400, { error: "invalid_grant", error_description: "canary" }),
      /gave no new ID token \(invalid_grant\)\. Log in again/,
    ],
    [
      "an error that isn't one of OAuth's",
      (_, response) => answerJson(response, 400, { error: "canary" }),
      /gave no new ID token\. Log in again/,
    ],
    [
      "an answer without an ID token",
      (_, response) => answerJson(response, 200, { access_token: "canary", token_type: "Bearer" }),
      /answered without an ID token\. Log in again with the scope openid/,
    ],
    [
      "a page of HTML",
      (_, response) => {
        response.writeHead(502, { "content-type": "text/html" });
        response.end("<p>canary</p>");
      },
      /gave no new ID token\. Log in again/,
    ],
  ])("%s", async (_, answer, words) => {
    const provider = await startProvider(answer);
    const text = kubeconfigText(settings(provider));
    const { file, connection } = await open(text);
    const failure = await failureOf(connection.credentials());
    expect(failure.code).toBe("cluster_unauthorized");
    expect(failure.message).toMatch(words);
    expect(failure.message).not.toMatch(/canary|r0|c2ln/);
    expect(readFileSync(file, "utf8")).toBe(text);
    expect(existsSync(`${file}.lock`)).toBe(false);
  });

  test("a provider of another authority, and one that isn't there", async () => {
    const provider = await startProvider();
    const other = Buffer.from((await createAuthority()).caPem).toString("base64");
    const untrusted = await open(
      kubeconfigText(settings(provider, { config: { "idp-certificate-authority-data": other } })),
    );
    expect(await failureOf(untrusted.connection.credentials())).toMatchObject({
      code: "cluster_tls",
      message: expect.stringMatching(/identity provider .*Check `idp-certificate-authority`/),
    });
    const gone = await open(
      kubeconfigText(
        settings(provider, { config: { "idp-issuer-url": "https://127.0.0.1:9/idp" } }),
      ),
    );
    expect(await failureOf(gone.connection.credentials())).toMatchObject({
      code: "cluster_unreachable",
      message: expect.stringContaining("Check `idp-issuer-url`") as string,
    });
    expect(provider.asked).toEqual([]);
  });

  test.each([
    ["no refresh token", { "refresh-token": '""' }, "there is no `refresh-token`"],
    ["no client", { "client-id": '""' }, "has no `client-id`"],
    ["no issuer", { "idp-issuer-url": '""' }, "has no `idp-issuer-url`"],
    [
      "an issuer in the clear",
      { "idp-issuer-url": "http://idp.example" },
      "isn't an https address",
    ],
    ["a token that is none", { "id-token": "abc" }, "the `id-token` isn't a JSON Web Token"],
  ])("%s", async (_, config, words) => {
    const provider = await startProvider();
    const failure = await failureOf(
      open(kubeconfigText(settings(provider, { config }))).then(({ connection }) =>
        connection.credentials(),
      ),
    );
    expect(failure.message).toContain(words);
    expect(provider.seen).toEqual([]);
  });
});

describe("other legacy auth-providers", () => {
  const text = (name: string): string =>
    kubeconfigText({}).replace("config:\n      name: oidc", `name: ${name}`);

  test.each([
    ["gcp", "gke-gcloud-auth-plugin"],
    ["azure", "kubelogin"],
  ])("%s is refused with the plugin that took its place", async (name, plugin) => {
    const failure = await failureOf(open(text(name)));
    expect(failure).toMatchObject({ code: "kubeconfig_invalid" });
    expect(failure.message).toMatch(
      new RegExp(`auth-provider ${name}, which was removed from kubectl.*${plugin}`),
    );
  });

  test("one that nobody knows is refused", async () => {
    expect((await failureOf(open(text("ldap")))).message).toContain(
      "certkeep doesn't know the auth-provider ldap",
    );
  });

  test("a registered cluster's kubeconfig asks no identity provider", async () => {
    const provider = await startProvider();
    const kubeconfig = parseKubeconfig(kubeconfigText(settings(provider)), "prod.kubeconfig");
    const failure = await failureOf(connect(kubeconfig, null, plainOptions));
    expect(failure.message).toContain("certkeep asks no identity provider here");
  });
});

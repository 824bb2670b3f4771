import { createHash, X509Certificate } from "node:crypto";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConnection } from "../../../lib/adapters/kubernetes/context.ts";
import {
  type KubeconfigOptions,
  parseKubeconfig,
} from "../../../lib/adapters/kubernetes/kubeconfig.ts";
import { parseBundle } from "../../../lib/adapters/kubernetes/proof.ts";
import { inClusterConnection } from "../../../lib/adapters/kubernetes/credential.ts";
import {
  authority,
  connectionTo,
  createAuthority,
  failureOf,
  folder,
  kubeconfig,
  plainOptions,
  put,
} from "./support.ts";

const SERVER = "https://api.example.com:6443";

function load(options: Partial<KubeconfigOptions>): ReturnType<typeof loadConnection> {
  return loadConnection({ ...plainOptions, homeFolder: null, ...options });
}

function config(name: string, current: string | null, server = SERVER): string {
  return JSON.stringify({
    kind: "Config",
    ...(current === null ? {} : { "current-context": current }),
    contexts: [{ name, context: { cluster: name, user: name, namespace: `ns-${name}` } }],
    clusters: [{ name, cluster: { server } }],
    users: [{ name, user: { token: `token-of-${name}` } }],
  });
}

const token = async (connection: Awaited<ReturnType<typeof load>>): Promise<unknown> =>
  (await connection.credentials()).headers["authorization"];

describe("a kubeconfig's text", () => {
  const written = (bytes: Buffer): string => {
    const path = `${folder()}/config`;
    writeFileSync(path, bytes);
    return path;
  };

  test("may be UTF-16 with a byte order mark, as PowerShell writes it, and so may its CA", async () => {
    const ca = written(Buffer.from(`\ufeff${authority.caPem}`, "utf16le"));
    const text = kubeconfig({
      server: SERVER,
      caPem: null,
      cluster: { "certificate-authority": ca },
    });
    const little = Buffer.from(`\ufeff${text}`, "utf16le");
    for (const bytes of [little, Buffer.from(little).swap16(), Buffer.from(`\ufeff${text}`)]) {
      const connection = await load({ files: [written(bytes)] });
      expect(await token(connection)).toBe("Bearer stub-token");
      expect(connection.caPem).toContain("-----BEGIN CERTIFICATE-----");
    }
  });

  test.each([
    ["yes", true],
    ["On", true],
    ["TRUE", true],
    ["y", true],
    ["no", false],
    ["off", false],
    ['"yes"', false],
  ])("has the truth values that kubectl takes (YAML 1.1): %s", async (value, insecure) => {
    const file = put(
      `${folder()}/config`,
      [
        "kind: Config",
        "current-context: c",
        "contexts: [{name: c, context: {cluster: c, user: c, namespace: 2026-01-01}}]",
        `clusters: [{name: c, cluster: {server: "${SERVER}", insecure-skip-tls-verify: ${value}}}]`,
        "users: [{name: c, user: {token: t}}]",
      ].join("\n"),
    );
    expect(await load({ files: [file] })).toMatchObject({ insecure, namespace: "2026-01-01" });
  });
});

describe("where a kubeconfig comes from", () => {
  test("explicit files, then KUBECONFIG, then the home folder, then the pod", async () => {
    const home = folder();
    mkdirSync(`${home}/.kube`);
    put(`${home}/.kube/config`, config("home", "home"));
    const other = put(`${home}/other`, config("other", "other"));
    const named = put(`${home}/named`, config("named", "named"));
    const environment = { KUBECONFIG: other };
    expect((await load({ homeFolder: home, environment, files: [named] })).title).toBe("named");
    expect((await load({ homeFolder: home, environment })).title).toBe("other");
    expect(await load({ homeFolder: home })).toMatchObject({
      title: "home",
      namespace: "ns-home",
      source: `${home}/.kube/config`,
    });
    const failure = await failureOf(load({ homeFolder: folder() }));
    expect(failure).toMatchObject({ code: "kubeconfig_invalid" });
    expect(failure.message).toContain("no such file");
  });

  test("several files are one: the first to say something wins, missing ones are passed over", async () => {
    const path = folder();
    const files = [
      `${path}/missing`,
      put(`${path}/a`, config("a", null)),
      put(`${path}/b`, config("b", "b")),
      put(`${path}/a2`, config("a", "a", "https://wrong")),
    ];
    const environment = { KUBECONFIG: files.join(delimiter) };
    expect((await load({ environment })).title).toBe("b");
    const a = await load({ environment, context: "a" });
    expect(a.server.href).toBe(`${SERVER}/`);
    expect(await token(a)).toBe("Bearer token-of-a");
  });

  test("a query or fragment of the server goes nowhere, so that no token in it is printed", async () => {
    const file = put(
      `${folder()}/config`,
      config("a", "a", "https://10.0.0.1:6443/prefix?token=CANARY#CANARY"),
    );
    expect((await load({ files: [file] })).server.href).toBe("https://10.0.0.1:6443/prefix");
  });

  test("relative paths begin at the folder of the file that they stand in", async () => {
    const path = folder();
    mkdirSync(`${path}/sub`);
    put(`${path}/sub/ca.pem`, authority.caPem);
    put(`${path}/sub/token`, "from-file\n");
    const file = put(
      `${path}/sub/config`,
      kubeconfig({
        server: SERVER,
        caPem: null,
        cluster: { "certificate-authority": "ca.pem" },
        user: { tokenFile: "token" },
      }),
    );
    const connection = await load({ files: [file] });
    expect(connection.caPem?.trim()).toBe(authority.caPem.trim());
    expect(await token(connection)).toBe("Bearer from-file");
  });

  test("a kubeconfig in YAML with a byte order mark, anchors and a doubled key", async () => {
    const yaml = `\u{feff}# made by hand
apiVersion: v1
kind: Config
current-context: x
current-context: dev
clusters: [{name: c, cluster: &c {server: "${SERVER}"}}, {name: d, cluster: *c}]
contexts:
- name: dev
  context: {cluster: d, user: u}
users:
- name: u
  user: {token: abc}
`;
    expect(parseKubeconfig(yaml, "f").currentContext).toBe("dev");
  });

  test("the pod's service account", async () => {
    const path = folder();
    put(`${path}/token`, "pod-token");
    put(`${path}/ca.crt`, authority.caPem);
    put(`${path}/namespace`, "certkeep\n");
    const environment = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
    const connection = await inClusterConnection({
      ...plainOptions,
      environment,
      serviceAccountFolder: path,
    });
    expect(connection).toMatchObject({
      inCluster: true,
      namespace: "certkeep",
      title: "in-cluster",
    });
    expect(connection.server.host).toBe("[fd00::1]");
    expect(await token(connection)).toBe("Bearer pod-token");
    put(`${path}/ca.crt`, "nothing");
    expect(
      (
        await failureOf(
          inClusterConnection({ ...plainOptions, environment, serviceAccountFolder: path }),
        )
      ).message,
    ).toContain("ca.crt");
  });
});

describe("bad kubeconfigs get one plain message", () => {
  test("missing, unreadable, a folder, empty, broken, something else", async () => {
    const path = folder();
    const cases: [string, string][] = [
      [`${path}/none`, "no such file"],
      [path, "the kubeconfig is a folder"],
      [put(`${path}/empty`, "  \n"), "the file is empty"],
      [
        put(`${path}/broken`, "kind: Config\nusers: [{token: canary-key\n"),
        `${path}/broken:3:1: the YAML is broken`,
      ],
      [put(`${path}/other`, "hello: canary-key"), "it has no contexts"],
      [
        put(
          `${path}/bomb`,
          "a: &a [x,x,x,x,x,x,x,x,x,x]\n" +
            "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" +
            "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
            "contexts: [*c,*c,*c]",
        ),
        "aliases",
      ],
      [put(`${path}/binary`, "\u0000\u0001canary-key"), path],
    ];
    if (process.getuid?.() !== 0) {
      chmodSync(put(`${path}/closed`, "x"), 0);
      cases.push([`${path}/closed`, "permission denied"]);
    }
    for (const [file, words] of cases) {
      const failure = await failureOf(load({ files: [file] }));
      expect(failure.code).toBe("kubeconfig_invalid");
      expect(failure.message).toContain(words);
      expect(failure.message).not.toContain("canary-key");
    }
    expect(
      (await failureOf(load({ environment: { KUBECONFIG: `${path}/none` } }))).message,
    ).toContain("none of its files exist");
  });

  test("an unknown context lists those there are and suggests the nearest", async () => {
    const path = folder();
    const environment = {
      KUBECONFIG: ["prod-eu", "prod-us", "staging"]
        .map((name) => put(`${path}/${name}`, config(name, null)))
        .join(delimiter),
    };
    expect((await failureOf(load({ environment, context: "pord-eu" }))).message).toMatch(
      /no context pord-eu\. Name one of: prod-eu, prod-us, staging\. Did you mean prod-eu\?$/,
    );
    // What is nothing like any of them isn't guessed at.
    expect((await failureOf(load({ environment, context: "nowhere" }))).message).toMatch(
      /no context nowhere\. Name one of: prod-eu, prod-us, staging$/,
    );
    const none = await failureOf(load({ environment }));
    expect(none.code).toBe("context_unknown");
    expect(none.message).toContain("no current-context");
    const hostile = await failureOf(load({ environment, context: "a\u001b[2Jb\n" }));
    expect(hostile.message).toContain("a\\u{1b}[2Jb\\u{a}");
  });

  const pem = (text: string): string => Buffer.from(text).toString("base64");
  test.each<[string, Parameters<typeof connectionTo>[0], string]>([
    ["no server", { server: "" }, "has no `server`"],
    ["no address", { server: "https://" }, "isn't the address of an API server"],
    ["another scheme", { server: "ftp://x" }, "isn't the address of an API server"],
    [
      "a password in the address",
      { server: "https://canary:key@x" },
      "isn't the address of an API server",
    ],
    ["http to elsewhere", { server: "http://10.0.0.1" }, "unencrypted"],
    [
      "a broken authority",
      { server: SERVER, caPem: "canary" },
      "certificate authority can't be read",
    ],
    [
      "a missing authority",
      { server: SERVER, caPem: null, cluster: { "certificate-authority": "none.pem" } },
      "`certificate-authority` names /nowhere/none.pem, which doesn't exist",
    ],
    [
      "a missing cluster",
      { server: SERVER, context: { cluster: "gone" } },
      "it names the cluster gone, which doesn't exist. Name one of: c",
    ],
    [
      "a missing user",
      { server: SERVER, context: { user: "gone" } },
      "it names the user gone, which doesn't exist. Name one of: u",
    ],
    ["no cluster named", { server: SERVER, context: { cluster: "" } }, "names no cluster"],
    [
      "a missing token file",
      { server: SERVER, user: { tokenFile: "gone" } },
      "the token file /nowhere/gone doesn't exist",
    ],
    [
      "a certificate without key",
      { server: SERVER, user: { "client-certificate-data": pem("canary") } },
      "certificate but no key",
    ],
    [
      "a broken certificate",
      {
        server: SERVER,
        user: { "client-certificate-data": pem("canary"), "client-key-data": pem("x") },
      },
      "client certificate can't be read",
    ],
    [
      "exec without command",
      { server: SERVER, user: { exec: { args: ["x"] } } },
      "names no command",
    ],
    [
      "an auth-provider",
      {
        server: SERVER,
        user: { "auth-provider": { name: "oidc", config: { "id-token": "canary" } } },
      },
      "auth-provider oidc, and certkeep asks no identity provider here",
    ],
  ])("%s", async (_, parts, words) => {
    const failure = await failureOf(connectionTo(parts));
    expect(failure.code).toBe("kubeconfig_invalid");
    expect(failure.message).toContain("/nowhere/config, context stub: ");
    expect(failure.message).toContain(words);
    expect(failure.message).not.toMatch(/canary/);
  });

  test("entries that the context doesn't lead to may be anything", async () => {
    const text = JSON.parse(kubeconfig({ server: SERVER })) as Record<string, unknown[]>;
    text["clusters"]?.push({ name: "broken" }, null, 5, { cluster: { server: 7 } });
    text["users"]?.push({ name: "broken", user: { tokenFile: "/gone", exec: 3 } });
    text["contexts"]?.push("x");
    const path = put(`${folder()}/c`, JSON.stringify(text));
    expect((await load({ files: [path] })).title).toBe("stub");
  });

  test("an expired client certificate, and a key of another", async () => {
    const path = folder();
    const [expired, fine] = [
      await authority.issue({ client: true, expired: true }),
      await authority.issue({ client: true }),
    ];
    const user = (cert: string, key: string): object => ({
      "client-certificate": put(`${path}/c`, cert),
      "client-key": put(`${path}/k`, key),
    });
    const failure = await failureOf(
      connectionTo({ server: SERVER, user: user(expired.cert, expired.key) }),
    );
    expect(failure.code).toBe("cluster_unauthorized");
    expect(failure.message).toMatch(/client certificate expired at 20\d\d-/);
    expect(
      (await failureOf(connectionTo({ server: SERVER, user: user(fine.cert, expired.key) })))
        .message,
    ).toContain("the user's client key doesn't match the client certificate");
    const end = new X509Certificate(fine.cert).validToDate.getTime();
    const at = (nowMs: number): Promise<unknown> =>
      connectionTo({ server: SERVER, user: user(fine.cert, fine.key) }, { nowMs: () => nowMs });
    expect(await at(end)).toMatchObject({ credentialExpiresAtMs: end });
    expect((await failureOf(at(end + 1))).code).toBe("cluster_unauthorized");
  });
});

describe("what a connection says", () => {
  test(
    "digest of the trusted authority: one certificate's own fingerprint, of several whatever " +
      "their order",
    async () => {
      const other = (await createAuthority()).caPem;
      const digest = (caPem: string): string | undefined => parseBundle(caPem)?.sha256;
      expect(digest(authority.caPem)).toBe(
        createHash("sha256").update(new X509Certificate(authority.caPem).raw).digest("hex"),
      );
      expect(digest(authority.caPem + other)).toBe(
        digest(`# comment\n${other}${authority.caPem}${other}`),
      );
      expect(digest(authority.caPem + other)).not.toBe(digest(other));
    },
  );

  test("when a token ends by its own words", async () => {
    const jwt = (payload: unknown): string =>
      `e30.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.x`;
    const ends = async (value: string): Promise<number | null> =>
      (await connectionTo({ server: SERVER, user: { token: value } })).credentialExpiresAtMs;
    expect(await ends(jwt({ exp: 1_800_000_000 }))).toBe(1_800_000_000_000);
    for (const value of ["opaque", "a.b.c", jwt({ exp: "soon" }), jwt(null), jwt({ exp: 1e300 })])
      expect(await ends(value)).toBeNull();
  });

  test("who asks: token file before token before password, and asking as another", async () => {
    const path = folder();
    const headers = async (user: object): Promise<unknown> =>
      (await (await connectionTo({ server: SERVER, user })).credentials()).headers;
    expect(await headers({ tokenFile: put(`${path}/t`, "f"), token: "t", username: "n" })).toEqual({
      authorization: "Bearer f",
    });
    expect(await headers({ token: "t", username: "n", password: "p" })).toEqual({
      authorization: "Bearer t",
    });
    expect(await headers({ username: "n", password: "p" })).toEqual({
      authorization: `Basic ${Buffer.from("n:p").toString("base64")}`,
    });
    expect(
      await headers({
        as: "root",
        "as-uid": "7",
        "as-groups": ["a", "b"],
        "as-user-extra": { "Some/Scope": ["x"] },
      }),
    ).toEqual({
      "impersonate-user": "root",
      "impersonate-uid": "7",
      "impersonate-group": ["a", "b"],
      "impersonate-extra-Some%2FScope": ["x"],
    });
  });

  test("a token file is read again after a minute", async () => {
    const file = put(`${folder()}/t`, "one");
    let nowMs = 0;
    const connection = await connectionTo(
      { server: SERVER, user: { tokenFile: file } },
      { nowMs: () => nowMs },
    );
    expect(await token(connection)).toBe("Bearer one");
    put(file, "two");
    nowMs = 59_999;
    expect(await token(connection)).toBe("Bearer one");
    nowMs = 60_000;
    expect(await token(connection)).toBe("Bearer two");
    put(file, "not a token\nx");
    nowMs = 130_000;
    expect((await failureOf(connection.credentials())).message).toContain("holds no token");
  });
});

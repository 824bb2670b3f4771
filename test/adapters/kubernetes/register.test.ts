/**
 * Applying, tokens and access reviews against a server that says what a test wants: refusals in
 * plain words, no token in any.
 */
import { type IncomingMessage, createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { accessObjects, registrationSelector } from "../../../lib/rbac/manifest.ts";
import { createSelfAccess } from "../../../lib/adapters/kubernetes/access.ts";
import { connect } from "../../../lib/adapters/kubernetes/context.ts";
import { parseKubeconfig } from "../../../lib/adapters/kubernetes/kubeconfig.ts";
import type { Connection } from "../../../lib/adapters/kubernetes/connection.ts";
import { createRegistrar } from "../../../lib/adapters/kubernetes/register.ts";

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

type Answer = readonly [status: number, body: unknown, headers?: Record<string, string>];

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(
  answer: (asked: Asked) => Answer,
): Promise<{ readonly connection: Connection; readonly asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((incoming, outgoing) => {
    let body = "";
    incoming.on("data", (part: Buffer) => (body += part.toString("utf8")));
    incoming.on("end", () => {
      const one = {
        method: incoming.method ?? "",
        path: incoming.url ?? "",
        headers: incoming.headers,
        body,
      };
      asked.push(one);
      const [status, value, headers] = answer(one);
      outgoing.writeHead(status, { "content-type": "application/json", ...headers });
      outgoing.end(typeof value === "string" ? value : JSON.stringify(value));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const text = JSON.stringify({
    kind: "Config",
    "current-context": "prod",
    clusters: [{ name: "c", cluster: { server: url } }],
    users: [{ name: "u", user: { token: "admin-canary" } }],
    contexts: [{ name: "prod", context: { cluster: "c", user: "u" } }],
  });
  return {
    asked,
    connection: await connect(parseKubeconfig(text, "test"), null, {
      environment: {},
      nowMs: () => 0,
    }),
  };
}

const status = (code: number, reason: string, message = "canary"): Answer => [
  code,
  { kind: "Status", apiVersion: "v1", status: "Failure", reason, message, code },
];
const OPTIONS = {
  attempts: 1,
  sleep: async () => {},
  pause: async () => {},
  tokenTimeoutMs: 1_000,
};
const [ROLE] = accessObjects(
  "prod",
  { parts: ["secrets"], namespaces: ["shop"], secrets: [] },
  { kind: "ServiceAccount" },
).filter(({ kind, metadata }) => kind === "Role" && metadata.namespace === "shop");
if (ROLE === undefined) throw new Error("no Role");

const refusal = async (work: Promise<unknown>): Promise<{ code: string; message: string }> =>
  (await work.then(() => null).catch((error: unknown) => error)) as {
    code: string;
    message: string;
  };

describe("applying", () => {
  it("is server-side, under a manager of its own, and says whether it was new", async () => {
    let there = false;
    const { connection, asked } = await serve(({ method }) =>
      method === "GET" ? (there ? [200, {}] : status(404, "NotFound")) : [200, {}],
    );
    const registrar = createRegistrar(connection, OPTIONS);
    expect(await registrar.apply(ROLE)).toBe("created");
    there = true;
    expect(await registrar.apply(ROLE)).toBe("there");
    const patch = asked.find(({ method }) => method === "PATCH");
    expect(patch?.path).toBe(
      "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles/certkeep-prod-read?fieldManager=certkeep-register&force=true",
    );
    expect(patch?.headers["content-type"]).toBe("application/apply-patch+yaml");
    expect(JSON.parse(patch?.body ?? "")).toEqual(JSON.parse(JSON.stringify(ROLE)));
  });

  it("tells an administrator who is none what to do", async () => {
    const { connection } = await serve(({ method }) =>
      method === "GET"
        ? status(404, "NotFound")
        : status(
            403,
            "Forbidden",
            'roles.rbac.authorization.k8s.io "x" is forbidden: user "jane" is attempting to ' +
              "grant RBAC permissions not currently held:\n" +
              '{APIGroups:[""]}',
          ),
    );
    const error = await refusal(createRegistrar(connection, OPTIONS).apply(ROLE));
    expect(error.code).toBe("cluster_forbidden");
    expect(error.message).toMatch(/can't grant permissions that it doesn't have itself.*--print/);
  });

  it.each([
    [403, "Forbidden"],
    [409, "Conflict"],
    [422, "Invalid"],
    [500, "InternalError"],
  ])("tells a %i without the answer's words", async (code, reason) => {
    const { connection } = await serve(({ method }) =>
      method === "GET" ? status(404, "NotFound") : status(code, reason),
    );
    const { message } = await refusal(createRegistrar(connection, OPTIONS).apply(ROLE));
    expect(message).toContain(String(code));
    expect(message).not.toContain("canary");
  });
});

describe("finding and removing", () => {
  it("goes by labels, bindings first, and takes what is gone for removed", async () => {
    const { connection, asked } = await serve(({ method, path }) =>
      method === "DELETE"
        ? status(404, "NotFound")
        : [
            200,
            {
              items: path.includes("/roles")
                ? [
                    { metadata: { name: "certkeep-prod-read", namespace: "shop" } },
                    { metadata: {} },
                    null,
                  ]
                : [],
            },
          ],
    );
    const registrar = createRegistrar(connection, OPTIONS);
    const found = await registrar.find(registrationSelector("prod"));
    expect(found).toEqual([
      {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "Role",
        namespace: "shop",
        name: "certkeep-prod-read",
      },
    ]);
    expect(asked[0]?.path).toContain(
      "/rolebindings?labelSelector=app.kubernetes.io%2Fmanaged-by%3Dcertkeep%2Ccertkeep.dev%2Fregistration%3Dprod",
    );
    for (const { path } of asked.filter(({ path: one }) => one.includes("/secrets")))
      expect(path).toContain("/namespaces/certkeep/");
    for (const one of found) await registrar.remove(one);
  });
});

describe("tokens", () => {
  it("come with the end that was granted, not the one that was asked for", async () => {
    const { connection, asked } = await serve(() => [
      201,
      { status: { token: "canary-token", expirationTimestamp: "2026-11-24T00:00:00Z" } },
    ]);
    expect(
      await createRegistrar(connection, OPTIONS).requestToken(
        "certkeep",
        "certkeep-prod-read",
        31_536_000,
      ),
    ).toEqual({ token: "canary-token", expiresAtMs: Date.parse("2026-11-24T00:00:00Z") });
    expect(JSON.parse(asked[0]?.body ?? "")).toMatchObject({
      kind: "TokenRequest",
      spec: { expirationSeconds: 31_536_000 },
    });
  });

  it.each([
    ["no token", { status: {} }],
    ["no end", { status: { token: "canary" } }],
    ["no JSON", "canary"],
  ])("that aren't one are told: %s", async (_name, body) => {
    const { connection } = await serve(() => [201, body]);
    const error = await refusal(
      createRegistrar(connection, OPTIONS).requestToken("certkeep", "x", 1),
    );
    expect(error.code).toBe("cluster_answer_invalid");
    expect(error.message).not.toContain("canary");
  });

  it("in a Secret are waited for, and given up with another way", async () => {
    let reads = 0;
    const late = await serve(() => [
      200,
      { data: (reads += 1) < 3 ? {} : { token: Buffer.from("canary-token").toString("base64") } },
    ]);
    expect(await createRegistrar(late.connection, OPTIONS).readToken("certkeep", "s")).toEqual({
      token: "canary-token",
      expiresAtMs: null,
    });
    const never = await serve(() => [200, {}]);
    expect(
      (await refusal(createRegistrar(never.connection, OPTIONS).readToken("certkeep", "s")))
        .message,
    ).toMatch(/no token within 1 s.*--days 365/);
  });
});

describe("everybody's rules", () => {
  it("are asked for as nobody in particular, and unknown where one may not", async () => {
    const { connection, asked } = await serve(() => [
      201,
      { status: { resourceRules: [{ verbs: ["get"], apiGroups: [""], resources: ["x"] }] } },
    ]);
    expect(await createRegistrar(connection, OPTIONS).everybodysRules("shop")).toMatchObject({
      namespace: "shop",
      rules: [{ resources: ["x"] }],
    });
    expect(asked[0]?.headers["impersonate-user"]).toBe(
      "system:serviceaccount:certkeep:nobody-in-particular",
    );
    const refused = await serve(() => status(403, "Forbidden"));
    expect(await createRegistrar(refused.connection, OPTIONS).everybodysRules("shop")).toBeNull();
  });
});

describe("a credential about itself", () => {
  it("asks about subresources, names and the whole cluster", async () => {
    const { connection, asked } = await serve(() => [201, { status: { allowed: true } }]);
    const self = createSelfAccess(connection, OPTIONS);
    expect(
      await self.isAllowed({
        verb: "get",
        group: "",
        resource: "pods/log",
        namespace: "shop",
        name: null,
      }),
    ).toBe(true);
    await self.isAllowed({
      verb: "create",
      group: "authorization.k8s.io",
      resource: "subjectaccessreviews",
      namespace: null,
      name: null,
    });
    expect(
      asked.map(
        ({ body }) =>
          (JSON.parse(body) as { spec: { resourceAttributes: object } }).spec.resourceAttributes,
      ),
    ).toEqual([
      { verb: "get", group: "", resource: "pods", subresource: "log", namespace: "shop" },
      { verb: "create", group: "authorization.k8s.io", resource: "subjectaccessreviews" },
    ]);
  });

  it("takes whatever isn't a yes for a no", async () => {
    for (const body of [{}, { status: { allowed: "true" } }, { status: null }]) {
      const { connection } = await serve(() => [201, body]);
      expect(
        await createSelfAccess(connection, OPTIONS).isAllowed({
          verb: "get",
          group: "",
          resource: "secrets",
          namespace: null,
          name: null,
        }),
      ).toBe(false);
    }
  });

  it("learns the server's version and clock", async () => {
    const nowMs = Date.parse("2026-11-23T20:00:00Z");
    const { connection } = await serve(() => [
      200,
      { gitVersion: "v1.34.4" },
      { date: "Mon, 23 Nov 2026 20:10:00 GMT" },
    ]);
    expect(await createSelfAccess(connection, { ...OPTIONS, nowMs: () => nowMs }).facts()).toEqual({
      version: "v1.34.4",
      clockOffsetMs: 600_500,
    });
    const odd = await serve(() => [200, { gitVersion: "<script>" }]);
    expect((await createSelfAccess(odd.connection, OPTIONS).facts()).version).toBeNull();
  });

  it("isn't told who it is by an old server, and says so", async () => {
    const { connection } = await serve(() => status(404, "NotFound"));
    expect(await createSelfAccess(connection, OPTIONS).whoAmI()).toBeNull();
  });

  it("finds the groups whose server is down", async () => {
    const { connection } = await serve(({ path }) =>
      path === "/apis"
        ? [
            200,
            {
              groups: [
                { versions: [{ groupVersion: "apps/v1" }] },
                { versions: [{ groupVersion: "metrics.k8s.io/v1beta1" }] },
                { versions: [{ groupVersion: "../x" }] },
                3,
              ],
            },
          ]
        : path === "/apis/metrics.k8s.io/v1beta1"
          ? [503, "service unavailable"]
          : [200, {}],
    );
    expect(await createSelfAccess(connection, OPTIONS).deadGroups()).toEqual([
      "metrics.k8s.io/v1beta1",
    ]);
  });

  it("is told to be refused, not unreachable, where it ended", async () => {
    const { connection } = await serve(() => status(401, "Unauthorized"));
    expect((await refusal(createSelfAccess(connection, OPTIONS).facts())).code).toBe(
      "cluster_unauthorized",
    );
  });
});

import type { ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import {
  type ReaderOptions,
  createClusterReader,
} from "../../../lib/adapters/kubernetes/reader.ts";
import type { ClusterReader } from "../../../lib/ports/cluster.ts";
import {
  type Handler,
  answerJson,
  apiStatus,
  connectionTo,
  failureOf,
  startStub,
} from "./support.ts";

const ALL = { namespace: null };
const CANARY = "canary-key";

async function readerOf(handler: Handler, options: ReaderOptions = {}) {
  const stub = await startStub(handler);
  const reader = createClusterReader(await connectionTo({ server: stub.server }), {
    sleep: async () => undefined,
    ...options,
  });
  return { reader, stub };
}

async function gather<T>(pages: AsyncIterable<readonly T[]>): Promise<T[]> {
  const items: T[] = [];
  for await (const page of pages) items.push(...page);
  return items;
}

const meta = (name: unknown): object => ({
  metadata: { name, namespace: "ns", uid: "u", resourceVersion: "1" },
});
const table = (names: readonly unknown[], token = ""): object => ({
  kind: "Table",
  metadata: { continue: token },
  columnDefinitions: [{ name: "Name" }, { name: "Type" }, { name: "Data" }],
  rows: names.map((name) => ({ cells: [name, "Opaque", 0], object: meta(name) })),
});

function smallObjects(response: ServerResponse, bytes: number): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.write('{"kind":"SecretList","apiVersion":"v1","metadata":{},"items":[');
  response.end(`${"{},".repeat(bytes / 3)}{}]}`);
}

describe("answers that aren't those of a Kubernetes API", () => {
  const cases: readonly [string, Handler, string, string][] = [
    [
      "a login page",
      (_, response) =>
        void response.writeHead(200, { "content-type": "text/html" }).end(`<html>${CANARY}</html>`),
      "cluster_answer_invalid",
      "a page of HTML (status 200)",
    ],
    [
      "a page of HTML with 403",
      (_, response) => void response.writeHead(403, { "content-type": "text/html" }).end(CANARY),
      "cluster_forbidden",
      "status 403",
    ],
    [
      "a page of HTML with 404",
      (_, response) => void response.writeHead(404, { "content-type": "text/html" }).end(CANARY),
      "cluster_answer_invalid",
      "a page of HTML (status 404)",
    ],
    [
      "a redirect",
      (_, response) =>
        void response.writeHead(302, { location: `https://x/?token=${CANARY}` }).end(),
      "cluster_answer_invalid",
      "the server redirected list secrets in all namespaces (status 302)",
    ],
    [
      "JSON cut off, well framed",
      (_, response) =>
        void response
          .writeHead(200, { "content-type": "application/json" })
          .end(`{"kind":"Table","rows":["${CANARY}`),
      "cluster_answer_invalid",
      "JSON that is cut off or broken",
    ],
    [
      "JSON of something else",
      (_, response) => answerJson(response, 200, { hello: CANARY }),
      "cluster_answer_invalid",
      "JSON that isn't a list of Secrets",
    ],
    [
      "nothing",
      (_, response) => void response.writeHead(200).end(),
      "cluster_answer_invalid",
      "something that isn't JSON (status 200)",
    ],
    [
      "1 MB of noise",
      (_, response) => void response.writeHead(200).end(Buffer.alloc(1_000_000, 0xfe)),
      "cluster_answer_invalid",
      "something that isn't JSON",
    ],
    [
      "15 MB of small objects",
      (_, response) => smallObjects(response, 15_000_000),
      "cluster_answer_invalid",
      "JSON of millions of values",
    ],
    [
      "63 MB of small objects",
      (_, response) => smallObjects(response, 63_000_000),
      "cluster_answer_invalid",
      "larger than 16 MiB",
    ],
    [
      "406 to every form",
      (_, response) => answerJson(response, 406, apiStatus(406, "NotAcceptable", CANARY)),
      "cluster_rejected",
      "the server answered list secrets in all namespaces with status 406, NotAcceptable",
    ],
    [
      "a Status with 200",
      (_, response) => answerJson(response, 200, apiStatus(500, "InternalError", CANARY)),
      "cluster_answer_invalid",
      "isn't a list of Secrets",
    ],
  ];
  test.each(cases)("%s", async (_, handler, code, words) => {
    const { reader } = await readerOf(handler);
    const failure = await failureOf(gather(reader.listMetadata(ALL)));
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(words);
    expect(failure.message).not.toContain(CANARY);
  });

  test("406 is an error of its own, whatever is asked", async () => {
    const { reader } = await readerOf((_, response) => answerJson(response, 406, {}));
    const asked: [string, Promise<unknown>][] = [
      ["list secrets in all namespaces", gather(reader.listSecrets(ALL))],
      ["get secrets b in namespace a", reader.getSecret("a", "b")],
      ["get secrets b in namespace a", reader.getStamp("a", "b")],
      ["get namespaces kube-system in all namespaces", reader.identity()],
    ];
    for (const [what, answer] of asked) {
      const failure = await failureOf(answer);
      expect(failure.code).toBe("cluster_rejected");
      expect(failure.message).toContain(`the server answered ${what} with status 406. Check that`);
    }
  });

  test("what the API itself refuses is told by status and reason, never by its message", async () => {
    const refusals: [number, string, string, string][] = [
      [401, "Unauthorized", CANARY, "cluster_unauthorized"],
      [
        403,
        "Forbidden",
        `secrets is forbidden: User "eve${CANARY}\u001b" cannot list resource "secrets"`,
        "cluster_forbidden",
      ],
      [
        403,
        "Forbidden",
        `secrets is forbidden: User "eve" cannot list resource "secrets": ${CANARY}`,
        "cluster_forbidden",
      ],
      [400, "BadRequest", CANARY, "cluster_rejected"],
      [410, "Expired", CANARY, "cluster_gone"],
      [404, "NotFound", CANARY, "cluster_not_found"],
      [500, "InternalError", CANARY, "cluster_unreachable"],
      [429, "TooManyRequests", CANARY, "cluster_unreachable"],
      [418, CANARY, CANARY, "cluster_rejected"],
    ];
    for (const [status, reason, message, code] of refusals) {
      const { reader } = await readerOf((_, response) =>
        answerJson(response, status, apiStatus(status, reason, message)),
      );
      const failure = await failureOf(gather(reader.listMetadata(ALL)));
      expect(failure.code).toBe(code);
      expect(failure.message).toContain(`status ${status}`);
      expect(failure.message).not.toContain(CANARY);
      if (message.includes('"eve"'))
        expect(failure.message).toContain(
          "user eve has no permission to list secrets in all namespaces",
        );
    }
  });

  test("an error in the middle of a listing is an error, after the pages before it", async () => {
    const { reader } = await readerOf((_, response, nth) =>
      nth === 1
        ? answerJson(response, 200, table(["a"], "next"))
        : answerJson(response, 403, apiStatus(403, "Forbidden")),
    );
    const seen: string[] = [];
    const failure = await failureOf(
      (async () => {
        for await (const page of reader.listMetadata(ALL))
          seen.push(...page.map((item) => item.name));
      })(),
    );
    expect([failure.code, seen]).toEqual(["cluster_forbidden", ["a"]]);
  });
});

describe("listing", () => {
  test(
    "asks for the Table and, from who knows none, for metadata; with values only from who knows " +
      "neither",
    async () => {
      const forms = (accept: string | undefined): string =>
        accept?.includes("as=Table") === true
          ? "table"
          : accept?.includes("as=Partial") === true
            ? "partial"
            : "plain";
      const { reader, stub } = await readerOf((request, response) => {
        if (forms(request.headers.accept) !== "plain")
          return answerJson(response, 406, apiStatus(406, "NotAcceptable"));
        return answerJson(response, 200, {
          kind: "SecretList",
          metadata: {},
          items: [{ ...meta("a"), type: "T", data: { k: CANARY } }],
        });
      });
      const items = await gather(reader.listMetadata(ALL));
      expect(items).toMatchObject([{ name: "a", type: "T", dataKeys: ["k"] }]);
      expect(JSON.stringify(items)).not.toContain(CANARY);
      expect(stub.seen.map((seen) => forms(seen.headers.accept))).toEqual([
        "table",
        "partial",
        "plain",
      ]);
      expect(reader.stats()).toMatchObject({
        requests: { list_metadata: 2, list_full: 1 },
        valuesRead: 1,
        unfilteredFullListings: 1,
      });
    },
  );

  test("takes metadata alone where the server has no Table", async () => {
    const { reader } = await readerOf((_, response) =>
      answerJson(response, 200, {
        kind: "PartialObjectMetadataList",
        metadata: {},
        items: [meta("a")],
      }),
    );
    expect(await gather(reader.listMetadata(ALL))).toMatchObject([
      { name: "a", type: null, dataKeys: null },
    ]);
  });

  test("reports an item with a hostile name, shows a hundred at most, and gives the others", async () => {
    const hostile = Array.from({ length: 120 }, (_, nth) => `$(rm -rf ${nth})\u001b[2J`);
    const { reader } = await readerOf((_, response) =>
      answerJson(response, 200, table([...hostile, "good"])),
    );
    expect((await gather(reader.listMetadata(ALL))).map((item) => item.name)).toEqual(["good"]);
    const { unreadable } = reader.stats();
    expect(unreadable).toHaveLength(101);
    expect(unreadable[0]).toBe("an item whose name no API server allows: ns/$(rm -rf 0)\\u{1b}[2J");
    expect(unreadable[100]).toBe("and 20 more");
  });

  test("escapes what goes into the address", async () => {
    const { reader, stub } = await readerOf((_, response) => answerJson(response, 200, table([])));
    await gather(
      reader.listMetadata({
        namespace: "a/../b?x",
        labelSelector: "a=b,c in (d)&limit=1",
        fieldSelector: "type=x",
      }),
    );
    expect(stub.seen[0]?.url).toBe(
      "/api/v1/namespaces/a%2F..%2Fb%3Fx/secrets?limit=500&labelSelector=a%3Db%2Cc+in+%28d%29%26limit%3D1&fieldSelector=type%3Dx&includeObject=Metadata",
    );
  });

  test("that is left early ends its next request", async () => {
    let cut = false;
    const { reader } = await readerOf((_, response, nth) => {
      if (nth === 1) return answerJson(response, 200, table(["a"], "next"));
      response.on("close", () => {
        cut = true;
      });
      return undefined;
    });
    for await (const page of reader.listMetadata(ALL)) {
      expect(page).toHaveLength(1);
      await wait(30);
      break;
    }
    await wait(30);
    expect(cut).toBe(true);
  });

  test("of a hung server fails in its time while another cluster is read", async () => {
    const hung = await readerOf(() => undefined, { requestTimeoutMs: 100 });
    const fine = await readerOf((_, response) => answerJson(response, 200, table(["a"])));
    const [failure, items] = await Promise.all([
      failureOf(gather(hung.reader.listMetadata(ALL))),
      gather(fine.reader.listMetadata(ALL)),
    ]);
    expect(failure.code).toBe("cluster_timeout");
    expect(items).toHaveLength(1);
  });
});

describe("single objects", () => {
  const none = (name: string): object => apiStatus(404, "NotFound", "", { name, kind: "secrets" });

  test("null is what the API says of this very Secret, not any 404", async () => {
    const get = async (handler: Handler) => (await readerOf(handler)).reader.getSecret("ns", "a");
    expect(await get((_, response) => answerJson(response, 404, none("a")))).toBeNull();
    expect(
      (await failureOf(get((_, response) => answerJson(response, 404, none("other"))))).code,
    ).toBe("cluster_not_found");
    expect(
      (
        await failureOf(
          get((_, response) => void response.writeHead(404).end("404 page not found")),
        )
      ).code,
    ).toBe("cluster_not_found");
    expect(
      (
        await failureOf(
          get(
            (_, response) =>
              void response.writeHead(404, { "content-type": "text/html" }).end("<html>"),
          ),
        )
      ).code,
    ).toBe("cluster_answer_invalid");
  });

  test("another object than was asked for isn't taken", async () => {
    for (const body of [
      { kind: "Secret", ...meta("b") },
      { kind: "ConfigMap", ...meta("a") },
      { kind: "Secret" },
      [],
      null,
    ]) {
      const { reader } = await readerOf((_, response) => answerJson(response, 200, body));
      expect((await failureOf(reader.getSecret("ns", "a"))).code).toBe("cluster_answer_invalid");
    }
  });

  test("presence is unknown wherever the answer isn't about that object", async () => {
    const ref = {
      apiVersion: "tailscale.com/v1alpha1",
      kind: "ProxyGroup",
      namespace: null,
      name: "pg",
    };
    const presence = async (handler: Handler, other: Partial<typeof ref> = {}) =>
      (await readerOf(handler)).reader.presence({ ...ref, ...other });
    const unknown = { state: "unknown" };
    expect(
      await presence((_, response) =>
        answerJson(response, 200, {
          metadata: { name: "pg", uid: "u", deletionTimestamp: "2026-11-23T00:00:00Z" },
          spec: { kubeAPIServer: { hostname: "K8s" } },
          status: { url: "https://k8s.tail1a2b3.ts.net" },
        }),
      ),
    ).toEqual({
      state: "present",
      uid: "u",
      deleting: true,
      wants: { hosts: ["k8s"], published: ["k8s.tail1a2b3.ts.net"], secret: null },
    });
    expect(await presence((_, response) => answerJson(response, 404, none("pg")))).toEqual({
      state: "absent",
    });
    expect(
      await presence((_, response) => answerJson(response, 404, apiStatus(404, "NotFound"))),
    ).toEqual(unknown);
    expect(
      await presence((_, response) => void response.writeHead(404).end("404 page not found")),
    ).toEqual(unknown);
    expect(
      await presence((_, response) => answerJson(response, 403, apiStatus(403, "Forbidden"))),
    ).toEqual(unknown);
    expect(
      await presence((_, response) =>
        answerJson(response, 200, { metadata: { name: "other", uid: "u" } }),
      ),
    ).toEqual(unknown);
    for (const odd of [
      { kind: "constructor" },
      { apiVersion: "../v1" },
      { apiVersion: "v1/x/y" },
      { apiVersion: "__proto__/v1" },
      { name: ".." },
      { kind: "Service", apiVersion: "v1" },
    ]) {
      const failing: Handler = () => {
        throw new Error("it was asked");
      };
      expect(await presence(failing, odd)).toEqual(unknown);
    }
    expect(
      (
        await failureOf(
          presence((_, response) => answerJson(response, 401, apiStatus(401, "Unauthorized"))),
        )
      ).code,
    ).toBe("cluster_unauthorized");
  });

  test("after close nothing is asked any more, and what is under way ends", async () => {
    const { reader } = await readerOf(() => undefined);
    const asked: Promise<{ code: string }> = failureOf((reader as ClusterReader).identity());
    await wait(30);
    await reader.close();
    expect((await asked).code).toBe("deadline");
    expect((await failureOf(reader.identity())).code).toBe("deadline");
  });
});

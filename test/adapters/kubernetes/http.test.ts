import { createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Connection } from "../../../lib/adapters/kubernetes/connection.ts";
import { BodyTooLarge } from "../../../lib/adapters/kubernetes/failure.ts";
import { type HttpOptions, HttpClient } from "../../../lib/adapters/kubernetes/http.ts";
import { CertkeepError } from "../../../lib/error.ts";
import {
  type Handler,
  answerJson,
  authority,
  connectionTo,
  createAuthority,
  failureOf,
  folder,
  listen,
  put,
  startStub,
} from "./support.ts";

const REQUEST = { method: "GET", path: "/x", accept: "application/json" } as const;

function client(connection: Connection, options: HttpOptions = {}) {
  const slept: number[] = [];
  const http = new HttpClient(connection, {
    connectTimeoutMs: 2_000,
    requestTimeoutMs: 2_000,
    random: () => 0.5,
    sleep: async (ms) => {
      slept.push(ms);
    },
    ...options,
  });
  return { send: http.send.bind(http), close: http.close.bind(http), slept };
}

async function clientOf(handler: Handler, options: HttpOptions = {}) {
  const stub = await startStub(handler);
  return { ...client(await connectionTo({ server: stub.server }), options), stub };
}

describe("retries", () => {
  test("a 429 is asked again after its Retry-After in seconds and half of the jitter", async () => {
    const { send, slept } = await clientOf((_, response, nth) => {
      if (nth === 1) answerJson(response, 429, {}, { "retry-after": "3" });
      else answerJson(response, 200, { nth });
    });
    const answer = await send(REQUEST);
    expect(answer.status).toBe(200);
    expect(slept).toEqual([3_000 + 0.5 * 250]);
  });

  test("jitter grows, and a 503 that stays is given back after five attempts", async () => {
    const { send, slept, stub } = await clientOf((_, response) => answerJson(response, 503, {}));
    expect((await send(REQUEST)).status).toBe(503);
    expect(slept).toEqual([125, 250, 500, 1_000]);
    expect(stub.seen).toHaveLength(5);
  });

  test("a server that wants to be left alone for longer than the cap is given up", async () => {
    const { send, stub } = await clientOf((_, response) =>
      answerJson(response, 503, {}, { "retry-after": "31" }),
    );
    expect((await send(REQUEST)).status).toBe(503);
    expect(stub.seen).toHaveLength(1);
  });

  test("a connection cut in the body is asked again", async () => {
    const { send, slept } = await clientOf((_, response, nth) => {
      if (nth > 1) return answerJson(response, 200, { whole: true });
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      response.write('{"who');
      setTimeout(() => response.destroy(), 20);
    });
    expect((await send(REQUEST)).body.toString()).toBe('{"whole":true}');
    expect(slept).toHaveLength(1);
  });

  test("a cut chunked body is asked again, and in the end told as cut", async () => {
    const { send, stub } = await clientOf((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"who');
      setTimeout(() => response.destroy(), 5);
    });
    const failure = await failureOf(send(REQUEST));
    expect(failure.code).toBe("cluster_unreachable");
    expect(failure.message).toContain("cut");
    expect(stub.seen).toHaveLength(5);
  });

  test("a write is sent again after a 429, but neither after a 500 nor after a cut", async () => {
    const post = { ...REQUEST, method: "POST", body: "{}" } as const;
    const first = await clientOf((_, response, nth) =>
      answerJson(response, nth === 1 ? 429 : 500, {}),
    );
    expect((await first.send(post)).status).toBe(500);
    expect(first.stub.seen).toHaveLength(2);
    const second = await clientOf((_, response) => void response.destroy());
    expect((await failureOf(second.send(post))).code).toBe("cluster_unreachable");
    expect(second.stub.seen).toHaveLength(1);
  });
});

describe("deadlines", () => {
  test("a server that takes the request and says nothing is asked twice, then told as hung", async () => {
    const { send, stub } = await clientOf(() => undefined, { requestTimeoutMs: 60 });
    const failure = await failureOf(send(REQUEST));
    expect(failure.code).toBe("cluster_timeout");
    expect(failure.message).toContain("didn't answer within 0.06 s");
    expect(stub.seen).toHaveLength(2);
  });

  test("a body that trickles for ever ends at the same deadline", async () => {
    const { send } = await clientOf(
      (_, response) => {
        response.writeHead(200);
        const timer = setInterval(() => response.write(" "), 10);
        response.on("close", () => clearInterval(timer));
      },
      { requestTimeoutMs: 800 },
    );
    expect((await failureOf(send(REQUEST))).message).toContain("didn't send its whole answer");
  });

  test("a server that accepts and never shakes hands costs the connect deadline", async () => {
    const port = await listen(createServer(() => undefined));
    const { send } = client(await connectionTo({ server: `https://127.0.0.1:${port}` }), {
      connectTimeoutMs: 60,
    });
    const failure = await failureOf(send(REQUEST));
    expect(failure).toMatchObject({ code: "cluster_timeout" });
    expect(failure.message).toContain("couldn't be connected to");
  });

  test("the overall signal ends a request under way, and a wait between two", async () => {
    const controller = new AbortController();
    const { send } = await clientOf(() => undefined, { signal: controller.signal });
    const hanging = failureOf(send(REQUEST));
    await wait(30);
    controller.abort();
    expect((await hanging).code).toBe("deadline");
    const waiting = new AbortController();
    const stub = await startStub((_, response) =>
      answerJson(response, 503, {}, { "retry-after": "20" }),
    );
    const http = new HttpClient(await connectionTo({ server: stub.server }), {
      signal: waiting.signal,
    });
    const promise = failureOf(http.send(REQUEST));
    await wait(50);
    waiting.abort(new CertkeepError("deadline", { where: "run", found: "over" }));
    expect((await promise).message).toBe("run: over");
  });
});

describe("answers", () => {
  test("a body beyond the bound ends the request at once, compressed or not", async () => {
    const { send, stub } = await clientOf((_, response) => response.end(Buffer.alloc(100_000)));
    await expect(send({ ...REQUEST, maxBodyBytes: 99_999 })).rejects.toBeInstanceOf(BodyTooLarge);
    expect((await send({ ...REQUEST, maxBodyBytes: 100_000 })).body).toHaveLength(100_000);
    expect(stub.seen).toHaveLength(2);
    const bomb = await clientOf((_, response) => {
      response.writeHead(200, { "content-encoding": "gzip" });
      response.end(gzipSync(Buffer.alloc(5_000_000)));
    });
    await expect(bomb.send({ ...REQUEST, maxBodyBytes: 1_000_000 })).rejects.toBeInstanceOf(
      BodyTooLarge,
    );
  });

  test("gzip isn't asked for on the loopback, and is understood where it comes", async () => {
    const { send, stub } = await clientOf((_, response) => {
      response.writeHead(200, { "content-encoding": "gzip", "content-type": "application/json" });
      response.end(gzipSync('{"a":1}'));
    });
    expect((await send(REQUEST)).body.toString()).toBe('{"a":1}');
    expect(stub.seen[0]?.headers["accept-encoding"]).toBe("identity");
  });

  test("gzip is asked for elsewhere, but not from inside the cluster", async () => {
    const stub = await startStub((_, response) => answerJson(response, 200, {}));
    const connection = await connectionTo({ server: stub.server });
    // A name of the loopback that doesn't look like one.
    const elsewhere = new URL(`https://[::ffff:7f00:1]:${stub.port}`);
    for (const inCluster of [false, true]) {
      await client({ ...connection, server: elsewhere, inCluster, insecure: true }).send(REQUEST);
    }
    expect(stub.seen.map((seen) => seen.headers["accept-encoding"])).toEqual(["gzip", "identity"]);
  });

  test("a redirect isn't followed, and the credential stays here", async () => {
    const other = await startStub((_, response) => answerJson(response, 200, {}));
    const { send } = await clientOf((_, response) => {
      response.writeHead(302, { location: `${other.server}/login` });
      response.end();
    });
    expect((await send(REQUEST)).status).toBe(302);
    expect(other.seen).toHaveLength(0);
  });

  test("what is no HTTP is told as that", async () => {
    const stub = await startStub((request) => void request.socket.end("SSH-2.0-OpenSSH\r\n\r\n"));
    const failure = await failureOf(
      client(await connectionTo({ server: stub.server })).send(REQUEST),
    );
    expect(failure.code).toBe("cluster_answer_invalid");
  });

  test("the path of the server's own address comes first", async () => {
    const stub = await startStub((_, response) => answerJson(response, 200, {}));
    await client(await connectionTo({ server: `${stub.server}/k8s/clusters/c-1/` })).send(REQUEST);
    expect(stub.seen[0]?.url).toBe("/k8s/clusters/c-1/x");
  });

  test("no more requests at a time than allowed", async () => {
    let [open, most] = [0, 0];
    const { send } = await clientOf(
      (_, response) => {
        open += 1;
        most = Math.max(most, open);
        setTimeout(() => {
          open -= 1;
          answerJson(response, 200, {});
        }, 10);
      },
      { concurrency: 3 },
    );
    await Promise.all(Array.from({ length: 12 }, () => send(REQUEST)));
    expect(most).toBe(3);
  });
});

describe("the network and TLS, in words", () => {
  const cases: readonly [string, () => Promise<Connection>, string, string][] = [
    [
      "nothing listens",
      async () => connectionTo({ server: `https://127.0.0.1:1` }),
      "cluster_unreachable",
      "connection refused",
    ],
    [
      "no such name",
      async () => connectionTo({ server: "https://certkeep-test.invalid" }),
      "cluster_unreachable",
      "DNS",
    ],
    [
      "another authority",
      async () => {
        const stub = await startStub((_, response) => answerJson(response, 200, {}));
        return connectionTo({ server: stub.server, caPem: (await createAuthority()).caPem });
      },
      "cluster_tls",
      "isn't signed by the authority that the kubeconfig names",
    ],
    [
      "no authority named",
      async () => {
        const stub = await startStub((_, response) => answerJson(response, 200, {}));
        return connectionTo({ server: stub.server, caPem: null });
      },
      "cluster_tls",
      "isn't signed by an authority that this system trusts",
    ],
    [
      "expired server certificate",
      async () => {
        const stub = await startStub(
          (_, response) => answerJson(response, 200, {}),
          await authority.issue({ expired: true }),
        );
        return connectionTo({ server: stub.server });
      },
      "cluster_tls",
      "has expired",
    ],
    [
      "another name",
      async () => {
        const stub = await startStub(
          (_, response) => answerJson(response, 200, {}),
          await authority.issue({ ip: "10.1.2.3" }),
        );
        return connectionTo({ server: stub.server });
      },
      "cluster_tls",
      "is for another name",
    ],
    [
      "plain HTTP on the port",
      async () => {
        const port = await listen(
          createServer((socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
        );
        return connectionTo({ server: `https://127.0.0.1:${port}` });
      },
      "cluster_tls",
      "the TLS handshake failed",
    ],
  ];
  test.each(cases)("%s", async (_, make, code, words) => {
    const failure = await failureOf(client(await make()).send(REQUEST));
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(words);
    expect(failure.message).toContain("cluster stub: ");
    expect(failure.message).not.toContain("stub-token");
  });

  test("tls-server-name replaces the name that is checked; insecure believes anyone", async () => {
    const stub = await startStub(
      (_, response) => answerJson(response, 200, {}),
      await authority.issue({ ip: "10.1.2.3" }),
    );
    const named = await connectionTo({
      server: stub.server,
      cluster: { "tls-server-name": "10.1.2.3" },
    });
    expect((await client(named).send(REQUEST)).status).toBe(200);
    const insecure = await connectionTo({
      server: stub.server,
      caPem: null,
      cluster: { "insecure-skip-tls-verify": true },
    });
    expect(insecure.insecure).toBe(true);
    expect((await client(insecure).send(REQUEST)).status).toBe(200);
    expect(insecure.proof.proven()).toEqual({ caSha256: null, host: "127.0.0.1" });
  });

  test("a client certificate is shown, and its refusal is told as such", async () => {
    const tls = { requestCert: true, rejectUnauthorized: true, ca: authority.caPem };
    const stub = await startStub((_, response) => answerJson(response, 200, {}), undefined, tls);
    const user = async (from: typeof authority) => {
      const pair = await from.issue({ client: true });
      const encode = (text: string): string => Buffer.from(text).toString("base64");
      return { "client-certificate-data": encode(pair.cert), "client-key-data": encode(pair.key) };
    };
    expect(
      (
        await client(await connectionTo({ server: stub.server, user: await user(authority) })).send(
          REQUEST,
        )
      ).status,
    ).toBe(200);
    const failure = await failureOf(
      client(await connectionTo({ server: stub.server, user: {} })).send(REQUEST),
    );
    expect(failure.code).toBe("cluster_unauthorized");
  });
});

describe("a credential that is refused", () => {
  test("is read again once where it comes from a file", async () => {
    const path = put(`${folder()}/token`, "first\n");
    const stub = await startStub((request, response) => {
      if (request.headers.authorization === "Bearer second") return answerJson(response, 200, {});
      put(path, "second");
      return answerJson(response, 401, {});
    });
    const { send } = client(await connectionTo({ server: stub.server, user: { tokenFile: path } }));
    expect((await send(REQUEST)).status).toBe(200);
    expect(stub.seen.map((seen) => seen.headers.authorization)).toEqual([
      "Bearer first",
      "Bearer second",
    ]);
  });

  test("is not sent again where there is no other, nor more than twice", async () => {
    const fixed = await clientOf((_, response) => answerJson(response, 401, {}));
    expect((await fixed.send(REQUEST)).status).toBe(401);
    expect(fixed.stub.seen).toHaveLength(1);
    const stub = await startStub((_, response) => answerJson(response, 401, {}));
    const path = put(`${folder()}/token`, "old");
    expect(
      (
        await client(await connectionTo({ server: stub.server, user: { tokenFile: path } })).send(
          REQUEST,
        )
      ).status,
    ).toBe(401);
    expect(stub.seen).toHaveLength(2);
  });
});

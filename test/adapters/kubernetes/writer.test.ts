/**
 * The writer against the fake API server: its contract, and connections that break at the worst
 * moment.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Connection } from "../../../lib/adapters/kubernetes/connection.ts";
import { connect } from "../../../lib/adapters/kubernetes/context.ts";
import { parseKubeconfig } from "../../../lib/adapters/kubernetes/kubeconfig.ts";
import { createClusterReader } from "../../../lib/adapters/kubernetes/reader.ts";
import { createClusterWriter } from "../../../lib/adapters/kubernetes/writer.ts";
import { serviceAccount, startSandbox, type Sandbox } from "../../fake-apiserver/api.ts";
import { writerContract } from "../../contract/writer.ts";
import { CANARY, encodingsOf } from "../../support/encodings.ts";
import {
  answerJson,
  apiStatus,
  connectionTo as stubConnection,
  failureOf,
  startStub,
} from "./support.ts";

async function connectionTo(sandbox: Sandbox, token?: string): Promise<Connection> {
  return connect(
    parseKubeconfig(sandbox.kubeconfig(token === undefined ? {} : { token }), "sandbox.yaml"),
    null,
    { environment: {}, nowMs: Date.now },
  );
}

writerContract("sandbox", async () => {
  const sandbox = await startSandbox({
    namespaces: ["work"],
    tokens: { none: serviceAccount("work", "none", []) },
  });
  const writer = createClusterWriter(await connectionTo(sandbox));
  const reader = createClusterReader(await connectionTo(sandbox));
  const powerless = createClusterWriter(await connectionTo(sandbox, "none"));
  return {
    writer,
    reader,
    namespace: "work",
    powerless,
    close: async () => {
      await Promise.all([writer.close(), reader.close(), powerless.close()]);
      await sandbox.stop();
    },
  };
});

describe("a write whose answer is lost", () => {
  let sandbox: Sandbox;
  beforeEach(async () => {
    sandbox = await startSandbox({ namespaces: ["work"] });
  });
  afterEach(() => sandbox.stop());

  const secret = {
    namespace: "work",
    name: "a",
    type: "Opaque",
    labels: {},
    annotations: {},
    data: { x: "eA==" },
  };
  const patient = { sleep: async () => {}, attempts: 3, requestTimeoutMs: 2_000 };

  it.each(["before", "after"] as const)("is done once, cut %s it took effect", async (when) => {
    const writer = createClusterWriter(await connectionTo(sandbox), patient);
    const cutOnce = (verb: string): void => {
      let cut = false;
      sandbox.intercept((request) => {
        if (request.verb !== verb || cut) return undefined;
        cut = true;
        return { kind: "cut", when };
      });
    };
    cutOnce("create");
    expect(await writer.createSecret(secret)).toBe("done");
    const { resourceVersion, uid } = sandbox.get("work", "a")?.metadata ?? {
      resourceVersion: "",
      uid: "",
    };
    cutOnce("patch");
    expect(await writer.patchSecret({ ...secret, resourceVersion, data: { x: "eQ==" } })).toBe(
      "done",
    );
    const after = sandbox.get("work", "a");
    expect(after?.data).toEqual({ x: "eQ==" });
    cutOnce("delete");
    expect(
      await writer.deleteSecret({
        ...secret,
        uid,
        resourceVersion: after?.metadata.resourceVersion ?? "",
      }),
    ).toBe("done");
    expect(sandbox.get("work", "a")).toBeNull();
    await writer.close();
  });

  it("isn't mistaken for somebody else's", async () => {
    const writer = createClusterWriter(await connectionTo(sandbox), patient);
    let cut = false;
    sandbox.intercept((request) => {
      if (request.verb !== "create" || cut) return undefined;
      cut = true;
      sandbox.put([
        { metadata: { namespace: "work", name: "a" }, type: "Opaque", data: { x: "b3duZXI=" } },
      ]);
      return { kind: "cut", when: "before" };
    });
    expect(await writer.createSecret(secret)).toBe("conflict");
    expect(sandbox.get("work", "a")?.data).toEqual({ x: "b3duZXI=" });
    await writer.close();
  });
});

describe("a denial", () => {
  const ENCODINGS = encodingsOf(CANARY);
  const OF_SECRET = 'secrets "a" is forbidden: ';
  const VERB = "create secrets in namespace work";
  const ASK =
    "Read the reason in its log or policy: certkeep doesn't print it, since it can contain the " +
    "private key. Nothing was changed";

  /** What the API server puts before the text, and all that is printed of it. */
  const BEGINNINGS: readonly (readonly [string, number, string, string, string])[] = [
    [
      "of a webhook",
      403,
      "Forbidden",
      'admission webhook "policy.example.com" denied the request: ',
      `admission webhook policy.example.com denied the request to ${VERB} (status 403, ` +
        `Forbidden). ${ASK}`,
    ],
    [
      "of a webhook that names a reason of its own",
      400,
      "SGVsbG8",
      'admission webhook "policy.example.com" denied the request: ',
      `admission webhook policy.example.com denied the request to ${VERB} (status 400). ${ASK}`,
    ],
    [
      "of a webhook whose name is no DNS name",
      400,
      "BadRequest",
      'admission webhook "SGVsbG8=" denied the request: ',
      `admission webhook (its name isn't a DNS name) denied the request to ${VERB} (status 400, ` +
        `BadRequest). ${ASK}`,
    ],
    [
      "of a policy",
      422,
      "Invalid",
      `${OF_SECRET}ValidatingAdmissionPolicy 'p' with binding 'b' denied request: `,
      `ValidatingAdmissionPolicy p denied the request to ${VERB} (status 422, Invalid). ${ASK}`,
    ],
    [
      "of a quota",
      403,
      "Forbidden",
      `${OF_SECRET}exceeded quota: q, requested: `,
      `a resource quota of namespace work is used up, so the cluster refuses to ${VERB} ` +
        "(status 403, Forbidden). Raise the quota, or delete what isn't needed",
    ],
    [
      "of a namespace that is being deleted",
      403,
      "Forbidden",
      `${OF_SECRET}unable to create new content in namespace work because it is being terminated`,
      "namespace work is being deleted and accepts nothing new (status 403, Forbidden). Wait " +
        "until it is deleted, then restore with --create-namespace",
    ],
    [
      "of a webhook that fails",
      500,
      "InternalError",
      'Internal error occurred: failed calling webhook "policy.example.com": an error on the ' +
        'server ("',
      "the call to admission webhook policy.example.com failed, so the cluster refuses to " +
        `${VERB} (status 500, InternalError). Fix the webhook, or its failurePolicy. Nothing ` +
        "was changed",
    ],
    [
      "of an invalid object",
      422,
      "Invalid",
      'Secret "a" is invalid: data[tls.key]: Invalid value: "',
      `the server answered ${VERB} with status 422, Invalid`,
    ],
    [
      "in words that nobody knows",
      400,
      "BadRequest",
      'something User "me" cannot create ',
      `the server answered ${VERB} with status 400, BadRequest`,
    ],
  ];

  it.each(BEGINNINGS)(
    "%s is printed without its text, however it encodes a key",
    async (_name, status, reason, beginning, printed) => {
      let text = "";
      const stub = await startStub((_, response) =>
        answerJson(response, status, apiStatus(status, reason, beginning + text)),
      );
      const writer = createClusterWriter(await stubConnection({ server: stub.server }), {
        attempts: 1,
      });
      for (text of ["", ...Object.values(ENCODINGS), ENCODINGS["base64"]?.repeat(2_000) ?? ""]) {
        const error = await failureOf(
          writer.createSecret({
            namespace: "work",
            name: "a",
            type: "Opaque",
            labels: {},
            annotations: {},
            data: { "tls.key": CANARY.toString("base64") },
          }),
        );
        expect(error.message).toBe(`cluster stub: ${printed}`);
      }
      await writer.close();
    },
  );
});

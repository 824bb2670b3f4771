/** The writer against the sandbox: its contract, and connections that break at the worst moment. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Connection } from "../../../lib/adapters/kubernetes/connection.ts";
import { scrub } from "../../../lib/adapters/kubernetes/denial.ts";
import { connect, parseKubeconfig } from "../../../lib/adapters/kubernetes/kubeconfig.ts";
import { createClusterReader } from "../../../lib/adapters/kubernetes/reader.ts";
import { createClusterWriter } from "../../../lib/adapters/kubernetes/writer.ts";
import { serviceAccount, startSandbox, type Sandbox } from "../../../lib/sandbox/api.ts";
import { writerContract } from "../../contract/writer.ts";

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

  it.each([
    [
      400,
      'admission webhook "policy.example.com" denied the request: secrets need an owner label',
      "secrets need an owner label",
    ],
    [
      403,
      'admission webhook "policy.example.com" denied the request: object {"data":{"tls.key":"LS0tLS1CRUdJTiBQUklWQVRF"}} is not allowed',
      "policy.example.com",
    ],
    [
      422,
      "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no secrets here",
      "no secrets here",
    ],
    [
      500,
      'Internal error occurred: failed calling webhook "policy.example.com": Post "https://x": connection refused',
      "policy.example.com",
    ],
  ])("a denial with status %i is told without the body", async (status, message, told) => {
    const writer = createClusterWriter(await connectionTo(sandbox), { ...patient, attempts: 1 });
    sandbox.intercept((request) =>
      request.verb === "create" ? { kind: "status", status, message } : undefined,
    );
    const error = await writer.createSecret(secret).then(
      () => null,
      (thrown: unknown) => thrown as Error,
    );
    expect(error?.message).toContain(told);
    expect(error?.message).not.toContain("LS0tLS1CRUdJTiBQUklWQVRF");
    await writer.close();
  });

  it("whatever looks like a value is cut out of a foreign message", () => {
    expect(scrub("bad -----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY----- end")).toBe(
      "bad … end",
    );
    expect(scrub(`x ${"QUJD".repeat(12)} y`)).toBe("x … y");
  });
});

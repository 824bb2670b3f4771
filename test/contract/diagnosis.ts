/**
 * What asking a cluster about the causes of issuances has to do, whatever server it asks: the fake
 * API server or a real kube-apiserver.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClusterDiagnosis } from "../../lib/adapters/kubernetes/diagnosis.ts";
import type { HttpOptions } from "../../lib/adapters/kubernetes/http.ts";
import { connect } from "../../lib/adapters/kubernetes/context.ts";
import { parseKubeconfig } from "../../lib/adapters/kubernetes/kubeconfig.ts";
import { CertkeepError } from "../../lib/error.ts";
import type { ClusterDiagnosis, LogText } from "../../lib/ports/cluster.ts";
import { type Client, harnessAgent } from "../e2e/support/client.ts";
import type { ClusterRule } from "./cluster.ts";

/** Namespace of everything here. */
export const diagnosisNamespace = "diagnosis";

/**
 * The accounts that a server for this suite has to know; `pg` is asked about, and may change one
 * Secret alone.
 */
export const diagnosisAccounts: Readonly<
  Record<
    "diagnoser" | "reader" | "pg",
    readonly (ClusterRule & { readonly apiGroups?: readonly string[] })[]
  >
> = {
  diagnoser: [
    { verbs: ["list"], resources: ["pods", "events"], namespace: diagnosisNamespace },
    { verbs: ["get"], resources: ["pods/log"], namespace: diagnosisNamespace },
    { verbs: ["create"], resources: ["subjectaccessreviews"], apiGroups: ["authorization.k8s.io"] },
  ],
  reader: [{ verbs: ["get", "list"], resources: ["secrets"] }],
  pg: [
    {
      verbs: ["get", "patch"],
      resources: ["secrets"],
      resourceNames: ["app.tail1.ts.net"],
      namespace: diagnosisNamespace,
    },
  ],
};

export interface DiagnosisSubject {
  readonly admin: Client;
  kubeconfig(account: keyof typeof diagnosisAccounts): string;
  createPod(
    name: string,
    container: string,
    labels: Readonly<Record<string, string>>,
    account: string,
  ): Promise<void>;
  /** Lines with the kubelet's time before each. */
  setLog(pod: string, container: string, log: string, previous?: boolean): void;
  requests(): Promise<
    readonly { readonly verb: string; readonly uri: string; readonly userAgent: string }[]
  >;
  stop(): Promise<void>;
}

const CANARY = "canary-5b1e";
const NS = diagnosisNamespace;
const stamped = (second: number, text: string): string =>
  `2026-11-23T14:34:${String(second).padStart(2, "0")}.000000001Z ${text}\n`;
const LOG = stamped(1, "first") + stamped(2, `second ${CANARY}`) + stamped(3, "third");
const textOf = (log: LogText): string =>
  log.state === "read" ? new TextDecoder().decode(log.bytes) : log.state;

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof CertkeepError))
    throw new Error(`expected a CertkeepError, got ${String(error)}`);
  expect(error.message).not.toContain(CANARY);
  return error.code;
}

export function diagnosisContract(name: string, setup: () => Promise<DiagnosisSubject>): void {
  describe(`asking a cluster about causes: ${name}`, () => {
    let subject: DiagnosisSubject;
    const opened: ClusterDiagnosis[] = [];
    const diagnosis = async (
      account: keyof typeof diagnosisAccounts = "diagnoser",
      options: HttpOptions = {},
    ): Promise<ClusterDiagnosis> => {
      const connection = await connect(
        parseKubeconfig(subject.kubeconfig(account), "kubeconfig"),
        null,
        { environment: {}, nowMs: Date.now },
      );
      const made = createClusterDiagnosis(connection, { random: () => 0, ...options });
      opened.push(made);
      return made;
    };
    const read = async (
      query: Partial<Parameters<ClusterDiagnosis["readLog"]>[0]> = {},
    ): Promise<LogText> =>
      (await diagnosis()).readLog({
        namespace: NS,
        pod: "pg-0",
        container: "tailscale",
        limitBytes: 100_000,
        ...query,
      });

    beforeAll(async () => {
      subject = await setup();
      await subject.createPod("operator-1", "operator", { app: "operator" }, "operator");
      await subject.createPod(
        "pg-0",
        "tailscale",
        {
          "tailscale.com/parent-resource": "pg",
          "tailscale.com/parent-resource-type": "proxygroup",
        },
        "pg",
      );
      await subject.createPod("starting", "tailscale", { app: "starting" }, "pg");
      subject.setLog("pg-0", "tailscale", LOG);
      subject.setLog("pg-0", "tailscale", stamped(0, "before"), true);
      subject.setLog("operator-1", "operator", stamped(1, '{"level":"debug"}'));
      for (const [event, type, reason] of [
        ["one", "Warning", "TailscaleStateUpdateFailed"],
        ["two", "Normal", "TailscaledStateUpdated"],
      ] as const) {
        const times = {
          firstTimestamp: "2026-11-23T14:00:00Z",
          lastTimestamp: "2026-11-23T14:10:00Z",
        };
        const body = {
          apiVersion: "v1",
          kind: "Event",
          metadata: { name: event, namespace: NS },
          involvedObject: { kind: "Pod", name: "pg-0", namespace: NS },
          type,
          reason,
          message: `said ${CANARY}`,
          count: 3,
          source: { component: "tailscale-state-store" },
          ...times,
        };
        const answer = await subject.admin.request("POST", `/api/v1/namespaces/${NS}/events`, body);
        if (answer.status !== 201) throw new Error(`status ${answer.status} when making an event`);
      }
    });
    afterAll(async () => {
      await Promise.all(opened.map((one) => one.close()));
      await subject?.stop();
    });

    test("pods are listed by their labels, with their account, containers and start", async () => {
      const { items, more } = await (
        await diagnosis()
      ).listPods(NS, "tailscale.com/parent-resource");
      expect(more).toBe(false);
      expect(items).toMatchObject([
        {
          namespace: NS,
          name: "pg-0",
          account: "pg",
          containers: [{ name: "tailscale", restarts: 0 }],
        },
      ]);
      expect(items[0]?.labels).toMatchObject({ "tailscale.com/parent-resource": "pg" });
      expect(items[0]?.containers[0]?.startedMs).toBeTypeOf("number");
      expect((await (await diagnosis()).listPods(NS, "app=nobody")).items).toEqual([]);
    });

    test("a log has the kubelet's time before each line", async () => {
      expect(textOf(await read())).toBe(LOG);
      expect(await read()).toMatchObject({ cut: false });
    });

    test("a log can be had from a time on, the last lines alone, and that before the restart", async () => {
      expect(textOf(await read({ sinceMs: Date.UTC(2026, 10, 23, 14, 34, 2, 900) }))).toBe(
        LOG.slice(LOG.indexOf("\n") + 1),
      );
      expect(textOf(await read({ tailLines: 1 }))).toBe(stamped(3, "third"));
      expect(textOf(await read({ previous: true }))).toBe(stamped(0, "before"));
    });

    test("a log of more bytes than asked for is cut, and says so", async () => {
      const cut = await read({ limitBytes: 50 });
      expect(textOf(cut)).toBe(LOG.slice(0, 50));
      expect(cut).toMatchObject({ cut: true });
    });

    test(
      "a log that isn't there is an answer: no such pod, no such container, not started, no " +
        "restart",
      async () => {
        expect(await read({ pod: "nobody" })).toEqual({ state: "none" });
        expect(await read({ container: "nobody" })).toEqual({ state: "none" });
        expect(await read({ pod: "starting" })).toEqual({ state: "none" });
        expect(await read({ pod: "operator-1", container: "operator", previous: true })).toEqual({
          state: "none",
        });
      },
    );

    test("events are listed by their fields", async () => {
      const { items } = await (await diagnosis()).listEvents(NS, "type=Warning");
      expect(items).toEqual([
        {
          namespace: NS,
          kind: "Pod",
          name: "pg-0",
          type: "Warning",
          reason: "TailscaleStateUpdateFailed",
          message: `said ${CANARY}`,
          count: 3,
          firstMs: Date.UTC(2026, 10, 23, 14),
          lastMs: Date.UTC(2026, 10, 23, 14, 10),
        },
      ]);
    });

    test("the server says what an account may do to one Secret", async () => {
      const ask = async (secret: string, verb: string, account = "pg"): Promise<boolean> =>
        (await (await diagnosis()).reviewAccess({ namespace: NS, secret, account, verb })).allowed;
      expect([
        await ask("app.tail1.ts.net", "get"),
        await ask("app.tail1.ts.net", "patch"),
        await ask("app.tail1.ts.net", "update"),
        await ask("other.tail1.ts.net", "get"),
        await ask("app.tail1.ts.net", "get", "nobody"),
      ]).toEqual([true, true, false, false, false]);
    });

    test("who may not ask is told so, by kind", async () => {
      const reader = await diagnosis("reader");
      expect(await codeOf(reader.listPods(NS, "app=operator"))).toBe("cluster_forbidden");
      expect(
        await codeOf(
          reader.readLog({ namespace: NS, pod: "pg-0", container: "tailscale", limitBytes: 100 }),
        ),
      ).toBe("cluster_forbidden");
      expect(await codeOf(reader.listEvents(NS, "type=Warning"))).toBe("cluster_forbidden");
      expect(
        await codeOf(
          reader.reviewAccess({ namespace: NS, secret: "x", account: "pg", verb: "get" }),
        ),
      ).toBe("cluster_forbidden");
      expect(reader.requests()).toEqual({ pods: 1, logs: 1, events: 1, access: 1 });
    });

    test("what is aborted ends", async () => {
      const ended = new AbortController();
      ended.abort();
      expect(await codeOf((await diagnosis()).listPods(NS, "app=operator", ended.signal))).toBe(
        "deadline",
      );
    });

    test("nothing was written but access reviews, which store nothing", async () => {
      const own = (await subject.requests()).filter(({ userAgent }) => userAgent !== harnessAgent);
      const posted = own.filter(({ verb }) => !["get", "list", "watch"].includes(verb));
      expect(posted.length).toBeGreaterThan(0);
      for (const { verb, uri } of posted)
        expect([verb, uri.split("?")[0]]).toEqual([
          "create",
          "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        ]);
    });
  });
}

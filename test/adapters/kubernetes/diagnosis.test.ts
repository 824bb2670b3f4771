import { expect, it } from "vitest";
import { createClusterDiagnosis } from "../../../lib/adapters/kubernetes/diagnosis.ts";
import { connect } from "../../../lib/adapters/kubernetes/context.ts";
import { parseKubeconfig } from "../../../lib/adapters/kubernetes/kubeconfig.ts";
import { CertkeepError } from "../../../lib/error.ts";
import type { ClusterDiagnosis } from "../../../lib/ports/cluster.ts";
import type { Fault } from "../../fake-apiserver/faults.ts";
import { serviceAccount, startSandbox } from "../../fake-apiserver/api.ts";
import {
  diagnosisAccounts,
  diagnosisContract,
  diagnosisNamespace,
} from "../../contract/diagnosis.ts";
import { createClient } from "../../e2e/support/client.ts";

diagnosisContract("sandbox", async () => {
  const tokens = Object.fromEntries(
    Object.entries(diagnosisAccounts).map(([name, rules]) => [
      `token-of-${name}`,
      serviceAccount(diagnosisNamespace, name, rules),
    ]),
  );
  const sandbox = await startSandbox({ tokens, namespaces: ["default", diagnosisNamespace] });
  const admin = createClient(sandbox.url, sandbox.caPem, sandbox.adminToken);
  return {
    admin,
    kubeconfig: (account) => sandbox.kubeconfig({ token: `token-of-${account}` }),
    createPod: async (name, container, labels, account) => {
      const status = {
        containerStatuses: [
          {
            name: container,
            restartCount: 0,
            state: { running: { startedAt: "2026-11-23T14:00:00Z" } },
          },
        ],
      };
      sandbox.put([
        {
          kind: "Pod",
          metadata: { name, namespace: diagnosisNamespace, labels },
          spec: { serviceAccountName: account, containers: [{ name: container }] },
          status,
        },
      ]);
    },
    setLog: (pod, container, log, previous) =>
      sandbox.setLog(diagnosisNamespace, pod, container, log, previous),
    requests: async () =>
      sandbox.requests.map((request) => ({
        verb: request.verb ?? (request.method === "POST" ? "create" : request.method.toLowerCase()),
        uri: request.path,
        userAgent: request.userAgent,
      })),
    stop: async () => {
      admin.close();
      await sandbox.stop();
    },
  };
});

async function withFault<T>(
  fault: Fault,
  work: (diagnosis: ClusterDiagnosis) => Promise<T>,
): Promise<T> {
  const sandbox = await startSandbox();
  sandbox.intercept(() => fault);
  const connection = await connect(parseKubeconfig(sandbox.kubeconfig(), "kubeconfig"), null, {
    environment: {},
    nowMs: Date.now,
  });
  const diagnosis = createClusterDiagnosis(connection, {
    attempts: 1,
    requestTimeoutMs: fault.kind === "hang" ? 300 : 20_000,
  });
  try {
    return await work(diagnosis);
  } finally {
    await diagnosis.close();
    await sandbox.stop();
  }
}

const QUERY = { namespace: "tailscale", pod: "pg-0", container: "tailscale", limitBytes: 10_000 };

it("takes no more of a log than was asked for, whatever the server sends", async () => {
  const log = await withFault(
    { kind: "status", status: 200, body: "x".repeat(100_000_000) },
    (diagnosis) => diagnosis.readLog(QUERY),
  );
  expect(log).toMatchObject({ state: "read", cut: true });
  expect(log.state === "read" ? log.bytes.length : 0).toBe(10_000);
});

it("takes what a kubelet says in place of a log for what it is", async () => {
  const body = "unable to retrieve container logs for containerd://4f1e";
  expect(
    await withFault({ kind: "status", status: 200, body }, (diagnosis) => diagnosis.readLog(QUERY)),
  ).toEqual({ state: "none" });
});

const ASKS: readonly (readonly [string, (diagnosis: ClusterDiagnosis) => Promise<unknown>])[] = [
  ["pods", (diagnosis) => diagnosis.listPods("tailscale", "app=operator")],
  ["events", (diagnosis) => diagnosis.listEvents("tailscale", "type=Warning")],
  [
    "access",
    (diagnosis) =>
      diagnosis.reviewAccess({ namespace: "tailscale", secret: "x", account: "pg", verb: "get" }),
  ],
];

it.each(
  ASKS.flatMap(
    ([name, ask]) =>
      [
        [
          name,
          { kind: "status", status: 200, body: "<html>log in</html>" },
          "cluster_answer_invalid",
          ask,
        ] as const,
        [
          name,
          { kind: "status", status: 200, body: '{"items": 7, "status": {"allowed": "yes"}}' },
          "cluster_answer_invalid",
          ask,
        ] as const,
        [
          name,
          { kind: "status", status: 200, body: '{"items": [' },
          "cluster_answer_invalid",
          ask,
        ] as const,
        [name, { kind: "status", status: 503 }, "cluster_unreachable", ask] as const,
        [name, { kind: "status", status: 401 }, "cluster_unauthorized", ask] as const,
        [name, { kind: "hang" }, "cluster_timeout", ask] as const,
      ] as const,
  ),
)("%s answered with %j are %s", async (_name, fault, code, ask) => {
  const error: unknown = await withFault(fault, ask).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CertkeepError);
  expect((error as CertkeepError).code).toBe(code);
});

it("passes over items that are no pods or events, and says that there was more", async () => {
  const items = [
    null,
    7,
    {},
    { metadata: { name: "../x", namespace: "tailscale" } },
    { metadata: { name: "x", namespace: "other" } },
    { involvedObject: { kind: "Pod", name: "x" }, type: "Odd" },
  ];
  const body = JSON.stringify({ items });
  expect(
    await withFault({ kind: "status", status: 200, body }, (diagnosis) =>
      diagnosis.listPods("tailscale", "a=b"),
    ),
  ).toEqual({ items: [], more: true });
  expect(
    await withFault({ kind: "status", status: 200, body }, (diagnosis) =>
      diagnosis.listEvents("tailscale", "a=b"),
    ),
  ).toEqual({ items: [], more: true });
});

import { serviceAccount, startSandbox } from "../../../lib/sandbox/api.ts";
import { diagnosisAccounts, diagnosisContract, diagnosisNamespace } from "../../contract/diagnosis.ts";
import { createClient } from "../../e2e/support/client.ts";

diagnosisContract("sandbox", async () => {
  const tokens = Object.fromEntries(Object.entries(diagnosisAccounts).map(([name, rules]) => [`token-of-${name}`, serviceAccount(diagnosisNamespace, name, rules)]));
  const sandbox = await startSandbox({ tokens, namespaces: ["default", diagnosisNamespace] });
  const admin = createClient(sandbox.url, sandbox.caPem, sandbox.adminToken);
  return {
    admin,
    kubeconfig: (account) => sandbox.kubeconfig({ token: `token-of-${account}` }),
    createPod: async (name, container, labels, account) => {
      const status = { containerStatuses: [{ name: container, restartCount: 0, state: { running: { startedAt: "2026-11-23T14:00:00Z" } } }] };
      sandbox.put([{ kind: "Pod", metadata: { name, namespace: diagnosisNamespace, labels }, spec: { serviceAccountName: account, containers: [{ name: container }] }, status }]);
    },
    setLog: (pod, container, log, previous) => sandbox.setLog(diagnosisNamespace, pod, container, log, previous),
    requests: async () => sandbox.requests.map((request) => ({ verb: request.verb ?? (request.method === "POST" ? "create" : request.method.toLowerCase()), uri: request.path, userAgent: request.userAgent })),
    stop: async () => {
      admin.close();
      await sandbox.stop();
    },
  };
});

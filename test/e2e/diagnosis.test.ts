import { readFileSync } from "node:fs";
import { describe } from "vitest";
import { logChoice, selectLog } from "../fake-apiserver/podlog.ts";
import { diagnosisAccounts, diagnosisContract, diagnosisNamespace } from "../contract/diagnosis.ts";
import { startKube } from "./support/kube.ts";
import { startKubeletStub } from "./support/kubelet.ts";
import { createNamespace, createServiceAccount } from "./support/objects.ts";
import { lacksTools } from "./support/tools.ts";

describe.skipIf(lacksTools("etcd", "kube-apiserver"))("asking a real server about causes", () => {
  diagnosisContract("kube-apiserver", async () => {
    const kube = await startKube();
    const kubelet = await startKubeletStub(kube);
    await createNamespace(kube, diagnosisNamespace);
    const tokens: Record<string, string> = {};
    for (const [name, rules] of Object.entries(diagnosisAccounts)) {
      const rbac = rules.map(({ namespace, apiGroups = [""], ...rule }) => ({
        namespace,
        rule: { apiGroups, ...rule },
      }));
      const inNamespace = rbac
        .filter(({ namespace }) => namespace !== undefined)
        .map(({ rule }) => rule);
      const everywhere = rbac
        .filter(({ namespace }) => namespace === undefined)
        .map(({ rule }) => rule);
      tokens[name] = await createServiceAccount(
        kube,
        diagnosisNamespace,
        name,
        inNamespace,
        everywhere,
      );
    }
    /** Of a container: the current log and the one before. */
    const logs = new Map<string, string>();
    return {
      admin: kube.clientFor(kube.adminToken),
      kubeconfig: (account) =>
        readFileSync(kube.kubeconfigFor({ token: tokens[account] ?? "" }), "utf8"),
      createPod: (name, container, labels, account) =>
        kubelet.createPod(diagnosisNamespace, name, container, labels, account),
      setLog: (pod, container, log, previous = false) => {
        logs.set(`${pod}/${container}/${previous}`, log);
        kubelet.setLog(diagnosisNamespace, pod, ({ query, container: asked }) => {
          const found = logs.get(`${pod}/${asked}/${query.get("previous") === "true"}`);
          return found === undefined ? null : selectLog(found, logChoice(query));
        });
      },
      requests: async () =>
        (await kube.requests()).map((line) => ({
          verb: line.verb,
          uri: line.requestURI,
          userAgent: line.userAgent ?? "",
        })),
      stop: async () => {
        await kubelet.stop();
        await kube.stop();
      },
    };
  });
});

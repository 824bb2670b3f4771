import { readFileSync } from "node:fs";
import { describe } from "vitest";
import {
  type ClusterRule,
  clusterAccounts,
  clusterContract,
  clusterNamespace,
} from "../contract/cluster.ts";
import { startKube } from "./support/kube.ts";
import { createNamespace, createServiceAccount } from "./support/objects.ts";
import { lacksTools } from "./support/tools.ts";

const rbac = ({ verbs, resources, resourceNames }: ClusterRule) => ({
  apiGroups: [""],
  verbs,
  resources,
  ...(resourceNames === undefined ? {} : { resourceNames }),
});

describe.skipIf(lacksTools("etcd", "kube-apiserver"))("the reader on a real server", () => {
  clusterContract("kube-apiserver", async () => {
    // Pages from the server's cache would outlive the compaction that the suite makes.
    const kube = await startKube({ pagesFromCache: false });
    await createNamespace(kube, clusterNamespace);
    const tokens: Record<string, string> = { stranger: "nobody-has-this-token" };
    for (const [name, rules] of Object.entries(clusterAccounts)) {
      const inNamespace = rules.filter((rule) => rule.namespace !== undefined).map(rbac);
      const everywhere = rules.filter((rule) => rule.namespace === undefined).map(rbac);
      tokens[name] = await createServiceAccount(
        kube,
        clusterNamespace,
        name,
        inNamespace,
        everywhere,
      );
    }
    return {
      admin: kube.clientFor(kube.adminToken),
      kubeconfig: (account) =>
        readFileSync(kube.kubeconfigFor({ token: tokens[account] ?? "" }), "utf8"),
      expireContinue: () => kube.compact(),
      disown: async (namespace, name, managedFields) => {
        // An empty list would change nothing; a list of one empty entry clears
        // (metadata.managedFields, API conventions).
        const entries = managedFields.length === 0 ? [{}] : managedFields;
        await kube.demand("PATCH", `/api/v1/namespaces/${namespace}/secrets/${name}`, {
          metadata: { managedFields: entries },
        });
      },
      requests: async () =>
        (await kube.requests()).map((line) => ({
          verb: line.verb,
          uri: line.requestURI,
          userAgent: line.userAgent ?? "",
        })),
      stop: () => kube.stop(),
    };
  });
});

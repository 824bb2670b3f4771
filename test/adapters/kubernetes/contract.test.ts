import { serviceAccount, startSandbox } from "../../fake-apiserver/api.ts";
import type { StoredObject } from "../../fake-apiserver/objects.ts";
import { clusterAccounts, clusterContract, clusterNamespace } from "../../contract/cluster.ts";
import { createClient } from "../../e2e/support/client.ts";

clusterContract("sandbox", async () => {
  const tokens = Object.fromEntries(
    Object.entries(clusterAccounts).map(([name, rules]) => [
      `token-of-${name}`,
      serviceAccount(clusterNamespace, name, rules),
    ]),
  );
  const sandbox = await startSandbox({ tokens });
  const admin = createClient(sandbox.url, sandbox.caPem, sandbox.adminToken);
  return {
    admin,
    kubeconfig: (account) => sandbox.kubeconfig({ token: `token-of-${account}` }),
    expireContinue: async () => sandbox.expireContinueTokens(),
    disown: async (namespace, name, managedFields) => {
      const secret = sandbox.get(namespace, name);
      if (secret === null) throw new Error(`no Secret ${name}`);
      sandbox.put([
        {
          ...secret,
          metadata: {
            ...secret.metadata,
            managedFields: managedFields as StoredObject["metadata"]["managedFields"] & object,
          },
        },
      ]);
    },
    requests: async () =>
      sandbox.requests.map((request) => ({
        verb: request.verb ?? "",
        uri: `${request.path}?${new URLSearchParams(request.query)}`,
        userAgent: request.userAgent,
      })),
    stop: async () => {
      admin.close();
      await sandbox.stop();
    },
  };
});

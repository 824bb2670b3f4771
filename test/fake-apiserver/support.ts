/** What the tests of the fake API server share: clients of it, and a watch read line by line. */
import { request } from "node:https";
import { serviceAccount, startSandbox } from "./api.ts";
import { type ContractServer, contractAccounts, contractNamespace } from "../contract/apiserver.ts";
import { createClient } from "../e2e/support/client.ts";

/** Opens a watch and gives the first `count` events. */
export function openWatch(
  server: string,
  caPem: string,
  token: string,
  path: string,
  count: number,
): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, accept: "application/json" };
    const outgoing = request(new URL(path, server), { ca: caPem, headers }, (incoming) => {
      let text = "";
      incoming.on("data", (part: Buffer) => {
        text += part.toString("utf8");
        const lines = text.split("\n").slice(0, -1);
        if (lines.length < count) return;
        resolve(lines.slice(0, count).map((line) => JSON.parse(line) as unknown));
        outgoing.destroy();
      });
      incoming.once("end", () => reject(new Error(`the watch ended after: ${text}`)));
    });
    outgoing.once("error", reject);
    outgoing.end();
  });
}

/** a fake API server with the accounts of the contract. */
export async function startSandboxServer(): Promise<{
  server: ContractServer;
  stop(): Promise<void>;
}> {
  const tokens = Object.fromEntries(
    Object.entries(contractAccounts).map(([name, rules]) => [
      `token-of-${name}`,
      serviceAccount(contractNamespace, name, rules),
    ]),
  );
  const sandbox = await startSandbox({ tokens, namespaces: [contractNamespace] });
  const clientFor = (token: string | null) => createClient(sandbox.url, sandbox.caPem, token);
  const clients = {
    reader: clientFor("token-of-reader"),
    named: clientFor("token-of-named"),
    stranger: clientFor("nobody-has-this-token"),
    anonymous: clientFor(null),
  };
  const admin = clientFor(sandbox.adminToken);
  return {
    server: {
      admin,
      clients,
      expireContinue: async () => sandbox.expireContinueTokens(),
      watch: (path, count) =>
        openWatch(sandbox.url, sandbox.caPem, sandbox.adminToken, path, count),
    },
    stop: async () => {
      for (const client of [admin, ...Object.values(clients)]) client.close();
      await sandbox.stop();
    },
  };
}

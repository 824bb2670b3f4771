/**
 * The fake API server against the real one: the same script of requests, and the same transcript.
 *
 * What the real server said is kept beside its own tests, which compare with that where no
 * server is at hand; `CERTKEEP_RECORD=1` writes it again.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Transcript,
  contractAccounts,
  contractNamespace,
  runApiserverContract,
} from "../contract/apiserver.ts";
import { openWatch, startSandboxServer } from "../fake-apiserver/support.ts";
import { type Kube, startKube } from "./support/kube.ts";
import { createNamespace, createServiceAccount } from "./support/objects.ts";
import { lacksTools } from "./support/tools.ts";

const recorded = join(import.meta.dirname, "../fake-apiserver/apiserver.json");

async function transcriptOf(kube: Kube): Promise<Transcript> {
  await createNamespace(kube, contractNamespace);
  const tokens: Record<string, string> = {};
  for (const [name, rules] of Object.entries(contractAccounts)) {
    const withGroup = rules.map(({ namespace, ...rule }) => ({
      namespace,
      rule: { apiGroups: [""], ...rule },
    }));
    const local = withGroup
      .filter(({ namespace }) => namespace !== undefined)
      .map(({ rule }) => rule);
    const everywhere = withGroup
      .filter(({ namespace }) => namespace === undefined)
      .map(({ rule }) => rule);
    tokens[name] = await createServiceAccount(kube, contractNamespace, name, local, everywhere);
  }
  // The server's own cache of roles is a moment behind.
  await sleep(500);
  return runApiserverContract({
    admin: kube.clientFor(kube.adminToken),
    clients: {
      reader: kube.clientFor(tokens["reader"] ?? ""),
      named: kube.clientFor(tokens["named"] ?? ""),
      stranger: kube.clientFor("nobody-has-this-token"),
      anonymous: kube.clientFor(null),
    },
    expireContinue: () => kube.compact(),
    watch: (path, count) => openWatch(kube.server, kube.caPem, kube.adminToken, path, count),
  });
}

describe.skipIf(lacksTools("kube-apiserver", "etcd"))(
  "the fake API server beside a real kube-apiserver",
  () => {
    let real: Transcript;
    let kube: Kube;

    beforeAll(async () => {
      // From its cache the server would go on serving what etcd has forgotten.
      kube = await startKube({ pagesFromCache: false });
      real = await transcriptOf(kube);
      if (process.env["CERTKEEP_RECORD"] === "1")
        writeFileSync(recorded, `[\n${real.map((line) => JSON.stringify(line)).join(",\n")}\n]\n`);
    });
    afterAll(async () => {
      await kube?.stop();
    });

    it("is still what was recorded", () => {
      const kept = JSON.parse(readFileSync(recorded, "utf8")) as Transcript;
      expect(real.map(({ step }) => step)).toEqual(kept.map(({ step }) => step));
      for (const [at, line] of real.entries()) expect(line).toEqual(kept[at]);
    });

    it("answers as the real server does", async () => {
      const { server, stop } = await startSandboxServer();
      try {
        const mine = await runApiserverContract(server);
        for (const [at, line] of mine.entries()) expect(line).toEqual(real[at]);
      } finally {
        await stop();
      }
    });
  },
);

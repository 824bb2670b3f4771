/**
 * `certkeep restore --all --apply` of 1,000 certificates that are gone, on a real kube-apiserver,
 * process start, opening, writing and reading back included; and the time from a proxy's new Secret
 * to its patch with `--follow`.
 *
 *   node test/bench/restore.ts [certificates, default 1000]
 */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { createAuthority } from "../support/pki.ts";
import { createSecrets, type SecretManifest } from "../e2e/support/objects.ts";
import { createCertificates, namespaceOf, NAMESPACES } from "./support/certificates.ts";
import { startCluster } from "./support/cluster.ts";
import { measure, type Measured } from "./support/measure.ts";
import { megabytes, note, putRow, seconds } from "./support/row.ts";

const COUNT = Number(process.argv[2] ?? 1000);
const COMMAND = join(import.meta.dirname, "../../dist/cli/main.js");
const DOMAIN = "web.tail1a2b3.ts.net";
const DAY_MS = 86_400_000;
const FOLLOWS = 5;

const set = createCertificates(COUNT, "P-384", Date.now());
const namespaces = [...Array.from({ length: NAMESPACES }, (_, i) => namespaceOf(i)), "tailscale"];
const authority = createAuthority({ name: "Follow" });
const cluster = await startCluster(namespaces, set.secrets, set.rootPem);
const { kube, environment: env, config } = cluster;

async function certkeep(...args: string[]): Promise<Measured> {
  const run = await measure(process.execPath, [COMMAND, ...args, "--config", config], {
    env,
    cwd: kube.folder,
  });
  if (run.code !== 0 && run.code !== 3)
    throw new Error(
      `certkeep ${args.join(" ")} ended with ${run.code}:\n${run.stdout}\n${run.stderr}`,
    );
  return run;
}

/** A standalone proxy's Secret: with its certificate, or as the operator recreates it. */
function proxy(
  name: string,
  pair: { readonly certificatePem: string; readonly keyPem: string } | null,
): SecretManifest {
  const stringData =
    pair === null
      ? { "cap-107.hujson": '{"Hostname":"web"}' }
      : {
          [`${DOMAIN}.crt`]: pair.certificatePem,
          [`${DOMAIN}.key`]: pair.keyPem,
          device_fqdn: `${DOMAIN}.`,
        };
  return {
    namespace: "tailscale",
    name,
    labels: {
      "tailscale.com/managed": "true",
      "tailscale.com/parent-resource": "web",
      "tailscale.com/parent-resource-ns": "shop",
      "tailscale.com/parent-resource-type": "ingress",
    },
    stringData,
  };
}

async function patchedAfterMs(name: string): Promise<number> {
  const following = spawn(
    process.execPath,
    [COMMAND, "restore", "default", DOMAIN, "--apply", "--follow", "1m", "--config", config],
    { env, stdio: "ignore" },
  );
  await sleep(3_000);
  await createSecrets(kube, [proxy(name, null)]);
  const begin = performance.now();
  for (;;) {
    const answer = await kube.demand<{ data?: Record<string, string> }>(
      "GET",
      `/api/v1/namespaces/tailscale/secrets/${name}`,
    );
    if (answer.data?.[`${DOMAIN}.crt`] !== undefined) break;
    if (performance.now() - begin > 30_000) throw new Error("it was not filled");
    await sleep(2);
  }
  const took = performance.now() - begin;
  await new Promise((resolve) => following.once("exit", resolve));
  await kube.demand("DELETE", `/api/v1/namespaces/tailscale/secrets/${name}`);
  return took;
}

try {
  const identity = await generateIdentity();
  writeFileSync(join(kube.folder, "identity.txt"), `${identity.secret}\n`, { mode: 0o600 });
  writeFileSync(
    config,
    JSON.stringify({
      recipients: [identity.recipient],
      identity: `file:${join(kube.folder, "identity.txt")}`,
      issuers: [
        { id: "bench", anchors: set.rootPem },
        { id: "follow", anchors: authority.root.pem },
      ],
      backups: { perDay: 100_000 },
    }),
    { mode: 0o600 },
  );
  const pair = authority.issue({
    names: [DOMAIN],
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + 80 * DAY_MS),
  });
  await createSecrets(kube, [proxy("ts-web-aaaaa-0", pair)]);
  await certkeep("audit");
  await kube.demand("DELETE", "/api/v1/namespaces/tailscale/secrets/ts-web-aaaaa-0");

  const times: number[] = [];
  for (let i = 0; i < FOLLOWS; i += 1) times.push(await patchedAfterMs(`ts-web-b${i}-0`));
  const worst = Math.max(...times) / 1000;
  putRow({
    what: "restore --follow: from a Secret's creation to its patch",
    hold: "under 0.50 s",
    measured: `${seconds(worst)} at worst of ${FOLLOWS}`,
    holds: worst < 0.5,
  });

  for (const namespace of namespaces)
    await kube.demand(
      "DELETE",
      `/api/v1/namespaces/${namespace}/secrets?fieldSelector=type%3Dkubernetes.io%2Ftls`,
    );
  const run = await certkeep("restore", "default", "--all", "--apply", "--allow-later", "--json");
  const { counts } = JSON.parse(run.stdout) as { counts: Record<string, number> };
  if (counts["done"] !== COUNT)
    throw new Error(`restored ${counts["done"] ?? 0} instead of ${COUNT}: ${run.stderr}`);
  note(`processor time ${seconds(run.cpuSeconds)}`);
  putRow({
    what: `restore --all --apply of ${COUNT} certificates`,
    hold: "under a minute",
    measured: `${seconds(run.seconds)}, ${megabytes(run.peakBytes)}`,
    holds: run.seconds < 60,
  });
} finally {
  await cluster.stop();
}

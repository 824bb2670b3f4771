/**
 * The demo's world: a cluster and a Slack in this process, and the files with which certkeep is
 * pointed at them.
 */
import { X509Certificate } from "node:crypto";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateIdentity } from "../adapters/age/identity.ts";
import { type DemoApi, startDemoApi } from "../demo/api.ts";
import { createAuthority, type DemoAuthority } from "../demo/authority.ts";
import { sickObjects } from "../demo/cluster.ts";
import { healthyObjects, lossLog, PROXY, quietLogs } from "../demo/healthy.ts";
import { fqdnOf } from "../demo/secrets.ts";
import { type DemoSlack, startDemoSlack } from "../demo/slack.ts";

export interface DemoWorld {
  readonly folder: string;
  readonly config: string;
  /** The time in the demo: hours ago until something goes wrong. */
  readonly nowMs: () => number;
  readonly deleted: string;
  readonly emptied: string;
  /** A name that is issued without need, for a cause that its page names. */
  readonly raced: string;
  /** One Secret is deleted, and what is issued for it is lost; another one's fields are emptied. */
  lose(): void;
  sleep(): void;
  /** Of the certificate that a Secret named after its domain holds; `null` where it holds none. */
  serial(domain: string): string | null;
  readonly slack: DemoSlack;
  stop(): Promise<void>;
}

const CONTEXT = "demo";
/** How long ago the first audit of a healthy cluster is. */
const QUIET_MS = 5 * 3_600_000;
const DAY_MS = 24 * 3_600_000;

/** `clock`: milliseconds since 1970. */
export async function startDemo(
  clock: () => number,
  fleet: "healthy" | "sick",
): Promise<DemoWorld> {
  let behindMs = fleet === "healthy" ? QUIET_MS : 0;
  const nowMs = (): number => clock() - behindMs;
  const folder = await mkdtemp(join(tmpdir(), "certkeep-demo-"));
  const authority = createAuthority("Demo");
  const api = await startDemoApi(nowMs);
  const objects = fleet === "healthy" ? healthyObjects : sickObjects;
  api.put(...objects(authority, nowMs()));
  for (const [pod, atMs, line] of quietLogs(nowMs())) api.log("tailscale", pod, [atMs, line]);
  const slack = await startDemoSlack();
  const config = await writeFiles(folder, authority, api, slack);
  const [deleted, emptied] = [fqdnOf(LOST), fqdnOf("reports")];
  return {
    folder,
    config,
    nowMs,
    deleted,
    emptied,
    raced: fqdnOf("grafana"),
    lose: () => {
      behindMs = 0;
      api.remove("tailscale", deleted);
      const secret = api.get("tailscale", emptied);
      if (secret !== null) api.put({ ...secret, data: { "tls.crt": "", "tls.key": "" } });
      api.log("tailscale", PROXY, ...lossLog(LOST, nowMs()));
    },
    sleep: () => {
      behindMs -= DAY_MS;
    },
    serial: (domain) => {
      const pem = Buffer.from(api.get("tailscale", domain)?.data?.["tls.crt"] ?? "", "base64");
      return pem.length === 0 ? null : new X509Certificate(pem).serialNumber.toLowerCase();
    },
    slack,
    stop: async () => {
      await Promise.all([api.stop(), slack.stop()]);
    },
  };
}

const LOST = "orders";

async function writeFiles(
  folder: string,
  authority: DemoAuthority,
  api: DemoApi,
  slack: DemoSlack,
): Promise<string> {
  const identity = await generateIdentity();
  await mkdir(join(folder, "identity"), { mode: 0o700 });
  const config = join(folder, "certkeep.yaml");
  const files: readonly (readonly [string, string])[] = [
    [
      join(folder, "identity", "identity.txt"),
      `# public key: ${identity.recipient}\n${identity.secret}\n`,
    ],
    [join(folder, "kubeconfig.yaml"), api.kubeconfig(CONTEXT)],
    [join(folder, "anchors.pem"), authority.rootPem],
    [join(folder, "intermediates.pem"), authority.intermediatePem],
    [join(folder, "slack-webhook"), `${slack.url}\n`],
    [config, configText(identity.recipient)],
  ];
  for (const [path, text] of files) await writeFile(path, text, { mode: 0o600, flag: "wx" });
  return config;
}

function configText(recipient: string): string {
  return [
    "recipients:",
    `  - ${recipient}`,
    "identity: file:identity/identity.txt",
    "clusters:",
    `  - name: ${CONTEXT}`,
    "    kubeconfig: kubeconfig.yaml",
    `    context: ${CONTEXT}`,
    "stores:",
    "  backups: file:backups",
    "  state: file:state",
    "issuers:",
    "  - id: demo",
    "    title: The demo's stand-in for Let's Encrypt",
    "    kind: production",
    "    anchors: anchors.pem",
    "    intermediates: intermediates.pem",
    "    limits: {perSet: {count: 5}, perDomain: {count: 50}}",
    "digest:",
    "  routes:",
    "    - name: demo",
    "      webhook: file:slack-webhook",
    "",
  ].join("\n");
}

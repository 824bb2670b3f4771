/**
 * The demo's world: a cluster and a Slack in this process, and the files with which certkeep is
 * pointed at them.
 */
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateIdentity } from "../adapters/age/identity.ts";
import { startDemoApi } from "../demo/api.ts";
import { createAuthority } from "../demo/authority.ts";
import { demoObjects } from "../demo/cluster.ts";
import { fqdnOf } from "../demo/secrets.ts";
import { type DemoSlack, startDemoSlack } from "../demo/slack.ts";

export interface DemoWorld {
  /** Holds everything of the demo; may be deleted. */
  readonly folder: string;
  /** The demo's `certkeep.yaml`. */
  readonly config: string;
  /**
   * What goes wrong in the demo: one Secret is deleted, another one's fields are emptied. Names are
   * domains.
   */
  lose(): { readonly deleted: string; readonly emptied: string };
  /** A name that is issued without need, for a cause that its page names. */
  readonly raced: string;
  /** Holds the messages that were posted to it. */
  readonly slack: DemoSlack;
  stop(): Promise<void>;
}

const CONTEXT = "demo";

export async function startDemo(nowMs: number): Promise<DemoWorld> {
  const folder = await mkdtemp(join(tmpdir(), "certkeep-demo-"));
  const authority = createAuthority("Demo");
  const api = await startDemoApi();
  api.put(...demoObjects(authority, nowMs));
  const identity = await generateIdentity();
  await mkdir(join(folder, "identity"), { mode: 0o700 });
  const own = { mode: 0o600, flag: "wx" };
  await writeFile(
    join(folder, "identity", "identity.txt"),
    `# public key: ${identity.recipient}\n${identity.secret}\n`,
    own,
  );
  await writeFile(join(folder, "kubeconfig.yaml"), api.kubeconfig(CONTEXT), own);
  await writeFile(join(folder, "anchors.pem"), authority.rootPem, own);
  await writeFile(join(folder, "intermediates.pem"), authority.intermediatePem, own);
  const slack = await startDemoSlack();
  await writeFile(join(folder, "slack-webhook"), `${slack.url}\n`, own);
  const config = join(folder, "certkeep.yaml");
  await writeFile(config, configText(identity.recipient), own);
  const deleted = fqdnOf("orders");
  const emptied = fqdnOf("reports");
  return {
    folder,
    config,
    lose: () => {
      api.remove("tailscale", deleted);
      const secret = api.get("tailscale", emptied);
      if (secret !== null) api.put({ ...secret, data: { "tls.crt": "", "tls.key": "" } });
      return { deleted, emptied };
    },
    raced: fqdnOf("grafana"),
    slack,
    stop: async () => {
      await Promise.all([api.stop(), slack.stop()]);
    },
  };
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

/**
 * A real kube-apiserver with Secrets in it, and the built command, run against it as a person would
 * run it.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createFileStates } from "../../../lib/adapters/file/stores.ts";
import { type StateDocument, parseState } from "../../../lib/state/document.ts";
import { type SecretManifest, createNamespace, createSecrets } from "../../e2e/support/objects.ts";
import { type Kube, startKube } from "../../e2e/support/kube.ts";
import { type Measured, measure } from "./measure.ts";
import { note } from "./row.ts";

const COMMAND = join(import.meta.dirname, "../../../dist/cli/main.js");
const BARE = join(import.meta.dirname, "bare.ts");

/** What bare.ts tells of itself. */
export interface Bare {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

export interface BenchCluster {
  readonly kube: Kube;
  readonly kubeconfig: string;
  /** What the command runs with. */
  readonly environment: NodeJS.ProcessEnv;
  /** Its certkeep.yaml. */
  readonly config: string;
  /**
   * One `certkeep audit`, process start included; `fresh` forgets the state first. @throws where it
   * didn't see `certificates` good ones
   */
  audit(certificates: number, fresh: boolean): Promise<Measured>;
  /** A bare client that pages through all Secrets, without the start of its process. */
  bareList(form: "list" | "table"): Promise<Bare>;
  stop(): Promise<void>;
}

/** Starts a server and loads it; `anchors` are those of a configured issuer. */
export async function startCluster(
  namespaces: readonly string[],
  secrets: Iterable<SecretManifest>,
  anchors: string,
): Promise<BenchCluster> {
  const kube = await startKube();
  for (const namespace of namespaces) await createNamespace(kube, namespace);
  const begin = performance.now();
  const count = await createSecrets(kube, secrets);
  note(`${count} Secrets loaded in ${Math.round((performance.now() - begin) / 1000)} s`);
  const home = join(kube.folder, "home");
  mkdirSync(home, { recursive: true });
  const config = join(home, "certkeep.yaml");
  writeFileSync(config, JSON.stringify({ issuers: [{ id: "bench", anchors }] }), { mode: 0o600 });
  const caFile = join(kube.folder, "ca.pem");
  writeFileSync(caFile, kube.caPem);
  const kubeconfig = kube.kubeconfigFor();
  const data = join(home, "data");
  const env = {
    PATH: process.env["PATH"],
    HOME: home,
    XDG_DATA_HOME: data,
    XDG_CONFIG_HOME: join(home, "config"),
    KUBECONFIG: kubeconfig,
  };

  const recorded = async (run: Measured): Promise<StateDocument> => {
    const states = createFileStates(join(data, "certkeep", "state"));
    const [name = ""] = await states.names();
    const parsed = parseState((await states.read(name))?.text ?? "");
    if (!parsed.ok) throw new Error(`the audit left no state: ${parsed.found}\n${run.stderr}`);
    return parsed.state;
  };

  return {
    kube,
    kubeconfig,
    environment: env,
    config,
    audit: async (certificates, fresh) => {
      if (fresh) rmSync(data, { recursive: true, force: true });
      const run = await measure(process.execPath, [COMMAND, "audit", "--config", config], {
        env,
        cwd: home,
      });
      const { audit, secrets: seen } = await recorded(run);
      const good = Object.values(seen)
        .flatMap((secret) => Object.values(secret.certificates))
        .filter(({ windows }) => windows.length > 0).length;
      if (audit?.complete !== true || good !== certificates)
        throw new Error(
          `the audit saw ${good} good certificates instead of ${certificates}:\n` +
            `${run.stdout}\n` +
            `${run.stderr}`,
        );
      return run;
    },
    bareList: async (form) => {
      const run = await measure(process.execPath, [
        BARE,
        form,
        kube.server,
        kube.adminToken,
        caFile,
      ]);
      if (run.code !== 0) throw new Error(`the bare client failed:\n${run.stderr}`);
      return JSON.parse(run.stdout) as Bare;
    },
    stop: kube.stop,
  };
}

/** Verifying signatures on all cores and nothing else; `file` as certificates.ts makes it. */
export async function bareVerify(file: string): Promise<Bare> {
  const run = await measure(process.execPath, [BARE, "verify", file]);
  if (run.code !== 0) throw new Error(`bare verification failed:\n${run.stderr}`);
  return JSON.parse(run.stdout) as Bare;
}

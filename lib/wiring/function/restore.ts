/** The restoring function with its concrete parts: the restoring credential of one cluster, and the identity. */
import type { RestoreEvent } from "../../config/event/restore.ts";
import { restoreFunctionOf } from "../../finding/invoke.ts";
import type { RestoreFunctionPorts } from "../../usecases/function/restore.ts";
import { composeRestore } from "../restore.ts";
import { composeSettings } from "../settings.ts";
import { unknownCluster } from "../unknown.ts";
import { hasIdentity, identityWorld } from "./identity.ts";
import type { FunctionRun } from "./run.ts";

export type ComposedRestoreFunction =
  | { readonly identity: "present"; readonly ports: RestoreFunctionPorts }
  /** `config`: where the deployment's configuration is published, or `null`. */
  | { readonly identity: "absent"; readonly config: string | null };

/** @throws CertkeepError usage for a cluster that isn't registered, naming those that are; config_invalid, identity_invalid, store_unavailable */
export async function composeRestoreFunction(
  run: FunctionRun,
  { cluster }: RestoreEvent,
): Promise<ComposedRestoreFunction> {
  const world = identityWorld(run);
  const settings = await composeSettings({ ...world, reach: "none" });
  const { config, names } = settings;
  // A context of a kubeconfig, which a person may name in place of a cluster, is nothing to a function.
  if (!names.includes(cluster)) throw unknownCluster(cluster, names, config.stores.registry);
  if (!(await hasIdentity(run, settings)))
    return { identity: "absent", config: publishedAt(run.env, config.stores.state) };
  const { target, ports } = await composeRestore({
    ...world,
    cluster,
    offline: null,
    person: null,
  });
  return {
    identity: "present",
    ports: {
      log: run.log,
      metrics: run.metrics,
      restore: ports,
      target,
      pairs: config.restores,
      self: restoreFunctionOf(config.aws),
    },
  };
}

/** Beside the states, where dispatch publishes it. */
function publishedAt(env: FunctionRun["env"], state: string | null): string | null {
  const bucket = /^s3:\/\/([^/]+)/.exec(state ?? "")?.[1];
  return env["CERTKEEP_PUBLISH"] || (bucket === undefined ? null : `s3://${bucket}/certkeep.yaml`);
}

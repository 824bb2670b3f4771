/** The auditing function with its concrete parts. Of the registry it reads the one cluster that a message names. */
import type { MessagePorts } from "../../usecases/function/audit.ts";
import {
  composeAudit,
  composePorts,
  namedTarget,
  type AuditWorld,
  type ComposedAudit,
} from "../audit.ts";
import { composeSettings } from "../settings.ts";
import type { FunctionRun } from "./run.ts";

function worldOf(run: FunctionRun): Omit<AuditWorld, "clusters"> {
  return { ...run, deployed: true, atNs: null, person: null };
}

/** For messages of the queue. @throws CertkeepError config_invalid, store_unavailable */
export async function composeMessages(run: FunctionRun): Promise<MessagePorts> {
  const shared = await composeSettings({ ...run, deployed: true, reach: [] });
  return {
    log: run.log,
    metrics: run.metrics,
    audit: await composePorts(shared, worldOf(run)),
    target: async (cluster) => {
      const settings = await composeSettings({ ...run, deployed: true, reach: [cluster] });
      const known =
        settings.names.includes(cluster) || settings.broken.some(({ name }) => name === cluster);
      return known ? namedTarget(cluster, settings, worldOf(run)) : null;
    },
  };
}

/** For clusters by name, or all of them. @throws CertkeepError as composeAudit */
export async function composeDirect(
  run: FunctionRun,
  clusters: readonly string[],
): Promise<ComposedAudit> {
  return composeAudit({ ...worldOf(run), clusters });
}

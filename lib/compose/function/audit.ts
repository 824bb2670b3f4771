/** The auditing function with its concrete parts. Of the registry it reads the one cluster that a message names. */
import { createSealer } from "../../adapters/age/sealer.ts";
import type { AuditPorts } from "../../use/audit/context.ts";
import type { MessagePorts } from "../../use/function/audit.ts";
import { composeAudit, namedTarget, type AuditWorld, type ComposedAudit } from "../audit.ts";
import { configuredIssuers, createKit, limitOverrides } from "../kit.ts";
import { composeOutside } from "../outside.ts";
import { composeSettings } from "../settings.ts";
import { realTimer } from "../timer.ts";
import type { FunctionRun } from "./run.ts";

function worldOf(run: FunctionRun): Omit<AuditWorld, "clusters"> {
  return { ...run, deployed: true, atNs: null, person: null };
}

/** For messages of the queue. @throws CertkeepError config_invalid, store_unavailable */
export async function composeMessages(run: FunctionRun): Promise<MessagePorts> {
  const shared = await composeSettings({ ...run, deployed: true, reach: [] });
  const { config, stores } = shared;
  const outside = await composeOutside(shared, run);
  const audit: AuditPorts = {
    ...stores,
    sealer: createSealer(),
    clock: { nowNs: run.nowNs },
    wall: { nowNs: run.nowNs },
    overrides: limitOverrides(config),
    kit: createKit(configuredIssuers(config)),
    progress: run.progress,
    dryRun: false,
    timer: realTimer,
    ...(outside === null ? {} : { outside }),
    ...(run.deadlineMs === undefined ? {} : { deadlineMs: run.deadlineMs }),
    ...(run.signal === undefined ? {} : { signal: run.signal }),
  };
  return {
    log: run.log,
    metrics: run.metrics,
    audit,
    target: async (cluster) => {
      const settings = await composeSettings({ ...run, deployed: true, reach: [cluster] });
      const known = settings.names.includes(cluster) || settings.broken.some(({ name }) => name === cluster);
      return known ? namedTarget(cluster, settings, worldOf(run)) : null;
    },
  };
}

/** For clusters by name, or all of them. @throws CertkeepError as composeAudit */
export async function composeDirect(run: FunctionRun, clusters: readonly string[]): Promise<ComposedAudit> {
  return composeAudit({ ...worldOf(run), clusters });
}

/**
 * Lambda, by the queue: audits the cluster that each message names. Invoked by hand, the event may
 * name clusters: `{"clusters": ["prod"]}`; without, all of them.
 *
 * A message that fails comes again and ends in the dead-letter queue; one that is done, or that no
 * audit could help, is acknowledged. What a cluster does is part of its state and no failure of the
 * message: only a message that isn't one, and a state that can't be read or written, are.
 */
import type { Config } from "../lib/config/schema.ts";
import { parseAuditEvent, type Receipt } from "../lib/config/event.ts";
import { type CertkeepError, isCertkeepError, internalError } from "../lib/error.ts";
import { restoreFunctionOf } from "../lib/finding/action.ts";
import { askLogs, auditAll, withinShare } from "../lib/usecases/audit.ts";
import { auditCluster, type ClusterAudit } from "../lib/usecases/audit/cluster.ts";
import type { AuditPorts, AuditTarget } from "../lib/usecases/audit/context.ts";
import { AUDIT_SCHEMA, auditDocument } from "../lib/usecases/audit/document.ts";
import { type Telemetry, runFunction, type Invocation, type FunctionRun } from "./shared/run.ts";
import { composeAudit, composePorts, namedTarget } from "../lib/wiring/audit.ts";
import { composeSettings } from "../lib/wiring/settings.ts";

export function handler(event: unknown, context?: Invocation): Promise<object> {
  return runFunction("audit", context, async (run) => {
    const parsed = parseAuditEvent(event);
    return parsed.kind === "queue"
      ? auditMessages(parsed.receipts, await composeMessages(run))
      : auditDirect(await composeAudit(run, { clusters: parsed.clusters }), run);
  });
}

/** For messages of the queue. @throws CertkeepError config_invalid, store_unavailable */
async function composeMessages(run: FunctionRun): Promise<MessagePorts> {
  const shared = await composeSettings({ ...run, reach: [] });
  return {
    log: run.log,
    metrics: run.metrics,
    audit: await composePorts(shared, run),
    target: async (cluster) => {
      const settings = await composeSettings({ ...run, reach: [cluster] });
      const known =
        settings.names.includes(cluster) || settings.broken.some(({ name }) => name === cluster);
      return known ? namedTarget(cluster, settings, run) : null;
    },
  };
}

export interface MessagePorts extends Telemetry {
  readonly audit: AuditPorts;
  /** `null`: no such cluster is registered (any more). */
  readonly target: (cluster: string) => Promise<AuditTarget | null>;
}

interface Direct {
  readonly targets: readonly AuditTarget[];
  readonly ports: AuditPorts;
  readonly config: Pick<Config, "ignore" | "aws">;
}

/** As the event source mapping of a queue takes it. */
export interface BatchAnswer {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}

/** Never throws for what a message, a cluster or a store does. */
export async function auditMessages(
  receipts: readonly Receipt[],
  ports: MessagePorts,
): Promise<BatchAnswer> {
  const failed: string[] = [];
  for (const receipt of receipts) {
    if (!(await isDone(receipt, ports))) failed.push(receipt.id);
  }
  if (failed.length > 0) ports.metrics.put("Failures", failed.length);
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}

/**
 * Clusters that somebody named by hand, with what all clusters together tell: the document of
 * `certkeep audit --json`.
 */
export async function auditDirect(
  { targets, ports, config }: Direct,
  telemetry: Telemetry,
): Promise<object> {
  const report = await auditAll(targets, ports, config.ignore, restoreFunctionOf(config.aws));
  for (const audit of report.clusters) tell(audit, telemetry);
  for (const { title, error } of report.failed) failure("audit failed", title, error, telemetry);
  const failures =
    report.failed.length + report.clusters.filter(({ unsaved }) => unsaved !== null).length;
  if (failures > 0) telemetry.metrics.put("Failures", failures);
  return { schema: AUDIT_SCHEMA, ...auditDocument(report, ports.clock.nowMs()) };
}

async function isDone(
  { id, parsed, receives, sentMs }: Receipt,
  ports: MessagePorts,
): Promise<boolean> {
  const { log, metrics, audit } = ports;
  if (!parsed.ok) {
    log.error("a message that can't be read: it goes to the dead-letter queue", {
      messageId: id,
      found: parsed.found,
      receives,
    });
    return false;
  }
  const { cluster, queuedAt, intervalMinutes } = parsed.message;
  const ageMs = sentMs === null ? 0 : audit.clock.nowMs() - sentMs;
  // A later receipt is a failure on its way to the dead-letter queue: dropping it would hide that.
  if (receives === 1 && ageMs > intervalMinutes * 60_000) {
    metrics.put("MessagesTooOld", 1);
    log.warn("a message older than its interval is dropped: the next one audits the cluster", {
      cluster,
      queuedAt,
      ageSeconds: Math.round(ageMs / 1000),
    });
    return true;
  }
  if (audit.signal?.aborted === true) {
    log.warn("no time is left for this message: it comes again", { cluster });
    return false;
  }
  try {
    const target = await ports.target(cluster);
    if (target === null) {
      log.warn("not registered any more: nothing is audited", { cluster });
      return true;
    }
    log.info("audit begins", { cluster, receives });
    try {
      const audited = await auditCluster(target, withinShare(1, audit));
      const saved = tell(audited, ports);
      if (saved) await tellLogs(audited, ports);
      return saved;
    } finally {
      await target.reader.close();
      await target.diagnosis?.close();
    }
  } catch (error) {
    const told = isCertkeepError(error) ? error : internalError(`cluster ${cluster}`, error);
    failure("audit failed", cluster, told, ports);
    return false;
  }
}

function failure(step: string, cluster: string, error: CertkeepError, { log }: Telemetry): void {
  log.error(step, { cluster, code: error.code, problem: error.message });
}

/** What certificate logs show is everybody's, and no part of whether this audit is done. */
async function tellLogs(
  { cluster, state }: ClusterAudit,
  { audit, log }: MessagePorts,
): Promise<void> {
  const { looks, problems } = await askLogs([state], audit);
  for (const { domain, source, code, unread } of looks)
    log.info("certificate logs asked", { cluster, domain, source, code, unread });
  for (const { code, message } of problems)
    log.warn("what certificate logs showed could not be kept", { cluster, code, problem: message });
}

/** @returns whether what was seen is saved */
function tell(
  { cluster, complete, state, copies, findings, stats, unsaved }: ClusterAudit,
  ports: Telemetry,
): boolean {
  const { log, metrics } = ports;
  for (const { code, message } of state.audit?.unread ?? [])
    log.warn("not read", { cluster, code, problem: message });
  if (unsaved !== null) {
    failure("what was seen could not be saved", cluster, unsaved, ports);
    return false;
  }
  metrics.put("AuditsFinished", 1);
  metrics.put("AuditsIncomplete", complete ? 0 : 1);
  const critical = findings.filter(({ severity }) => severity === "critical").length;
  log.info("audit finished", {
    cluster,
    complete,
    secrets: state.audit?.secrets ?? 0,
    valuesRead: stats.valuesRead,
    copiesMade: copies.made,
    findings: findings.length,
    critical,
  });
  return true;
}

/**
 * Audits every target: each by itself, so that one cluster's trouble never hides another's. Then
 * what all clusters together tell of issuances, those too that this run doesn't look at: budgets,
 * and what to do about what fails.
 */
import pLimit from "p-limit";
import { type CertkeepError, isCertkeepError, internalError } from "../error.ts";
import type { Across } from "../finding/across.ts";
import type { RestoreFunction } from "../finding/action.ts";
import { clusterFindings, type FindingsView } from "../finding/cluster.ts";
import type { Finding } from "../finding/finding.ts";
import { applyIgnore, type IgnoreEntry } from "../finding/ignore.ts";
import { countCertificates, type Counts } from "../finding/counts.ts";
import type { StateDocument } from "../state/document.ts";
import { countedOnce } from "../state/secrets.ts";
import { gatherAcross } from "./across.ts";
import { auditCluster, type ClusterAudit, OBSERVE_MS } from "./audit/cluster.ts";
import {
  type AuditPorts,
  type AuditTarget,
  cutInTime,
  OUTSIDE_MS,
  outsideSignal,
} from "./audit/context.ts";
import {
  askedDomains,
  askTransparency,
  loggedDomains,
  type TransparencyStatus,
  type TransparencyRun,
} from "./transparency.ts";

export interface AuditReport {
  readonly clusters: readonly AuditedTarget[];
  /**
   * Targets whose state could not be read, or is that of another cluster than the one that answers.
   */
  readonly failed: readonly { readonly title: string; readonly error: CertkeepError }[];
  readonly across: Across;
  /** How far certificate logs were searched; empty where that isn't enabled. */
  readonly transparency: readonly TransparencyStatus[];
  /** States of other clusters that could not be read: what they know of issuances is missing. */
  readonly unreadStates: readonly CertkeepError[];
}

export interface AuditedTarget extends Omit<ClusterAudit, "findings"> {
  readonly findings: readonly Finding[];
  readonly ignored: readonly Finding[];
  readonly tally: Counts;
}

const CLUSTERS_AT_ONCE = 4;

/**
 * Of the time that is left, what may be spent on asking clusters for causes: the audits themselves
 * come first.
 */
const OBSERVE_SHARE = 1 / 4;

/** For each cluster, so that all of them together stay within that share. */
function observationMs(clusters: number, { deadlineMs, clock, wall = clock }: AuditPorts): number {
  if (deadlineMs === undefined) return OBSERVE_MS;
  const leftMs = Math.max(0, deadlineMs - wall.nowMs());
  return Math.min(
    OBSERVE_MS,
    Math.floor((leftMs * OBSERVE_SHARE) / Math.max(1, Math.ceil(clusters / CLUSTERS_AT_ONCE))),
  );
}

export function withinShare(clusters: number, ports: AuditPorts): AuditPorts {
  const { outside } = ports;
  const observeMs = observationMs(clusters, ports);
  return {
    ...ports,
    observeMs,
    ...(outside === undefined
      ? {}
      : { outside: { ...outside, withinMs: Math.min(outside.withinMs ?? OUTSIDE_MS, observeMs) } }),
  };
}

/**
 * The audit of one cluster within its time. What still asks it then is cut off: nobody waits for
 * it.
 */
async function auditInTime(target: AuditTarget, ports: AuditPorts): Promise<ClusterAudit> {
  const over = new AbortController();
  const close = async (): Promise<void> => {
    await target.reader.close();
    await target.diagnosis?.close();
  };
  const done = cutInTime(ports.timer, () => {
    over.abort();
    return close();
  });
  const signal = AbortSignal.any([
    over.signal,
    ...(ports.signal === undefined ? [] : [ports.signal]),
  ]);
  try {
    return await auditCluster(target, { ...ports, signal });
  } finally {
    done();
    await close();
  }
}

/**
 * `restore`: the function on AWS that restores, if there is one. Never throws for what one target
 * does.
 */
export async function auditAll(
  targets: readonly AuditTarget[],
  ports: AuditPorts,
  ignore: readonly IgnoreEntry[],
  restore: RestoreFunction | null = null,
): Promise<AuditReport> {
  const atMs = ports.clock.nowMs();
  const { audits, failed } = await auditEach(targets, ports);
  const states = audits.map(({ state }) => state);
  const logged = await askLogs(states, ports);
  // Where another cluster answered, what is stored of the recorded one still counts.
  const { across, problems } = await gatherAcross(
    ports,
    states.filter(({ replacedBy }) => replacedBy === null),
    () => {},
    new Set(audits.map(({ cluster }) => cluster)),
  );
  const view = { atMs, ignore, across, restore };
  const reported = new Set(failed.map(({ error }) => error.message));
  const unread = [...logged.problems, ...problems].filter(({ message }) => !reported.has(message));
  return {
    clusters: audits.map((audit) => withFindings(audit, audits, view)),
    failed,
    across,
    transparency: logged.looks,
    unreadStates: [...new Map(unread.map((problem) => [problem.message, problem])).values()],
  };
}

async function auditEach(
  targets: readonly AuditTarget[],
  ports: AuditPorts,
): Promise<{ readonly audits: readonly ClusterAudit[]; readonly failed: AuditReport["failed"] }> {
  const failed: { title: string; error: CertkeepError }[] = [];
  const limit = pLimit(CLUSTERS_AT_ONCE);
  const each = withinShare(targets.length, ports);
  const audits = await limit.map(targets, async (target) => {
    try {
      return await auditInTime(target, each);
    } catch (error) {
      const { title } = target;
      failed.push({
        title,
        error: isCertkeepError(error) ? error : internalError(`cluster ${title}`, error),
      });
      return null;
    }
  });
  return { audits: audits.filter((audit) => audit !== null), failed };
}

function withFindings(
  audit: ClusterAudit,
  audits: readonly ClusterAudit[],
  view: FindingsView & { readonly across: Across },
): AuditedTarget {
  const { across, ignore, atMs } = view;
  const first = audits.find(({ cluster }) => cluster === across.firstNames.get(audit.cluster));
  const told = audit.confined ?? audit.state;
  const state = first === undefined ? told : countedOnce(told, first.state);
  const { said, ignored } =
    state.replacedBy === null
      ? clusterFindings(state, view, first === undefined ? audit.findings : undefined)
      : applyIgnore(audit.findings, ignore, atMs);
  const counts = countCertificates(state, [...said, ...ignored], atMs);
  return { ...audit, state, findings: said, ignored, tally: counts };
}

/**
 * After every state was saved, and in a bounded time: certificate logs are on no audit's critical
 * path.
 */
export async function askLogs(
  states: readonly StateDocument[],
  ports: AuditPorts,
): Promise<TransparencyRun> {
  const { outside, dryRun, kit, clock, wall = clock, signal } = ports;
  if (outside?.transparency == null || dryRun) return { looks: [], problems: [] };
  const { source, domains } = outside.transparency;
  return askTransparency(
    domains === null ? loggedDomains(states, kit.issuers) : askedDomains(domains),
    { states: ports.states, clock: wall, kit, source, signal: outsideSignal(outside, signal) },
  );
}

export function isIncomplete(report: AuditReport): boolean {
  return report.failed.length > 0 || report.clusters.some((cluster) => !cluster.complete);
}

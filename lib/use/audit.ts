/**
 * Audits every target: each by itself, so that one cluster's trouble never hides another's.
 */
import pLimit from "p-limit";
import type { CertkeepError } from "../error.ts";
import { isCertkeepError } from "../error.ts";
import { applyIgnore, type IgnoreEntry } from "../finding/ignore.ts";
import type { Finding } from "../finding/finding.ts";
import { tally, type Tally } from "../finding/tally.ts";
import { auditCluster, type ClusterAudit } from "./audit/cluster.ts";
import type { AuditPorts, AuditTarget } from "./audit/context.ts";

export interface AuditReport {
  readonly clusters: readonly AuditedTarget[];
  /** Targets whose state could not be read, told plainly. */
  readonly failed: readonly { readonly title: string; readonly error: CertkeepError }[];
}

export interface AuditedTarget extends Omit<ClusterAudit, "findings"> {
  readonly findings: readonly Finding[];
  readonly ignored: readonly Finding[];
  readonly tally: Tally;
}

const CLUSTERS_AT_ONCE = 4;

/** Never throws for what one target does. */
export async function auditAll(targets: readonly AuditTarget[], ports: AuditPorts, ignore: readonly IgnoreEntry[]): Promise<AuditReport> {
  const clusters: AuditedTarget[] = [];
  const failed: { title: string; error: CertkeepError }[] = [];
  const atNs = ports.clock.nowNs();
  const limit = pLimit(CLUSTERS_AT_ONCE);
  await Promise.all(
    targets.map((target) =>
      limit(async () => {
        try {
          const audit = await auditCluster(target, ports);
          const { said, ignored } = applyIgnore(audit.findings, ignore, atNs);
          clusters.push({ ...audit, findings: said, ignored, tally: tally(audit.state, audit.findings, atNs) });
        } catch (error) {
          if (!isCertkeepError(error)) throw error;
          failed.push({ title: target.title, error });
        } finally {
          await target.reader.close();
        }
      }),
    ),
  );
  const order = (title: string): number => targets.findIndex((target) => target.title === title);
  return { clusters: clusters.toSorted((a, b) => order(a.title) - order(b.title)), failed };
}

/** Whether something could not be read or written. */
export function isIncomplete(report: AuditReport): boolean {
  return report.failed.length > 0 || report.clusters.some((cluster) => !cluster.complete);
}

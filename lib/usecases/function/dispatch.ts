/**
 * Queues the clusters that are due, one message each: those of which no audit has finished within the interval, by
 * their states. A state that can't be read is no reason to wait, since the audit is what tells of it.
 */
import pLimit from "p-limit";
import { formatInstant } from "../../certificate/time.ts";
import { formatMessage } from "../../config/event/audit.ts";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import type { Clock, Log, Queue } from "../../ports/runtime.ts";
import type { StateStore } from "../../ports/stores.ts";
import { isDue, sinceAudit } from "../../state/due.ts";
import { msOf } from "../../finding/verdict.ts";
import { loadState } from "../states.ts";

export interface DispatchPorts {
  readonly states: StateStore;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly log: Log;
}

export interface DispatchReport {
  readonly registered: number;
  readonly queued: readonly string[];
  /** Audited within the interval. */
  readonly fresh: readonly string[];
  /** Due, and not taken by the queue. */
  readonly refused: readonly string[];
}

const READS_AT_ONCE = 8;

/** @throws CertkeepError store_unavailable where the queue takes none of those that are due */
export async function dispatch(
  ports: DispatchPorts,
  registered: readonly string[],
  intervalMinutes: number,
): Promise<DispatchReport> {
  const { queue, clock, log } = ports;
  const names = [...new Set(registered)];
  if (names.length === 0) {
    log.info(
      "no cluster is registered: nothing to audit. Register one with: certkeep clusters add NAME",
    );
    return { registered: 0, queued: [], fresh: [], refused: [] };
  }
  const nowNs = clock.nowNs();
  const limit = pLimit(READS_AT_ONCE);
  const due = new Set<string>();
  await Promise.all(
    names.map((name) =>
      limit(async () => {
        if (await dueNow(name, ports, msOf(nowNs), intervalMinutes * 60_000)) due.add(name);
      }),
    ),
  );
  const clusters = names.filter((name) => due.has(name));
  const queuedAt = formatInstant(nowNs);
  const refused = new Map(
    (
      await queue.send(
        clusters.map((cluster) => ({
          id: cluster,
          body: formatMessage({ cluster, queuedAt, intervalMinutes }),
        })),
      )
    ).map(({ id, code }) => [id, code]),
  );
  for (const [cluster, code] of refused) log.error("not queued", { cluster, code });
  const queued = clusters.filter((cluster) => !refused.has(cluster));
  log.info("queued", { registered: names.length, due: clusters.length, queued: queued.length });
  if (refused.size > 0 && queued.length === 0) {
    throw new CertkeepError("store_unavailable", {
      where: queue.url,
      found: `none of ${refused.size} messages was taken (${[...new Set(refused.values())].slice(0, 3).join(", ")})`,
      expected: "a queue that takes them",
      todo: "They are due again with the next run",
    });
  }
  return {
    registered: names.length,
    queued,
    fresh: names.filter((name) => !due.has(name)),
    refused: [...refused.keys()],
  };
}

async function dueNow(
  cluster: string,
  { states, log }: DispatchPorts,
  nowMs: number,
  intervalMs: number,
): Promise<boolean> {
  try {
    const loaded = await loadState(states, cluster);
    return isDue(sinceAudit(loaded?.state.audit ?? null, nowMs), intervalMs);
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    log.warn("its state can't be read, so it counts as due", {
      cluster,
      code: error.code,
      problem: error.message,
    });
    return true;
  }
}

/**
 * Lambda, on a schedule: queues the clusters that are due, one message each: those of which no
 * audit has finished within the interval, by their states. A state that can't be read counts as
 * due: the audit reports what is wrong with it.
 *
 * Then it publishes the configuration that the functions use, so that `--config s3://…` reads the
 * same, where it differs.
 */
import pLimit from "p-limit";
import { createSqsQueue, sqsClient } from "../lib/adapters/aws/queue.ts";
import { createS3Text } from "../lib/adapters/aws/s3object.ts";
import { formatMs } from "../lib/certificate/time.ts";
import { formatMessage } from "../lib/config/event.ts";
import { publishedConfig, type Published } from "../lib/config/deployed.ts";
import { CertkeepError, isCertkeepError } from "../lib/error.ts";
import type { Clock, Log, Queue } from "../lib/ports/runtime.ts";
import type { SharedText, StateStore } from "../lib/ports/stores.ts";
import { isDue, sinceAudit } from "../lib/state/schedule.ts";
import { loadState } from "../lib/usecases/states.ts";
import { awsWorld } from "../lib/wiring/aws.ts";
import { runFunction, type Invocation, type FunctionRun } from "./shared/run.ts";
import { composeSettings } from "../lib/wiring/settings.ts";
import { withHeapLimits } from "../lib/adapters/heap.ts";

export function handler(_event: unknown, context?: Invocation): Promise<object> {
  return runFunction("dispatch", context, async (run) => {
    const { ports, registered, intervalMinutes, publish } = await composeDispatch(run);
    const report = await dispatch(ports, registered, intervalMinutes);
    if (publish !== null) await publishConfig(publish.published, publish.place, run.log);
    return { ...report, published: publish?.place.url ?? null };
  });
}

interface ComposedDispatch {
  readonly ports: DispatchPorts;
  readonly registered: readonly string[];
  readonly intervalMinutes: number;
  /** `null`: the deployment names no place for it. */
  readonly publish: { readonly published: Published; readonly place: SharedText } | null;
}

/** @throws CertkeepError config_invalid, store_unavailable */
async function composeDispatch(run: FunctionRun): Promise<ComposedDispatch> {
  const { config, file, names, stores, admitted } = await composeSettings({
    ...run,
    reach: "none",
  });
  const world = awsWorld(run.env, config.aws);
  const url = required(run, "CERTKEEP_QUEUE_URL");
  const place = run.env["CERTKEEP_PUBLISH"] || null;
  const published =
    place === null
      ? null
      : publishedConfig(
          file === null ? "" : ((await admitted(file))?.toString("utf8") ?? ""),
          config,
          config.aws,
        );
  return {
    ports: {
      states: withHeapLimits(stores.states),
      queue: createSqsQueue(url, sqsClient(world)),
      clock: { nowMs: run.nowMs },
      log: run.log,
    },
    registered: names,
    intervalMinutes: run.intervalMinutes,
    publish:
      place === null || published === null
        ? null
        : { published, place: createS3Text(place, world) },
  };
}

function required({ env }: FunctionRun, name: string): string {
  const value = env[name];
  if (value !== undefined && value !== "") return value;
  throw new CertkeepError("config_invalid", {
    where: "the function's environment",
    found: `${name} is missing`,
    todo: "Deploy again",
  });
}

interface DispatchPorts {
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
  const nowMs = clock.nowMs();
  const limit = pLimit(READS_AT_ONCE);
  const due = new Set<string>();
  await Promise.all(
    names.map((name) =>
      limit(async () => {
        if (await dueNow(name, ports, nowMs, intervalMinutes * 60_000)) due.add(name);
      }),
    ),
  );
  const clusters = names.filter((name) => due.has(name));
  const queuedAt = formatMs(nowMs);
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
      found:
        `the queue accepted none of ${refused.size} messages ` +
        `(${[...new Set(refused.values())].slice(0, 3).join(", ")})`,
      todo: "The next run queues them again. Check the function's permissions on the queue",
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

/** @throws CertkeepError for what the store does */
export async function publishConfig(
  published: Published,
  place: SharedText,
  log: Log,
): Promise<void> {
  if ((await place.read()) === published.text) return;
  await place.write(published.text);
  log.info("published the configuration", { url: place.url });
  if (published.leftOut.length > 0)
    log.warn("left out of it, since only one machine can follow it", {
      settings: published.leftOut.join(", "),
    });
}

/** What every function has at hand: its environment, its log and metrics, and when it has to stop. */
import { createLog } from "../../adapters/aws/log.ts";
import { createMetrics } from "../../adapters/aws/metrics.ts";
import type { Log, Metrics, Progress } from "../../ports/runtime.ts";
import { guarded } from "../../usecases/function/guard.ts";
import type { World } from "../settings.ts";

/** The part of Lambda's context that is used. */
export interface Invocation {
  readonly awsRequestId?: string;
  readonly getRemainingTimeInMillis?: () => number;
}

export interface FunctionRun extends World {
  readonly nowNs: () => bigint;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly progress: Progress;
  /** Aborted while there still is time to write what was seen; absent where nothing bounds the run. */
  readonly signal?: AbortSignal;
  /** When that will be, ms since 1970. */
  readonly deadlineMs?: number;
  readonly intervalMinutes: number;
}

/** Left for writing the state and the answer once reading has to stop. */
const MARGIN_MS = 20_000;
const DEFAULT_INTERVAL_MINUTES = 15;

/** Runs `work` for one invocation. @throws CertkeepError alone */
export async function runFunction<T>(
  name: string,
  context: Invocation | undefined,
  work: (run: FunctionRun) => Promise<T>,
): Promise<T> {
  const { env } = process;
  const stage = env["CERTKEEP_STAGE"] || "local";
  const log = createLog({ stage, functionName: name, requestId: context?.awsRequestId ?? null });
  const metrics = createMetrics(stage, (line) => process.stdout.write(line));
  const remainingMs = context?.getRemainingTimeInMillis?.() ?? null;
  const timeMs =
    remainingMs === null
      ? null
      : Math.max(1_000, Math.floor(remainingMs - Math.min(MARGIN_MS, remainingMs / 3)));
  const minutes = Number(env["CERTKEEP_INTERVAL_MINUTES"]);
  const run: FunctionRun = {
    configFile: null,
    env,
    cwd: process.cwd(),
    nowNs: () => BigInt(Date.now()) * 1_000_000n,
    log,
    metrics,
    progress: { step: () => {}, note: (message) => log.info(message) },
    intervalMinutes: minutes > 0 ? minutes : DEFAULT_INTERVAL_MINUTES,
    ...(timeMs === null
      ? {}
      : { signal: AbortSignal.timeout(timeMs), deadlineMs: Date.now() + timeMs }),
  };
  return guarded(name, run, () => work(run));
}

/**
 * What every function has: its environment, log, metrics, deadline, and the guard around its work.
 */
import { Readable } from "node:stream";
import { createLog, createMetrics } from "../../lib/adapters/aws/telemetry.ts";
import { isSecretReference, secretName } from "../../lib/config/registered.ts";
import { isCertkeepError, internalError } from "../../lib/error.ts";
import type { Log, Metrics } from "../../lib/ports/runtime.ts";
import { composeOpenerIfAny } from "../../lib/wiring/identity.ts";
import type { ComposedSettings } from "../../lib/wiring/settings.ts";
import type { RunWorld } from "../../lib/wiring/world.ts";

/** The part of Lambda's context that is used. */
export interface Invocation {
  readonly awsRequestId?: string;
  readonly getRemainingTimeInMillis?: () => number;
}

/** Its signal is aborted while there still is time to write what was seen. */
export interface FunctionRun extends RunWorld, Telemetry {
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
    deployed: true,
    env,
    cwd: process.cwd(),
    nowMs: () => Date.now(),
    atMs: null,
    contextRef: null,
    identity: null,
    stdin: Readable.from([]),
    askPassphrase: null,
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

export interface Telemetry {
  readonly log: Log;
  readonly metrics: Metrics;
}

/** @throws CertkeepError alone: whatever else was thrown is told by its class and place */
export async function guarded<T>(
  name: string,
  { log, metrics }: Telemetry,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const told = isCertkeepError(error) ? error : internalError(`function ${name}`, error);
    metrics.put("Failures", 1);
    log.error(`${name} failed`, { code: told.code, problem: told.message });
    throw told;
  } finally {
    metrics.publish();
  }
}

/**
 * Whether there is an identity to open copies with. @throws CertkeepError identity_invalid for a
 * text that is none
 */
export async function hasIdentity(
  run: FunctionRun,
  settings: Pick<ComposedSettings, "config" | "secrets">,
): Promise<boolean> {
  const { identity } = settings.config;
  if (
    identity !== null &&
    isSecretReference(identity) &&
    ((await settings.secrets.read(secretName(identity))) ?? "").trim() === ""
  )
    return false;
  return (await composeOpenerIfAny(run, settings)) !== null;
}

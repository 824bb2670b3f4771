/** What holds for every function: its end is told, its failure counted, and no foreign error gets out of it. */
import { isCertkeepError } from "../../error.ts";
import type { Log, Metrics } from "../../ports/runtime.ts";
import { unforeseen } from "../unforeseen.ts";

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
    const told = isCertkeepError(error) ? error : unforeseen(`function ${name}`, error);
    metrics.put("Failures", 1);
    log.error(`${name} failed`, { code: told.code, problem: told.message });
    throw told;
  } finally {
    metrics.publish();
  }
}

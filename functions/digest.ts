/** Lambda, every few minutes: posts the digests that are due, and counts for alarms whether audits still finish. */
import { composeDigestFunction } from "../lib/wiring/function/digest.ts";
import { runFunction, type Invocation } from "../lib/wiring/function/run.ts";
import { digestAll } from "../lib/usecases/function/digest.ts";

export function handler(_event: unknown, context?: Invocation): Promise<object> {
  return runFunction("digest", context, async (run) => {
    const { ports, work } = await composeDigestFunction(run);
    return digestAll(ports, work);
  });
}

/** Lambda, weekly: opens the copies where it has an identity, else compares their digests; counts what can't be used. */
import { composeDrillFunction } from "../lib/wiring/function/drill.ts";
import { runFunction, type Invocation } from "../lib/wiring/function/run.ts";
import { drillAll } from "../lib/usecases/function/drill.ts";

export function handler(_event: unknown, context?: Invocation): Promise<object> {
  return runFunction("drill", context, (run) => drillAll(run, () => composeDrillFunction(run)));
}

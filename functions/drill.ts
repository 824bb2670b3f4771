/** Lambda, weekly: opens the copies where it has an identity, else compares their digests; counts what can't be used. */
import { composeDrillFunction } from "../lib/compose/function/drill.ts";
import { runFunction, type Invocation } from "../lib/compose/function/run.ts";
import { drillAll } from "../lib/use/function/drill.ts";

export function handler(_event: unknown, context?: Invocation): Promise<object> {
  return runFunction("drill", context, (run) => drillAll(run, () => composeDrillFunction(run)));
}

/** Lambda, on a schedule: queues the clusters that are due, and publishes the configuration that the functions go by. */
import { composeDispatch } from "../lib/wiring/function/dispatch.ts";
import { runFunction, type Invocation } from "../lib/wiring/function/run.ts";
import { dispatch } from "../lib/usecases/function/dispatch.ts";
import { publishConfig } from "../lib/usecases/function/publish.ts";

export function handler(_event: unknown, context?: Invocation): Promise<object> {
  return runFunction("dispatch", context, async (run) => {
    const { ports, registered, intervalMinutes, publish } = await composeDispatch(run);
    const report = await dispatch(ports, registered, intervalMinutes);
    if (publish !== null) await publishConfig(publish.published, publish.place, run.log);
    return { ...report, published: publish?.place.url ?? null };
  });
}

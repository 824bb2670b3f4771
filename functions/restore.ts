/** Lambda, by hand: `{"cluster": "prod", "names": ["shop.example.com"], "apply": true}` restores; without `apply`, a plan. */
import { composeRestoreFunction } from "../lib/wiring/function/restore.ts";
import { runFunction, type Invocation } from "../lib/wiring/function/run.ts";
import { parseRestoreEvent } from "../lib/config/event/restore.ts";
import { restoreByEvent, withoutIdentity } from "../lib/usecases/function/restore.ts";

export function handler(event: unknown, context?: Invocation): Promise<object> {
  return runFunction("restore", context, async (run) => {
    const asked = parseRestoreEvent(event);
    const composed = await composeRestoreFunction(run, asked);
    return composed.identity === "absent"
      ? withoutIdentity(asked, composed.config)
      : restoreByEvent(asked, composed.ports);
  });
}

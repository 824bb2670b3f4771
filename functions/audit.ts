/**
 * Lambda, by the queue: audits the cluster that each message names. Invoked by hand, the event may name clusters:
 * `{"clusters": ["prod"]}`; without, all of them.
 */
import { composeDirect, composeMessages } from "../lib/wiring/function/audit.ts";
import { runFunction, type Invocation } from "../lib/wiring/function/run.ts";
import { parseAuditEvent } from "../lib/config/event/audit.ts";
import { auditDirect, auditMessages } from "../lib/usecases/function/audit.ts";

export function handler(event: unknown, context?: Invocation): Promise<object> {
  return runFunction("audit", context, async (run) => {
    const parsed = parseAuditEvent(event);
    return parsed.kind === "queue"
      ? auditMessages(parsed.receipts, await composeMessages(run))
      : auditDirect(await composeDirect(run, parsed.clusters), run);
  });
}

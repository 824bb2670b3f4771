/** Lambda: audits clusters. The event may name them: `{"clusters": ["prod"]}`; without, all of the configuration. */
import { composeAudit } from "../lib/compose/audit.ts";
import { parseAuditEvent } from "../lib/config/event.ts";
import { auditAll } from "../lib/use/audit.ts";
import { AUDIT_SCHEMA, auditDocument } from "../lib/use/audit/document.ts";

/** Left for writing the state and the answer once reading has to stop. */
const MARGIN_MS = 20_000;

export async function handler(event: unknown, context?: { readonly getRemainingTimeInMillis?: () => number }): Promise<object> {
  const { clusters } = parseAuditEvent(event);
  const remainingMs = context?.getRemainingTimeInMillis?.() ?? null;
  const timeMs = remainingMs === null ? null : Math.max(1_000, remainingMs - MARGIN_MS);
  const run = await composeAudit({
    clusters,
    configFile: null,
    env: process.env,
    cwd: process.cwd(),
    nowNs: () => BigInt(Date.now()) * 1_000_000n,
    atNs: null,
    person: null,
    ...(timeMs === null ? {} : { signal: AbortSignal.timeout(timeMs), deadlineMs: Date.now() + timeMs }),
    progress: { step: () => {}, note: (message) => console.log(message) },
  });
  const report = await auditAll(run.targets, run.ports, run.config.ignore);
  return { schema: AUDIT_SCHEMA, ...auditDocument(report, run.ports.clock.nowNs()) };
}

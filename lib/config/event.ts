/** Events that functions are given: parsed and never trusted. Pure. */
import * as z from "zod/mini";
import { CertkeepError } from "../error.ts";

const auditEvent = z.looseObject({ clusters: z.optional(z.array(z.string())) });

/** `{}`, nothing, or a schedule's event: all clusters. @throws CertkeepError usage, for a list that isn't one of names */
export function parseAuditEvent(event: unknown): { readonly clusters: readonly string[] } {
  const parsed = z.safeParse(auditEvent, event === "" ? {} : (event ?? {}));
  if (!parsed.success) throw new CertkeepError("usage", { where: "event", found: typeof event === "object" ? "clusters that is no list of names" : `a ${typeof event}`, expected: '{"clusters": ["prod"]}, or {} for all' });
  return { clusters: parsed.data.clusters ?? [] };
}

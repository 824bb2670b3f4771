/** Retention as part of a drill: removes from the store what was opened, judged, and is due. */
import { planRetention, type RetentionCopy } from "../../backup/retention.ts";
import { parseMs } from "../../certificate/time.ts";
import { isCertkeepError, type CertkeepError } from "../../error.ts";
import type { DrilledCopy } from "../../report/drill.ts";
import type { DrillPorts } from "../drill.ts";
import type { Examined } from "./examine.ts";

/** @returns the backups, each with whether it was removed, or would be */
export async function applyRetention(
  examined: readonly Examined[],
  ports: Pick<DrillPorts, "backups" | "remove" | "recipientsFor">,
  run: {
    readonly nowMs: number;
    readonly isOver: () => boolean;
    readonly problems: CertkeepError[];
  },
): Promise<DrilledCopy[]> {
  const copies = examined.map(({ copy }) => copy);
  const candidates = examined.flatMap((one, at) => {
    const candidate = candidateOf(one, ports.recipientsFor(one.copy.cluster));
    return candidate === null ? [] : [{ ...candidate, at }];
  });
  for (const { copy, reason } of planRetention(candidates, run.nowMs).remove) {
    const drilled = copies[copy.at];
    if (drilled === undefined || run.isOver()) continue;
    try {
      if (ports.remove) await ports.backups.remove(copy.key);
      copies[copy.at] = { ...drilled, removed: reason };
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      run.problems.push(error);
    }
  }
  return copies;
}

function candidateOf(
  { copy, opened }: Examined,
  configured: readonly string[],
): RetentionCopy | null {
  const { header } = copy;
  if (header === null) return null;
  const pair = opened?.pair ?? null;
  return {
    key: copy.key,
    kind: header.kind,
    clusterIdentity: header.clusterIdentity,
    namespace: header.namespace,
    secret: header.secret,
    fieldBase: header.fieldBase,
    names: pair?.names ?? header.names,
    judged: opened !== null,
    valid: pair?.everHolds === true,
    notBeforeMs: pair?.notBeforeMs ?? null,
    notAfterMs: pair?.notAfterMs ?? null,
    recordedAtMs: copy.recordedAt === null ? null : parseMs(copy.recordedAt),
    // Without configured recipients it isn't known who can still open it, so everybody counts.
    recipientsConfigured:
      configured.length === 0 ||
      header.recipients.some((recipient) => configured.includes(recipient)),
    retired: copy.retired,
  };
}

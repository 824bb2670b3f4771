/**
 * The plan of a restore: a pure function of opened copies, of what is in the cluster, and of what a
 * person allowed. Planning twice gives the same; carrying a plan out and planning again gives
 * nothing to do.
 */
import { decideAccountKey, decideCertificate, type Decided, type PlanOptions } from "./decide.ts";
import type { PlanItem, RestorePlan, SecretWrite } from "./item.ts";
import type { PlanWarning } from "./objection.ts";
import { metadataFor } from "./metadata.ts";
import type { LiveViews, Wanted } from "./view.ts";

/** `warnings` stand before everything else. */
export function planRestore(
  wanted: readonly Wanted[],
  views: LiveViews,
  options: PlanOptions,
  warnings: readonly PlanWarning[] = [],
): RestorePlan {
  // Account keys come after the certificates, whose fate theirs depends on.
  const certificates = new Map(
    wanted.flatMap((one) =>
      one.kind === "account-key" ? [] : [[one, decideCertificate(one, views, options)] as const],
    ),
  );
  const decided = wanted.map(
    (one): Decided =>
      certificates.get(one) ?? decideAccountKey(one, views, options, [...certificates.values()]),
  );
  return { items: decided.map(({ item }) => item), writes: groupWrites(decided), warnings };
}

function placeKey(to: NonNullable<PlanItem["to"]>): string {
  return `${to.namespace}/${to.name}`;
}

/** Everything that goes into one Secret goes there in one write. */
function groupWrites(decided: readonly Decided[]): SecretWrite[] {
  const writes = new Map<string, { -readonly [K in keyof SecretWrite]: SecretWrite[K] }>();
  for (const [index, { item, copy }] of decided.entries()) {
    if (item.rule !== "restore" || item.action === "none" || copy === null || item.to === null)
      continue;
    const key = placeKey(item.to);
    const { record } = copy;
    const data = item.fields.length === 0 ? {} : record.data;
    const { labels, annotations } = metadataFor(copy, item.to);
    const write = writes.get(key);
    if (write === undefined) {
      writes.set(key, {
        ...item.to,
        action: item.action,
        uid: item.uid,
        resourceVersion: item.resourceVersion,
        createNamespace: item.createNamespace,
        type: record.type,
        labels,
        annotations,
        data,
        items: [index],
      });
      continue;
    }
    write.data = { ...write.data, ...data };
    write.labels = { ...labels, ...write.labels };
    write.annotations = { ...annotations, ...write.annotations };
    write.items = [...write.items, index];
    if (item.action === "replace") write.action = "replace";
  }
  return [...writes.values()];
}

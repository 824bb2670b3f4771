/**
 * The plan of a restore: a pure function of opened copies, of what is in the cluster, and of what a person allowed.
 * Planning twice gives the same; carrying a plan out and planning again gives nothing to do.
 */
import { decideOne, type Decided, type PlanOptions } from "./decide.ts";
import type { PlanItem, RestorePlan, SecretWrite } from "./item.ts";
import { metadataFor } from "./metadata.ts";
import type { CertificatesWith } from "./shape/accounts.ts";
import type { LiveViews, Wanted } from "./view.ts";

const NONE: CertificatesWith = { accounts: [], bases: new Set() };

/** `warnings` stand before everything else. */
export function planRestore(
  wanted: readonly Wanted[],
  views: LiveViews,
  options: PlanOptions,
  warnings: readonly string[] = [],
): RestorePlan {
  // Account keys come after the certificates of their Secret, whose fate theirs depends on.
  const decided: (Decided | null)[] = wanted.map((one) =>
    one.kind === "account-key" ? null : decideOne(one, views, options, NONE),
  );
  const beside = new Map<string, { accounts: (string | null)[]; bases: Set<string> }>();
  for (const one of decided) {
    if (one === null || one.copy === null || one.item.rule !== "restore" || one.item.to === null)
      continue;
    const key = placeKey(one.item.to);
    const with_ = beside.get(key) ?? { accounts: [], bases: new Set<string>() };
    with_.accounts.push(one.copy.record.accountThumbprint);
    with_.bases.add(one.copy.record.fieldBase);
    beside.set(key, with_);
  }
  const complete = wanted.map((one, at): Decided => {
    const known = decided[at];
    if (known !== null && known !== undefined) return known;
    const first = decideOne(one, views, options, NONE);
    const together = first.item.to === null ? undefined : beside.get(placeKey(first.item.to));
    return together === undefined ? first : decideOne(one, views, options, together);
  });
  return { items: complete.map(({ item }) => item), writes: groupWrites(complete), warnings };
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
        data: record.data,
        items: [index],
      });
      continue;
    }
    write.data = { ...write.data, ...record.data };
    write.labels = { ...labels, ...write.labels };
    write.annotations = { ...annotations, ...write.annotations };
    write.items = [...write.items, index];
    if (item.action === "replace") write.action = "replace";
  }
  return [...writes.values()];
}

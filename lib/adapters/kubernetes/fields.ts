/**
 * Which data keys a Secret has, told from its metadata alone.
 *
 * The union of `f:data` over all managers can only lack keys, never name one too many: the API server takes
 * a removed field out of every manager's set (sigs.k8s.io/structured-merge-diff merge/update.go), but a
 * client may have cleared some or all entries, and then what was there before belongs to nobody. So the
 * union is believed only where it is as large as the number of keys that the Table says there are, and
 * where the keys that the type demands are in it. Else the Secret has to be read.
 */
import { fieldsOf, listOf } from "./json.ts";

/** What the API server itself demands of a type (k8s.io/kubernetes pkg/apis/core/validation, `ValidateSecret`). */
const DEMANDED: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
};

/** Keys by managedFields, sorted; `null` where they can't be told. `count`: number of keys by the Table, or `null`. */
export function dataKeysOf(
  managedFields: unknown,
  count: number | null,
  type: string | null,
): readonly string[] | null {
  if (count === null) return null;
  if (count === 0) return [];
  const keys = new Set<string>();
  for (const entry of listOf(managedFields)) {
    const owned = fieldsOf(fieldsOf(fieldsOf(entry)["fieldsV1"])["f:data"]);
    for (const key of Object.keys(owned)) if (key.startsWith("f:")) keys.add(key.slice(2));
  }
  if (keys.size !== count) return null;
  if (
    type !== null &&
    Object.hasOwn(DEMANDED, type) &&
    DEMANDED[type]?.some((key) => !keys.has(key))
  )
    return null;
  return [...keys].toSorted();
}

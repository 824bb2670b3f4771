/** The plaintext of a backup: what lib/backup/manifest.ts reads again. */
import { allowedFields, isAllowedLabel, isKeptAnnotation } from "../secret/allowlist.ts";
import { isShape } from "../secret/shapes.ts";
import { type BackupRecord, type DraftHeader, compareText, factsOf, sortedSet } from "./record.ts";
import { versionOf } from "./version.ts";

export const HEADER_ANNOTATION = "certkeep.dev/header";

/** A copy before it is sealed. */
export interface DraftCopy {
  readonly version: string;
  readonly header: DraftHeader;
  /** Holds key bytes: to be sealed, then overwritten with `fill(0)`. */
  readonly plaintext: Uint8Array;
}

/** Sorted by key, without a prototype: a key may be called `__proto__`. */
function pick(
  map: Readonly<Record<string, string>>,
  allowed: (key: string, value: string) => boolean,
): Record<string, string> {
  const picked = Object.create(null) as Record<string, string>;
  for (const key of Object.keys(map).toSorted(compareText)) {
    const value = map[key] ?? "";
    if (allowed(key, value)) picked[key] = value;
  }
  return picked;
}

/**
 * The copy of a record for `recipients`. What the allowlist doesn't name is left out, whoever made
 * the record. The same record and recipients give the same version and the same bytes.
 */
export function buildDocument(record: BackupRecord, recipients: readonly string[]): DraftCopy {
  const shape = isShape(record.header.shape) ? record.header.shape : null;
  const fields =
    shape === null
      ? new Set<string>()
      : allowedFields(shape, record.header.fieldBase, record.header.kind);
  const kept = {
    ...record,
    data: pick(record.data, (field) => fields.has(field)),
    labels: pick(record.labels, (key) => shape !== null && isAllowedLabel(shape, key)),
    annotations: pick(
      record.annotations,
      (key, value) => shape !== null && isKeptAnnotation(shape, key, value),
    ),
  };
  const facts = factsOf(record.header);
  const manifest = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      namespace: record.header.namespace,
      name: record.header.secret,
      ...(Object.keys(kept.labels).length === 0 ? {} : { labels: kept.labels }),
      annotations: { ...kept.annotations, [HEADER_ANNOTATION]: JSON.stringify(facts) },
    },
    type: record.type,
    data: kept.data,
  };
  return {
    version: versionOf(kept, recipients),
    header: { ...facts, recipients: sortedSet(recipients) },
    plaintext: Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`, "utf8"),
  };
}

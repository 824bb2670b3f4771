/**
 * The plaintext of a backup, which lib/backup/manifest.ts reads again, and the name of its version:
 * a digest over what makes a backup another one, so that what is unchanged is never written twice.
 *
 * In it: format, identity of the cluster, namespace, name, the bytes of the fields, what adoption
 * depends on (type, labels, annotations), and for whom it is sealed. Not in it: derived facts
 * (names, issuer, validity, shape, …), the kind, and the name that the cluster is registered under;
 * a better parser or a renamed registration makes no new copies.
 */
import { createHash } from "node:crypto";
import { allowedFields, isAllowedLabel, isKeptAnnotation } from "../secret/allowlist.ts";
import { isShape } from "../secret/shapes.ts";
import {
  BACKUP_FORMAT,
  type BackupRecord,
  compareText,
  type CopyFacts,
  type DraftHeader,
  factsOf,
  sortedSet,
} from "./record.ts";

/** The parts of a record that its version depends on. */
type VersionedPart = Omit<BackupRecord, "header"> & {
  readonly header: Pick<CopyFacts, "clusterIdentity" | "namespace" | "secret">;
};

function sortedPairs(
  map: Readonly<Record<string, string>>,
): readonly (readonly [string, string])[] {
  return Object.entries(map).toSorted(([a], [b]) => compareText(a, b));
}

/**
 * SHA-256, 64 lower-case hexadecimal digits. The encoding is a JSON array of strings and of arrays
 * of them at fixed places: two different inputs never have the same text.
 */
export function versionOf(record: VersionedPart, recipients: readonly string[]): string {
  const canonical = JSON.stringify([
    BACKUP_FORMAT,
    record.header.clusterIdentity,
    record.header.namespace,
    record.header.secret,
    // Bytes, not their spelling: base64 has several for the same bytes.
    sortedPairs(record.data).map(([field, value]) => [
      field,
      Buffer.from(value, "base64").toString("base64"),
    ]),
    record.type,
    sortedPairs(record.labels),
    sortedPairs(record.annotations),
    sortedSet(recipients),
  ]);
  return createHash("sha256").update(canonical, "utf8").digest("hex");
}

export const HEADER_ANNOTATION = "certkeep.dev/header";

/** A copy before it is sealed. */
interface DraftCopy {
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

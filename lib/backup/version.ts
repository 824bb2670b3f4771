/**
 * The name of a copy's version: a digest over what makes a copy another one, so that what is
 * unchanged is never written twice.
 *
 * In it: format, identity of the cluster, namespace, name, the bytes of the fields, what adoption
 * depends on (type, labels, annotations), and for whom it is sealed. Not in it: derived facts
 * (names, issuer, validity, shape, …), the kind, and the name that the cluster is registered under;
 * a better parser or a renamed registration makes no new copies.
 */
import { createHash } from "node:crypto";
import {
  BACKUP_FORMAT,
  type BackupRecord,
  compareText,
  type CopyFacts,
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

/** What a Secret holds, or held until its fields were emptied. */
import type { CertificateRecord, SecretRecord } from "./document.ts";

export function heldCertificates(
  record: Pick<SecretRecord, "certificates" | "gaps"> | undefined,
): readonly CertificateRecord[] {
  if (record === undefined) return [];
  return [
    ...Object.values(record.certificates),
    ...Object.values(record.gaps).flatMap(({ held }) => (held === null ? [] : [held])),
  ];
}

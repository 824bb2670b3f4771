/** Certificates as a table for a terminal. Pure. */
import { instantOf } from "../certificate/time.ts";
import type { CertificateRow } from "./rows.ts";
import { type Page, tableLines } from "./text.ts";

export function certificateTable(
  rows: readonly CertificateRow[],
  { width, style, nameOf }: Page & { readonly nameOf: (cluster: string) => string },
): string[] {
  if (rows.length === 0) return [];
  const several = new Set(rows.map(({ cluster }) => cluster)).size > 1;
  const [head = "", ...body] = tableLines(
    ["CERTIFICATE", ...(several ? ["CLUSTER"] : []), "SECRET", "STATUS", "EXPIRES", "BACKUP"],
    rows.map(({ name, cluster, namespace, secret, status, notAfterMs, copied }) => [
      name,
      ...(several ? [nameOf(cluster)] : []),
      `${namespace}/${secret}`,
      status === "ok" ? "OK" : status,
      notAfterMs === null ? "-" : instantOf(notAfterMs).slice(0, 10),
      copied ? "yes" : "no",
    ]),
    width,
    "  ",
  );
  return [style.dim(head), ...body];
}

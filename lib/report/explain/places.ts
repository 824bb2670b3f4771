/** Where certificates of a name are, and their backups, as tables. Pure. */
import { serialKey } from "../../ratelimit/issuance.ts";
import { type CertificateEntry, titleOf } from "../../state/certificates.ts";
import type { Loss } from "../../state/secrets.ts";
import type { ExplainedPlace, Explanation } from "./explanation.ts";
import { type Page, tableLines } from "../text.ts";

/** Rows of a table; more are counted. */
export const MAX_ROWS = 20;

/** The serial's first digits, without leading zeros, as its issuer's pages show them. */
export function serialText(serial: string): string {
  return serialKey(serial).slice(0, 10);
}

const LOSS_WORDS: Readonly<Record<Loss["how"], string>> = {
  lost: "lost",
  removed: "removed with its parent",
  replaced: "replaced: its parent names other hosts",
  unknown: "unknown",
};

function conditionText({ condition, verdict, loss }: CertificateEntry): string {
  if (condition === "live")
    return verdict.valid ? "valid" : (verdict.reasons[0] ?? "invalid").replaceAll("_", " ");
  if (condition === "lost") return LOSS_WORDS[loss.how];
  return condition === "pending" ? condition : "emptied";
}

/** `several`: they are in several clusters. */
export function placeLines(
  { kind, places }: Explanation,
  several: boolean,
  { width, style }: Page,
): string[] {
  if (places.length === 0) return [];
  const rank = ({ entry }: ExplainedPlace): number => (entry.verdict?.valid === true ? 1 : 0);
  const optional = (shown: boolean, cell: string): string[] => (shown ? [cell] : []);
  const rows = places
    .toSorted((a, b) => rank(a) - rank(b))
    .slice(0, MAX_ROWS)
    .map(({ entry, copies }) => [
      ...optional(several, entry.cluster),
      entry.key,
      ...optional(kind !== "certificate", titleOf(entry)),
      conditionText(entry),
      entry.record === null ? "" : serialText(entry.record.serial),
      entry.record?.notAfter.slice(0, 10) ?? "",
      copies.some(({ good }) => good) ? "yes" : "no",
    ]);
  const head = [
    ...optional(several, "CLUSTER"),
    "SECRET",
    ...optional(kind !== "certificate", "NAME"),
    ...["STATE", "SERIAL", "UNTIL", "BACKUP"],
  ];
  return [
    ...tableLines(head, rows, width, "  "),
    ...(places.length > MAX_ROWS
      ? [style.dim(`  and ${places.length - MAX_ROWS} more, all of them no worse`)]
      : []),
  ];
}

export function backupLines({ kind, places }: Explanation, { width, style }: Page): string[] {
  if (kind === "cluster" || kind === "domain" || places.length === 0) return [];
  const all = places.flatMap(({ copies }) => copies);
  const backups = [...new Map(all.map((one) => [`${one.cluster} ${one.version}`, one])).values()];
  if (backups.length === 0) return ["  None. If it is lost, it can only be issued again."];
  const rows = backups
    .slice(0, MAX_ROWS)
    .map(({ version, cluster, serial, recordedAt, notAfter, retired, good }) => [
      version.slice(0, 8),
      cluster,
      serial === null ? "" : serialText(serial),
      recordedAt.slice(0, 10),
      notAfter?.slice(0, 10) ?? "",
      retired ? "retired" : good ? "good" : "not good",
    ]);
  return [
    ...tableLines(["VERSION", "CLUSTER", "SERIAL", "RECORDED", "UNTIL", ""], rows, width, "  "),
    ...(backups.length > MAX_ROWS ? [style.dim(`  and ${backups.length - MAX_ROWS} more`)] : []),
  ];
}

/** A drill for a terminal: what opened, what has no usable backup, what retention did. Pure. */
import type { BackupHeader } from "../backup/record.ts";
import { parseMs } from "../certificate/time.ts";
import type { CertkeepError } from "../error.ts";
import type { Finding } from "../finding/finding.ts";
import { itemsOf } from "./items.ts";
import { itemLines } from "./items/lines.ts";
import type { PlanCode } from "../restoreplan/objection.ts";
import { reasonText } from "./phrases/reasons.ts";
import { count, span, type Style, tableLines, wrap } from "./text.ts";
import { plain } from "../plain.ts";

export interface DrilledCopy {
  readonly key: string;
  readonly version: string;
  readonly cluster: string;
  readonly header: BackupHeader | null;
  readonly verdict: "good" | "expired" | "not_good" | "unreadable" | "not_opened";
  /** Why it is unreadable, or `null`. */
  readonly code: PlanCode | null;
  readonly detail: string;
  readonly recorded: boolean;
  readonly retired: boolean;
  /** RFC 3339; `null`: not recorded. */
  readonly recordedAt: string | null;
  readonly removed: "expired" | "replaced" | null;
}

/** How a certificate that audits know would fare. */
export interface DrilledCertificate {
  readonly cluster: string;
  readonly namespace: string;
  readonly secret: string;
  readonly title: string;
  readonly live: "valid" | "not_valid" | "lost";
  readonly good: {
    readonly version: string;
    readonly recordedAt: string | null;
    readonly notAfter: string | null;
  } | null;
}

export interface DrillReport {
  readonly opened: boolean;
  readonly copies: readonly DrilledCopy[];
  readonly certificates: readonly DrilledCertificate[];
  readonly findings: readonly Finding[];
  /** States that could not be read, backups that could not be removed. */
  readonly problems: readonly CertkeepError[];
  readonly retention: "done" | "shown" | "needs_identity";
  /** The time was over before everything was looked at and removed. */
  readonly interrupted: boolean;
}

const ROWS_AT_MOST = 40;

interface View {
  readonly nowMs: number;
  readonly width: number;
  readonly room: number;
  readonly style: Style;
  /** Whether to list the newest usable backup of each certificate. */
  readonly verbose: boolean;
}

export function drillText(drill: DrillReport, view: View): string {
  return [
    ...(drill.opened ? testedLines(drill, view) : untestedLines(drill, view)),
    ...(drill.opened ? withoutBackupLines(drill, view) : []),
    ...(view.verbose ? backupAgeLines(drill, view) : []),
    ...itemLines(
      itemsOf({ findings: drill.findings, nameOf: (cluster) => cluster, nowMs: view.nowMs }),
      { ...view, several: true, names: view.verbose ? Number.POSITIVE_INFINITY : 12 },
    ).lines,
    "",
    ...retentionLines(drill, view),
  ].join("\n");
}

function testedLines({ copies, certificates }: DrillReport, { style, width }: View): string[] {
  const of = (verdict: DrilledCopy["verdict"]): number =>
    copies.filter((copy) => copy.verdict === verdict).length;
  const restorable = certificates.filter(({ good }) => good !== null).length;
  const counts = [
    `${count(copies.length, "backup")} tested: ${of("good")} OK`,
    ...(of("expired") === 0 ? [] : [`${of("expired")} expired`]),
    ...(of("not_good") === 0 ? [] : [`${of("not_good")} invalid`]),
    ...(of("unreadable") === 0 ? [] : [`${of("unreadable")} unreadable`]),
  ].join(", ");
  return [
    style.bold(
      certificates.length === 0
        ? "No certificates known"
        : `${restorable} of ${count(certificates.length, "certificate")} can be restored`,
    ),
    ...wrap(counts, width),
    ...invalidLines(copies, width),
  ];
}

function invalidLines(copies: readonly DrilledCopy[], width: number): string[] {
  const invalid = copies.filter(({ verdict }) => verdict === "not_good");
  const more = invalid.length - ROWS_AT_MOST;
  return [
    ...invalid.slice(0, ROWS_AT_MOST).flatMap(({ cluster, header, version, detail }) => {
      const place = header === null ? cluster : `${header.namespace}/${header.secret}`;
      const why = reasonText(detail.split(", "));
      return wrap(
        plain(`${place}, version ${version.slice(0, 8)}: ${why} (not restored unless forced)`),
        width,
        "  ",
      );
    }),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function untestedLines({ copies }: DrillReport, { style, width }: View): string[] {
  return [
    style.bold(`0 of ${count(copies.length, "backup")} tested: no identity here`),
    ...wrap("Nothing was decrypted or removed. Name your identity:", width).map(style.yellow),
    "  certkeep drill --identity FILE",
  ];
}

function rowsOf(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  room: number,
): string[] {
  const more = rows.length - ROWS_AT_MOST;
  return [
    ...tableLines([...head], rows.slice(0, ROWS_AT_MOST), room, "  "),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function isSeveral(certificates: readonly DrilledCertificate[]): boolean {
  return new Set(certificates.map(({ cluster }) => cluster)).size > 1;
}

const LIVE: Readonly<Record<DrilledCertificate["live"], string>> = {
  valid: "valid",
  not_valid: "invalid",
  lost: "missing",
};

function withoutBackupLines({ certificates }: DrillReport, { style, room }: View): string[] {
  const without = certificates.filter(({ good }) => good === null);
  if (without.length === 0) return [];
  const several = isSeveral(certificates);
  const isHelped = without.some(({ live }) => live === "valid");
  return [
    "",
    style.bold(style.red(`No usable backup (${without.length})`)),
    ...rowsOf(
      ["CERTIFICATE", "SECRET", ...(several ? ["CLUSTER"] : []), "IN CLUSTER"],
      without.map(({ title, namespace, secret, cluster, live }) => [
        title,
        `${namespace}/${secret}`,
        ...(several ? [cluster] : []),
        LIVE[live],
      ]),
      room,
    ),
    ...(isHelped ? ["  The next audit backs up what is still valid:", "    certkeep audit"] : []),
  ];
}

function backupAgeLines({ certificates }: DrillReport, { style, room, nowMs }: View): string[] {
  const several = isSeveral(certificates);
  const rows = certificates
    .flatMap(({ good, ...certificate }) =>
      good?.recordedAt == null ? [] : [{ ...certificate, ...good, recordedAt: good.recordedAt }],
    )
    .toSorted((a, b) => (a.recordedAt < b.recordedAt ? -1 : 1))
    .map(({ title, namespace, secret, cluster, recordedAt, notAfter }) => [
      title,
      `${namespace}/${secret}`,
      ...(several ? [cluster] : []),
      span(nowMs - parseMs(recordedAt)),
      notAfter === null ? "" : span(parseMs(notAfter) - nowMs),
    ]);
  if (rows.length === 0) return [];
  return [
    "",
    style.bold("Newest usable backups, oldest first"),
    ...rowsOf(
      ["CERTIFICATE", "SECRET", ...(several ? ["CLUSTER"] : []), "AGE", "EXPIRES IN"],
      rows,
      room,
    ),
  ];
}

function retentionLines(drill: DrillReport, { width }: View): string[] {
  const removed = drill.copies.filter((copy) => copy.removed !== null).length;
  const unrecorded = drill.copies.filter((copy) => !copy.recorded).length;
  const retired = drill.copies.filter((copy) => copy.retired).length;
  const pruned =
    drill.retention === "needs_identity"
      ? []
      : removed === 0
        ? ["Nothing to prune."]
        : drill.retention === "done"
          ? [`Pruned ${count(removed, "backup")}.`]
          : [`Would prune ${count(removed, "backup")}.`];
  const texts = [
    ...pruned,
    ...(unrecorded === 0 ? [] : [`${count(unrecorded, "backup")} that no audit recorded.`]),
    ...(retired === 0 ? [] : [`${count(retired, "backup")} retired.`]),
  ];
  return wrap(plain(texts.join(" ")), width);
}

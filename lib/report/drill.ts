/** A drill for a terminal: what opened, what has no usable backup, what retention did. Pure. */
import type { BackupHeader } from "../backup/record.ts";
import { parseMs } from "../certificate/time.ts";
import type { CertkeepError } from "../error.ts";
import type { Finding } from "../finding/finding.ts";
import { findingLines } from "./findings.ts";
import type { PlanCode } from "../restoreplan/objection.ts";
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
  /** How the last audit saw it. */
  readonly live: "valid" | "not_valid" | "lost";
  /** The newest backup that opened and is valid. */
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
  readonly style: Style;
}

export function drillText(drill: DrillReport, view: View): string {
  const { style, width } = view;
  const findings = { ...view, findings: drill.findings, several: true };
  return [
    style.bold(countsText(drill)),
    ...(drill.opened
      ? restorableLines(drill, width)
      : wrap(
          "No identity is at hand, so nothing was opened, nothing is proven, and nothing was " +
            "deleted. Name it: --identity FILE",
          width,
        ).map(style.yellow)),
    ...(drill.opened ? withoutBackupLines(drill, view) : []),
    ...backupAgeLines(drill, view),
    ...findingLines(findings),
    "",
    ...retentionLines(drill, width),
  ].join("\n");
}

function countsText({ opened, copies }: DrillReport): string {
  const of = (verdict: DrilledCopy["verdict"]): number =>
    copies.filter((copy) => copy.verdict === verdict).length;
  return [
    opened
      ? `${count(of("good"), "copy", "copies")} opened and good`
      : `${count(of("not_opened"), "copy", "copies")} looked at by the header`,
    ...(of("unreadable") === 0 ? [] : [`${of("unreadable")} that can't be used`]),
    ...(of("expired") === 0 ? [] : [`${of("expired")} expired`]),
    ...(of("not_good") === 0 ? [] : [`${of("not_good")} that their owner would refuse`]),
  ].join(", ");
}

function restorableLines({ certificates }: DrillReport, width: number): string[] {
  if (certificates.length === 0) return [];
  const restorable = certificates.filter(({ good }) => good !== null).length;
  return wrap(
    `${restorable} of ${count(certificates.length, "certificate")} could be restored now.`,
    width,
  );
}

function rowsOf(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
): string[] {
  const more = rows.length - ROWS_AT_MOST;
  return [
    ...tableLines([...head], rows.slice(0, ROWS_AT_MOST), width, "  "),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function withoutBackupLines({ certificates }: DrillReport, { style, width }: View): string[] {
  const without = certificates.filter(({ good }) => good === null);
  if (without.length === 0) return [];
  return [
    "",
    style.bold(style.red(`Without a usable backup (${without.length})`)),
    ...rowsOf(
      ["CERTIFICATE", "SECRET", "CLUSTER", "LIVE"],
      without.map(({ title, namespace, secret, cluster, live }) => [
        title,
        `${namespace}/${secret}`,
        cluster,
        live.replace("_", " "),
      ]),
      width,
    ),
    ...wrap("Do: audit; what is still live and valid gets a copy then.", width, "  "),
  ];
}

function backupAgeLines({ certificates }: DrillReport, { style, width, nowMs }: View): string[] {
  const rows = certificates
    .flatMap(({ title, namespace, secret, good }) =>
      good?.recordedAt == null
        ? []
        : [{ title, place: `${namespace}/${secret}`, ...good, recordedAt: good.recordedAt }],
    )
    .toSorted((a, b) => (a.recordedAt < b.recordedAt ? -1 : 1))
    .map(({ title, place, recordedAt, notAfter }) => [
      title,
      place,
      `${span(nowMs - parseMs(recordedAt))} old`,
      notAfter === null ? "" : span(parseMs(notAfter) - nowMs),
    ]);
  if (rows.length === 0) return [];
  return [
    "",
    style.bold("Newest usable backup of each, the oldest first"),
    ...rowsOf(["CERTIFICATE", "SECRET", "COPY IS", "GOOD FOR"], rows, width),
  ];
}

function retentionLines(drill: DrillReport, width: number): string[] {
  const removed = drill.copies.filter((copy) => copy.removed !== null).length;
  const unrecorded = drill.copies.filter((copy) => !copy.recorded).length;
  const retired = drill.copies.filter((copy) => copy.retired).length;
  const texts = [
    ...(drill.retention === "needs_identity"
      ? []
      : [
          removed === 0
            ? "Retention: nothing was due."
            : `Retention: ${count(removed, "copy", "copies")} ` +
              `${drill.retention === "done" ? "removed" : "would be removed"}, 30 days or more ` +
              "after their time.",
        ]),
    ...(unrecorded === 0 ? [] : [`${count(unrecorded, "copy", "copies")} that no audit recorded.`]),
    ...(retired === 0 ? [] : [`${count(retired, "retired copy", "retired copies")}.`]),
  ];
  return texts.flatMap((text) => wrap(plain(text), width));
}

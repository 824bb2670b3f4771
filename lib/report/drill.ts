/** A drill for a terminal: what opened, what has no good copy, what retention did. Pure. */
import { parseMs } from "../certificate/time.ts";
import type { Finding } from "../finding/finding.ts";
import { findingLines } from "./findings.ts";
import type { Style } from "./style.ts";
import { tableLines } from "./table.ts";
import { plain } from "../plain.ts";
import { count, span, wrap } from "./text.ts";

export interface ShownDrill {
  readonly opened: boolean;
  readonly copies: readonly {
    readonly verdict: "good" | "expired" | "not_good" | "unreadable" | "not_opened";
    readonly removed: "expired" | "replaced" | null;
    readonly recorded: boolean;
    readonly retired: boolean;
  }[];
  readonly certificates: readonly {
    readonly cluster: string;
    readonly namespace: string;
    readonly secret: string;
    readonly title: string;
    readonly live: "valid" | "not_valid" | "lost";
    readonly good: { readonly recordedAt: string | null; readonly notAfter: string | null } | null;
  }[];
  readonly findings: readonly Finding[];
  readonly retention: "done" | "shown" | "needs_identity";
}

const ROWS_AT_MOST = 40;

export function drillText(
  drill: ShownDrill,
  view: { readonly nowMs: number; readonly width: number; readonly style: Style },
): string {
  const { style, width, nowMs } = view;
  const of = (verdict: ShownDrill["copies"][number]["verdict"]): number =>
    drill.copies.filter((copy) => copy.verdict === verdict).length;
  const without = drill.certificates.filter(({ good }) => good === null);
  const parts = [
    ...(drill.opened
      ? [`${count(of("good"), "copy", "copies")} opened and good`]
      : [`${count(of("not_opened"), "copy", "copies")} looked at by the header`]),
    ...(of("unreadable") === 0 ? [] : [`${of("unreadable")} that can't be used`]),
    ...(of("expired") === 0 ? [] : [`${of("expired")} expired`]),
    ...(of("not_good") === 0 ? [] : [`${of("not_good")} that their owner would refuse`]),
  ];
  const lines = [style.bold(parts.join(", "))];
  if (!drill.opened)
    lines.push(
      ...wrap(
        "No identity is at hand, so nothing was opened, nothing is proven, and nothing was " +
          "deleted. Name it: --identity FILE",
        width,
      ).map(style.yellow),
    );
  if (drill.opened && drill.certificates.length > 0) {
    lines.push(
      ...wrap(
        `${drill.certificates.length - without.length} of ` +
          `${count(drill.certificates.length, "certificate")} could be restored now.`,
        width,
      ),
    );
  }
  if (drill.opened && without.length > 0) {
    lines.push("", style.bold(style.red(`Without a good copy (${without.length})`)));
    lines.push(
      ...tableLines(
        ["CERTIFICATE", "SECRET", "CLUSTER", "LIVE"],
        without
          .slice(0, ROWS_AT_MOST)
          .map((one) => [
            one.title,
            `${one.namespace}/${one.secret}`,
            one.cluster,
            one.live.replace("_", " "),
          ]),
        width,
        "  ",
      ),
    );
    if (without.length > ROWS_AT_MOST) lines.push(`  and ${without.length - ROWS_AT_MOST} more`);
    lines.push(...wrap("Do: audit; what is still live and valid gets a copy then.", width, "  "));
  }
  const aged = drill.certificates
    .filter(({ good }) => good?.recordedAt != null)
    .toSorted((a, b) => ((a.good?.recordedAt ?? "") < (b.good?.recordedAt ?? "") ? -1 : 1));
  if (aged.length > 0) {
    lines.push("", style.bold("Newest good copy of each, the oldest first"));
    lines.push(
      ...tableLines(
        ["CERTIFICATE", "SECRET", "COPY IS", "GOOD FOR"],
        aged
          .slice(0, ROWS_AT_MOST)
          .map((one) => [
            one.title,
            `${one.namespace}/${one.secret}`,
            `${span(nowMs - parseMs(one.good?.recordedAt ?? ""))} old`,
            one.good?.notAfter == null ? "" : span(parseMs(one.good.notAfter) - nowMs),
          ]),
        width,
        "  ",
      ),
    );
    if (aged.length > ROWS_AT_MOST) lines.push(`  and ${aged.length - ROWS_AT_MOST} more`);
  }
  lines.push(...findingLines({ findings: drill.findings, nowMs, width, style, several: true }));
  lines.push("", ...retentionLines(drill, width));
  return lines.join("\n");
}

function retentionLines(drill: ShownDrill, width: number): string[] {
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

/** The table of codes as a page of the docs. Pure. */
import { REASONS } from "../certificate/reason.ts";
import { CODES, EXPIRING_FRACTION, OVERDUE_FRACTION, SEVERITIES, type CodeEntry } from "./codes.ts";

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

export function findingsPage(): string {
  const rows = Object.entries<CodeEntry>(CODES)
    .toSorted(([, a], [, b]) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity))
    .map(
      ([code, { severity, when, leadsTo, advice }]) =>
        `| \`${code}\` | ${severity} | ${cell(when)} | ${cell(leadsTo)} | ${cell(advice)} |`,
    );
  const reasons = Object.entries(REASONS).map(
    ([code, words]) => `| \`${code}\` | ${cell(words)} |`,
  );
  return [
    "# Findings",
    "",
    "<!-- Made from lib/finding/codes.ts by `npm run docs`. -->",
    "",
    `Thresholds are fractions of each certificate's own lifetime: overdue below ${OVERDUE_FRACTION}, expiring below 1/${Math.round(1 / EXPIRING_FRACTION)}; owners renew at 1/3.`,
    "A finding of a cluster that can't be seen now says so: *as last seen*. `ignore:` entries in `certkeep.yaml` mute findings by cluster, namespace, name or code, with a reason; every report says how many.",
    "Why certificates are reissued, and when findings from logs and other sources end: [causes](causes.md).",
    "",
    "| code | severity | when | leads to | do |",
    "|---|---|---|---|---|",
    ...rows,
    "",
    "## Reasons of the judge",
    "",
    "| reason | meaning |",
    "|---|---|",
    ...reasons,
    "",
  ].join("\n");
}

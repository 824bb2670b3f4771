/** docs/findings.md, from the table of phrases. Pure. */
import { REASONS } from "../certificate/reason.ts";
import {
  CODES,
  EXPIRING_FRACTION,
  type FindingCode,
  OVERDUE_FRACTION,
  SEVERITIES,
} from "../finding/codes.ts";
import { PHRASES } from "./phrases.ts";
import { reasonSentence } from "./phrases/reasons.ts";

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

export function findingsPage(): string {
  const rows = (Object.keys(CODES) as FindingCode[])
    .toSorted((a, b) => SEVERITIES.indexOf(CODES[a]) - SEVERITIES.indexOf(CODES[b]))
    .map((code) => {
      const { when, leadsTo, advice } = PHRASES[code];
      return `| \`${code}\` | ${CODES[code]} | ${cell(when)} | ${cell(leadsTo)} | ${cell(advice)}. |`;
    });
  const reasons = REASONS.map((code) => `| \`${code}\` | ${cell(reasonSentence(code))} |`);
  return [
    "# Findings",
    "",
    "<!-- Made from lib/report/phrases.ts by `npm run docs`. -->",
    "",
    "Thresholds are fractions of each certificate's own lifetime: overdue below " +
      `${OVERDUE_FRACTION}, expiring below 1/${Math.round(1 / EXPIRING_FRACTION)}; controllers ` +
      "renew at 1/3.",
    "A finding of a cluster that can't be seen now says so: *as last seen*. `ignore:` entries " +
      "in `certkeep.yaml` mute findings by cluster, namespace, name or code, with a reason; " +
      "every report says how many.",
    "Why certificates are reissued, and when findings from logs and other sources end: " +
      "[causes](causes.md).",
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

/**
 * Every finding in words, from one table: what was seen, what it leads to, what to do, what it
 * rests on. Pure.
 */
import type { Finding } from "../finding/finding.ts";
import type { FindingCode } from "../finding/codes.ts";
import { isRenewal } from "../finding/advise.ts";
import { findingCommand, findingInvoke } from "./command.ts";
import { plainText, say, type Text } from "./part.ts";
import { advisedPhrase } from "./phrases/advised.ts";
import { diagnosisText } from "./phrases/causes.ts";
import { CERTIFICATE_PHRASES } from "./phrases/certificate.ts";
import { CLUSTER_PHRASES } from "./phrases/cluster.ts";
import { LIMIT_PHRASES } from "./phrases/limits.ts";
import type { AdvicePhrase, Phrase, Phrases } from "./phrases/phrase.ts";
import { REPORTED_PHRASES } from "./phrases/reported.ts";

export const PHRASES: Phrases<FindingCode> = {
  ...CERTIFICATE_PHRASES,
  ...CLUSTER_PHRASES,
  ...REPORTED_PHRASES,
  ...LIMIT_PHRASES,
};

/**
 * The phrase of a finding's own code, which takes that finding: the table's type says so, code by
 * code.
 */
function phraseOf(finding: Finding): Phrase<never> {
  return PHRASES[finding.code] as Phrase<never>;
}

export function seenText(finding: Finding): Text {
  return phraseOf(finding).seen(finding as never);
}

export function leadsToText(finding: Finding): string {
  const { leadsTo, leadsToOf } = phraseOf(finding);
  return leadsToOf === undefined ? leadsTo : leadsToOf(finding as never);
}

/** What to do: what all findings with the same key share, and what holds for this one alone. */
export function adviceOf(finding: Finding): AdvicePhrase {
  if (finding.advice !== null) {
    const owner = "owner" in finding.params ? finding.params.owner : "tailscale";
    return advisedPhrase(finding.advice, {
      owner,
      name: finding.subject.name ?? "",
      renews: isRenewal(finding),
    });
  }
  const { advice, adviceOf: special } = phraseOf(finding);
  const said = special === undefined ? advice : special(finding as never);
  return typeof said === "string" ? { key: finding.code, general: said, own: [] } : said;
}

/** Findings with the same key lead to the same and need the same thing done. */
export function groupKey(finding: Finding): string {
  const { code, params } = finding;
  const keyFits = code === "certificate_invalid" ? finding.params.certificate?.keyFits : null;
  return JSON.stringify([
    code,
    adviceOf(finding).key,
    "owner" in params ? params.owner : null,
    keyFits,
  ]);
}

export function adviceText({ general, own }: AdvicePhrase): Text {
  return own.length === 0 ? say`${[general]}.` : say`${[general]}. ${own}`;
}

/** Why it came to that, one sentence; nothing where that wasn't asked. */
export function whyText({ why }: Finding): Text {
  return why === null ? [] : diagnosisText(why);
}

function evidenceOf(finding: Finding): readonly string[] {
  const { evidence } = phraseOf(finding);
  const { advice, why } = finding;
  return [
    ...(evidence === undefined ? [] : evidence(finding as never)).map((line) =>
      typeof line === "string" ? line : plainText(line),
    ),
    ...(advice === null ? [] : [`advice ${advice.action}`, ...advice.because]),
    ...(why === null
      ? []
      : why.causes.map(({ code, confidence }) => `cause ${code} (${confidence})`)),
  ];
}

/** A finding in a JSON document. Text of a cluster may be in it: escape it where it is shown. */
export interface FindingDocument {
  readonly id: string;
  readonly code: FindingCode;
  readonly severity: Finding["severity"];
  readonly subject: Finding["subject"];
  readonly seen: string;
  readonly evidence: readonly string[];
  readonly leadsTo: string;
  readonly advice: string;
  readonly command: string | null;
  readonly invoke?: string;
  readonly since: string;
  readonly due: string | null;
  readonly asLastSeen: string | null;
  readonly why: string | null;
  readonly cause: string;
}

export function findingDocument(finding: Finding): FindingDocument {
  const { id, code, severity, subject, since, due, asLastSeen, cause } = finding;
  const invoke = findingInvoke(finding);
  const why = whyText(finding);
  return {
    id,
    code,
    severity,
    subject,
    seen: plainText(seenText(finding)),
    evidence: evidenceOf(finding),
    leadsTo: leadsToText(finding),
    advice: plainText(adviceText(adviceOf(finding))),
    command: findingCommand(finding),
    since,
    due,
    asLastSeen,
    why: why.length === 0 ? null : plainText(why),
    cause: cause.join(":"),
    ...(invoke === null ? {} : { invoke }),
  };
}

/** Reason codes of the judge in words. */
import { REASONS } from "../certificate/reason.ts";

const words: Readonly<Record<string, string>> = REASONS;

/** `the private key doesn't belong to the certificate; …`: one clause a code, unknown codes as they are. */
export function reasonText(reasons: readonly string[]): string {
  if (reasons.length === 0) return "the reason is not known";
  return reasons.map((reason) => (Object.hasOwn(words, reason) ? clause(words[reason] ?? "") : reason.replaceAll("_", " "))).join("; ");
}

function clause(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1).replace(/\.$/, "");
}

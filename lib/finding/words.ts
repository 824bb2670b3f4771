/** Reason codes of the judge in words. */
import { REASONS } from "../certificate/reason.ts";

const words: Readonly<Record<string, string>> = REASONS;

/** `the key doesn't fit the certificate; it expired`: one clause a code, unknown codes as they are. */
export function reasonText(reasons: readonly string[]): string {
  if (reasons.length === 0) return "the reason is not known";
  return reasons.map((reason) => words[reason] ?? reason.replaceAll("_", " ")).join("; ");
}

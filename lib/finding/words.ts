/** Reason codes of the judge in words. */
import { REASONS } from "../certificate/reason.ts";
import { formatMs } from "../certificate/time.ts";

const words: Readonly<Record<string, string>> = REASONS;

/** `the private key doesn't belong to the certificate; …`: one clause a code, unknown codes as they are. */
export function reasonText(reasons: readonly string[]): string {
  if (reasons.length === 0) return "the reason is not known";
  return reasons
    .map((reason) =>
      Object.hasOwn(words, reason) ? clause(words[reason] ?? "") : reason.replaceAll("_", " "),
    )
    .join("; ");
}

function clause(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1).replace(/\.$/, "");
}

/** RFC 3339 to the second. */
export function instantOf(ms: number): string {
  return formatMs(Math.ceil(ms / 1000) * 1000);
}

/** `3 minutes`, `2 hours`, `5 days`; rounded down. */
export function spanPhrase(ms: number): string {
  const units = [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
    ["second", 1000],
  ] as const;
  for (const [unit, lengthMs] of units) {
    const n = Math.floor(ms / lengthMs);
    if (n >= (unit === "day" || unit === "hour" ? 2 : 1))
      return `${n} ${unit}${n === 1 ? "" : "s"}`;
  }
  return "a second";
}

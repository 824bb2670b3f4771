/** Who issues, where a finding tells. */
import type { Finding } from "../../finding/finding.ts";

const NAMES: ReadonlyMap<string, string> = new Map([
  ["letsencrypt", "Let's Encrypt"],
  ["letsencrypt-staging", "Let's Encrypt (staging)"],
]);

/** The issuer that one of these tells; `the issuer` where none does. */
export function issuerOf(findings: readonly Finding[]): string {
  return findings.flatMap((finding) => knownIssuer(finding) ?? [])[0] ?? "the issuer";
}

function knownIssuer({
  params,
  advice,
  why,
}: Pick<Finding, "params" | "advice" | "why">): string | null {
  if ("issuer" in params) return params.issuer;
  const id = why?.issuer ?? advice?.set?.issuer ?? advice?.domains[0]?.issuer ?? null;
  return NAMES.get(id ?? "") ?? null;
}

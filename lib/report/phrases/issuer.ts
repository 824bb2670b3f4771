/** Who issues, where a finding tells. */
import type { Finding } from "../../finding/finding.ts";

const NAMES: ReadonlyMap<string, string> = new Map([
  ["letsencrypt", "Let's Encrypt"],
  ["letsencrypt-staging", "Let's Encrypt (staging)"],
]);

/** The issuer's name; `the issuer` where it is unknown. */
export function issuerText({
  params,
  advice,
  why,
}: Pick<Finding, "params" | "advice" | "why">): string {
  if ("issuer" in params) return params.issuer;
  const id = why?.issuer ?? advice?.set?.issuer ?? advice?.domains[0]?.issuer ?? null;
  return NAMES.get(id ?? "") ?? "the issuer";
}

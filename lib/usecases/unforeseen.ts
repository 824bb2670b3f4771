/** A fault of certkeep's own. What such an error says may hold anything: only its class and place are told. */
import { CertkeepError } from "../error.ts";

/** `where` it happened, as every error names its place. */
export function unforeseen(where: string, error: unknown): CertkeepError {
  const place =
    error instanceof Error
      ? (
          (error.stack ?? "").split("\n").find((line) => line.trimStart().startsWith("at ")) ?? ""
        ).trim()
      : "";
  return new CertkeepError("internal", {
    where,
    found: `an error that should not happen (${error instanceof Error ? error.name : typeof error} ${place})`,
    expected: "none",
    todo: "Please report it",
  });
}

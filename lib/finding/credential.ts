/** The end of a registered credential, and the age of one that has none. Pure. */
import type { StateDocument } from "../state/document.ts";
import { CREDENTIAL_CRITICAL_DAYS, CREDENTIAL_DAYS, TOKEN_AGE_DAYS } from "./codes.ts";
import { commandLine, literal } from "./command.ts";
import type { Draft } from "./finding.ts";
import { instantNs } from "./verdict.ts";

const DAY_NS = 86_400_000_000_000n;

export type CredentialLevel = "fine" | "warning" | "critical";

/** How near its end a credential is. A token without an end is told for its age. */
export function credentialLevel(
  credential: {
    readonly kind: string;
    readonly endsAt: string | null;
    readonly madeAt: string | null;
  },
  atNs: bigint,
): CredentialLevel {
  const { kind, endsAt, madeAt } = credential;
  if (endsAt !== null) {
    const left = instantNs(endsAt) - atNs;
    return left <= BigInt(CREDENTIAL_CRITICAL_DAYS) * DAY_NS
      ? "critical"
      : left <= BigInt(CREDENTIAL_DAYS) * DAY_NS
        ? "warning"
        : "fine";
  }
  return kind === "token-secret" &&
    madeAt !== null &&
    atNs - instantNs(madeAt) > BigInt(TOKEN_AGE_DAYS) * DAY_NS
    ? "warning"
    : "fine";
}

export function* credentialDrafts(state: StateDocument, atNs: bigint): Generator<Draft> {
  const { credential } = state;
  if (credential === undefined || credential === null) return;
  const level = credentialLevel(credential, atNs);
  if (level === "fine") return;
  const { endsAt, madeAt, kind } = credential;
  const ended = endsAt !== null && instantNs(endsAt) < atNs;
  yield {
    code: "credential_expiring",
    subject: { cluster: state.cluster, namespace: null, secret: null, name: null },
    severity: level,
    seen:
      endsAt !== null
        ? `The credential that reads ${state.title} ${ended ? "ended" : "ends"} at ${endsAt}.`
        : `The token that reads ${state.title} has no end and was made at ${madeAt ?? "an unknown time"}.`,
    evidence: [kind],
    command: commandLine(literal("certkeep clusters add"), state.cluster),
    due: endsAt,
  };
}

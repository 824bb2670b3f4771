/** The end of a registered credential, and the age of one that has none. Pure. */
import type { StateDocument } from "../state/document.ts";
import { CREDENTIAL_CRITICAL_DAYS, CREDENTIAL_DAYS, TOKEN_AGE_DAYS } from "./codes.ts";
import type { Draft } from "./finding.ts";
import { parseMs } from "../certificate/time.ts";
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
  yield {
    code: "credential_expiring",
    subject: { cluster: state.cluster, namespace: null, secret: null, name: null },
    severity: level,
    params: {
      title: state.title,
      kind,
      endsMs: endsAt === null ? null : parseMs(endsAt),
      madeMs: madeAt === null ? null : parseMs(madeAt),
      ended: endsAt !== null && instantNs(endsAt) < atNs,
    },
    actions: [{ kind: "clustersAdd", cluster: state.cluster, rebuilt: false }],
    due: endsAt,
  };
}

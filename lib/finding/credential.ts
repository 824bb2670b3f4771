/** The end of a registered credential, and the age of one that has none. Pure. */
import type { StateDocument } from "../state/document.ts";
import { CREDENTIAL_CRITICAL_DAYS, CREDENTIAL_DAYS, TOKEN_AGE_DAYS } from "./codes.ts";
import { registerAgain } from "./action.ts";
import { clusterSubject, type Draft } from "./finding.ts";
import { parseMs } from "../certificate/time.ts";

const DAY_MS = 86_400_000;

export type CredentialLevel = "fine" | "warning" | "critical";

/** How near its end a credential is. A token without an end is reported for its age. */
export function credentialLevel(
  credential: {
    readonly kind: string;
    readonly endsAt: string | null;
    readonly madeAt: string | null;
  },
  atMs: number,
): CredentialLevel {
  const { kind, endsAt, madeAt } = credential;
  if (endsAt !== null) {
    const left = parseMs(endsAt) - atMs;
    return left <= CREDENTIAL_CRITICAL_DAYS * DAY_MS
      ? "critical"
      : left <= CREDENTIAL_DAYS * DAY_MS
        ? "warning"
        : "fine";
  }
  return kind === "token-secret" &&
    madeAt !== null &&
    atMs - parseMs(madeAt) > TOKEN_AGE_DAYS * DAY_MS
    ? "warning"
    : "fine";
}

export function* credentialDrafts(state: StateDocument, atMs: number): Generator<Draft> {
  const { credential, registered } = state;
  // Without a registration nobody's end is certkeep's to watch.
  if (credential === undefined || credential === null) return;
  yield* draftsOf(state, credential, false, atMs);
  if (registered?.restore != null) yield* draftsOf(state, registered.restore, true, atMs);
}

function* draftsOf(
  state: StateDocument,
  credential: NonNullable<StateDocument["credential"]>,
  restores: boolean,
  atMs: number,
): Generator<Draft> {
  const level = credentialLevel(credential, atMs);
  if (level === "fine") return;
  const { endsAt, madeAt, kind } = credential;
  yield {
    code: "credential_expiring",
    subject: { ...clusterSubject(state), name: restores ? "restore" : null },
    severity: level,
    params: {
      title: state.title,
      restores,
      kind,
      endsMs: endsAt === null ? null : parseMs(endsAt),
      madeMs: madeAt === null ? null : parseMs(madeAt),
      ended: endsAt !== null && parseMs(endsAt) < atMs,
    },
    actions: [registerAgain(state.cluster, kind)],
    due: endsAt,
  };
}

/**
 * Worlds for diagnoses: states with what other sources told, and what all of them together tell of
 * issuances.
 */
import { formatMs } from "../../lib/certificate/time.ts";
import { createAcross, partOf, type Across } from "../../lib/finding/across.ts";
import { createIssuance } from "../../lib/ratelimit/issuance.ts";
import { formatHistory } from "../../lib/ratelimit/history.ts";
import { DAY_MS, HOUR_MS } from "../../lib/ratelimit/limit.ts";
import type { CertificateRecord, SecretRecord, StateDocument } from "../../lib/state/document.ts";
import { NO_OBSERVATIONS, type Observations } from "../../lib/state/observations.ts";
import type {
  AccessAnswer,
  EventSignal,
  LogSignal,
  RenewalWindow,
  SourceStatus,
} from "../../lib/state/signals.ts";
import type { Diagnosis } from "../../lib/diagnosis/cause.ts";
import { Doctor } from "../../lib/diagnosis/diagnose.ts";
import { measureDocument } from "../../lib/report/phrases/measures.ts";
import { certificate, NOW_MS, secret, state } from "../finding/fixture.ts";

export const NAME = "shop.tail1a2b3.ts.net";
export const KEY = `tailscale/${NAME}`;
const WHERE = "tailscale/pg-0/tailscale";
export const MINUTE = 60_000;
export { DAY_MS, HOUR_MS };

export const iso = formatMs;

export function acrossOf(...states: readonly StateDocument[]): Across {
  const issuers = (["production", "staging"] as const).map((environment) => ({
    id: environment === "staging" ? "letsencrypt-staging" : "letsencrypt",
    title: "Let's Encrypt",
    environment,
    limits: {
      perSet: { count: 5, periodMs: 168 * HOUR_MS },
      perDomain: { count: 50, periodMs: 168 * HOUR_MS },
      source: "",
      checked: "",
    },
  }));
  return createAcross(
    states.map((one) => partOf(one, NOW_MS)),
    { issuers, overrides: [], atMs: NOW_MS, nowMs: NOW_MS },
  );
}

/** A certificate issued so long before now. */
export function issued(
  agoMs: number,
  serial: string,
  over: Partial<CertificateRecord> = {},
): CertificateRecord {
  const notBefore = iso(NOW_MS - agoMs - 3_510_000);
  const notAfter = iso(NOW_MS - agoMs - 3_510_000 + 90 * DAY_MS - 1000);
  const at = iso(NOW_MS - agoMs);
  // As a certificate has it: an issuance drops the zeros.
  return certificate({
    serial: `00${serial}`,
    sha256: serial.padStart(64, "0"),
    notBefore,
    notAfter,
    issuedAt: at,
    firstSeenAt: at,
    windows: [[notBefore, notAfter]],
    ...over,
  });
}

/** Earlier issuances as a state keeps them: `[how long ago, serial]`. */
export function history(
  past: readonly (readonly [agoMs: number, serial: string])[],
  over: {
    readonly names?: readonly string[];
    readonly where?: string;
    readonly claimedBy?: string | null;
    readonly cluster?: string;
    readonly issuer?: string;
  } = {},
): unknown {
  const issuances = past.map(([agoMs, serial]) => {
    const atMs = NOW_MS - agoMs;
    return createIssuance({
      issuer: over.issuer ?? "letsencrypt",
      serial,
      names: over.names ?? [NAME],
      notBeforeMs: atMs - 3_510_000,
      notAfterMs: atMs - 3_510_000 + 90 * DAY_MS - 1000,
      sctMs: atMs,
      backdateMs: 3_510_000,
      sources: [
        {
          kind: over.claimedBy == null ? "secret" : "log",
          cluster: over.cluster ?? "prod",
          where: over.where ?? KEY,
          firstSeenMs: atMs,
        },
      ],
      claimedBy: over.claimedBy ?? null,
    });
  });
  return { issuances: formatHistory(issuances) };
}

export function sign(kind: LogSignal["kind"], over: Partial<LogSignal> = {}): LogSignal {
  return {
    kind,
    code: null,
    domain: NAME,
    where: WHERE,
    firstMs: NOW_MS - 2 * HOUR_MS,
    lastMs: NOW_MS - HOUR_MS,
    count: 3,
    sample: `cert("${NAME}"): ${kind}`,
    ...over,
  };
}

export function event(reason: string, over: Partial<EventSignal> = {}): EventSignal {
  return {
    namespace: "tailscale",
    object: "Pod/pg-0",
    type: "Warning",
    reason,
    message: "secrets not found",
    count: 4,
    firstMs: NOW_MS - 40 * MINUTE,
    lastMs: NOW_MS - 10 * MINUTE,
    ...over,
  };
}

export function answer(
  verb: string,
  allowed: boolean,
  over: Partial<AccessAnswer> = {},
): AccessAnswer {
  return {
    secret: KEY,
    account: "system:serviceaccount:tailscale:pg",
    verb,
    allowed,
    reason: "",
    sinceMs: NOW_MS - 5 * HOUR_MS,
    atMs: NOW_MS - MINUTE,
    ...over,
  };
}

export function look(
  source: SourceStatus["source"],
  over: Partial<SourceStatus> = {},
): SourceStatus {
  return {
    source,
    scope: source === "logs" ? WHERE : source === "access" ? KEY : "tailscale",
    askedMs: NOW_MS - MINUTE,
    wholeMs: NOW_MS - MINUTE,
    code: null,
    sinceMs: null,
    unread: null,
    ...over,
  };
}

/** Logs, Events and access reviews read whole. */
const ALL_READ: readonly SourceStatus[] = [look("logs"), look("events"), look("access")];

export function observed(over: Partial<Observations> = {}): {
  readonly observations: Observations;
} {
  return { observations: { ...NO_OBSERVATIONS, looks: ALL_READ, ...over } };
}

export function window(serial: string, over: Partial<RenewalWindow> = {}): RenewalWindow {
  return {
    issuer: "letsencrypt",
    serial,
    startMs: NOW_MS - 2 * HOUR_MS,
    endMs: NOW_MS - HOUR_MS,
    explanationUrl: "https://example.com/incident",
    askedMs: NOW_MS - 30 * MINUTE,
    nextMs: NOW_MS + 5 * HOUR_MS,
    ...over,
  };
}

/** Issued an hour ago, though one of two days ago was good. */
export const REISSUED: Partial<StateDocument> = { evidence: history([[2 * DAY_MS, "a1"]]) };
export const fresh = (over: Partial<SecretRecord> = {}): SecretRecord =>
  secret({ certificates: { tls: issued(HOUR_MS, "b2") }, ...over });

export function shop(
  over: Partial<SecretRecord> = {},
  rest: Partial<StateDocument> = {},
): StateDocument {
  return state({ [KEY]: fresh(over) }, { ...observed(), ...REISSUED, ...rest });
}

export function diagnose(of: StateDocument, ...others: readonly StateDocument[]): Diagnosis {
  return new Doctor(of, acrossOf(of, ...others)).ofSet("letsencrypt", NAME);
}

export const told = ({ verdict, causes }: Diagnosis): string[] => [
  verdict,
  ...causes.map(
    ({ code, confidence, overMs }) => `${code} ${confidence}${overMs === null ? "" : " over"}`,
  ),
];

/** Of its causes, then of what is missing. */
export function commandsOf({ causes, missing }: Diagnosis): readonly (string | null)[] {
  return [
    ...causes.flatMap(({ measures }) => measures),
    ...missing.flatMap(({ measure }) => measure ?? []),
  ].map((measure) => measureDocument(measure).command);
}

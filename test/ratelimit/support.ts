/**
 * Makers of issuances for tests, and a small issuer that grants and refuses orders as the real one
 * does.
 */
import { bucket } from "../../lib/ratelimit/bucket.ts";
import type { Evidence } from "../../lib/ratelimit/evidence.ts";
import { NO_EVIDENCE } from "../../lib/ratelimit/evidence.ts";
import { createIssuance, type Issuance, type Sighting } from "../../lib/ratelimit/issuance.ts";
import {
  createLimit,
  DAY_MS,
  HOUR_MS,
  type IssuerLimits,
  MS_NS,
  RENEWAL_WINDOW_MS,
} from "../../lib/ratelimit/limit.ts";

export const T0 = Date.UTC(2026, 10, 1);
const BACKDATE_MS = 3_510_000;
export const LIMITS: IssuerLimits = {
  set: createLimit({ count: 5, periodMs: 168 * HOUR_MS }),
  domain: createLimit({ count: 50, periodMs: 168 * HOUR_MS }),
};
export const LE = "letsencrypt";
export const KNOWN = new Map<string, IssuerLimits | null>([
  [LE, LIMITS],
  ["letsencrypt-staging", null],
]);

export interface Made {
  readonly names?: readonly string[];
  readonly issuer?: string;
  readonly serial?: string;
  readonly cluster?: string | null;
  readonly kind?: Sighting["kind"];
  readonly where?: string;
  readonly claimedBy?: string | null;
  readonly lifetimeMs?: number;
  readonly seenMs?: number;
}

let serials = 0;

/** A certificate issued at `issuedMs` and seen then. */
export function made(issuedMs: number, parts: Made = {}): Issuance {
  const notBeforeMs = issuedMs - BACKDATE_MS;
  return createIssuance({
    issuer: parts.issuer ?? LE,
    serial: parts.serial ?? (++serials).toString(16).padStart(6, "a"),
    names: parts.names ?? ["app.tail1.ts.net"],
    notBeforeMs,
    notAfterMs: notBeforeMs + (parts.lifetimeMs ?? 90 * DAY_MS) - 1000,
    sctMs: issuedMs,
    backdateMs: BACKDATE_MS,
    sources: [
      {
        kind: parts.kind ?? "secret",
        cluster: parts.cluster === undefined ? "a" : parts.cluster,
        where: parts.where ?? "tailscale/app",
        firstSeenMs: parts.seenMs ?? issuedMs,
      },
    ],
    claimedBy: parts.claimedBy ?? null,
  });
}

export function evidence(issuances: readonly Issuance[], parts: Partial<Evidence> = {}): Evidence {
  return { ...NO_EVIDENCE, issuances, ...parts };
}

export interface Order {
  readonly atMs: number;
  readonly name: string;
}

/** The buckets of an issuer that knows everything. */
export function createIssuer(limits: IssuerLimits): {
  order(order: Order): Issuance | null;
  remaining(kind: "set" | "domain", key: string, atMs: number): number;
} {
  const issued = new Map<string, Issuance[]>();
  const spends = { set: new Map<string, bigint[]>(), domain: new Map<string, bigint[]>() };
  const at = (ms: number): bigint => BigInt(ms) * MS_NS;
  const ask = (kind: "set" | "domain", key: string, atMs: number): ReturnType<typeof bucket> => {
    const limit = limits[kind];
    if (limit === null) throw new Error("no limit");
    return bucket(limit, spends[kind].get(key) ?? [], at(atMs));
  };
  return {
    order({ atMs, name }) {
      const made1 = made(atMs, { names: [name] });
      const renewal = (issued.get(name) ?? []).some(
        ({ notBeforeMs }) => notBeforeMs > atMs - RENEWAL_WINDOW_MS,
      );
      const domain = made1.domains[0] as string;
      if (!ask("set", name, atMs).allowed || (!renewal && !ask("domain", domain, atMs).allowed))
        return null;
      issued.set(name, [...(issued.get(name) ?? []), made1]);
      spends.set.set(name, [...(spends.set.get(name) ?? []), at(atMs)]);
      if (!renewal) spends.domain.set(domain, [...(spends.domain.get(domain) ?? []), at(atMs)]);
      return made1;
    },
    remaining: (kind, key, atMs) => ask(kind, key, atMs).remaining,
  };
}

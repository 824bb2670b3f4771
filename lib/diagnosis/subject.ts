/**
 * What is known of one set of names in one cluster, gathered for a diagnosis: its certificates,
 * what its controller logged, what the server answered, its issuances as this cluster sees them.
 * Pure; another cluster's claims never enter.
 */
import { parseMs } from "../certificate/time.ts";
import type { Across } from "../finding/across.ts";
import { type Issuance, mayBeOf } from "../ratelimit/issuance.ts";
import { accountOf } from "../ratelimit/ledger.ts";
import { needlessIn } from "../ratelimit/rules.ts";
import type { CertificateEntry } from "../state/certificates.ts";
import type { AccessAnswer, EventSignal, LogSignal } from "../state/signals.ts";
import type { Attributed, ClusterIndex, Reported } from "./clusterindex.ts";
import { isIntended } from "../state/secrets.ts";

/**
 * A cluster keeps Events for an hour, and an audit may see one at the end of it: so long they
 * count.
 */
export const EVENT_MS = 2 * 3_600_000;

export interface Subject {
  readonly index: ClusterIndex;
  readonly across: Across;
  readonly atMs: number;
  readonly issuer: string | null;
  readonly key: string;
  readonly names: readonly string[];
  readonly entries: readonly CertificateEntry[];
  /** Within the last week, by their last line. */
  readonly signals: readonly Attributed<LogSignal>[];
  readonly events: readonly Attributed<EventSignal>[];
  readonly access: readonly AccessAnswer[];
  /** As this cluster sees them, its own claims among them, in order of time. */
  readonly issuances: readonly Issuance[];
  readonly needless: readonly { readonly issuance: Issuance; readonly before: Issuance }[];
  /** When the newest certificate that is stored now, with its key, was issued; `null`: none is. */
  readonly storedMs: number | null;
}

/** Of what isn't known to be any owner's, the newest: it is no more than possible anyway. */
const MAX_NAMESPACE = 5;
/** Likewise of what its controller reported without naming it. */
const MAX_OWN = 20;

export function createSubject(
  index: ClusterIndex,
  across: Across,
  issuer: string | null,
  key: string,
): Subject {
  const { cluster } = index.state;
  const names = key.split(",");
  const entries = index
    .ofSet(key)
    .filter(({ record }) => issuer === null || record === null || record.issuer === issuer);
  const secrets = new Set(entries.map((entry) => entry.key));
  const namespaces = new Set(entries.map(({ namespace }) => namespace));
  const attribute = <T>(reported: Reported<T>): Attributed<T>[] => [
    ...reported
      .byOwnersOf(secrets)
      .slice(0, MAX_OWN)
      .map((signal) => ({ signal, attribution: "owner" as const })),
    ...[...namespaces].flatMap((namespace) =>
      reported
        .inNamespace(namespace)
        .slice(0, MAX_NAMESPACE)
        .map((signal) => ({ signal, attribution: "namespace" as const })),
    ),
  ];
  const account = issuer === null ? null : accountOf(across.ledgerOf(cluster), "set", issuer, key);
  const stored = entries.flatMap((entry) => storedMsOf(entry) ?? []);
  return {
    index,
    across,
    atMs: across.atMs,
    issuer,
    key,
    names,
    entries,
    signals: [
      ...[...new Set(names)].flatMap((name) =>
        index.signalsNaming(name).map((signal) => ({ signal, attribution: "name" as const })),
      ),
      ...attribute(index.nameless()),
    ],
    events: attribute(index.events()),
    access: [...secrets].flatMap((secret) => index.access(secret)),
    issuances: (account?.entries ?? [])
      .map(({ issuance }) => issuance)
      .filter(({ issuedAtMs }) => issuedAtMs <= across.atMs),
    needless:
      account === null || across.staging.has(account.issuer)
        ? []
        : needlessIn(account, across.atMs, across.need).filter(
            ({ issuance }) => issuance.claimedBy === cluster || mayBeOf(issuance, cluster),
          ),
    storedMs: stored.length === 0 ? null : Math.max(...stored),
  };
}

/**
 * Whether a certificate is there, or its controller looks for it: it didn't go with what it was
 * made for.
 */
export function isExpected({ loss }: CertificateEntry): boolean {
  return !isIntended(loss);
}

/** When what is live, with its key, was issued; `null`: nothing is. */
export function storedMsOf({ condition, record }: CertificateEntry): number | null {
  return condition === "live" && record.keyFits ? parseMs(record.issuedAt) : null;
}

/**
 * Until when something seen at `lastMs` held: a certificate was stored since; `null`: it may still
 * hold.
 */
export function overSince({ storedMs }: Pick<Subject, "storedMs">, lastMs: number): number | null {
  return storedMs !== null && storedMs > lastMs ? storedMs : null;
}

/** When an order went through after this line, or a certificate was stored; `null`: neither. */
export function issuedAfter(of: Subject, lastMs: number): number | null {
  const later = of.signals.flatMap(({ signal, attribution }) =>
    signal.kind === "issued" && attribution === "name" && signal.lastMs > lastMs
      ? [signal.lastMs]
      : [],
  );
  const stored = overSince(of, lastMs);
  return later.length === 0 ? stored : Math.min(...later, stored ?? Number.POSITIVE_INFINITY);
}

/** An order fails, and what it issued fails to be stored, within minutes of being issued. */
const SAME_ORDER_MS = 10 * 60_000;

/**
 * Whether something seen in that time was there between a certificate that was good and its
 * needless successor; `true` where nothing was reissued needlessly.
 */
export function precedesReissue({ needless }: Subject, firstMs: number, lastMs: number): boolean {
  return (
    needless.length === 0 ||
    needless.some(
      ({ issuance, before }) =>
        firstMs <= issuance.issuedAtMs + SAME_ORDER_MS &&
        lastMs >= before.issuedAtMs - SAME_ORDER_MS,
    )
  );
}

/** An audit notices a change at most this long after it was made. */
export const NOTICED_MS = 26 * 3_600_000;

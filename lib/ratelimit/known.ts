/**
 * What is surely known of a bucket: its level by every known issuance, and by an empty bucket at
 * the start of a span in which a source saw every issuance, or at a 429 that verified issuances
 * confirm.
 */
import { bucket, emptyAt, pinnedBy, spendCapped, type Start, stateOf } from "./bucket.ts";
import { type Coverage, type Refusal, uniteSpans } from "./evidence.ts";
import { type Account, type Entry, type Ledger, refusalsOf } from "./ledger.ts";
import { type Limit, MS_NS, type Pace, pace, registeredDomains } from "./limit.ts";

/**
 * How far the instant of a spend may lie from what the certificate tells of it, and two clocks from
 * each other.
 */
const PIN_TOLERANCE_MS = 60_000;

export const toNs = (ms: number): bigint => BigInt(Math.round(ms)) * MS_NS;

/** Those that took a token of this account's bucket, in order of time. */
export function spendsOf(account: Account, sure: boolean): readonly Entry[] {
  if (account.kind === "set") return account.entries;
  return account.entries.filter(({ renewal, renewalSure }) => !(sure ? renewalSure : renewal));
}

function covers(
  span: Coverage,
  account: Account,
  domains: readonly string[],
  cluster: string | null,
): boolean {
  if (span.issuer !== account.issuer || (span.cluster !== null && span.cluster !== cluster))
    return false;
  if (span.scope.kind === "all") return true;
  if (span.scope.kind === account.kind) return span.scope.key === account.key;
  return span.scope.kind === "domain" && domains.includes(span.scope.key);
}

/** Starts from which every issuance is seen: an empty bucket, and until when the sight reaches. */
function completeStarts(
  ledger: Ledger,
  account: Account,
  limit: Limit,
  atMs: number,
): readonly { readonly start: Start; readonly untilMs: number }[] {
  if (ledger.evidence.coverage.length === 0) return [];
  const domains =
    account.kind === "domain"
      ? [account.key]
      : (account.entries[0]?.issuance.domains ?? registeredDomains(account.key.split(",")));
  // A span whose beginning was cut off, or of which issuances were left unread, sees everything
  // only after them.
  const unreadMs = ledger.evidence.unread.reduce(
    (latest, { untilMs }) => Math.max(latest, untilMs ?? Number.POSITIVE_INFINITY),
    Number.NEGATIVE_INFINITY,
  );
  const offsetMs = Number(pace(limit).offsetNs / MS_NS);
  return uniteSpans(
    ledger.evidence.coverage.filter((span) => covers(span, account, domains, ledger.cluster)),
  ).flatMap((span) => {
    const fromMs = Math.max(span.fromMs, unreadMs);
    const untilMs = Math.min(span.untilMs, atMs);
    // What was last seen longer ago than an empty bucket takes to fill says nothing of now.
    return fromMs > untilMs || atMs - untilMs > offsetMs
      ? []
      : [{ start: emptyAt(limit, toNs(fromMs)), untilMs }];
  });
}

/**
 * A refusal pins only if the bucket of what is verified was empty as well then, and gives the same
 * retry time.
 */
function confirmed(limit: Limit, spends: readonly Entry[], refusal: Refusal): Start | null {
  if (refusal.burst !== null && refusal.burst !== limit.burst) return null;
  const seenNs = toNs(refusal.seenAtMs);
  const pin = pinnedBy(limit, seenNs, toNs(refusal.retryAtMs));
  if (pin === null) return null;
  const { tat } = bucket(
    limit,
    spends.map(({ atNs }) => atNs),
    seenNs,
  );
  const tolerance = toNs(PIN_TOLERANCE_MS);
  if (tat === null || tat < pin.earliest.tatNs - tolerance || tat > pin.latest.tatNs + tolerance)
    return null;
  return pin.latest.tatNs > tat ? pin.latest : { atNs: seenNs, tatNs: tat };
}

/** `cappedTat` over entries that are in order already. */
function cappedOver(
  steps: Pace,
  entries: readonly Entry[],
  at: bigint,
  start: Start | null,
): bigint | null {
  let tat = start === null ? null : start.tatNs;
  for (const { atNs } of entries) {
    if (atNs > at) break;
    if (start === null || atNs > start.atNs) tat = spendCapped(steps, tat, atNs);
  }
  return tat;
}

/**
 * The TAT of at most: that of everything stored, capped at empty, is never earlier than the
 * issuer's own.
 */
export function knownTat(account: Account, limit: Limit, atMs: number): bigint | null {
  return cappedOver(pace(limit), spendsOf(account, false), toNs(atMs), null);
}

/** A refusal that is confirmed, and the bucket that it shows. */
interface Pin {
  readonly start: Start;
  readonly refusal: Refusal;
}

interface Sure {
  readonly tat: bigint;
  readonly remaining: number;
  readonly untilMs: number;
  readonly refusal: Refusal | null;
}

/** The best that is sure: most left, and of equals the one that was seen last. */
export function sureOf(
  ledger: Ledger,
  account: Account,
  limit: Limit,
  atMs: number,
  pins: readonly Pin[],
): Sure | null {
  const at = toNs(atMs);
  const candidates = [
    ...completeStarts(ledger, account, limit, atMs).map(({ start, untilMs }) => ({
      start,
      untilMs,
      refusal: null,
    })),
    ...pins.map(({ start, refusal }) => ({ start, untilMs: refusal.seenAtMs, refusal })),
  ];
  if (candidates.length === 0) return null;
  const spends = spendsOf(account, true);
  const steps = pace(limit);
  let best: Sure | null = null;
  for (const { start, untilMs, refusal } of candidates) {
    const tat = cappedOver(steps, spends, at, start) ?? at;
    const { remaining } = stateOf(limit, tat, at);
    if (
      best === null ||
      remaining > best.remaining ||
      (remaining === best.remaining && untilMs > best.untilMs)
    )
      best = { tat, remaining, untilMs, refusal };
  }
  return best;
}

/**
 * TAT from which at least is read, or `null` where it is unknown; never earlier than that of at
 * most.
 */
export function sureTat(
  ledger: Ledger,
  account: Account,
  limit: Limit,
  atMs: number,
): bigint | null {
  const sure = sureOf(ledger, account, limit, atMs, pinsOf(ledger, account, limit, atMs).pins);
  if (sure === null) return null;
  const known = knownTat(account, limit, atMs);
  return known !== null && known > sure.tat ? known : sure.tat;
}

/**
 * Refusals looked at for one bucket: the latest. Forged lines by the million cost no more than
 * these.
 */
const MAX_REFUSALS = 20;

export function pinsOf(
  ledger: Ledger,
  account: Account,
  limit: Limit,
  atMs: number,
): { readonly pins: readonly Pin[]; readonly refusals: readonly Refusal[] } {
  const known = refusalsOf(ledger, account);
  if (known.length === 0) return { pins: [], refusals: [] };
  const refusals = known
    .filter(({ seenAtMs }) => seenAtMs <= atMs)
    .toSorted((a, b) => b.seenAtMs - a.seenAtMs || b.retryAtMs - a.retryAtMs);
  const spends = spendsOf(account, false);
  const offsetMs = Number(pace(limit).offsetNs / MS_NS);
  const pins = refusals.slice(0, MAX_REFUSALS).flatMap((refusal) => {
    const start = atMs - refusal.seenAtMs > offsetMs ? null : confirmed(limit, spends, refusal);
    return start === null ? [] : [{ start, refusal }];
  });
  return { pins, refusals };
}

/** The claims that still run, the longest of each cluster. */
export function runningClaims(
  refusals: readonly Refusal[],
  pins: readonly Pin[],
  atMs: number,
): readonly Refusal[] {
  const byCluster = new Map<string, Refusal>();
  for (const refusal of refusals) {
    if (refusal.retryAtMs <= atMs || pins.some((pin) => pin.refusal === refusal)) continue;
    if (refusal.retryAtMs > (byCluster.get(refusal.cluster)?.retryAtMs ?? atMs))
      byCluster.set(refusal.cluster, refusal);
  }
  return [...byCluster.values()].toSorted((a, b) => (a.cluster < b.cluster ? -1 : 1));
}

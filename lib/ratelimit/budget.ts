/**
 * What is left of a limit, as people are told it: at most, at least, next slot.
 *
 * At most: the lesser of the issuer's own bucket and of one that stores every known issuance, both
 * from a full start. More that becomes known can only lower it for a set. (For a domain there is
 * one case in which it rises, and truly so: an older certificate of a set comes to light, which
 * makes a later one a renewal that took nothing.) At least: from an empty bucket at the start of a
 * span in which a source saw every issuance, or from a 429 that verified issuances bear out; it is
 * read “if nothing was issued since `unseenSinceMs`”. Without either it is unknown. It never
 * exceeds at most.
 *
 * What only a log claims changes nothing here unless the ledger was opened for that log's cluster.
 */
import {
  bucket,
  ceilMs,
  emptyAt,
  pinnedBy,
  spend,
  spendCapped,
  type Start,
  stateOf,
} from "./bucket.ts";
import { type Coverage, type Refusal, uniteSpans } from "./evidence.ts";
import type { Issuance } from "./issuance.ts";
import {
  type Account,
  accountOf,
  type Entry,
  type Ledger,
  limitOfAccount,
  refusalsOf,
} from "./ledger.ts";
import { type Limit, MS_NS, type Pace, pace } from "./limit.ts";
import { registeredDomains } from "./names.ts";

export interface Budget {
  readonly kind: Account["kind"];
  readonly issuer: string;
  /** Key of the set, or the registered domain. */
  readonly key: string;
  readonly limit: Limit;
  readonly atMs: number;
  readonly atMost: number;
  /** `null`: unknown, see `because`. */
  readonly atLeast: number | null;
  /**
   * What at least rests on: a source that sees everything, a 429 that is borne out, or why it is
   * unknown.
   */
  readonly because: "complete_source" | "refusal" | "no_complete_source";
  /** End of what is surely seen: at least holds if nothing was issued since then. */
  readonly unseenSinceMs: number | null;
  /** When one more token comes back, by what is known; `null`: it is full. */
  readonly nextSlotMs: number | null;
  /**
   * The earliest instant at which one more certificate can go through; `atMs` itself if it can now.
   */
  readonly freeFromMs: number;
  /** When it is full again; `null`: it is full. */
  readonly fullAtMs: number | null;
  /** Issuances up to `atMs` that took a token, as far as is known. */
  readonly spent: number;
  /** Renewals, which took nothing from a domain's bucket. */
  readonly exempt: number;
  /**
   * Serials of issuances that the bucket would have refused: parallel orders, or renewals exempt by
   * ARI.
   */
  readonly overshoots: readonly string[];
  /** Known issuances later than `atMs`: not counted. */
  readonly later: number;
  /** The refusal that pins it, or `null`. */
  readonly pinnedBy: Refusal | null;
  /** Refusals that aren't borne out and still run: claims, to be shown beside the numbers. */
  readonly claims: readonly Refusal[];
  /**
   * A burst that the latest such refusal tells of and that isn't the limit's: it claims an
   * override.
   */
  readonly overrideSeen: number | null;
}

/**
 * How far the instant of a spend may lie from what the certificate tells of it, and two clocks from
 * each other.
 */
const PIN_TOLERANCE_MS = 60_000;

const toNs = (ms: number): bigint => BigInt(Math.round(ms)) * MS_NS;

/** Those that took a token of this account's bucket, in order of time. */
function spendsOf(account: Account, sure: boolean): readonly Entry[] {
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
function borneOut(limit: Limit, spends: readonly Entry[], refusal: Refusal): Start | null {
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

/** A refusal that is borne out, and the bucket that it shows. */
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
function sureOf(
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

function pinsOf(
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
    const start = atMs - refusal.seenAtMs > offsetMs ? null : borneOut(limit, spends, refusal);
    return start === null ? [] : [{ start, refusal }];
  });
  return { pins, refusals };
}

/** The claims that still run, the longest of each cluster. */
function runningClaims(
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

/** The budget of a set or domain at an instant; `null` where no limit is known for it. */
export function budgetOf(
  ledger: Ledger,
  kind: Account["kind"],
  issuer: string,
  key: string,
  atMs: number,
): Budget | null {
  return budgetOfAccount(ledger, accountOf(ledger, kind, issuer, key), atMs);
}

function budgetOfAccount(ledger: Ledger, account: Account, atMs: number): Budget | null {
  const limit = limitOfAccount(ledger, account);
  if (limit === null) return null;
  const at = toNs(atMs);
  const steps = pace(limit);
  const entries = spendsOf(account, false);
  let exact: bigint | null = null;
  let capped: bigint | null = null;
  let spent = 0;
  const overshoots: string[] = [];
  for (const { issuance, atNs: now } of entries) {
    if (now > at) break;
    const next = spend(steps, exact, now);
    if (next === null) overshoots.push(issuance.serial);
    else exact = next;
    capped = spendCapped(steps, capped, now);
    spent++;
  }
  const known = stateOf(limit, capped, at);
  const atMost = Math.min(known.remaining, stateOf(limit, exact, at).remaining);
  const { pins, refusals } = pinsOf(ledger, account, limit, atMs);
  const sure = sureOf(ledger, account, limit, atMs, pins);
  let seen = 0;
  while (seen < account.entries.length && (account.entries[seen] as Entry).atNs <= at) seen++;
  const full = capped === null || capped <= at;
  return {
    kind: account.kind,
    issuer: account.issuer,
    key: account.key,
    limit,
    atMs,
    atMost,
    atLeast: sure === null ? null : Math.min(sure.remaining, atMost),
    because:
      sure === null ? "no_complete_source" : sure.refusal === null ? "complete_source" : "refusal",
    unseenSinceMs: sure === null ? null : sure.untilMs,
    nextSlotMs: full
      ? null
      : ceilMs(
          (capped as bigint) - steps.offsetNs + BigInt(known.remaining + 1) * steps.intervalNs,
        ),
    freeFromMs: known.allowed
      ? atMs
      : ceilMs((capped as bigint) + steps.intervalNs - steps.offsetNs),
    fullAtMs: full ? null : ceilMs(capped as bigint),
    spent,
    exempt: seen - spent,
    overshoots,
    later: account.entries.length - seen,
    pinnedBy: pins[0]?.refusal ?? null,
    claims: runningClaims(refusals, pins, atMs),
    overrideSeen:
      refusals.find(({ burst }) => burst !== null && burst !== limit.burst)?.burst ?? null,
  };
}

/**
 * Every budget that anything is known for, sets first; one after the other, as there may be a
 * hundred thousand.
 */
export function* eachBudget(ledger: Ledger, atMs: number): Generator<Budget> {
  for (const kind of ["set", "domain"] as const) {
    for (const accounts of ledger.accounts[kind].values()) {
      for (const account of accounts.values()) {
        const budget = budgetOfAccount(ledger, account, atMs);
        if (budget !== null) yield budget;
      }
    }
  }
}

/** The same at once. */
export function allBudgets(ledger: Ledger, atMs: number): readonly Budget[] {
  return [...eachBudget(ledger, atMs)];
}

/** One line of a timeline. */
export interface TimelineEntry {
  readonly issuance: Issuance;
  /**
   * `renewal`: took nothing from the domain's bucket; `overshoot`: issued although the bucket was
   * empty.
   */
  readonly effect: "spent" | "renewal" | "overshoot";
  /** Tokens left right after it, at most. */
  readonly leaves: number;
}

/**
 * The issuances up to an instant and the bucket's level after each; `null` where no limit is known.
 */
export function timelineOf(
  ledger: Ledger,
  account: Account,
  atMs: number,
): readonly TimelineEntry[] | null {
  const limit = limitOfAccount(ledger, account);
  if (limit === null) return null;
  const steps = pace(limit);
  let exact: bigint | null = null;
  let capped: bigint | null = null;
  return account.entries
    .filter(({ issuance }) => issuance.issuedAtMs <= atMs)
    .map(({ issuance, atNs: now, renewal }) => {
      let effect: TimelineEntry["effect"] = "renewal";
      if (account.kind === "set" || !renewal) {
        const next = spend(steps, exact, now);
        effect = next === null ? "overshoot" : "spent";
        exact = next ?? exact;
        capped = spendCapped(steps, capped, now);
      }
      return { issuance, effect, leaves: stateOf(limit, capped, now).remaining };
    });
}

/**
 * What is left of a limit, as people are told it: an estimate, at least, next slot.
 *
 * The estimate (`atMost`): the lesser of the issuer's own bucket and of one that stores every known
 * issuance, both from a full start. Issuances that nobody saw make the true number lower; and one
 * that was made on an empty bucket (of parallel orders, or a renewal exempt by ARI) is stored
 * nowhere, so where an earlier one is unknown the true number can be higher. More that becomes
 * known only lowers it for a set. (For a domain there is one case in which it rises, and truly so:
 * an older certificate of a set comes to light, which makes a later one a renewal that took
 * nothing.)
 *
 * At least: from an empty bucket at the start of a span in which a source saw every issuance, or
 * from a 429 that verified issuances confirm; it is read “if nothing was issued since
 * `unseenSinceMs`”. Without either it is unknown. It never exceeds the estimate.
 *
 * What only a log claims changes nothing here unless the ledger was opened for that log's cluster.
 */
import { ceilMs, spend, spendCapped, stateOf } from "./bucket.ts";
import type { Refusal } from "./evidence.ts";
import type { Issuance } from "./issuance.ts";
import { pinsOf, runningClaims, spendsOf, sureOf, toNs } from "./known.ts";
import { type Account, accountOf, type Entry, type Ledger, limitOfAccount } from "./ledger.ts";
import { type Limit, pace } from "./limit.ts";

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
  /**
   * Such an issuance still weighs on the bucket that stores all: the issuer stored less, so that
   * the times above are the latest by what is known.
   */
  readonly overshot: boolean;
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
    overshot: !full && exact !== capped,
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

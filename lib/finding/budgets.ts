/**
 * What all clusters tell of issuances as plain data for machines: numbers, instants and what they
 * rest on. Pure.
 */
import type { Budget } from "../ratelimit/budget.ts";
import type { Issuance } from "../ratelimit/issuance.ts";
import { accountOf } from "../ratelimit/ledger.ts";
import type { Advice } from "../ratelimit/advice.ts";
import { formatMs, formatMsOrNull } from "../certificate/time.ts";
import type { Across } from "./across.ts";
import { claimedBeside } from "./claimed.ts";

export function issuanceData({
  issuer,
  serial,
  names,
  issuedAtMs,
  basis,
  future,
  notBeforeMs,
  notAfterMs,
  sources,
  verified,
  claimedBy,
}: Issuance): object {
  return {
    issuer,
    serial,
    names,
    issuedAt: formatMs(issuedAtMs),
    basis,
    clockOff: future,
    notBefore: formatMs(notBeforeMs),
    notAfter: formatMs(notAfterMs),
    verified,
    claimedBy,
    sources: sources.map(({ kind, cluster, where, firstSeenMs }) => ({
      kind,
      cluster,
      where,
      firstSeenAt: formatMs(firstSeenMs),
    })),
  };
}

/** One budget and the issuances that it rests on, as serials. */
export function budgetData(across: Across, budget: Budget): object {
  const account = accountOf(across.ledger, budget.kind, budget.issuer, budget.key);
  const counted = account.entries.filter(
    ({ issuance, renewal }) =>
      issuance.issuedAtMs <= budget.atMs && (budget.kind === "set" || !renewal),
  );
  return {
    kind: budget.kind,
    issuer: budget.issuer,
    key: budget.key,
    limit: {
      count: budget.limit.count,
      burst: budget.limit.burst,
      periodSeconds: Number(budget.limit.periodNs) / 1e9,
    },
    at: formatMs(budget.atMs),
    atMost: budget.atMost,
    atLeast: budget.atLeast,
    because: budget.because,
    unseenSince: formatMsOrNull(budget.unseenSinceMs),
    nextSlot: formatMsOrNull(budget.nextSlotMs),
    freeFrom: formatMs(budget.freeFromMs),
    fullAt: formatMsOrNull(budget.fullAtMs),
    spent: budget.spent,
    exempt: budget.exempt,
    overshoots: budget.overshoots,
    overshot: budget.overshot,
    later: budget.later,
    claims: budget.claims.map(({ cluster, where, retryAtMs, seenAtMs, burst }) => ({
      cluster,
      where,
      retryAt: formatMs(retryAtMs),
      seenAt: formatMs(seenAtMs),
      burst,
    })),
    claimed: claimedBeside(across, budget),
    overrideSeen: budget.overrideSeen,
    evidence: counted.map(({ issuance }) => ({
      serial: issuance.serial,
      issuedAt: formatMs(issuance.issuedAtMs),
      basis: issuance.basis,
      sources: issuance.sources.map(({ kind, cluster, where }) => ({ kind, cluster, where })),
    })),
  };
}

/** Every budget, and what the numbers lack. */
export function acrossData(across: Across): object {
  return {
    budgets: [...across.budgets()].map((budget) => budgetData(across, budget)),
    ...lackData(across),
  };
}

/** Sources that were silent, what was left unread, and what bears a time that is still to come. */
export function lackData(across: Across): object {
  const { silences, unread } = across.ledger.evidence;
  return {
    silent: silences.map(({ source, cluster, reason, sinceMs }) => ({
      source,
      cluster,
      reason,
      since: formatMsOrNull(sinceMs),
    })),
    unread: unread.map(({ source, cluster, count, untilMs }) => ({
      source,
      cluster,
      count,
      until: formatMsOrNull(untilMs),
    })),
    fromFuture: across.future.map(({ what, source, cluster, atMs }) => ({
      what,
      source,
      cluster,
      at: formatMs(atMs),
    })),
  };
}

/** An advice as data. */
export function adviceData({ action, because, left, untilMs, otherWays }: Advice): object {
  return { action, because, left, until: formatMsOrNull(untilMs), otherWays };
}

/**
 * Renewals that the issuer refuses (another account requested the certificate before, since the
 * account key was lost; or it was replaced already), that it asks for before they are due (ARI, as
 * it does ahead of a revocation), and that began and never ended. Tailscale's ACME client sleeps
 * through a 429's time, stays asleep when the limit is gone, and starts no other renewal meanwhile;
 * only a restart clears it. A log can't show sleep: at most likely, and only where it was read
 * whole since.
 */
import { parseMs } from "../certificate/time.ts";
import { OVERDUE_FRACTION, fractionLeft } from "../finding/codes.ts";
import { issuanceKey } from "../ratelimit/issuance.ts";
import { renewalDueMs } from "../ratelimit/rules.ts";
import type { LogSignal, RenewalWindow } from "../state/signals.ts";
import { type Cause, causeOf, type Hint } from "./cause.ts";
import { keyMeasures } from "./measure.ts";
import { reportedHints } from "./reported.ts";
import { basedOn, type Fact, logLine } from "./evidence.ts";
import type { Subject } from "./subject.ts";

export function accountCause(of: Subject): Cause | null {
  return causeOf("account_key_lost", [
    ...reportedHints(of, "account_key_lost"),
    ...thumbprintHints(of),
  ]);
}

/** The key beside the certificate isn't the one that was there when its copy was made. */
function* thumbprintHints(of: Subject): Generator<Hint> {
  for (const entry of of.entries) {
    const { holder } = entry;
    const now = new Set(
      Object.values(holder.accounts).flatMap(({ thumbprint }) => thumbprint ?? []),
    );
    if (entry.condition !== "live" || now.size === 0) continue;
    const { record } = entry;
    const copies = entry.backups.flatMap(({ copy }) =>
      copy.kind === "certificate" && copy.sha256 === record.sha256 && copy.account !== null
        ? [{ account: copy.account, recordedAt: copy.recordedAt }]
        : [],
    );
    const [first] = copies;
    if (first === undefined || copies.some(({ account }) => now.has(account))) continue;
    yield {
      confidence: "likely",
      ...basedOn({
        source: "secret",
        where: entry.key,
        atMs: parseMs(holder.recordedAt),
        seen: {
          kind: "other_account",
          now: [...now][0] ?? "",
          before: first.account,
          serial: record.serial,
          backedUpMs: parseMs(first.recordedAt),
        },
      }),
      measures: keyMeasures(of),
      overMs: null,
    };
  }
}

/** Whether a window ends before an ordinary one would begin. */
export function isForced(
  window: Pick<RenewalWindow, "endMs">,
  notBeforeMs: number,
  notAfterMs: number,
): boolean {
  return window.endMs < renewalDueMs(notBeforeMs, notAfterMs);
}

export function windowCause(of: Subject): Cause | null {
  const hints: Hint[] = [];
  const newest = of.issuances.findLast(({ claimedBy }) => claimedBy === null);
  for (const issuance of of.issuances) {
    const window = of.index.windows().get(issuanceKey({ ...issuance, claimedBy: null }));
    if (
      window === undefined ||
      !isForced(window, issuance.notBeforeMs, issuance.notAfterMs) ||
      window.askedMs > of.atMs
    )
      continue;
    const replaced = newest !== undefined && newest.issuedAtMs > issuance.issuedAtMs;
    hints.push({
      confidence: "proven",
      ...basedOn({
        source: "issuer",
        where: of.across.titles.get(issuance.issuer) ?? issuance.issuer,
        atMs: window.askedMs,
        seen: {
          kind: "asked_early",
          serial: issuance.serial,
          startMs: window.startMs,
          endMs: window.endMs,
          explanationUrl: window.explanationUrl,
        },
      }),
      measures: [{ kind: "restart_to_ask" }],
      overMs: replaced ? newest.issuedAtMs : null,
    });
  }
  return causeOf("renewal_window_forced", hints);
}

/** An order takes seconds, with a slow resolver minutes. */
const STALL_MS = 3_600_000;

const BEGUN: ReadonlySet<LogSignal["kind"]> = new Set(["renewal_started", "issuance_started"]);

export function stallCause(of: Subject): Cause | null {
  return causeOf("hidden_stall", [...stallHints(of)]);
}

function* stallHints(of: Subject): Generator<Hint> {
  const waiting = of.entries.filter(
    ({ condition, record }) => condition !== "live" || fractionLeft(record, of.atMs) < 1 / 3,
  );
  if (waiting.length === 0) return;
  const overdue = waiting.some(
    ({ condition, record }) =>
      condition !== "live" || fractionLeft(record, of.atMs) < OVERDUE_FRACTION,
  );
  const named = of.signals.flatMap(({ signal, attribution }) =>
    attribution === "name" ? [signal] : [],
  );
  const pods = Map.groupBy(named, ({ where }) => where);
  for (const [where, signals] of pods) {
    const begun = signals
      .filter(({ kind }) => BEGUN.has(kind))
      .toSorted((a, b) => b.lastMs - a.lastMs)[0];
    if (begun === undefined || of.atMs - begun.lastMs < STALL_MS) continue;
    if (
      signals.some(
        ({ kind, lastMs }) =>
          !BEGUN.has(kind) && kind !== "account_registered" && lastMs >= begun.lastMs,
      )
    )
      continue;
    if (of.storedMs !== null && of.storedMs > begun.lastMs) continue;
    const status = of.index.observations.looks.find(
      ({ source, scope }) => source === "logs" && scope === where,
    );
    const whole = status?.wholeMs != null && status.wholeMs >= begun.lastMs + STALL_MS;
    const [namespace = "", pod = ""] = where.split("/");
    const seen: Fact = {
      kind: "stalled",
      begunMs: begun.lastMs,
      forMs: of.atMs - begun.lastMs,
      silentUntilMs: whole ? status.wholeMs : null,
    };
    const atMs = status?.wholeMs ?? status?.askedMs ?? begun.lastMs;
    yield {
      confidence: whole && overdue ? "likely" : "possible",
      because: seen,
      evidence: [logLine(begun), { source: "log", where, atMs, seen }],
      measures: [{ kind: "restart", namespace, pod }],
      overMs: null,
    };
  }
}

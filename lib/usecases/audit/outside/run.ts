/**
 * What asking issuers about one state's certificates has in common: what was asked before, until
 * when a source is left alone, and what was reported.
 *
 * By what the state recorded, not by the Secrets. Nothing is asked again before its time, a source
 * that fails is left alone for a while and reported with since when, and all ends with the signal:
 * what isn't asked by then is asked by the next audit.
 */
import { parseMs } from "../../../certificate/time.ts";
import type { Issuer } from "../../../issuer/issuers.ts";
import type { Clock } from "../../../ports/runtime.ts";
import { DAY_MS } from "../../../ratelimit/limit.ts";
import { certificates } from "../../../state/certificates.ts";
import type { CertificateRecord, StateDocument } from "../../../state/document.ts";
import { NO_OBSERVATIONS, type Observations, observationsOf } from "../../../state/observations.ts";
import type {
  StatusSource,
  RenewalWindow,
  RevocationAnswer,
  SourceStatus,
} from "../../../state/signals.ts";

const MINUTE_MS = 60_000;
/** After a failure that doesn't say when to come again. */
export const PAUSE_MS = 15 * MINUTE_MS;

/** A status that also remembers until when its source is left alone. */
interface PausedStatus extends SourceStatus {
  readonly nextMs?: number;
}

export type LiveRecord = CertificateRecord & { readonly issuer: string };

/** Whether it isn't known by what its issuer is asked about it. */
export function isUnread({
  issuer,
  keyIdentifier,
}: Pick<CertificateRecord, "issuer" | "keyIdentifier">): boolean {
  return issuer !== null && keyIdentifier === undefined;
}

export class OutsideRun {
  readonly issuers: readonly Issuer[];
  readonly nowMs: number;
  readonly signal: AbortSignal;
  readonly before: Observations;
  /** Each certificate once, that hasn't expired, of a known issuer. */
  readonly live: readonly LiveRecord[];
  readonly windows: RenewalWindow[] = [];
  readonly revocations: RevocationAnswer[] = [];
  readonly #statuses: PausedStatus[] = [];

  constructor(state: StateDocument, issuers: readonly Issuer[], clock: Clock, signal: AbortSignal) {
    this.issuers = issuers;
    this.nowMs = clock.nowMs();
    this.signal = signal;
    this.before = observationsOf(state);
    this.live = liveIn(state, this.nowMs);
  }

  reported(): Observations {
    const { windows, revocations } = this;
    return { ...NO_OBSERVATIONS, looks: this.#statuses, windows, revocations };
  }

  /** A time further ahead than any source may say comes from a clock that has gone back since. */
  isAhead(nextMs: number | undefined): boolean {
    return nextMs !== undefined && nextMs > this.nowMs && nextMs <= this.nowMs + DAY_MS;
  }

  isPaused(source: StatusSource, scope: string): boolean {
    return this.isAhead(this.#before(source, scope)?.nextMs);
  }

  #before(source: StatusSource, scope: string): PausedStatus | undefined {
    return this.before.looks.find((status) => status.source === source && status.scope === scope);
  }

  /** `nextMs`: until then the source is left alone. */
  add(
    { source, scope, code, unread }: Pick<SourceStatus, "source" | "scope" | "code" | "unread">,
    nextMs: number | null,
  ): void {
    const before = this.#before(source, scope);
    this.#statuses.push({
      ...{ source, scope, code, unread },
      askedMs: this.nowMs,
      wholeMs: code === null ? this.nowMs : (before?.wholeMs ?? null),
      sinceMs: code === null ? null : (before?.sinceMs ?? this.nowMs),
      ...(nextMs === null ? {} : { nextMs }),
    });
  }
}

function liveIn(state: StateDocument, nowMs: number): LiveRecord[] {
  const live = new Map<string, LiveRecord>();
  for (const { condition, record } of certificates(state, nowMs)) {
    if (condition !== "live" || record.issuer === null || parseMs(record.notAfter) < nowMs)
      continue;
    live.set(`${record.issuer} ${record.serial}`, { ...record, issuer: record.issuer });
  }
  return [...live.values()];
}

export function pauseMs(retryMs: number | null): number {
  return retryMs === null ? PAUSE_MS : Math.min(DAY_MS, Math.max(MINUTE_MS, retryMs));
}

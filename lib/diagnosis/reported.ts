/**
 * Causes that a line of a controller's log, or an Event, names by itself. An Event goes stale: a
 * cluster keeps it for an hour.
 */
import type { EventSignal, LogSignal, SignalKind } from "../state/signals.ts";
import type { CauseCode, Hint, Measure } from "./cause.ts";
import { basedOn, logLine } from "./evidence.ts";
import { ATTRIBUTION_CONFIDENCE, type Attributed, isShared } from "./clusterindex.ts";
import {
  accessMeasures,
  keyMeasures,
  otherToolMeasures,
  recreateMeasures,
  restoreMeasures,
  restoreOf,
} from "./measure.ts";
import { EVENT_MS, issuedAfter, overSince, precedesReissue, type Subject } from "./subject.ts";

interface ReportedCause<T> {
  readonly cause: CauseCode;
  /** What shows that it is over: a certificate stored since, or one issued since. */
  readonly until: "stored" | "issued";
  readonly measures: (of: Subject, signal: T) => readonly Measure[];
}

const CHECK_API: Measure = { kind: "check_api" };
const ENABLE_HTTPS: Measure = { kind: "enable_https" };
const CHECK_RESOLVER: Measure = { kind: "check_resolver" };

function storeMeasures(of: Subject, { code }: LogSignal): readonly Measure[] {
  const [entry] = of.entries;
  if (entry === undefined) return [CHECK_API];
  switch (code) {
    case "forbidden":
      return [...accessMeasures(entry, null, "patch"), ...restoreMeasures(of, entry)];
    case "immutable":
      return recreateMeasures(of, entry);
    case "not_found":
      return restoreMeasures(of, entry);
    case "conflict":
      return otherToolMeasures(entry);
    default:
      return [CHECK_API];
  }
}

function limitMeasures(of: Subject, { code }: LogSignal): readonly Measure[] {
  if (code === "domain") return [{ kind: "await_first_limit" }];
  const restores = of.entries.flatMap((entry) =>
    entry.verdict?.valid === true ? [] : restoreMeasures(of, entry),
  );
  return [...restores, { kind: "await_limit" }];
}

function dnsMeasures(_of: Subject, { code }: LogSignal): readonly Measure[] {
  switch (code) {
    case "resolver":
      return [CHECK_RESOLVER];
    case "challenge":
      return [{ kind: "wait_for_record" }];
    case "set_dns":
      return [{ kind: "check_node" }, ENABLE_HTTPS];
    default:
      return [CHECK_RESOLVER, ENABLE_HTTPS];
  }
}

const IN_LOGS: { readonly [K in SignalKind]?: ReportedCause<LogSignal> } = {
  store_write_failed: { cause: "storage", until: "stored", measures: storeMeasures },
  store_read_failed: { cause: "storage", until: "stored", measures: storeMeasures },
  replaces_refused: { cause: "account_key_lost", until: "stored", measures: keyMeasures },
  already_replaced: {
    cause: "already_replaced",
    until: "stored",
    measures: (of) => [{ kind: "restore_newest", action: restoreOf(of) }],
  },
  rate_limited: { cause: "rate_limited", until: "issued", measures: limitMeasures },
  paused: { cause: "rate_limited", until: "issued", measures: () => [{ kind: "unpause" }] },
  dns_failed: { cause: "dns", until: "issued", measures: dnsMeasures },
  https_not_enabled: { cause: "dns", until: "issued", measures: () => [ENABLE_HTTPS] },
};

/** Orders and renewals that failed, by code; any other is an error of the issuer. */
const FAILED: ReadonlyMap<string | null, readonly [CauseCode, Measure]> = new Map([
  ["account", ["account_rejected", { kind: "new_account" }]],
  ["untrusted", ["server_untrusted", { kind: "check_interception" }]],
  ["network", ["network", { kind: "check_egress" }]],
  ["timeout", ["network", { kind: "check_egress" }]],
  ["busy", ["order_failed", { kind: "await_retry" }]],
]);

function reportedCause({ kind, code }: LogSignal): ReportedCause<LogSignal> | undefined {
  if (kind === "order_failed" || kind === "renewal_failed") {
    const [cause, measure] = FAILED.get(code) ?? ["order_failed", { kind: "read_order_error" }];
    return { cause, until: "issued", measures: () => [measure] };
  }
  const known = IN_LOGS[kind];
  // The API server can't be found by its name: what fails is DNS.
  return known?.cause === "storage" && code === "resolver"
    ? { ...known, cause: "dns", measures: dnsMeasures }
    : known;
}

/** A domain's limit is one of new names: what was issued once is renewed all the same. */
function isOfOthers(
  { signal, attribution }: Attributed<LogSignal>,
  { storedMs }: Subject,
): boolean {
  return (
    signal.kind === "rate_limited" &&
    signal.code === "domain" &&
    attribution !== "name" &&
    storedMs !== null
  );
}

function stateMeasures({ entries: [entry] }: Subject): readonly Measure[] {
  return [...(entry === undefined ? [] : accessMeasures(entry, null, "patch")), CHECK_API];
}

const IN_EVENTS: ReadonlyMap<string, ReportedCause<EventSignal>> = new Map([
  ["TailscaleStateUpdateFailed", { cause: "storage", until: "stored", measures: stateMeasures }],
  ["TailscaleStateLoadFailed", { cause: "storage", until: "stored", measures: stateMeasures }],
  ["HTTPSNotEnabled", { cause: "dns", until: "issued", measures: () => [ENABLE_HTTPS] }],
]);

export function* reportedHints(of: Subject, cause: CauseCode): Generator<Hint> {
  for (const one of of.signals) {
    const known = reportedCause(one.signal);
    if (known?.cause === cause && !isOfOthers(one, of)) yield logHint(of, one, known);
  }
  for (const { signal: event, attribution } of of.events) {
    const known = IN_EVENTS.get(event.reason);
    if (known?.cause !== cause) continue;
    const fresh = of.atMs - event.lastMs <= EVENT_MS;
    yield {
      confidence: attribution === "owner" && fresh ? "likely" : "possible",
      ...basedOn({
        source: "event",
        where: `${event.namespace} ${event.object}`,
        atMs: event.lastMs,
        seen: { kind: "event", event },
      }),
      measures: known.measures(of, event),
      overMs: endOf(of, known.until, event.lastMs),
      precedes: precedesReissue(of, event.firstMs, event.lastMs),
    };
  }
}

function endOf(of: Subject, until: "stored" | "issued", lastMs: number): number | null {
  return until === "stored" ? overSince(of, lastMs) : issuedAfter(of, lastMs);
}

function logHint(
  of: Subject,
  { signal, attribution }: Attributed<LogSignal>,
  { until, measures }: ReportedCause<LogSignal>,
): Hint {
  const { kind, code, where, lastMs } = signal;
  // A ProxyGroup's pods take a Secret that can't be read, or isn't there, for an empty one. Any
  // other failure to read requests nothing.
  const asMissing =
    kind === "store_read_failed" &&
    of.entries.some(isShared) &&
    (code === "forbidden" || code === "not_found");
  const confidence = ATTRIBUTION_CONFIDENCE[attribution];
  const issued =
    kind === "store_write_failed"
      ? of.signals.filter(
          (one) =>
            one.signal.kind === "issued" &&
            one.attribution === "name" &&
            one.signal.where === where,
        )
      : [];
  return {
    confidence:
      kind !== "store_read_failed"
        ? confidence
        : asMissing && attribution === "name"
          ? "likely"
          : "possible",
    ...basedOn(logLine(signal, asMissing), ...issued.map((one) => logLine(one.signal))),
    measures: measures(of, signal),
    overMs: endOf(of, until, lastMs),
    precedes: precedesReissue(of, signal.firstMs, lastMs),
  };
}

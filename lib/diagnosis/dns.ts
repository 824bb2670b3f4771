/**
 * DNS: a name can't be looked up, the challenge's record can't be set or found, or the tailnet
 * issues no certificates.
 */
import type { LogSignal } from "../state/signals.ts";
import { type Cause, causeOf, type Hint, type Measure } from "./cause.ts";
import { ATTRIBUTION_CONFIDENCE } from "./clusterindex.ts";
import { EVENT_MS, issuedAfter, type Subject } from "./subject.ts";
import { eventLine, logLine } from "./text.ts";

const HTTPS: Measure = { kind: "enable_https" };
const RESOLVER: Measure = { kind: "check_resolver" };

function measuresFor({ kind, code }: LogSignal): readonly Measure[] {
  if (kind === "https_not_enabled") return [HTTPS];
  return code === "resolver"
    ? [RESOLVER]
    : code === "challenge"
      ? [{ kind: "wait_for_record" }]
      : code === "set_dns"
        ? [{ kind: "check_node" }, HTTPS]
        : [RESOLVER, HTTPS];
}

export function dnsCause(of: Subject): Cause | null {
  return causeOf("dns", [...logHints(of), ...eventHints(of)]);
}

function* logHints(of: Subject): Generator<Hint> {
  for (const { signal, attribution } of of.signals) {
    const { kind, code, count, lastMs } = signal;
    if (kind !== "dns_failed" && kind !== "https_not_enabled") continue;
    yield {
      confidence: ATTRIBUTION_CONFIDENCE[attribution],
      because:
        kind === "dns_failed"
          ? { kind: "dns", code, count, lastMs }
          : { kind: "https_disabled", count, lastMs },
      evidence: [logLine(signal)],
      measures: measuresFor(signal),
      overMs: issuedAfter(of, signal.lastMs),
    };
  }
}

function* eventHints(of: Subject): Generator<Hint> {
  for (const { signal, attribution } of of.events) {
    if (signal.reason !== "HTTPSNotEnabled") continue;
    yield {
      confidence:
        attribution === "owner" && of.atMs - signal.lastMs <= EVENT_MS ? "likely" : "possible",
      because: { kind: "https_event", lastMs: signal.lastMs },
      evidence: [eventLine(signal)],
      measures: [HTTPS],
      overMs: issuedAfter(of, signal.lastMs),
    };
  }
}

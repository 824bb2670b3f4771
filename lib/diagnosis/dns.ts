/** DNS: a name can't be looked up, the challenge's record can't be set or found, or the tailnet issues no certificates. */
import type { LogSignal } from "../state/observations.ts";
import { commandLine, literal } from "../finding/command.ts";
import { instantOf } from "../finding/words.ts";
import { ATTRIBUTION_CONFIDENCE } from "./clusterindex.ts";
import { EVENT_MS, issuedAfter, type Subject } from "./subject.ts";
import type { Cause, Measure } from "./cause.ts";
import { causeOf, type Hint } from "./cause.ts";
import { eventLine, logLine, times } from "./text.ts";

const WORDS: ReadonlyMap<string | null, string> = new Map([
  ["resolver", "a name could not be looked up"],
  ["challenge", "the issuer didn't find the challenge's record"],
  ["set_dns", "the challenge's record could not be set"],
]);

const HTTPS: Measure = {
  text: "enable HTTPS certificates for the tailnet (admin console, DNS), and see that the name is this node's and not NAME-1",
  command: null,
};
const RESOLVER: Measure = {
  text: "look at the cluster's resolver: whether the owner's pod can look up the issuer's and Tailscale's names",
  command: commandLine(literal("kubectl get pods -n kube-system -l k8s-app=kube-dns")),
};
const CHALLENGE: Measure = {
  text: "wait for the record to spread, and look whether something answers for _acme-challenge of the name with old data; five failures an hour are all there is",
  command: null,
};
const SET_DNS: Measure = {
  text: "see that the node is logged in and may set the record: its key may have expired, or its tags have changed",
  command: null,
};

function measuresFor({ kind, code }: LogSignal): readonly Measure[] {
  if (kind === "https_not_enabled") return [HTTPS];
  return code === "resolver"
    ? [RESOLVER]
    : code === "challenge"
      ? [CHALLENGE]
      : code === "set_dns"
        ? [SET_DNS, HTTPS]
        : [RESOLVER, HTTPS];
}

export function dnsCause(of: Subject): Cause | null {
  return causeOf("dns", [...logHints(of), ...eventHints(of)]);
}

function because({ kind, code, count, lastMs }: LogSignal): string {
  const what =
    kind === "https_not_enabled"
      ? "HTTPS certificates are switched off in the tailnet, or the name isn't this node's"
      : (WORDS.get(code) ?? "DNS fails");
  return `${what} (${times(count)}, last at ${instantOf(lastMs)})`;
}

function* logHints(of: Subject): Generator<Hint> {
  for (const { signal, attribution } of of.signals) {
    if (signal.kind !== "dns_failed" && signal.kind !== "https_not_enabled") continue;
    yield {
      confidence: ATTRIBUTION_CONFIDENCE[attribution],
      because: because(signal),
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
      because: `an Event says that HTTPS isn't enabled for the tailnet (last at ${instantOf(signal.lastMs)})`,
      evidence: [eventLine(signal)],
      measures: [HTTPS],
      overMs: issuedAfter(of, signal.lastMs),
    };
  }
}

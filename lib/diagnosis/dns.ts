/** DNS: a name can't be looked up, the challenge's record can't be set or found, or the tailnet issues no certificates. */
import type { LogSign } from "../state/observations.ts";
import { commandLine, literal } from "../finding/command.ts";
import { instantOf } from "../finding/words.ts";
import { BEARING_CONFIDENCE } from "./bearing.ts";
import { type Case, EVENT_MS, overSince } from "./case.ts";
import type { Cause, Measure } from "./cause.ts";
import { causeOf, type Lead } from "./lead.ts";
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

function measuresFor({ kind, code }: LogSign): readonly Measure[] {
  if (kind === "https_not_enabled") return [HTTPS];
  return code === "resolver"
    ? [RESOLVER]
    : code === "challenge"
      ? [CHALLENGE]
      : code === "set_dns"
        ? [SET_DNS, HTTPS]
        : [RESOLVER, HTTPS];
}

export function dnsCause(of: Case): Cause | null {
  return causeOf("dns", [...logLeads(of), ...eventLeads(of)]);
}

/** Whether an order went through after this line: then it is over. */
export function issuedAfter(of: Case, lastMs: number): number | null {
  const later = of.signs
    .filter(
      ({ seen, bearing }) => seen.kind === "issued" && bearing === "name" && seen.lastMs > lastMs,
    )
    .map(({ seen }) => seen.lastMs);
  const stored = overSince(of, lastMs);
  return later.length === 0 ? stored : Math.min(...later, stored ?? Number.POSITIVE_INFINITY);
}

function because({ kind, code, count, lastMs }: LogSign): string {
  const what =
    kind === "https_not_enabled"
      ? "HTTPS certificates are switched off in the tailnet, or the name isn't this node's"
      : (WORDS.get(code) ?? "DNS fails");
  return `${what} (${times(count)}, last at ${instantOf(lastMs)})`;
}

function* logLeads(of: Case): Generator<Lead> {
  for (const { seen, bearing } of of.signs) {
    if (seen.kind !== "dns_failed" && seen.kind !== "https_not_enabled") continue;
    yield {
      confidence: BEARING_CONFIDENCE[bearing],
      because: because(seen),
      evidence: [logLine(seen)],
      measures: measuresFor(seen),
      overMs: issuedAfter(of, seen.lastMs),
    };
  }
}

function* eventLeads(of: Case): Generator<Lead> {
  for (const { seen, bearing } of of.events) {
    if (seen.reason !== "HTTPSNotEnabled") continue;
    yield {
      confidence: bearing === "owner" && of.atMs - seen.lastMs <= EVENT_MS ? "likely" : "possible",
      because: `an Event says that HTTPS isn't enabled for the tailnet (last at ${instantOf(seen.lastMs)})`,
      evidence: [eventLine(seen)],
      measures: [HTTPS],
      overMs: issuedAfter(of, seen.lastMs),
    };
  }
}

/** Why certificates are reissued, in words: causes, what they rest on, and what can't be told. */
import type { Cause, CauseCode, Confidence, Diagnosis } from "../../diagnosis/cause.ts";
import type { EvidenceSource, Fact } from "../../diagnosis/evidence.ts";
import type { EventSignal } from "../../state/signals.ts";
import { unknownText } from "./missing.ts";
import { reasonText } from "./reasons.ts";
import { some, spanPhrase } from "../text.ts";
import { at, own, plainText, say, sentence, type Text } from "../part.ts";
import { shortened } from "../../plain.ts";
import { codeText, times, timesText } from "./phrase.ts";

export const CAUSE_TITLES: Readonly<Record<CauseCode, string>> = {
  storage: "Storage",
  account_key_lost: "Account key lost",
  validation_fails: "Validation fails",
  already_replaced: "Already replaced",
  renewal_window_forced: "Early renewal requested",
  hidden_stall: "Hidden stall",
  dns: "DNS",
  account_rejected: "Account rejected",
  server_untrusted: "ACME server untrusted",
  network: "Network",
  rate_limited: "Rate limit",
  order_failed: "Order failed",
  race: "Race",
  pod_churn: "Pod churn",
  many_new_names: "Many new names",
};

export const EVIDENCE_TITLES: Readonly<Record<EvidenceSource, string>> = {
  judge: "verdict on",
  access: "access review of",
  secret: "Secret",
  log: "log of",
  event: "Event of",
  issuer: "answer of",
  issuances: "issuances of",
};

export const SOURCE_NAMES: Readonly<Record<EvidenceSource, string>> = {
  judge: "what the Secret holds",
  access: "access review",
  secret: "Secret",
  log: "log",
  event: "Event",
  issuer: "the issuer",
  issuances: "issuances",
};

const MAX_SAMPLE = 300;
const MAX_REASON = 160;
const MAX_NAMED = 4;
const MAX_HOLDERS = 6;
const MAX_ISSUANCES = 5;

const WRITES: ReadonlyMap<string | null, string> = new Map([
  ["forbidden", "the API server denies it"],
  ["not_found", "the Secret is missing"],
  ["immutable", "the Secret is immutable"],
  ["conflict", "something else writes it at the same time"],
  ["unavailable", "the API server fails"],
  ["resolver", "the API server's name can't be looked up"],
]);

/** Why a Secret couldn't be written, by the code of the log's line. */
export function writeFailureText(code: string | null): string {
  return WRITES.get(code) ?? "the write fails";
}

const DNS: ReadonlyMap<string | null, string> = new Map([
  ["resolver", "a name can't be looked up"],
  ["challenge", "the issuer doesn't find the challenge's record"],
  ["set_dns", "the challenge's record can't be set"],
]);

const LIMITS: ReadonlyMap<string | null, string> = new Map([
  ["set", "the issuer refuses more certificates of these names for now (429)"],
  ["domain", "the issuer refuses new names under this domain for now (429); renewals go on"],
  ["orders", "the issuer refuses more orders of this account for now (429)"],
  ["authorizations", "the issuer refuses orders after too many failed validations (429)"],
  ["registrations", "the issuer refuses more new accounts from this address for now (429)"],
]);
const ORDERS: ReadonlyMap<string, string> = new Map([
  ["account", "the issuer rejects the ACME account, which is deactivated or unknown there"],
  ["untrusted", "the pod doesn't trust the ACME server's certificate (x509)"],
  ["network", "the pod can't reach the ACME server"],
  ["timeout", "the ACME server doesn't answer in time"],
  ["busy", "the issuer is too busy for orders (503), which is no rate limit"],
]);

function timesSeen({ count, lastMs }: { readonly count: number; readonly lastMs: number }): Text {
  return say`(${own(times(count))}, last at ${at(lastMs)})`;
}

function within(ms: number): Text {
  return own(ms < 60_000 ? "a minute" : spanPhrase(ms));
}

function loggedClause({ signal: { kind, code } }: Extract<Fact, { kind: "logged" }>): Text {
  switch (kind) {
    case "store_write_failed":
      return say`what is issued can't be stored: ${own(writeFailureText(code))}`;
    case "store_read_failed":
      return say`the stored certificate couldn't be read`;
    case "replaces_refused":
      return say`the issuer refuses renewals: another ACME account requested the certificate
        before`;
    case "already_replaced":
      return say`the issuer says that the stored certificate was replaced already`;
    case "dns_failed":
      return own(DNS.get(code) ?? "DNS fails");
    case "https_not_enabled":
      return say`HTTPS certificates are disabled for the tailnet, or the name isn't this node's`;
    case "rate_limited":
      return own(LIMITS.get(code) ?? "the issuer refuses orders by one of its rate limits (429)");
    case "paused":
      return say`the issuer paused the account for this name`;
    case "order_failed":
    case "renewal_failed":
      return orderClause(code, kind === "order_failed" ? "orders fail" : "renewals fail");
    default:
      return codeText(kind);
  }
}

function orderClause(code: string | null, what: string): Text {
  if (code === null) return own(what);
  const known = ORDERS.get(code);
  return known === undefined ? say`${own(what)} (the issuer's error: ${code})` : own(known);
}

function eventClause({ reason }: EventSignal): Text {
  if (reason === "HTTPSNotEnabled")
    return say`an Event says that HTTPS isn't enabled for the tailnet`;
  const failed = reason === "TailscaleStateLoadFailed" ? "load" : "store";
  return say`Events report failures to ${own(failed)} the state`;
}

function deniedSince({ sinceMs, askedAgoMs }: Extract<Fact, { kind: "access_denied" }>): Text {
  const checked = askedAgoMs === null ? [] : say`, last checked ${spanPhrase(askedAgoMs)} ago`;
  return say` (denied since ${at(sinceMs)}${checked})`;
}

/** One clause that stands after “because”; brief without counts and times, which evidence has. */
export function becauseClause(of: Fact, length: "full" | "brief" = "full"): Text {
  const detail = (text: Text): Text => (length === "full" ? text : []);
  switch (of.kind) {
    case "access_denied":
      return say`the Secret can't be ${own(of.to === "write" ? "written" : "read")}${detail(
        deniedSince(of),
      )}`;
    case "immutable":
      return say`the Secret is immutable, so no renewal can be stored`;
    case "logged":
      return say`${loggedClause(of)}${detail(say` ${timesSeen(of.signal)}`)}${
        of.asMissing ? ", which counts as missing" : []
      }`;
    case "event":
      return say`${eventClause(of.event)}${detail(say` (last at ${at(of.event.lastMs)})`)}`;
    case "emptied":
      return say`something emptied the fields of the Secret${detail(
        say` (since ${at(of.sinceMs)})`,
      )}`;
    case "recreated":
      return say`the Secret was ${own(of.deleted ? "deleted and " : "")}recreated without what it
        held${detail(say` (seen at ${at(of.untilMs)})`)}`;
    case "had_been_emptied":
      return say`the fields of the Secret had been emptied${detail(
        say` (seen at ${at(of.untilMs)})`,
      )}`;
    case "other_account":
      return say`the ACME account key isn't the one that the certificate was issued under, so the
        issuer will refuse renewal`;
    case "asked_early":
      return say`the issuer asks for renewal before it is due (from ${at(of.startMs)} to
        ${at(of.endMs)})`;
    case "stalled":
      return say`a renewal began at ${at(of.begunMs)} and nothing came of it for
        ${own(spanPhrase(of.forMs))}: the pod may be waiting out a refusal that it didn't log`;
    case "rejected":
      return say`what is stored is rejected (${reasonText(of.reasons)})`;
    case "was_rejected":
      return say`what was stored was rejected (${reasonText(of.reasons)})`;
    case "never_valid":
      return say`the certificate before was never seen valid`;
    case "issued_together":
      return say`the same names were issued ${own(times(of.issuances.length))} within
        ${own(spanPhrase(spanOf(of.issuances)))}, to ${of.places} places`;
    case "issued_for_each":
      return say`${of.holders.length} Secrets${of.clusters > 1 ? say` in ${of.clusters} clusters` : []}
        hold the same names, each with its own certificate`;
    case "ordered_together":
      return say`${of.pods} pods ordered the same name within minutes of each other`;
    case "names_churn":
      return say`pods come and go under new names: ${of.names.length} like ${of.pattern} within a
        week${own(of.gone === 0 ? "" : `, ${of.gone} of them gone again`)}`;
    case "secrets_churn":
      return say`each new Secret for this name has a certificate issued: ${of.count} within a week,
        ${of.gone.length} of them gone`;
    case "first_certificates":
      return say`${of.count} names under ${of.domain} got their first certificate within
        ${within(of.untilMs - of.fromMs)}`;
  }
}

function spanOf(issuances: readonly { readonly issuedAtMs: number }[]): number {
  return (issuances.at(-1)?.issuedAtMs ?? 0) - (issuances[0]?.issuedAtMs ?? 0);
}

const ASSUMED = own("; no pod with this account was seen: it is the one that the operator creates");

function newest(all: readonly string[]): string {
  const more = all.length > MAX_NAMED ? ` and ${all.length - MAX_NAMED} more` : "";
  return `${all.slice(-MAX_NAMED).join(", ")}${more}`;
}

/** One sentence without its full stop. */
export function seenText(of: Fact): Text {
  switch (of.kind) {
    case "logged":
      return say`${timesText(of.signal)}: ${shortened(of.signal.sample, MAX_SAMPLE)}`;
    case "event":
      return say`${of.event.reason} ${timesText(of.event)}; the message is that of the first time:
        ${shortened(of.event.message, MAX_SAMPLE)}`;
    case "stalled":
      return of.silentUntilMs === null
        ? say`nothing more about this name since; the log wasn't read completely`
        : say`nothing more about this name until ${at(of.silentUntilMs)}, read completely`;
    case "access_denied":
      return say`${of.account} isn't allowed to ${of.verbs.join(" or ")} it, since ${at(of.sinceMs)} or
        earlier${of.reason === "" ? [] : say` (${shortened(of.reason, MAX_REASON)})`}; asked at
        ${at(of.askedMs)}${of.assumed ? ASSUMED : []}`;
    case "immutable":
      return say`immutable: true, read at ${at(of.readMs)}`;
    case "emptied":
      return say`held serial ${of.serial}, empty since ${at(of.sinceMs)}`;
    case "recreated":
      return say`uid ${of.uid} with
        ${of.serial === null ? own("no certificate") : say`serial ${of.serial}`} until
        ${at(of.untilMs)}, uid ${of.uidNow} since`;
    case "had_been_emptied":
      return say`fields ${codeText(of.state)} until ${at(of.untilMs)}`;
    case "other_account":
      return say`account ${of.now.slice(0, 12)} now, ${of.before.slice(0, 12)} when serial
        ${of.serial} was backed up at ${at(of.backedUpMs)}`;
    case "asked_early":
      return say`suggested for serial ${of.serial}: ${at(of.startMs)} to
        ${at(of.endMs)}${of.explanationUrl === null ? [] : say`, see ${of.explanationUrl}`}`;
    case "rejected":
      return say`${reasonText(of.reasons)}; read at ${at(of.readMs)}`;
    case "was_rejected":
      return say`${of.serial === null ? own("what was stored") : say`serial ${of.serial}`}:
        ${reasonText(of.reasons)}; replaced at ${at(of.untilMs)} or earlier`;
    case "never_valid":
      return say`serial ${of.serial}, backed up at ${at(of.backedUpMs)}, was rejected at every
        audit`;
    case "issued_together":
    case "issued_for_each":
      return say`issued ${issuedText(of.issuances)}${
        of.holders.length === 0 ? [] : say`; held by ${some(of.holders, MAX_HOLDERS)}`
      }`;
    case "names_churn":
      return say`first certificates of ${newest(of.names)}; the last at ${at(of.lastMs)}`;
    case "secrets_churn":
      return say`gone: ${some(of.gone, MAX_NAMED)}`;
    case "first_certificates":
      return say`${of.count} first certificates from ${at(of.fromMs)} to
        ${at(of.untilMs)}${of.clusters.length === 0 ? [] : say`: ${clustersText(of.clusters)}`}`;
    case "ordered_together":
      return becauseClause(of);
  }
}

function clustersText(
  clusters: readonly { readonly cluster: string; readonly count: number }[],
): string {
  const shown = clusters.slice(0, MAX_NAMED);
  return shown.map(({ cluster, count }) => `${count} in ${cluster}`).join(", ");
}

function issuedText(
  issuances: readonly { readonly serial: string; readonly issuedAtMs: number }[],
): Text {
  return issuances
    .slice(-MAX_ISSUANCES)
    .flatMap(({ serial, issuedAtMs }, index) => [
      index === 0 ? "" : ", ",
      ...say`serial ${serial.slice(0, 10)} at ${at(issuedAtMs)}`,
    ]);
}

const OPENINGS: Readonly<Record<Confidence, string>> = {
  proven: "because",
  likely: "most likely because",
  possible: "perhaps because",
};

/** `most likely because …`, without a full stop. */
export function becauseText({ confidence, because, overMs }: Cause): Text {
  return say`${own(OPENINGS[confidence])}
    ${becauseClause(because)}${overMs === null ? [] : say`; over since ${at(overMs)}`}`;
}

export function becausePlain({ because }: Cause): string {
  return plainText(becauseClause(because));
}

/** A diagnosis in one sentence, for the line of a finding; nothing where nothing needs a cause. */
export function diagnosisText(diagnosis: Diagnosis): Text {
  const { verdict, causes } = diagnosis;
  const [first] = causes;
  if (verdict === "unknown") return say`${unknownText(diagnosis)}.`;
  if (first === undefined) return [];
  const others = causes.length - 1;
  const more = others === 1 ? say`, and one more cause` : say`, and ${others} more causes`;
  return sentence(say`${becauseText(first)}${others === 0 ? [] : more}`);
}

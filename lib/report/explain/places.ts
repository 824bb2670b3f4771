/** How the certificates of a name are, where they are, and their backups. Pure. */
import { parseMs } from "../../certificate/time.ts";
import type { Finding } from "../../finding/finding.ts";
import { serialKey } from "../../ratelimit/issuance.ts";
import { type CertificateEntry, titleOf } from "../../state/certificates.ts";
import type { CertificateRecord, GapRecord } from "../../state/document.ts";
import type { Loss } from "../../state/secrets.ts";
import { shortText, shortUtc } from "../part.ts";
import { seenText } from "../phrases.ts";
import { hintText, reasonText } from "../phrases/reasons.ts";
import { span, tableLines } from "../text.ts";
import {
  clusterName,
  type ExplainedPlace,
  type ExplainPage,
  type Explanation,
} from "./explanation.ts";

export const MAX_ROWS = 20;
const FEW_ROWS = 10;

/** The serial's first digits, without leading zeros, as its issuer's pages show them. */
export function serialText(serial: string): string {
  return serialKey(serial).slice(0, 10);
}

export function isGood({ copies }: ExplainedPlace): boolean {
  return copies.some(({ good }) => good);
}

const GAPS: ReadonlyMap<string, string> = new Map([
  ["empty", "EMPTY"],
  ["certificate_missing", "CERTIFICATE MISSING"],
  ["key_missing", "PRIVATE KEY MISSING"],
  ["undecodable", "UNREADABLE"],
  ["unreadable", "UNREADABLE"],
]);

const LOSSES: Readonly<Record<Loss["how"], string>> = {
  lost: "MISSING",
  removed: "REMOVED with the object it belonged to",
  replaced: "REMOVED, as its object now requests other names",
  unknown: "MISSING",
};

const HEALTHS = ["critical", "warning", "ok"] as const;
type Health = (typeof HEALTHS)[number];

function aboutIt({ entry }: ExplainedPlace, findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(
    ({ code, subject }) =>
      CERTIFICATE_CODES.has(code) &&
      subject.cluster === entry.cluster &&
      subject.namespace === entry.namespace &&
      subject.secret === entry.secret,
  );
}

/** How it is, at the worst that its condition or a finding about it says. */
export function statusOf(place: ExplainedPlace, findings: readonly Finding[]): Health {
  const { entry } = place;
  if (entry.condition === "pending") return "warning";
  if (entry.condition !== "live" || !entry.verdict.valid) return "critical";
  const about = aboutIt(place, findings);
  return about.some(({ severity }) => severity === "critical")
    ? "critical"
    : about.length > 0
      ? "warning"
      : "ok";
}

export const CERTIFICATE_CODES: ReadonlySet<string> = new Set([
  "expiring",
  "renewal_overdue",
  "certificate_revoked",
]);

export function statusText(place: ExplainedPlace, view: Explanation): string {
  const { entry, asLastSeen } = place;
  const seen =
    asLastSeen === null
      ? ""
      : `; as last seen ${shortUtc(parseMs(asLastSeen), view.atMs)}, ` +
        "the cluster can't be reached now";
  return `${conditionSentence(entry, view)}${seen}`;
}

function conditionSentence(entry: CertificateEntry, { atMs, findings }: Explanation): string {
  const time = (ms: number): string => shortUtc(ms, atMs);
  switch (entry.condition) {
    case "pending":
      return entry.missingContent.issuedFor === undefined
        ? `${gapText(entry.missingContent, atMs)}; no certificate has been seen in it`
        : `${gapText(entry.missingContent, atMs)}; cert-manager issued a certificate for it before`;
    case "missing_content":
      return gapText(entry.missingContent, atMs);
    case "lost": {
      const { how, lastSeenMs, incident } = entry.loss;
      const why = incident === null || incident === "" ? "" : `; ${incident}`;
      return `${LOSSES[how]} (last seen ${time(lastSeenMs)})${why}`;
    }
    case "live": {
      const { record, verdict } = entry;
      const staging = record.staging ? "; a staging certificate, which no client trusts" : "";
      const end = endText(record.notAfter, atMs);
      if (verdict.valid) {
        const revoked = findings.find(({ code }) => code === "certificate_revoked");
        if (revoked !== undefined) return `REVOKED: ${shortText(seenText(revoked), atMs)}`;
        const isExpiring = findings.some(({ code }) => code === "expiring");
        const due = `renewal was due ${time(renewalMs(record))}`;
        if (isExpiring) return `EXPIRES ${end}; ${due}${staging}`;
        if (findings.some(({ code }) => code === "renewal_overdue"))
          return `RENEWAL OVERDUE, expires ${end}; ${due}${staging}`;
        return `OK, expires ${end}${staging}`;
      }
      const others = verdict.reasons.filter((reason) => reason !== "expired");
      const hints = (record.hints ?? []).map(hintText).join(" ");
      if (others.length === 0) return `EXPIRED ${end}${staging}`;
      return `REJECTED: ${reasonText(others)}${hints === "" ? "" : `. ${hints}`}${staging}`;
    }
  }
}

/** Controllers renew when a third of the lifetime is left. */
function renewalMs({ notBefore, notAfter }: CertificateRecord): number {
  const [from, until] = [parseMs(notBefore), parseMs(notAfter)];
  return until - (until - from) / 3;
}

/** `EMPTY since Nov 25 22:13 UTC`, with the reasons where there is content that can't be read. */
function gapText({ state, since, reasons, hints = [] }: GapRecord, atMs: number): string {
  const word = GAPS.get(state) ?? state.replaceAll("_", " ").toUpperCase();
  const sentences = hints.map(hintText).filter((text) => text !== "");
  const why = word === "UNREADABLE" && reasons.length > 0 ? `: ${reasonText(reasons)}` : "";
  return `${word} since ${shortUtc(parseMs(since), atMs)}${why}${
    sentences.length === 0 ? "" : `. ${sentences.join(" ")}`
  }`;
}

function endText(notAfter: string, atMs: number): string {
  const left = parseMs(notAfter) - atMs;
  return left < 0
    ? `${span(left)} ago (${shortUtc(parseMs(notAfter), atMs)})`
    : `in ${span(left)} (${shortUtc(parseMs(notAfter), atMs)})`;
}

const FINDING_WORDS: Readonly<Record<string, string>> = {
  certificate_revoked: "revoked",
  expiring: "expiring",
  renewal_overdue: "renewal overdue",
};

function conditionWord(place: ExplainedPlace, findings: readonly Finding[]): string {
  const { condition, verdict, loss, missingContent } = place.entry;
  if (condition === "live") {
    if (!verdict.valid) return (verdict.reasons[0] ?? "rejected").replaceAll("_", " ");
    const [first] = aboutIt(place, findings);
    return first === undefined ? "OK" : (FINDING_WORDS[first.code] ?? "OK");
  }
  if (condition === "lost")
    return loss.how === "lost" || loss.how === "unknown" ? "missing" : "removed";
  return (GAPS.get(missingContent.state) ?? missingContent.state).toLowerCase();
}

export function placeLines(
  view: Explanation,
  several: boolean,
  { room, style, verbose }: ExplainPage,
): string[] {
  const { kind, places } = view;
  if (places.length === 0) return [];
  const rank = (place: ExplainedPlace): number => HEALTHS.indexOf(statusOf(place, view.findings));
  const optional = (shown: boolean, cell: string): string[] => (shown ? [cell] : []);
  const sorted = places.toSorted((a, b) => rank(a) - rank(b));
  const most = verbose ? MAX_ROWS : FEW_ROWS;
  const named =
    kind !== "certificate" && sorted.some(({ entry }) => titleOf(entry) !== entry.secret);
  const rows = sorted
    .slice(0, most)
    .map((place) => [
      ...optional(named, titleOf(place.entry)),
      ...optional(several, clusterName(view, place.entry.cluster)),
      place.entry.key,
      conditionWord(place, view.findings),
      ...optional(
        verbose,
        place.entry.record === null ? "" : serialText(place.entry.record.serial),
      ),
      place.entry.record?.notAfter.slice(0, 10) ?? "",
      isGood(place) ? "yes" : "no",
    ]);
  const head = [
    ...optional(named, "NAME"),
    ...optional(several, "CLUSTER"),
    "SECRET",
    "STATUS",
    ...optional(verbose, "SERIAL"),
    ...["EXPIRES", "BACKUP"],
  ];
  const more = places.length - most;
  return [
    ...tableLines(head, rows, room, "  "),
    ...(more > 0 ? [style.dim(`  and ${more} more`)] : []),
  ];
}

export function backupLines({ kind, places }: Explanation, page: ExplainPage): string[] {
  const { room, style } = page;
  if (kind === "cluster" || kind === "domain" || places.length === 0) return [];
  const all = places.flatMap(({ copies }) => copies);
  const backups = [...new Map(all.map((one) => [`${one.cluster} ${one.version}`, one])).values()];
  if (backups.length === 0) return [];
  const rows = backups
    .slice(0, MAX_ROWS)
    .map(({ version, cluster, serial, recordedAt, notAfter, retired, good }) => [
      version.slice(0, 8),
      cluster,
      serial === null ? "" : serialText(serial),
      recordedAt.slice(0, 10),
      notAfter?.slice(0, 10) ?? "",
      retired ? "retired" : good ? "usable" : "not usable",
    ]);
  return [
    ...tableLines(["VERSION", "CLUSTER", "SERIAL", "RECORDED", "EXPIRES", ""], rows, room, "  "),
    ...(backups.length > MAX_ROWS ? [style.dim(`  and ${backups.length - MAX_ROWS} more`)] : []),
  ];
}

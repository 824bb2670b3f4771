/** What the answer rests on: evidence of causes, what was issued, and what wasn't read. Pure. */
import type { EvidenceLine } from "../../diagnosis/evidence.ts";
import { plain } from "../../plain.ts";
import { timelineOf } from "../../ratelimit/budget.ts";
import { accountOf } from "../../ratelimit/ledger.ts";
import { shortText, shortUtc } from "../part.ts";
import { seenText } from "../phrases/causes.ts";
import { isNeeded, missingParts } from "../phrases/missing.ts";
import { accountName } from "../phrases/limits.ts";
import { cut, pad, paragraph, type Page, wrap } from "../text.ts";
import {
  clusterName,
  type ExplainedAccount,
  type ExplainPage,
  type Explanation,
  ownClusters,
} from "./explanation.ts";
import { shownCauses } from "./head.ts";
import { hasEstimate, podOf, silenceTexts, unreadText } from "./limits.ts";
import { serialText } from "./places.ts";

const MAX_EVIDENCE = 4;
/** Lines of one piece of evidence; -v shows all. */
const MAX_WRAPPED = 2;
const MAX_HISTORY = 8;
/** `Nov 25 22:13 UTC` */
const TIME = 16;

export function evidenceLines(view: Explanation, page: ExplainPage): string[] {
  const surest = new Map<string, EvidenceLine>();
  for (const line of view.diagnoses
    .flatMap((diagnosis) => shownCauses(diagnosis, view))
    .flatMap(({ evidence }) => evidence))
    surest.set(`${whereText(line, view)}${briefText(line, view)}`, line);
  const shown = [...surest].slice(0, MAX_EVIDENCE);
  const more = surest.size - shown.length;
  return [
    ...shown
      .toSorted(([, a], [, b]) => sinceOf(a) - sinceOf(b))
      .flatMap(([text, line]) => evidenceLine(text, line, view, page)),
    ...(more > 0 ? [page.style.dim(`  and ${more} more (-v lists them)`)] : []),
  ];
}

function sinceOf({ seen, atMs }: EvidenceLine): number {
  return seen.kind === "access_denied" ? seen.sinceMs : atMs;
}

function evidenceLine(
  text: string,
  line: EvidenceLine,
  view: Explanation,
  { room, width }: ExplainPage,
): string[] {
  const indent = TIME + 4;
  const lines = wrap(plain(text), Math.max(30, (room === Infinity ? room : width) - indent));
  const [first = "", ...rest] = lines.slice(0, MAX_WRAPPED);
  const cutOff = lines.length > MAX_WRAPPED ? "…" : "";
  const shown = [
    `  ${pad(shortUtc(sinceOf(line), view.atMs), TIME)}  ${first}`,
    ...rest.map((one) => " ".repeat(indent) + one),
  ];
  return shown.map((one, index) => (index === shown.length - 1 ? cut(one + cutOff, room) : one));
}

/** One line: a log's own words without the name that the page is about. */
function briefText({ seen }: EvidenceLine, view: Explanation): string {
  switch (seen.kind) {
    case "logged": {
      const { count, sample } = seen.signal;
      return `${count}x ${sample.replace(`cert("${view.name}"): `, "")}`;
    }
    case "event":
      return `${seen.event.count}x ${seen.event.reason}: ${seen.event.message}`;
    case "access_denied": {
      const account = seen.account.replace(/^system:serviceaccount:/, "").replace(":", "/");
      return `${account} isn't allowed to ${seen.verbs.join(" or ")} the Secret`;
    }
    default:
      return shortText(seenText(seen), view.atMs);
  }
}

/** `ingress-proxies-0: `: the pod, object or Secret; not the Secret that the page is about. */
function whereText({ source, where }: EvidenceLine, { places }: Explanation): string {
  if (places.some(({ entry }) => entry.key === where)) return "";
  return `${source === "log" ? podOf(where) : source === "event" ? objectOf(where) : where}: `;
}

/** `ingress-proxies-0` of `tailscale Pod/ingress-proxies-0`. */
function objectOf(where: string): string {
  return where.split("/").at(-1) ?? where;
}

export function historyLines(view: Explanation, page: ExplainPage): string[] {
  return view.accounts.flatMap((account) => accountLines(account, view, page));
}

function accountLines(account: ExplainedAccount, view: Explanation, page: ExplainPage): string[] {
  const { kind } = account;
  const timeline = ownTimeline(account, view);
  const shown = timeline.slice(-MAX_HISTORY);
  const more = timeline.length - shown.length;
  const several = view.accounts.length > 1;
  return [
    ...(several && shown.length > 0 ? [`  ${plain(accountName(account))}`] : []),
    ...(more > 0 ? [page.style.dim(`  ${more} earlier (-v lists them)`)] : []),
    ...shown.map(({ issuance, effect, leaves }) => {
      const { claimedBy, serial, issuedAtMs, names } = issuance;
      const what = claimedBy === null ? `issued ${serialText(serial)}` : "issued (log)";
      const whose = kind === "domain" ? `  ${names[0] ?? ""}` : "";
      // A domain's row needs the room for its name.
      const then = kind === "domain" ? "" : " then";
      const capacity = account.budget?.limit.burst;
      const level =
        leaves === undefined || capacity === undefined
          ? ""
          : effect === "renewal"
            ? "renewal"
            : `${leaves} of ${capacity} left${effect === "overshoot" ? " before" : then}`;
      const time = shortUtc(issuedAtMs, view.atMs, true);
      return cut(
        plain(`  ${pad(time, TIME + 3)}  ${pad(what, 17)}  ${pad(level, 13)}${whose}`).trimEnd(),
        page.room,
      );
    }),
  ];
}

/** As the one cluster that holds it sees it, its own log's claims included. */
function ownTimeline(
  { kind, issuer, key, timeline }: ExplainedAccount,
  view: Explanation,
): ExplainedAccount["timeline"] {
  const [own, ...others] = ownClusters(view);
  if (own === undefined || others.length > 0) return timeline;
  const ledger = view.across.ledgerOf(own);
  return timelineOf(ledger, accountOf(ledger, kind, issuer, key), view.atMs) ?? timeline;
}

/** Sources that weren't read, and that numbers are estimates; nothing where all were. */
export function footLines(view: Explanation, page: Page): string[] {
  const own = ownClusters(view);
  const missing = view.diagnoses
    .filter(({ verdict }) => verdict !== "unknown")
    .flatMap((diagnosis) => diagnosis.missing.filter(isNeeded));
  const isLogsToldAbove =
    missing.some(({ source }) => source === "logs") ||
    view.diagnoses.some(
      ({ verdict, missing: of }) =>
        verdict === "unknown" && of.some(({ source }) => source === "logs"),
    );
  const silences = view.across.ledger.evidence.silences.filter(
    ({ source, cluster }) =>
      !(source === "log" && isLogsToldAbove && (cluster === null || own.has(cluster))),
  );
  const time = (ms: number): string => shortUtc(ms, view.atMs);
  const unchecked = [
    ...missing.map((one) => missingParts(one, time)),
    ...silenceTexts(silences, new Set([null, ...own]), {
      time,
      nameOf: (cluster) => clusterName(view, cluster),
    }),
  ];
  const unread = view.across.ledger.evidence.unread.reduce((sum, { count }) => sum + count, 0);
  const notes = [
    ...(hasEstimate(view) ? ["Estimate: certkeep can't see every issuance."] : []),
    ...(unchecked.length === 0 ? [] : [`Not checked: ${unreadText(unchecked)}.`]),
    ...(unread === 0 ? [] : [`Not read: ${unread} more issuances.`]),
  ];
  return notes.length === 0 ? [] : paragraph(notes.join(" "), page, page.style.dim, "");
}

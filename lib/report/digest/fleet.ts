/** What a digest says of all clusters in one line, and what is resolved. Pure. */
import { parseMsOrNull } from "../../certificate/time.ts";
import { itemsOf } from "../items.ts";
import { own, type Part, say, someNames, type Text } from "../part.ts";
import { type ClusterSummary, titleIn, countsText } from "../summary.ts";
import { count } from "../text.ts";
import type { IssuedNow, Notice, Resolved } from "./message.ts";

const HOUR_MS = 3_600_000;
const CLUSTERS_NAMED = 3;
const LABELS_SHOWN = 3;

/**
 * `60 clusters: 3 problems; 812 certificates OK, all 812 backed up, 1 cluster not audited for 26 h
 * (edge-7)`.
 */
export function fleetText(summaries: readonly ClusterSummary[], nowMs: number): Text {
  const [first, ...others] = summaries;
  if (first === undefined) return ["No cluster was audited yet"];
  const who: Part =
    others.length === 0 ? { name: first.title } : count(summaries.length, "cluster");
  const items = itemsOf({
    findings: summaries.flatMap(({ findings }) => findings),
    nameOf: titleIn(summaries),
    nowMs,
  });
  return [who, `: ${countsText(summaries, items)}`, ...unseenText(summaries, nowMs)];
}

const UNSEEN: Readonly<Record<Exclude<ClusterSummary["sight"], "now">, string>> = {
  part: "partly read",
  stale: "not audited",
  unseen: "not reached",
  never: "never audited",
  unreadable: "with an unreadable state",
};

function unseenText(summaries: readonly ClusterSummary[], nowMs: number): Text {
  const bySight = Map.groupBy(summaries, ({ sight }) => sight);
  return (["stale", "unseen", "never", "unreadable", "part"] as const).flatMap((sight): Text => {
    const of = bySight.get(sight) ?? [];
    if (of.length === 0) return [];
    const since = sight === "stale" || sight === "unseen" ? longestText(of, nowMs) : "";
    return [`, ${count(of.length, "cluster")} ${UNSEEN[sight]}${since} (`, ...namesOf(of), ")"];
  });
}

/** Clusters by name, a few at most. */
export function namesOf(of: readonly ClusterSummary[]): Text {
  return someNames(
    of.map(({ title }) => title),
    CLUSTERS_NAMED,
  );
}

/** ` for 26 h`, of several ` for up to 26 h`. */
function longestText(of: readonly ClusterSummary[], nowMs: number): string {
  const seen = of.flatMap(({ seenAt }) => {
    const atMs = seenAt === null ? null : parseMsOrNull(seenAt);
    return atMs === null || atMs > nowMs ? [] : [atMs];
  });
  if (seen.length === 0) return "";
  const hours = Math.floor((nowMs - Math.min(...seen)) / HOUR_MS);
  if (hours < 1) return "";
  const span = hours < 72 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
  return ` for ${of.length > 1 ? "up to " : ""}${span}`;
}

interface Over {
  /** Where nothing is known of the certificate that stands there now. */
  readonly words: string;
  /** The certificate that was there before stands there again, and a new one does. */
  readonly same?: string;
  readonly reissued?: string;
}

const LOST: Over = {
  words: "no longer missing",
  same: "restored, 0 issuances",
  reissued: "reissued",
};
const OLD: Pick<Over, "same" | "reissued"> = {
  same: "restored, 0 issuances",
  reissued: "renewed",
};

/** What became of a finding, by its code: what happened to a certificate before its reasons. */
const OVER: Readonly<Record<string, Over>> = {
  secret_lost: LOST,
  fields_emptied: { ...LOST, words: "no longer empty" },
  certificate_invalid: {
    words: "valid again",
    same: "valid again, 0 issuances",
    reissued: "reissued",
  },
  expired: { words: "no longer expired", ...OLD },
  expiring: { words: "no longer about to expire", ...OLD },
  renewal_overdue: { words: "renewal no longer overdue", ...OLD },
  certificate_pending: { words: "first certificate issued" },
  certificate_revoked: { words: "no longer revoked" },
  account_key_lost: { words: "ACME account key restored" },
  storage_forbidden: { words: "Secret can be written again" },
  storage_immutable: { words: "Secret is no longer immutable" },
  issued_not_stored: { words: "new certificates are stored again" },
  rate_limited: { words: "no longer rate limited" },
  set_budget_low: { words: "no longer close to its rate limit" },
  set_budget_exhausted: { words: "issuances left again" },
  domain_budget_low: { words: "no longer close to its rate limit" },
  domain_budget_exhausted: { words: "issuances left again" },
  backup_missing: { words: "backed up" },
  audit_incomplete: { words: "audited again" },
  cluster_unreachable: { words: "reached again" },
  credential_expiring: { words: "credential no longer about to expire" },
};

const RANK = new Map(Object.keys(OVER).map((code, index) => [code, index]));

/** One line for each cluster and what became of its certificates, each named once. */
export function resolvedNotices(resolved: readonly Resolved[], issuedNow: IssuedNow): Notice[] {
  const subjects = Map.groupBy(resolved, ({ cluster, label }) => JSON.stringify([cluster, label]));
  const firsts = [...subjects.values()].flatMap((of) =>
    of.toSorted((a, b) => rankOf(a) - rankOf(b)).slice(0, 1),
  );
  const groups = Map.groupBy(firsts, (one) =>
    JSON.stringify([one.cluster, overText(one, issuedNow)]),
  );
  return [...groups.values()].flatMap((of): Notice[] => {
    const [first] = of;
    if (first === undefined) return [];
    const labels = someNames(
      of.map(({ label }) => label),
      LABELS_SHOWN,
    );
    const place = first.label === first.cluster ? [] : say` in ${{ name: first.cluster }}`;
    const over = own(overText(first, issuedNow));
    const title = say`Resolved: ${labels}${place}: ${over}`;
    return [{ severity: "resolved", title, lines: [], commands: [] }];
  });
}

function rankOf({ code }: Resolved): number {
  return RANK.get(code) ?? RANK.size;
}

function overText(resolved: Resolved, issuedNow: IssuedNow): string {
  const { code, saidMs } = resolved;
  const over = OVER[code] ?? { words: `no longer reported: ${code.replaceAll("_", " ")}` };
  if (over.same === undefined || over.reissued === undefined) return over.words;
  const issuedMs = issuedNow(resolved);
  if (issuedMs === null) return over.words;
  return issuedMs <= saidMs ? over.same : over.reissued;
}

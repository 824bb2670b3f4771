/**
 * Names that come and go: pods recreated under a new name each (of one pattern, many of them gone
 * again), Secrets recreated for one name, and the plain case of many first certificates under one
 * domain. A pattern proves nothing: at most likely. The issuances themselves prove that first
 * certificates used up a domain's limit.
 */
import { standingRecord } from "../state/secrets.ts";
import { type Issuance, mayBeOf } from "../ratelimit/issuance.ts";
import { type Account, accountOf } from "../ratelimit/ledger.ts";
import { LOOK_BACK_MS } from "../ratelimit/rules.ts";
import type { Across } from "../finding/across.ts";
import type { ClusterIndex } from "./clusterindex.ts";
import type { Subject } from "./subject.ts";
import { bareName } from "../finding/place.ts";
import { type Cause, causeOf, type Hint } from "./cause.ts";
import { basedOn } from "./evidence.ts";
import { THRIFT } from "./measure.ts";

/** So many new names of one pattern within a week are a churn. */
export const MANY_NAMES = 5;
/** So many Secrets of one name, of which one is left. */
const MANY_PLACES = 2;

/** The letters and digits that Kubernetes makes random names of (apimachinery util/rand). */
const RANDOM = /^(?=.*[0-9])[bcdfghjklmnpqrstvwxz2456789]{4,10}$/;

/** RFC 1035 §2.3.4. */
const MAX_NAME = 253;

/** A host name with what changes from pod to pod as `*`: `runner-7`, `web-7d9f8c-x2k4q`. */
export function patternOf(name: string): string {
  if (name.length > MAX_NAME) return name;
  const dot = name.indexOf(".");
  const [label, rest] = dot === -1 ? [name, ""] : [name.slice(0, dot), name.slice(dot)];
  const parts = label
    .split("-")
    .map((part, i) =>
      /^\d+$/.test(part) || (i > 0 && RANDOM.test(part)) || /^[0-9a-f]{7,}$/.test(part)
        ? "*"
        : part.replace(/(?<!\d)\d+$/, "*"),
    );
  return `${parts.join("-").replace(/\*(?:-\*)+/g, "*")}${rest}`;
}

interface Churn {
  readonly pattern: string;
  readonly names: readonly string[];
  readonly gone: number;
  readonly issuances: readonly Issuance[];
}

/** Worked out once for a domain of a cluster, however many names under it are asked about. */
const known = new WeakMap<ClusterIndex, Map<Account, readonly Churn[]>>();

function churnsOf(index: ClusterIndex, account: Account): readonly Churn[] {
  const of = known.get(index) ?? new Map<Account, readonly Churn[]>();
  known.set(index, of);
  const churns = of.get(account) ?? findChurns(index, account);
  of.set(account, churns);
  return churns;
}

/** First certificates of sets within the last week that this cluster showed, by pattern. */
function findChurns({ entries, state, atMs }: ClusterIndex, account: Account): readonly Churn[] {
  const live = new Set(
    entries.flatMap(({ condition, record }) =>
      condition === "live" ? record.names.map(bareName) : [],
    ),
  );
  const groups = new Map<string, Issuance[]>();
  for (const { issuance, renewal } of account.entries) {
    const { issuedAtMs, names, sources, claimedBy } = issuance;
    if (renewal || issuedAtMs > atMs || issuedAtMs <= atMs - LOOK_BACK_MS || names.length !== 1)
      continue;
    if (claimedBy !== state.cluster && !mayBeOf({ sources }, state.cluster)) continue;
    const pattern = patternOf(names[0] ?? "");
    const of = pattern.includes("*") ? groups.get(pattern) : undefined;
    if (of !== undefined) of.push(issuance);
    else if (pattern.includes("*")) groups.set(pattern, [issuance]);
  }
  return [...groups].flatMap(([pattern, issuances]) => {
    const names = [...new Set(issuances.map(({ set }) => set))];
    return names.length < MANY_NAMES
      ? []
      : [{ pattern, names, issuances, gone: names.filter((name) => !live.has(name)).length }];
  });
}

function churnHint(churn: Churn, domain: string, atMs: number): Hint {
  const { pattern, names, gone, issuances } = churn;
  const lastMs = issuances.at(-1)?.issuedAtMs ?? atMs;
  return {
    confidence: gone * 2 >= names.length ? "likely" : "possible",
    ...basedOn({
      source: "issuances",
      where: domain,
      atMs: lastMs,
      seen: { kind: "names_churn", pattern, names, gone, lastMs },
    }),
    measures: THRIFT,
    overMs: null,
  };
}

/** Of a name: it is one of those, or it had several Secrets of which earlier ones are gone. */
export function churnCause(of: Subject): Cause | null {
  const hints: Hint[] = [];
  const mine = new Set(of.names.filter((name) => patternOf(name).includes("*")).map(patternOf));
  const domains = new Set(of.issuances.flatMap(({ domains: all }) => all));
  if (mine.size > 0 && of.issuer !== null) {
    for (const domain of domains) {
      for (const churn of churnsOf(
        of.index,
        accountOf(of.across.ledgerOf(of.index.state.cluster), "domain", of.issuer, domain),
      ))
        if (mine.has(churn.pattern)) hints.push(churnHint(churn, domain, of.atMs));
    }
  }
  const recent = of.issuances.filter(({ issuedAtMs }) => issuedAtMs > of.atMs - LOOK_BACK_MS);
  const places = [
    ...new Set(
      recent.flatMap(({ sources }) =>
        sources
          .filter(({ kind, cluster }) => kind === "secret" && cluster === of.index.state.cluster)
          .map(({ where }) => where),
      ),
    ),
  ];
  const gone = places.filter((where) => standingRecord(of.index.state, where) === undefined);
  if (places.length >= MANY_PLACES && gone.length > 0 && of.needless.length > 0) {
    hints.push({
      confidence: "likely",
      ...basedOn({
        source: "secret",
        where: of.index.state.cluster,
        atMs: recent.at(-1)?.issuedAtMs ?? of.atMs,
        seen: { kind: "secrets_churn", count: places.length, gone },
      }),
      measures: [{ kind: "keep_secret" }, ...THRIFT],
      overMs: null,
    });
  }
  return causeOf("pod_churn", hints);
}

export function domainChurnCause(
  index: ClusterIndex,
  across: Across,
  issuer: string,
  domain: string,
): Cause | null {
  const account = accountOf(across.ledgerOf(index.state.cluster), "domain", issuer, domain);
  return causeOf(
    "pod_churn",
    churnsOf(index, account)
      .toSorted((a, b) => b.names.length - a.names.length)
      .slice(0, 3)
      .map((churn) => churnHint(churn, domain, index.atMs)),
  );
}

/** First certificates took what is gone of the domain's budget. */
export function newNamesCause(across: Across, issuer: string, domain: string): Cause | null {
  const low = across.found.find(
    ({ budget, subject }) =>
      budget?.kind === "domain" && subject.issuer === issuer && subject.key === domain,
  );
  if (low === undefined) return null;
  const fromMs = across.atMs - LOOK_BACK_MS;
  const first = accountOf(across.ledger, "domain", issuer, domain).entries.filter(
    ({ renewal, issuance }) =>
      !renewal && issuance.issuedAtMs <= across.atMs && issuance.issuedAtMs > fromMs,
  );
  if (first.length === 0) return null;
  const clusters = new Map<string, number>();
  for (const { issuance } of first)
    for (const cluster of new Set(issuance.sources.flatMap((source) => source.cluster ?? [])))
      clusters.set(cluster, (clusters.get(cluster) ?? 0) + 1);
  const [oldest, newest] = [
    first[0]?.issuance.issuedAtMs ?? fromMs,
    first.at(-1)?.issuance.issuedAtMs ?? across.atMs,
  ];
  return causeOf("many_new_names", [
    {
      confidence: "proven",
      ...basedOn({
        source: "issuances",
        where: across.titles.get(issuer) ?? issuer,
        atMs: newest,
        seen: {
          kind: "first_certificates",
          domain,
          count: first.length,
          fromMs: oldest,
          untilMs: newest,
          clusters: [...clusters]
            .map(([cluster, count]) => ({ cluster, count }))
            .toSorted((a, b) => b.count - a.count),
        },
      }),
      measures: [{ kind: "wait_with_names" }, ...THRIFT, { kind: "standby" }],
      overMs: null,
    },
  ]);
}

/**
 * Race: several hold or request the same set of names, each for itself. Issuances minutes apart of
 * one holder prove nothing: an owner that can't store does the same at each access.
 */
import { type Issuance, serialKey } from "../ratelimit/issuance.ts";
import { CONCURRENT_MS, LOOK_BACK_MS } from "../ratelimit/rules.ts";
import { type Cause, causeOf, type Hint, type Measure } from "./cause.ts";
import { basedOn, type Fact, logLine } from "./evidence.ts";
import type { Subject } from "./subject.ts";

const MEASURES: readonly Measure[] = [{ kind: "let_one_issue" }, { kind: "own_names" }];

export function raceCause(of: Subject): Cause | null {
  return causeOf("race", [...issuedHints(of), ...requestedHints(of)]);
}

/** Issuances of the last week that have another no more than ten minutes from them. */
function near(issuances: readonly Issuance[], atMs: number): readonly Issuance[] {
  const recent = issuances.filter(({ issuedAtMs }) => issuedAtMs > atMs - LOOK_BACK_MS);
  return recent.filter((one, i) =>
    [recent[i - 1], recent[i + 1]].some(
      (other) =>
        other !== undefined && Math.abs(other.issuedAtMs - one.issuedAtMs) <= CONCURRENT_MS,
    ),
  );
}

function* issuedHints(of: Subject): Generator<Hint> {
  const { across, issuer, key } = of;
  if (issuer === null) return;
  const holders = across.placesOf(issuer, key);
  // A state writes serials as the certificate does, an issuance without zeros before.
  const serials = new Set(holders.map(({ serial }) => serialKey(serial)));
  const distinct = serials.size > 1 ? holders : [];
  const close = near(of.issuances, of.atMs).filter(({ claimedBy }) => claimedBy === null);
  const seenIn = new Set(
    close.flatMap(({ sources }) =>
      sources
        .filter(({ kind }) => kind === "secret")
        .map(({ cluster, where }) => `${cluster} ${where}`),
    ),
  );
  const evidence = (seen: Fact, last: Issuance | undefined): ReturnType<typeof basedOn> =>
    basedOn({
      source: "issuances",
      where: across.titles.get(issuer) ?? issuer,
      atMs: last?.issuedAtMs ?? of.atMs,
      seen,
    });
  const isIn = distinct
    .map(({ cluster, namespace, secret }) => `${cluster} ${namespace}/${secret}`)
    .toSorted();
  if (close.length > 0) {
    // An owner that can't store orders at each access: one holder alone is no race.
    if (distinct.length <= 1 && seenIn.size <= 1) return;
    const places = Math.max(distinct.length, seenIn.size);
    yield {
      confidence: "proven",
      ...evidence(
        { kind: "issued_together", places, issuances: close, holders: isIn },
        close.at(-1),
      ),
      measures: MEASURES,
      overMs: null,
    };
    return;
  }
  // Each has its own, issued for itself within the week: nothing was thrown away.
  const own = of.needless.filter(
    ({ issuance, before }) =>
      distinct.length > 0 && serials.has(issuance.serial) && serials.has(before.serial),
  );
  if (own.length === 0) return;
  const clusters = new Set(distinct.map(({ cluster }) => cluster)).size;
  const issuances = [...new Set(own.flatMap(({ issuance, before }) => [before, issuance]))];
  yield {
    confidence: "proven",
    ...evidence({ kind: "issued_for_each", clusters, issuances, holders: isIn }, issuances.at(-1)),
    measures: MEASURES,
    overMs: null,
  };
}

/** Two pods that order for one name within minutes, as their logs say. */
function* requestedHints(of: Subject): Generator<Hint> {
  const orders = of.signals.filter(
    ({ signal, attribution }) =>
      attribution === "name" && (signal.kind === "issuance_started" || signal.kind === "issued"),
  );
  const pods = Map.groupBy(orders, ({ signal }) => signal.where.split("/").slice(0, 2).join("/"));
  const spans = [...pods.values()].map((of_) => ({
    fromMs: Math.min(...of_.map(({ signal }) => signal.firstMs)),
    untilMs: Math.max(...of_.map(({ signal }) => signal.lastMs)),
    signal: of_[0]?.signal,
  }));
  const racing = spans.filter((a) =>
    spans.some(
      (b) =>
        a !== b && a.fromMs <= b.untilMs + CONCURRENT_MS && b.fromMs <= a.untilMs + CONCURRENT_MS,
    ),
  );
  if (racing.length < 2) return;
  const lines = racing.flatMap(({ signal }) => (signal === undefined ? [] : [logLine(signal)]));
  yield {
    confidence: "likely",
    because: { kind: "ordered_together", pods: racing.length },
    evidence: lines,
    measures: MEASURES,
    overMs: null,
  };
}

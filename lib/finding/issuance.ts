/**
 * Findings that no cluster shows by itself: budgets that run out, needless and concurrent reissues, sets that
 * several places hold, clocks that are off. One for each cluster that it concerns. Pure.
 */
import { createHash } from "node:crypto";
import { formatMs } from "../certificate/time.ts";
import type { Budget } from "../ratelimit/budget.ts";
import { serialKey } from "../ratelimit/issuance.ts";
import type { IssuanceFinding } from "../ratelimit/rules.ts";
import type { Across, LiveHolder } from "./across.ts";
import type { Severity } from "./codes.ts";
import { commandLine, literal } from "./command.ts";
import { createFinding, type Draft, type Finding, type Subject } from "./finding.ts";
import { budgetPhrase, instantOf, spanPhrase } from "./words.ts";

/** Serials named in a finding's evidence; the newest. */
const MAX_SERIALS = 10;
/** Longest name of a set in a subject. */
const MAX_LABEL = 120;

/** A set of names in a few words that no other set has: the names where they are few. */
export function setLabel(key: string): string {
  if (key.length <= MAX_LABEL) return key;
  const names = key.split(",");
  return `${(names[0] ?? "").slice(0, MAX_LABEL)} and ${names.length - 1} more (${createHash("sha256").update(key).digest("hex").slice(0, 8)})`;
}

/** A set's first name and how many there are beside it, for a sentence. */
export function setPhrase(key: string): string {
  // The very text, no copy of it: there may be a hundred thousand.
  if (!key.includes(",")) return key;
  const [first = "", ...others] = key.split(",");
  return others.length === 0
    ? first
    : others.length === 1
      ? `${first} and ${others[0]}`
      : `${first} and ${others.length} other names`;
}

/** Every finding about issuances, of all clusters. `cluster` alone where one is given. */
export function issuanceFindings(across: Across, cluster: string | null = null): Finding[] {
  const findings = new Map<string, Finding>();
  const add = (draft: Draft, sinceMs: number): void => {
    if (cluster !== null && draft.subject.cluster !== cluster) return;
    const finding = createFinding(draft, formatMs(Math.min(sinceMs, across.atMs)));
    // Two issuers' sets of one name: the first says it, which is the issuer known longest.
    if (!findings.has(finding.id)) findings.set(finding.id, finding);
  };
  for (const found of across.found) {
    for (const of of found.subject.clusters)
      if (cluster === null || of === cluster) add(draftOf(found, of, across), found.sinceMs);
  }
  for (const draft of clockDrafts(across)) add(draft, across.atMs);
  return [...findings.values()];
}

/** The clusters that `issuanceFindings` has something to say of. */
export function clustersTold(across: Across): ReadonlySet<string> {
  return new Set([
    ...across.found.flatMap(({ subject }) => subject.clusters),
    ...across.ahead.keys(),
    ...across.future.flatMap(({ cluster }) => cluster ?? []),
  ]);
}

/** The one Secret of the cluster that holds the set, or `null` where none or several do. */
export function onlyPlace(
  found: IssuanceFinding,
  cluster: string,
  across: Across,
): LiveHolder | null {
  if (found.subject.kind !== "set") return null;
  const places = across
    .placesOf(found.subject.issuer, found.subject.key)
    .filter((place) => place.cluster === cluster);
  return places.length === 1 ? (places[0] ?? null) : null;
}

function draftOf(found: IssuanceFinding, cluster: string, across: Across): Draft {
  const { code, subject: of } = found;
  const place = onlyPlace(found, cluster, across);
  const subject: Subject =
    place === null
      ? {
          cluster,
          namespace: null,
          secret: null,
          name: of.kind === "domain" ? of.key : setLabel(of.key),
        }
      : { cluster, namespace: place.namespace, secret: place.secret, name: place.name };
  const name = of.kind === "domain" ? of.key : (place?.name ?? of.key.split(",")[0] ?? of.key);
  return {
    code,
    subject,
    command: commandLine(literal("certkeep explain"), name),
    evidence: evidenceOf(found),
    ...told(found, cluster, across),
  };
}

function evidenceOf({ budget, issuances, places, subject }: IssuanceFinding): readonly string[] {
  return [
    ...(budget === null
      ? []
      : [
          `at most ${budget.atMost} of ${budget.limit.burst}`,
          `at least ${budget.atLeast ?? "unknown"}`,
          ...(budget.nextSlotMs === null ? [] : [`next slot ${formatMs(budget.nextSlotMs)}`]),
        ]),
    ...issuances
      .slice(-MAX_SERIALS)
      .map(
        ({ serial, issuedAtMs, basis }) =>
          `serial ${serial} issued ${formatMs(issuedAtMs)}${basis === "sct" ? "" : ` (by ${basis})`}`,
      ),
    ...(issuances.length > MAX_SERIALS ? [`and ${issuances.length - MAX_SERIALS} more`] : []),
    ...places
      .slice(0, MAX_SERIALS)
      .map((place) => `${place.cluster} ${place.namespace}/${place.secret}`),
    ...(subject.clusters.length > 1 ? [`clusters ${subject.clusters.join(", ")}`] : []),
  ];
}

interface Told extends Pick<Draft, "seen"> {
  readonly severity?: Severity;
  readonly advice?: string;
}

function told(found: IssuanceFinding, cluster: string, across: Across): Told {
  const { code, subject, issuances, budget } = found;
  const set = setPhrase(subject.key);
  const issuer = across.titles.get(subject.issuer) ?? subject.issuer;
  const elsewhere = subject.clusters.length > 1 ? ` in ${subject.clusters.length} clusters` : "";
  switch (code) {
    case "set_budget_low":
    case "set_budget_exhausted": {
      if (budget === null) break;
      return {
        seen: `${issuer} has issued ${set} ${times(recent(budget, issuances))}${elsewhere}: ${budgetPhrase(budget, across.atMs)}.`,
        ...(code === "set_budget_exhausted" ? exhaustedSet(found, cluster, across, budget) : {}),
      };
    }
    case "domain_budget_low":
    case "domain_budget_exhausted": {
      if (budget === null) break;
      return {
        seen: `${issuer} has issued ${recent(budget, issuances)} certificates of new names under ${subject.key}${elsewhere}: ${budgetPhrase(budget, across.atMs)}.`,
        ...(code === "domain_budget_exhausted"
          ? {
              advice: `wait with new names until ${instantOf(budget.freeFromMs)}; renewals of names that have a certificate go on`,
            }
          : {}),
      };
    }
    case "reissued_without_need": {
      const [last] = issuances.slice(-1);
      return {
        seen: `${set} was issued anew${last === undefined ? "" : ` at ${instantOf(last.issuedAtMs)}`}, though the certificate before was valid and not due for renewal (${times(issuances.length - 1)} within a week${elsewhere}).`,
        ...eachItsOwn(found, across),
      };
    }
    case "concurrent_issuance": {
      const first = issuances[0]?.issuedAtMs ?? across.atMs;
      const last = issuances.at(-1)?.issuedAtMs ?? first;
      return {
        seen: `${set} was issued ${times(issuances.length)} within ${spanPhrase(last - first)}${elsewhere}.`,
      };
    }
    case "shared_set": {
      const others = found.places.length;
      return {
        seen: `${others} Secrets${elsewhere} hold a certificate of ${set}: ${found.sameSerial === true ? "the same one, copied" : "one each, out of one budget"}.`,
        ...(found.sameSerial === true
          ? {
              severity: "information" as const,
              advice: "nothing to do if something copies it on purpose",
            }
          : {}),
      };
    }
  }
  return { seen: `${code.replaceAll("_", " ")}: ${set}.` };
}

/** Where several Secrets hold one each now, that is why: nobody threw anything away. */
function eachItsOwn({ subject, issuances }: IssuanceFinding, across: Across): Pick<Told, "advice"> {
  const holders = across.placesOf(subject.issuer, subject.key);
  const live = new Set(holders.map(({ serial }) => serialKey(serial)));
  if (live.size < 2 || !issuances.every(({ serial }) => live.has(serial))) return {};
  return {
    advice: `${holders.length} Secrets hold these names, each with a certificate issued for itself: give each a name of its own, or let one issue and the others copy`,
  };
}

/** Nobody has to get up while each Secret that holds it is good and has its copy. */
function exhaustedSet(
  found: IssuanceFinding,
  cluster: string,
  across: Across,
  budget: Budget,
): Pick<Told, "severity" | "advice"> {
  const places = across
    .placesOf(found.subject.issuer, found.subject.key)
    .filter((place) => place.cluster === cluster);
  const safe = places.length > 0 && places.every(({ valid, copied }) => valid && copied);
  return {
    severity: safe ? "warning" : "critical",
    advice: safe
      ? "what is live is valid and has a sealed copy: if it is lost, restore it; find out what reissues it"
      : `keep what is live from being thrown away; nothing can be issued before ${instantOf(budget.freeFromMs)} but under another host name`,
  };
}

/** Those that took what isn't back yet. */
function recent(budget: Budget, issuances: IssuanceFinding["issuances"]): number {
  const fromMs = budget.atMs - Number(budget.limit.periodNs / 1_000_000n);
  return Math.max(1, issuances.filter(({ issuedAtMs }) => issuedAtMs > fromMs).length);
}

function times(n: number): string {
  return n === 1 ? "once" : n === 2 ? "twice" : `${n} times`;
}

function* clockDrafts(across: Across): Generator<Draft> {
  const clusters = new Map<string, number>(across.ahead);
  for (const { cluster, atMs } of across.future)
    if (cluster !== null) clusters.set(cluster, Math.max(clusters.get(cluster) ?? 0, atMs));
  for (const [cluster, atMs] of clusters) {
    yield {
      code: "clock_off",
      subject: { cluster, namespace: null, secret: null, name: null },
      seen: `What is recorded of ${cluster} bears the time ${instantOf(atMs)}, which is still to come.`,
      evidence: [`recorded ${formatMs(atMs)}`],
      command: commandLine(literal("certkeep doctor"), cluster),
    };
  }
}

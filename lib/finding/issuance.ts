/**
 * Findings that no cluster shows by itself: budgets that run out, needless and concurrent reissues,
 * sets that several places hold, clocks that are off. One for each cluster that it concerns. Pure.
 */
import { createHash } from "node:crypto";
import { formatMs } from "../certificate/time.ts";
import { serialKey } from "../ratelimit/issuance.ts";
import { setOf } from "../ratelimit/limit.ts";
import type { IssuanceFinding } from "../ratelimit/rules.ts";
import { combinedHelp, recordedPlanner, type RestoreHelp } from "../restoreplan/recorded.ts";
import { certificates } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import { isIntended } from "../state/secrets.ts";
import type { Across, LiveHolder } from "./across.ts";
import { remedy } from "./losses.ts";
import {
  clusterSubject,
  createFinding,
  type Draft,
  type Finding,
  type Subject,
} from "./finding.ts";

const MAX_LABEL = 120;

/** A set of names in a few words that no other set has: the names where they are few. */
export function setLabel(key: string): string {
  if (key.length <= MAX_LABEL) return key;
  const names = key.split(",");
  return (
    `${(names[0] ?? "").slice(0, MAX_LABEL)} and ${names.length - 1} more ` +
    `(${createHash("sha256").update(key).digest("hex").slice(0, 8)})`
  );
}

export function issuanceFindings(across: Across, state: StateDocument): Finding[] {
  const { cluster } = state;
  const findings = new Map<string, Finding>();
  const add = (draft: Draft, sinceMs: number): void => {
    if (draft.subject.cluster !== cluster) return;
    const finding = createFinding(draft, formatMs(Math.min(sinceMs, across.atMs)));
    // Two issuers' sets of one name: the first says it, which is the issuer known longest.
    if (!findings.has(finding.id)) findings.set(finding.id, finding);
  };
  for (const found of across.found)
    if (found.subject.clusters.includes(cluster)) add(draftOf(found, state, across), found.sinceMs);
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

function draftOf(found: IssuanceFinding, state: StateDocument, across: Across): Draft {
  const { cluster } = state;
  const { subject: of } = found;
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
    subject,
    actions: [{ kind: "explain", name }],
    ...contentOf(found, subject, state, across),
  };
}

type Content = { [D in Draft["code"]]: Pick<Extract<Draft, { code: D }>, "code" | "params"> };

function contentOf(
  found: IssuanceFinding,
  of: Subject,
  state: StateDocument,
  across: Across,
): Content[IssuanceFinding["code"]] & Pick<Draft, "severity"> & Partial<Pick<Draft, "actions">> {
  const { code, subject, issuances, places } = found;
  const params = {
    issuer: across.titles.get(subject.issuer) ?? subject.issuer,
    key: subject.key,
    clusters: subject.clusters,
    issuances,
  };
  switch (code) {
    case "set_budget_exhausted": {
      const { safe, help } = safetyOf(found, state, across);
      const restorable = help?.backup === "restorable";
      return {
        code,
        severity: safe ? "warning" : "critical",
        params: { ...params, budget: found.budget, safe, restorable },
        ...(restorable ? { actions: remedy(state, of, help) } : {}),
      };
    }
    case "set_budget_low":
    case "domain_budget_low":
    case "domain_budget_exhausted":
      return { code, params: { ...params, budget: found.budget } };
    case "reissued_without_need":
      return { code, params: { ...params, holders: holdersOf(found, across) } };
    case "concurrent_issuance":
      return { code, params };
    case "shared_set": {
      const { sameSerial } = found;
      return {
        code,
        ...(sameSerial ? { severity: "info" } : {}),
        params: { ...params, places, sameSerial },
      };
    }
  }
}

/**
 * Where several Secrets hold one each now, issued for itself, that is why: how many. `null`: it
 * isn't.
 */
function holdersOf({ subject, issuances }: IssuanceFinding, across: Across): number | null {
  const holders = across.placesOf(subject.issuer, subject.key);
  const live = new Set(holders.map(({ serial }) => serialKey(serial)));
  return live.size >= 2 && issuances.every(({ serial }) => live.has(serial))
    ? holders.length
    : null;
}

/**
 * `safe`: each certificate of the set here is valid, and would be restored if it were lost. `help`:
 * what restores those that aren't valid; `null`: all are.
 */
function safetyOf(
  { subject }: IssuanceFinding,
  state: StateDocument,
  { atMs }: Across,
): { readonly safe: boolean; readonly help: RestoreHelp | null } {
  const entries = [...certificates(state, atMs)].filter(
    ({ record, loss }) =>
      record !== null &&
      !isIntended(loss) &&
      record.issuer === subject.issuer &&
      setOf(record.names).key === subject.key,
  );
  const planner = recordedPlanner(state, atMs);
  const failing = entries.filter(({ verdict }) => verdict?.valid !== true);
  if (failing.length > 0)
    return { safe: false, help: combinedHelp(failing.map((entry) => planner.helpFor(entry))) };
  const safe = entries.length > 0 && entries.every((entry) => planner.wouldRestore(entry));
  return { safe, help: null };
}

function* clockDrafts(across: Across): Generator<Draft> {
  const clusters = new Map<string, number>(across.ahead);
  for (const { cluster, atMs } of across.future)
    if (cluster !== null) clusters.set(cluster, Math.max(clusters.get(cluster) ?? 0, atMs));
  for (const [cluster, recordedMs] of clusters) {
    yield {
      code: "clock_off",
      subject: clusterSubject({ cluster }),
      params: { recordedMs },
      actions: [{ kind: "doctor", cluster }],
    };
  }
}

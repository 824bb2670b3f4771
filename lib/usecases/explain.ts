/**
 * All that is known of one name: a certificate, a Secret, a registered domain, a cluster, or a
 * finding. Reads the states of all clusters and writes nothing.
 */
import { meant } from "../config/suggest.ts";
import { CertkeepError } from "../error.ts";
import type { Across } from "../finding/across.ts";
import { adviceFor } from "../finding/advise.ts";
import type { Diagnosis } from "../diagnosis/cause.ts";
import { setKeyOf } from "../diagnosis/clusterindex.ts";
import { createDoctor, type Doctor } from "../diagnosis/diagnose.ts";
import type { RestoreFunction } from "../finding/action.ts";
import {
  type ClusterFindings,
  clusterFindings,
  type FindingsView,
  isStale,
} from "../finding/cluster.ts";
import { CODES } from "../finding/codes.ts";
import { type Finding, findingRef } from "../finding/finding.ts";
import type { IgnoreEntry } from "../finding/ignore.ts";
import { setLabel } from "../finding/issuance.ts";
import { bareName, isFor, isSecret, isUnder } from "../finding/place.ts";
import { lastSeenOf } from "../finding/reach.ts";
import { tally, type Tally } from "../finding/tally.ts";
import type { Advice } from "../ratelimit/advice.ts";
import { type Budget, budgetOf, type TimelineEntry, timelineOf } from "../ratelimit/budget.ts";
import { type Account, accountOf, accountsOf } from "../ratelimit/ledger.ts";
import { registeredDomain, setOf } from "../ratelimit/names.ts";
import { type Plan, planNewNames, planSet } from "../ratelimit/plan.ts";
import { plain } from "../plain.ts";
import { recordedPlanner, type RecordedPlanner } from "../restoreplan/recorded.ts";
import { certificates, type CertificateEntry, titleOf } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import { observationsOf } from "../state/observations.ts";
import type { SourceStatus } from "../state/signals.ts";
import { type AcrossPorts, gatherAcross } from "./across.ts";

export interface ExplainInput {
  readonly name: string;
  /** So many more certificates are to be planned; `null`: none. */
  readonly plan: number | null;
  readonly ignore: readonly IgnoreEntry[];
  /** The function on AWS that restores, where there is one. */
  readonly restore?: RestoreFunction | null;
}

export interface ExplainedCopy {
  readonly version: string;
  readonly cluster: string;
  readonly serial: string | null;
  readonly recordedAt: string;
  readonly notAfter: string | null;
  /** It could be restored now. */
  readonly good: boolean;
  readonly retired: boolean;
}

export interface ExplainedPlace {
  readonly entry: CertificateEntry;
  /** The cluster can't be seen now: as last seen then, RFC 3339. */
  readonly asLastSeen: string | null;
  readonly copies: readonly ExplainedCopy[];
  /** End of its cluster's last audit, RFC 3339; `null`: none. */
  readonly auditedAt: string | null;
  /** For one that fails or is lost. */
  readonly advice: Advice | null;
}

/** A set of names, or a registered domain, of one issuer. */
export interface ExplainedAccount {
  readonly kind: Account["kind"];
  readonly issuer: string;
  readonly key: string;
  /** `null`: no limit is known. */
  readonly budget: Budget | null;
  /** Of a set: its registered domains' budgets. */
  readonly domains: readonly Budget[];
  /** With the bucket's level after each where a limit is known. */
  readonly timeline: readonly (Pick<TimelineEntry, "issuance"> & Partial<TimelineEntry>)[];
  readonly plan: Plan | null;
}

export interface ExplainedCluster {
  readonly state: StateDocument;
  readonly tally: Tally;
}

/** What a source of one cluster didn't tell. */
export interface ExplainedStatus extends SourceStatus {
  readonly cluster: string;
}

export interface Explanation {
  readonly name: string;
  readonly kind: "certificate" | "secret" | "domain" | "cluster" | "finding";
  readonly atMs: number;
  readonly places: readonly ExplainedPlace[];
  readonly accounts: readonly ExplainedAccount[];
  readonly clusters: readonly ExplainedCluster[];
  readonly findings: readonly Finding[];
  readonly ignored: number;
  /**
   * Why certificates are reissued, of each set and cluster; of a cluster those alone that want a
   * cause.
   */
  readonly diagnoses: readonly Diagnosis[];
  /** Sources besides Secrets that weren't read whole, of the clusters concerned. */
  readonly looks: readonly ExplainedStatus[];
  readonly across: Across;
  /** How many were planned; `null`: none asked for. */
  readonly planned: number | null;
  readonly problems: readonly CertkeepError[];
}

interface Known {
  readonly state: StateDocument;
  readonly places: readonly CertificateEntry[];
}

/** @throws CertkeepError usage where nothing is known by that name, with what was probably meant */
export async function explainName(ports: AcrossPorts, input: ExplainInput): Promise<Explanation> {
  const atMs = ports.clock.nowMs();
  const known: Known[] = [];
  const { across, problems } = await gatherAcross(ports, [], (state) => {
    known.push({
      state,
      places: [...certificates(state, atMs)],
    });
  });
  known.sort((a, b) => (a.state.cluster < b.state.cluster ? -1 : 1));
  const times = { atMs, wallMs: ports.wall?.nowMs() ?? null };
  const explained = new Explained(known, across, times, input);
  const explanation = explained.resolve();
  if (explanation !== null) return { ...explanation, problems };
  // What could not be read may hold it.
  const unread =
    problems.length === 0
      ? ""
      : `, and ${problems.length === 1 ? "a state" : `${problems.length} states`} could not be ` +
        "read";
  if (Object.hasOwn(CODES, input.name))
    throw new CertkeepError("usage", {
      where: `explain ${input.name}`,
      found:
        known.length === 0
          ? "no state of any cluster: nothing was audited yet"
          : `no such finding now${unread}`,
      expected: "a finding that `certkeep audit` or `certkeep report` shows",
      ...(known.length === 0 ? { todo: "Run: certkeep audit" } : {}),
    });
  const near = meant(input.name, explained.names());
  throw new CertkeepError("usage", {
    where: `explain ${plain(JSON.stringify(input.name))}`,
    found:
      known.length === 0
        ? "no state of any cluster: nothing was audited yet"
        : "nothing known by that name in " +
          `${known.length === 1 ? "the one cluster" : `the ${known.length} clusters`} audited ` +
          `so far${unread}`,
    expected: "a domain, NAMESPACE/SECRET, a cluster, or a finding",
    ...(near !== null
      ? { todo: `Did you mean ${plain(JSON.stringify(near))}?` }
      : known.length === 0
        ? { todo: "Run: certkeep audit" }
        : {}),
  });
}

class Explained {
  readonly #known: readonly Known[];
  readonly #across: Across;
  readonly #atMs: number;
  readonly #input: ExplainInput;
  readonly #doctors = new Map<string, Doctor>();
  readonly #planners = new Map<string, RecordedPlanner>();

  readonly #view: FindingsView;
  readonly #found = new Map<string, ClusterFindings>();

  constructor(
    known: readonly Known[],
    across: Across,
    { atMs, wallMs }: { readonly atMs: number; readonly wallMs: number | null },
    input: ExplainInput,
  ) {
    this.#known = known;
    this.#across = across;
    this.#atMs = atMs;
    this.#input = input;
    const { ignore, restore = null } = input;
    this.#view = { atMs, wallMs, across, ignore, restore };
  }

  /**
   * In this order: a finding, a cluster, a Secret with its namespace, a host name or set, a
   * registered domain, a Secret's name alone.
   */
  resolve(): Omit<Explanation, "problems"> | null {
    const { name } = this.#input;
    const bare = bareName(name);
    const found = this.#findings(name);
    if (found !== null) return this.#ofFindings(found);
    const clusters = this.#known.filter(
      ({ state }) => state.cluster === name || state.title === name,
    );
    if (clusters.length > 0) {
      if (this.#input.plan !== null)
        throw new CertkeepError("usage", {
          where: "--plan",
          found: `the cluster ${plain(name)}`,
          expected: "a host name, or a registered domain such as a tailnet",
        });
      return this.#ofClusters(clusters);
    }
    const pick = (fits: (place: CertificateEntry) => boolean): CertificateEntry[] =>
      this.#known.flatMap(({ places }) => places.filter(fits));
    const inSecret = pick((place) => isSecret(place, name));
    if (name.includes("/") && inSecret.length > 0)
      return this.#build("secret", inSecret, this.#setsOf(inSecret));
    const sets = this.#sets(bare);
    const named = pick((place) => isFor(place, bare));
    if (named.length > 0 || sets.length > 0)
      return this.#build("certificate", named, distinct([...this.#setsOf(named), ...sets]));
    const domains = accountsOf(this.#across.ledger, "domain").filter(({ key }) => key === bare);
    const under = pick((place) => isUnder(place, bare));
    if (domains.length > 0 || under.length > 0) return this.#build("domain", under, domains);
    return inSecret.length > 0 ? this.#build("secret", inSecret, this.#setsOf(inSecret)) : null;
  }

  /** What a person may have meant. */
  names(): string[] {
    const names = new Set<string>();
    for (const { state, places } of this.#known) {
      names.add(state.cluster).add(state.title);
      for (const place of places) names.add(titleOf(place)).add(place.key).add(place.secret);
    }
    for (const { key } of accountsOf(this.#across.ledger, "domain")) names.add(key);
    for (const { key } of accountsOf(this.#across.ledger, "set"))
      for (const one of key.split(",")) names.add(one);
    return [...names, ...Object.keys(CODES)].filter((name) => name.length <= 255);
  }

  #sets(name: string): Account[] {
    const { key } = setOf(name.split(","));
    return accountsOf(this.#across.ledger, "set").filter(
      (account) =>
        account.key === key || (!name.includes(",") && account.key.split(",").includes(name)),
    );
  }

  #setsOf(places: readonly CertificateEntry[]): Account[] {
    const accounts = places.flatMap(({ record }) =>
      record === null || record.issuer === null
        ? []
        : [accountOf(this.#across.ledger, "set", record.issuer, setOf(record.names).key)],
    );
    return distinct(accounts);
  }

  #findingsOf({ state }: Known): ClusterFindings {
    const known = this.#found.get(state.cluster) ?? clusterFindings(state, this.#view);
    this.#found.set(state.cluster, known);
    return known;
  }

  /**
   * Those that a code, an id or a reference names; `null` where `name` is none of these, or there
   * are none.
   */
  #findings(name: string): readonly Finding[] | null {
    const code = name.split(/[|:]/)[0] ?? "";
    if (!Object.hasOwn(CODES, code)) return null;
    const all = this.#known
      .flatMap((known) => this.#findingsOf(known).said)
      .filter((finding) => finding.code === code);
    const found =
      name === code
        ? all
        : all.filter((finding) => finding.id === name || findingRef(finding) === name);
    return found.length === 0 ? null : found;
  }

  #ofFindings(found: readonly Finding[]): Omit<Explanation, "problems"> {
    const concerns = (place: CertificateEntry): boolean =>
      found.some(({ subject }) => {
        if (subject.cluster !== place.cluster) return false;
        if (subject.secret !== null)
          return (
            subject.namespace === place.namespace &&
            subject.secret === place.secret &&
            (subject.name === null || subject.name === place.name)
          );
        return (
          subject.name !== null &&
          (subject.name === place.name ||
            (place.record !== null && subject.name === setLabel(setOf(place.record.names).key)))
        );
      });
    const places = this.#known.flatMap((known) => known.places.filter(concerns));
    const domains = accountsOf(this.#across.ledger, "domain").filter(({ key }) =>
      found.some(({ subject }) => subject.name === key),
    );
    return {
      ...this.#build("finding", places, [...this.#setsOf(places), ...domains]),
      findings: found,
    };
  }

  #ofClusters(clusters: readonly Known[]): Omit<Explanation, "problems"> {
    const keys = new Set(clusters.map(({ state }) => state.cluster));
    const low = this.#across.found.flatMap(({ budget, subject }) =>
      budget !== null && subject.clusters.some((cluster) => keys.has(cluster))
        ? [accountOf(this.#across.ledger, budget.kind, budget.issuer, budget.key)]
        : [],
    );
    const built = this.#build(
      "cluster",
      clusters.flatMap(({ places }) => places),
      low,
    );
    const told = clusters.map((known) => this.#findingsOf(known));
    return {
      ...built,
      findings: told.flatMap(({ said }) => said),
      ignored: told.reduce((sum, { ignored }) => sum + ignored.length, 0),
      diagnoses: clusters
        .flatMap((known) => this.#doctorOf(known).all())
        .filter(({ verdict }) => verdict !== "none"),
      clusters: clusters.map(({ state }, i) => ({
        state,
        tally: tally(
          state,
          [...(told[i]?.said ?? []), ...(told[i]?.ignored ?? [])],
          this.#atMs,
          isStale(state, this.#view),
        ),
      })),
    };
  }

  #build(
    kind: Explanation["kind"],
    places: readonly CertificateEntry[],
    accounts: readonly Account[],
  ): Omit<Explanation, "problems"> {
    const { name, plan } = this.#input;
    const keys = new Set([
      bareName(name),
      ...places.map(titleOf),
      ...accounts.map(({ kind: of, key }) => (of === "domain" ? key : setLabel(key))),
      ...accounts.flatMap(({ kind: of, entries }) =>
        of === "set" ? entries.flatMap(({ issuance }) => issuance.domains) : [],
      ),
    ]);
    const secrets = new Set(
      places.map((place) => JSON.stringify([place.cluster, place.namespace, place.secret])),
    );
    const told = kind === "cluster" ? [] : this.#known.map((known) => this.#findingsOf(known));
    const concerns = ({ subject }: Finding): boolean =>
      secrets.has(JSON.stringify([subject.cluster, subject.namespace, subject.secret])) ||
      (subject.name !== null && subject.namespace === null && keys.has(subject.name));
    return {
      name,
      kind,
      atMs: this.#across.atMs,
      places: places.map((place) => this.#explainPlace(place)),
      accounts: distinct(accounts).map((account) => this.#explainAccount(account)),
      clusters: [],
      findings: told.flatMap(({ said }) => said.filter(concerns)),
      ignored: told.reduce((sum, { ignored }) => sum + ignored.filter(concerns).length, 0),
      diagnoses: this.#diagnosesOf(kind, places, accounts),
      looks: this.#known
        .filter(({ state }) => places.some(({ cluster }) => cluster === state.cluster))
        .flatMap(({ state }) =>
          observationsOf(state)
            .looks.filter(({ code, unread }) => code !== null || unread !== null)
            .map((look) => ({ ...look, cluster: state.cluster })),
        ),
      across: this.#across,
      planned: plan,
    };
  }

  #doctorOf({ state }: Known): Doctor {
    const doctor = this.#doctors.get(state.cluster) ?? createDoctor(state, this.#across);
    this.#doctors.set(state.cluster, doctor);
    return doctor;
  }

  /** Of every cluster that holds one of them, or that one was issued in. */
  #diagnosesOf(
    kind: Explanation["kind"],
    places: readonly CertificateEntry[],
    accounts: readonly Account[],
  ): Diagnosis[] {
    if (kind === "cluster") return [];
    const found = new Set<Diagnosis>();
    for (const known of this.#known) {
      const { cluster } = known.state;
      for (const place of places)
        if (place.cluster === cluster && kind !== "domain" && place.loss?.how !== "removed")
          found.add(this.#doctorOf(known).ofEntry(place));
      for (const { kind: of, issuer, key, entries } of accounts) {
        if (
          !entries.some(({ issuance }) =>
            issuance.sources.some((source) => source.cluster === cluster),
          )
        )
          continue;
        // A place without a known issuer stands for its set as well.
        if (of === "domain") {
          found.add(this.#doctorOf(known).ofDomain(issuer, key));
          for (const one of this.#doctorOf(known).all())
            if (
              one.verdict !== "none" &&
              one.key.split(",").some((name) => registeredDomain(name) === key)
            )
              found.add(one);
        } else if (!places.some((place) => place.cluster === cluster && setKeyOf(place) === key))
          found.add(this.#doctorOf(known).ofSet(issuer, key));
      }
    }
    return [...found];
  }

  #plannerOf(state: StateDocument): RecordedPlanner {
    const { cluster } = state;
    const planner = this.#planners.get(cluster) ?? recordedPlanner(state, this.#across.atMs);
    this.#planners.set(cluster, planner);
    return planner;
  }

  #explainPlace(entry: CertificateEntry): ExplainedPlace {
    const state = this.#known.find((known) => known.state.cluster === entry.cluster)?.state;
    if (state === undefined)
      return { entry, asLastSeen: null, copies: [], auditedAt: null, advice: null };
    const { record, verdict } = entry;
    const planner = this.#plannerOf(state);
    const copies = entry.backups
      .map(({ version, copy }) => ({
        version,
        cluster: state.cluster,
        serial: copy.serial,
        recordedAt: copy.recordedAt,
        notAfter: copy.notAfter,
        good: planner.isUsable(entry, version),
        retired: copy.retired !== undefined,
      }))
      .toSorted((a, b) => (a.recordedAt < b.recordedAt ? 1 : -1));
    return {
      entry,
      asLastSeen: lastSeenOf(state),
      copies,
      auditedAt: state.audit?.finishedAt ?? null,
      advice:
        record === null || record.staging || verdict?.valid === true
          ? null
          : adviceFor(state.cluster, entry, planner.helpFor(entry).backup, this.#across),
    };
  }

  #explainAccount(account: Account): ExplainedAccount {
    const { ledger, atMs } = this.#across;
    const { kind, issuer, key } = account;
    const { plan } = this.#input;
    const domains =
      kind === "domain"
        ? []
        : [...new Set(account.entries.flatMap(({ issuance }) => issuance.domains))].flatMap(
            (domain) => budgetOf(ledger, "domain", issuer, domain, atMs) ?? [],
          );
    const timeline =
      timelineOf(ledger, account, atMs) ??
      account.entries
        .filter(({ issuance }) => issuance.issuedAtMs <= atMs)
        .map(({ issuance }) => ({ issuance }));
    return {
      kind,
      issuer,
      key,
      budget: budgetOf(ledger, kind, issuer, key, atMs),
      domains,
      timeline,
      plan:
        plan === null
          ? null
          : kind === "domain"
            ? planNewNames(ledger, issuer, key, plan, atMs)
            : planSet(ledger, issuer, key.split(","), plan, atMs),
    };
  }
}

function distinct(accounts: readonly Account[]): Account[] {
  return [
    ...new Map(
      accounts.map((account) => [
        JSON.stringify([account.kind, account.issuer, account.key]),
        account,
      ]),
    ).values(),
  ];
}

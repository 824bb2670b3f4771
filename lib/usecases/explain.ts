/**
 * All that is known of one name: a certificate, a Secret, a registered domain, a cluster, or a
 * finding. Reads the states of all clusters and writes nothing.
 */
import { CertkeepError } from "../error.ts";
import type { Across } from "../finding/across.ts";
import { type Diagnosis, diagnosisVia } from "../diagnosis/cause.ts";
import { setKeyOf } from "../diagnosis/clusterindex.ts";
import type { RestoreFunction, Via } from "../finding/action.ts";
import { CODES } from "../finding/codes.ts";
import { type Finding, findingRef } from "../finding/finding.ts";
import type { IgnoreEntry } from "../finding/ignore.ts";
import { setLabel } from "../finding/issuance.ts";
import { bareName, isFor, isSecret, isUnder } from "../finding/place.ts";
import { type Account, accountOf, accountsOf } from "../ratelimit/ledger.ts";
import { registeredDomain, setOf } from "../ratelimit/limit.ts";
import { plain } from "../plain.ts";
import type { Explanation } from "../report/explain/explanation.ts";
import { certificates, type CertificateEntry, titleOf } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import { isUnnamed } from "../state/identity.ts";
import { type AcrossPorts, gatherAcross } from "./across.ts";
import { distinct, explainAccount, isSeenIn } from "./explain/account.ts";
import { KnownCluster } from "./explain/knowncluster.ts";
import { refuseSkipped, unknownName } from "./explain/unknown.ts";
import { isIntended } from "../state/secrets.ts";

export interface ExplainInput {
  readonly name: string;
  /** So many more certificates are to be planned; `null`: none. */
  readonly plan: number | null;
  readonly ignore: readonly IgnoreEntry[];
  readonly restore?: RestoreFunction | null;
  /** What offered commands are reached by. */
  readonly via?: Via | null;
}

/** A cluster that no configuration names is called by its context; its state by its identity. */
const UNNAMED = /^(?:uid|ca|server)-/;

type Found = Omit<Explanation, "problems">;

/** @throws CertkeepError usage where the name is unknown, with what was probably meant */
export async function explainName(ports: AcrossPorts, input: ExplainInput): Promise<Explanation> {
  const atMs = ports.clock.nowMs();
  const read: { state: StateDocument; entries: CertificateEntry[] }[] = [];
  const { across, problems } = await gatherAcross(ports, [], (state) => {
    // A state with an instant that is none throws here, and counts as damaged.
    read.push({ state, entries: [...certificates(state, atMs)] });
  });
  const { ignore, restore = null, via = null } = input;
  const view = { atMs, wallMs: ports.wall?.nowMs() ?? null, across, ignore, restore, via };
  const clusters = read
    // What a context was audited as before it was known to lead to a named cluster is outdated.
    .filter(({ state }) => !(isUnnamed(state) && across.firstNames.has(state.cluster)))
    .toSorted((a, b) => (a.state.cluster < b.state.cluster ? -1 : 1))
    .map(({ state, entries }) => new KnownCluster(state, entries, view));
  const explainer = new Explainer(clusters, across, input);
  const explanation = explainer.resolve();
  if (explanation !== null) {
    const diagnoses = explanation.diagnoses.map((one) => diagnosisVia(one, via));
    return { ...explanation, diagnoses, problems };
  }
  refuseSkipped(
    input.name,
    clusters.map(({ state }) => state),
  );
  throw unknownName(input.name, clusters.length, problems.length, explainer.names());
}

class Explainer {
  readonly #clusters: readonly KnownCluster[];
  readonly #across: Across;
  readonly #input: ExplainInput;

  constructor(clusters: readonly KnownCluster[], across: Across, input: ExplainInput) {
    this.#clusters = clusters;
    this.#across = across;
    this.#input = input;
  }

  /**
   * In this order: a finding, a cluster, a Secret with its namespace, a host name or set, a
   * registered domain, a Secret's name alone.
   */
  resolve(): Found | null {
    const { name, plan } = this.#input;
    const bare = bareName(name);
    const found = this.#findingsCalled(name);
    if (found.length > 0) return this.#ofFindings(found);
    const clusters = this.#clusters.filter(
      ({ state }) => state.cluster === name || state.title === name,
    );
    if (clusters.length > 0) {
      if (plan !== null)
        throw new CertkeepError("usage", {
          where: "--plan",
          found: `${plain(name)} is a cluster`,
          todo: "Name a host, or a registered domain such as a tailnet",
        });
      return this.#ofClusters(clusters);
    }
    const inSecret = this.#entries((entry) => isSecret(entry, name));
    if (name.includes("/") && inSecret.length > 0)
      return this.#build("secret", inSecret, this.#setsOf(inSecret));
    const sets = this.#setsCalled(bare);
    const named = this.#entries((entry) => isFor(entry, bare));
    if (named.length > 0 || sets.length > 0)
      return this.#build("certificate", named, [...this.#setsOf(named), ...sets]);
    const domains = this.#accounts("domain").filter(({ key }) => key === bare);
    const under = this.#entries((entry) => isUnder(entry, bare));
    if (domains.length > 0 || under.length > 0) return this.#build("domain", under, domains);
    if (inSecret.length > 0) return this.#build("secret", inSecret, this.#setsOf(inSecret));
    return this.#ofReports(name);
  }

  names(): string[] {
    const names = [
      ...this.#clusters.flatMap(({ state, entries }) => [
        state.cluster,
        state.title,
        ...entries.flatMap((entry) => [titleOf(entry), entry.key, entry.secret]),
      ]),
      ...this.#accounts("domain").map(({ key }) => key),
      ...this.#accounts("set").flatMap(({ key }) => key.split(",")),
    ];
    return [...new Set(names), ...Object.keys(CODES)].filter(({ length }) => length <= 255);
  }

  #accounts(kind: Account["kind"]): readonly Account[] {
    return accountsOf(this.#across.ledger, kind);
  }

  #entries(fits: (entry: CertificateEntry) => boolean): CertificateEntry[] {
    return this.#clusters.flatMap(({ entries }) => entries.filter(fits));
  }

  #setsCalled(name: string): Account[] {
    const { key } = setOf(name.split(","));
    return this.#accounts("set").filter(
      (account) =>
        account.key === key || (!name.includes(",") && account.key.split(",").includes(name)),
    );
  }

  #setsOf(entries: readonly CertificateEntry[]): Account[] {
    return entries.flatMap(({ record }) =>
      record === null || record.issuer === null
        ? []
        : [accountOf(this.#across.ledger, "set", record.issuer, setOf(record.names).key)],
    );
  }

  #findingsCalled(name: string): readonly Finding[] {
    const code = name.split(/[|:]/)[0] ?? "";
    if (!Object.hasOwn(CODES, code)) return [];
    return this.#clusters
      .flatMap(({ findings }) => findings.said)
      .filter(
        (finding) =>
          finding.code === code &&
          (name === code || finding.id === name || findingRef(finding) === name),
      );
  }

  #ofFindings(found: readonly Finding[]): Found {
    const concerned = this.#entries((entry) => found.some((one) => concerns(one, entry)));
    const domains = this.#accounts("domain").filter(({ key }) =>
      found.some(({ subject }) => subject.name === key),
    );
    const built = this.#build("finding", concerned, [...this.#setsOf(concerned), ...domains]);
    return { ...built, findings: found };
  }

  /** A name of which no certificate is known, and findings are: from a log, for instance. */
  #ofReports(name: string): Found | null {
    const isAbout = ({ subject }: Finding): boolean =>
      subject.secret === name ||
      `${subject.namespace}/${subject.secret}` === name ||
      (subject.name !== null && bareName(subject.name) === bareName(name));
    const { key } = setOf(bareName(name).split(","));
    const clusters = this.#clusters.filter(({ findings: { said, ignored } }) =>
      [...said, ...ignored].some(isAbout),
    );
    if (clusters.length === 0) return null;
    return {
      ...this.#build("certificate", [], []),
      findings: clusters.flatMap(({ findings }) => findings.said.filter(isAbout)),
      ignored: clusters.flatMap(({ findings }) => findings.ignored.filter(isAbout)).length,
      diagnoses: clusters
        .map(({ doctor }) => doctor.ofSet(null, key))
        .filter(({ verdict }) => verdict !== "none"),
      looks: clusters.flatMap(({ unread }) => unread),
    };
  }

  #ofClusters(clusters: readonly KnownCluster[]): Found {
    const names = new Set(clusters.map(({ name }) => name));
    const low = this.#across.found.flatMap(({ budget, subject }) =>
      budget !== null && subject.clusters.some((cluster) => names.has(cluster))
        ? [accountOf(this.#across.ledger, budget.kind, budget.issuer, budget.key)]
        : [],
    );
    return {
      ...this.#build(
        "cluster",
        clusters.flatMap(({ entries }) => entries),
        low,
      ),
      findings: clusters.flatMap(({ findings }) => findings.said),
      ignored: clusters.reduce((sum, { findings }) => sum + findings.ignored.length, 0),
      diagnoses: clusters.flatMap(({ doctor }) =>
        doctor.all().filter(({ verdict }) => verdict !== "none"),
      ),
      clusters: clusters.map((cluster) => cluster.summary()),
    };
  }

  #build(
    kind: Explanation["kind"],
    entries: readonly CertificateEntry[],
    accounts: readonly Account[],
  ): Found {
    const { name, plan } = this.#input;
    const names = new Set([
      bareName(name),
      ...entries.map(titleOf),
      ...accounts.flatMap((account) =>
        account.kind === "domain"
          ? [account.key]
          : [setLabel(account.key), ...account.entries.flatMap(({ issuance }) => issuance.domains)],
      ),
    ]);
    const secrets = new Set(entries.map(({ cluster, key }) => `${cluster} ${key}`));
    const isNamed = ({ subject: { cluster, namespace, secret, name: of } }: Finding): boolean =>
      secrets.has(`${cluster} ${namespace}/${secret}`) ||
      (of !== null && secret === null && names.has(of));
    const found = kind === "cluster" ? [] : this.#clusters.map(({ findings }) => findings);
    const byCluster = Map.groupBy(entries, ({ cluster }) => cluster);
    return {
      name,
      kind,
      atMs: this.#across.atMs,
      places: this.#clusters.flatMap((cluster) =>
        (byCluster.get(cluster.name) ?? []).map((entry) => cluster.explain(entry)),
      ),
      accounts: distinct(accounts).map((account) => explainAccount(account, this.#across, plan)),
      clusters: [],
      findings: found.flatMap(({ said }) => said.filter(isNamed)),
      ignored: found.reduce((sum, { ignored }) => sum + ignored.filter(isNamed).length, 0),
      diagnoses: kind === "cluster" ? [] : this.#diagnosesOf(kind, entries, distinct(accounts)),
      looks: this.#clusters.flatMap((one) => (byCluster.has(one.name) ? one.unread : [])),
      across: this.#across,
      names: new Map(
        this.#clusters.flatMap(({ state: { cluster, title } }) =>
          UNNAMED.test(cluster) ? [[cluster, title] as const] : [],
        ),
      ),
      planned: plan,
    };
  }

  /** Of every cluster that holds one of them, or in which one was issued. */
  #diagnosesOf(
    kind: Explanation["kind"],
    entries: readonly CertificateEntry[],
    accounts: readonly Account[],
  ): Diagnosis[] {
    const found = new Set<Diagnosis>();
    for (const known of this.#clusters) {
      const { name } = known;
      const here = entries.filter(({ cluster }) => cluster === name);
      if (kind !== "domain")
        for (const entry of here)
          if (!isIntended(entry.loss)) found.add(known.doctor.ofEntry(entry));
      for (const account of accounts) {
        const { issuer, key } = account;
        if (!isSeenIn(account, name) || this.#across.staging.has(issuer)) continue;
        if (account.kind === "domain") {
          found.add(known.doctor.ofDomain(issuer, key));
          for (const one of known.doctor.all())
            if (
              one.verdict !== "none" &&
              one.key.split(",").some((host) => registeredDomain(host) === key)
            )
              found.add(one);
        } else if (!here.some((entry) => setKeyOf(entry) === key)) {
          // An entry without a known issuer stands for its set as well.
          found.add(known.doctor.ofSet(issuer, key));
        }
      }
    }
    return [...found];
  }
}

function concerns({ subject }: Finding, entry: CertificateEntry): boolean {
  const { cluster, namespace, secret, name } = subject;
  if (cluster !== entry.cluster) return false;
  if (secret !== null)
    return (
      namespace === entry.namespace &&
      secret === entry.secret &&
      (name === null || name === entry.name)
    );
  const { record } = entry;
  return (
    name !== null &&
    (name === entry.name || (record !== null && name === setLabel(setOf(record.names).key)))
  );
}

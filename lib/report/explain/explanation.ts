/** All that is known of one name, as data. */
import type { Across } from "../../finding/across.ts";
import type { Finding } from "../../finding/finding.ts";
import type { Counts } from "../../finding/counts.ts";
import type { CertkeepError } from "../../error.ts";
import type { Diagnosis } from "../../diagnosis/cause.ts";
import type { Advice } from "../../ratelimit/advice.ts";
import type { Budget, TimelineEntry } from "../../ratelimit/budget.ts";
import type { Account } from "../../ratelimit/ledger.ts";
import type { Plan } from "../../ratelimit/plan.ts";
import type { CertificateEntry } from "../../state/certificates.ts";
import type { StateDocument } from "../../state/document.ts";
import type { SourceStatus } from "../../state/signals.ts";
import type { Page } from "../text.ts";

export interface ExplainedBackup {
  readonly version: string;
  readonly cluster: string;
  readonly serial: string | null;
  readonly recordedAt: string;
  readonly notAfter: string | null;
  readonly good: boolean;
  readonly retired: boolean;
}

export interface ExplainedPlace {
  readonly entry: CertificateEntry;
  /** The cluster can't be reached now: as last seen then, RFC 3339. */
  readonly asLastSeen: string | null;
  readonly copies: readonly ExplainedBackup[];
  /** End of its cluster's last audit, RFC 3339; `null`: none. */
  readonly auditedAt: string | null;
  /** For one that is rejected or missing. */
  readonly advice: Advice | null;
}

/** A set of names, or a registered domain, of one issuer. */
export interface ExplainedAccount extends Pick<Account, "kind" | "issuer" | "key"> {
  /** `null`: no limit is known. */
  readonly budget: Budget | null;
  /** Of a set: its registered domains' limits. */
  readonly domains: readonly Budget[];
  /** With the bucket's level after each where a limit is known. */
  readonly timeline: readonly (Pick<TimelineEntry, "issuance"> & Partial<TimelineEntry>)[];
  readonly plan: Plan | null;
}

export interface Explanation {
  readonly name: string;
  readonly kind: "certificate" | "secret" | "domain" | "cluster" | "finding";
  readonly atMs: number;
  readonly places: readonly ExplainedPlace[];
  readonly accounts: readonly ExplainedAccount[];
  readonly clusters: readonly { readonly state: StateDocument; readonly tally: Counts }[];
  readonly findings: readonly Finding[];
  readonly ignored: number;
  /** Of each set and cluster; of a cluster those alone that need a cause. */
  readonly diagnoses: readonly Diagnosis[];
  /** Sources besides Secrets that weren't read completely, of the clusters concerned. */
  readonly looks: readonly (SourceStatus & { readonly cluster: string })[];
  readonly across: Across;
  /** What people call each cluster, by the name of its state. */
  readonly names: ReadonlyMap<string, string>;
  /** How many more certificates were to be planned; `null`: none. */
  readonly planned: number | null;
  readonly problems: readonly CertkeepError[];
}

export interface ExplainPage extends Page {
  /** Width of tables: of a terminal its own; without end in a pipe. */
  readonly room: number;
  readonly verbose: boolean;
}

export function clusterName({ names }: Pick<Explanation, "names">, cluster: string): string {
  return names.get(cluster) ?? cluster;
}

/** Clusters that hold it; where none does, those that report it. */
export function ownClusters({ places, diagnoses }: Explanation): ReadonlySet<string> {
  const holders = new Set(places.map(({ entry }) => entry.cluster));
  return holders.size > 0 ? holders : new Set(diagnoses.map(({ cluster }) => cluster));
}

/** Whether what other clusters report is among it, which is never shown without their names. */
export function isOfSeveral({ places }: Explanation, clusters: readonly string[]): boolean {
  return new Set([...places.map(({ entry }) => entry.cluster), ...clusters]).size > 1;
}

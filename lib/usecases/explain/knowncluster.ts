/** A cluster as its state shows it, with what is worked out of that only when asked for. */
import { Doctor } from "../../diagnosis/diagnose.ts";
import { adviceFor } from "../../finding/advise.ts";
import {
  type ClusterFindings,
  clusterFindings,
  type FindingsView,
  isStale,
} from "../../finding/cluster.ts";
import { lastSeenOf } from "../../finding/reach.ts";
import { countCertificates } from "../../finding/counts.ts";
import type { Across } from "../../finding/across.ts";
import type { ExplainedPlace, Explanation } from "../../report/explain/explanation.ts";
import { recordedPlanner, type RecordedPlanner } from "../../restoreplan/recorded.ts";
import type { CertificateEntry } from "../../state/certificates.ts";
import type { StateDocument } from "../../state/document.ts";
import { observationsOf } from "../../state/observations.ts";

export class KnownCluster {
  readonly state: StateDocument;
  readonly entries: readonly CertificateEntry[];
  readonly #view: FindingsView & { readonly across: Across };
  #findings: ClusterFindings | null = null;
  #doctor: Doctor | null = null;
  #planner: RecordedPlanner | null = null;

  constructor(
    state: StateDocument,
    entries: readonly CertificateEntry[],
    view: FindingsView & { readonly across: Across },
  ) {
    this.state = state;
    this.entries = entries;
    this.#view = view;
  }

  get name(): string {
    return this.state.cluster;
  }

  get findings(): ClusterFindings {
    return (this.#findings ??= clusterFindings(this.state, this.#view));
  }

  get doctor(): Doctor {
    return (this.#doctor ??= new Doctor(this.state, this.#view.across));
  }

  /** Sources besides Secrets that weren't read completely. */
  get unread(): Explanation["looks"] {
    return observationsOf(this.state)
      .looks.filter(({ code, unread }) => code !== null || unread !== null)
      .map((status) => ({ ...status, cluster: this.name }));
  }

  summary(): Explanation["clusters"][number] {
    const { said, ignored } = this.findings;
    const stale = isStale(this.state, this.#view);
    return {
      state: this.state,
      tally: countCertificates(this.state, [...said, ...ignored], this.#view.atMs, stale),
    };
  }

  explain(entry: CertificateEntry): ExplainedPlace {
    const { across, atMs } = this.#view;
    const planner = (this.#planner ??= recordedPlanner(this.state, atMs));
    const { record, verdict } = entry;
    const copies = entry.backups.map(({ version, copy }) => ({
      version,
      cluster: this.name,
      serial: copy.serial,
      recordedAt: copy.recordedAt,
      notAfter: copy.notAfter,
      good: planner.isUsable(entry, version),
      retired: copy.retired !== undefined,
    }));
    return {
      entry,
      asLastSeen: lastSeenOf(this.state),
      copies: copies.toSorted((a, b) => (a.recordedAt < b.recordedAt ? 1 : -1)),
      auditedAt: this.state.audit?.finishedAt ?? null,
      advice:
        record === null || record.staging || verdict?.valid === true
          ? null
          : adviceFor(this.name, entry, planner.helpFor(entry).backup, across),
    };
  }
}

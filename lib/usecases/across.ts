/**
 * The issuances of all clusters: those just audited, and the states of all others that the store
 * holds, also of clusters that this run doesn't audit; and what certificate logs hold of domains.
 * What can't be read is a silence, and reported.
 */
import pLimit from "p-limit";
import {
  type Across,
  type ClusterPart,
  createAcross,
  partOf,
  unreadPart,
} from "../finding/across.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
import type { StateStore } from "../ports/stores.ts";
import type { StateDocument } from "../state/document.ts";
import { NO_EVIDENCE, type Silence } from "../ratelimit/evidence.ts";
import {
  transparencyDomain,
  transparencyEvidence,
  transparencyName,
} from "../state/transparency.ts";
import type { AuditPorts, JudgeKit } from "./audit/context.ts";
import { loadState, loadTransparency, stateKeysIn } from "./states.ts";

export type AcrossPorts = Pick<AuditPorts, "states" | "clock" | "wall" | "overrides"> & {
  readonly kit: Pick<JudgeKit, "issuers">;
};

export interface GatheredAcross {
  readonly across: Across;
  readonly problems: readonly CertkeepError[];
}

const READS_AT_ONCE = 4;

/**
 * Sources that nobody asked: they say nothing, which is not “nothing”. Those that were asked tell
 * of themselves in each state.
 */
function silent(parts: readonly ClusterPart[], searched: boolean): readonly Silence[] {
  const none = (source: Silence["source"], cluster: string | null = null): Silence => ({
    source,
    cluster,
    reason: "not_enabled",
    sinceMs: null,
  });
  const asked = parts.some(({ logsAsked }) => logsAsked === true);
  const logs = asked
    ? parts
        .filter(({ logsAsked }) => logsAsked === false)
        .map(({ cluster }) => none("log", cluster))
    : [none("log")];
  return [...logs, ...(searched ? [] : [none("ct")])];
}

/**
 * `known` are states at hand, taken as they are; `visit` sees each other one as it is read; `shown`
 * are the clusters that are reported on, by default all. Never throws for what one state does.
 */
export async function gatherAcross(
  ports: AcrossPorts,
  known: readonly StateDocument[],
  visit: (state: StateDocument) => void = () => {},
  shown?: ReadonlySet<string>,
): Promise<GatheredAcross> {
  const { states, clock, wall = clock } = ports;
  const atMs = clock.nowMs();
  const nowMs = Math.max(wall.nowMs(), atMs);
  const gathering = new Gathering(states, known, { atMs, nowMs });
  await gathering.readAll(visit);
  const { parts, problems, searched } = gathering;
  const across = createAcross(
    parts.toSorted((a, b) => (a.cluster < b.cluster ? -1 : 1)),
    {
      issuers: ports.kit.issuers,
      overrides: ports.overrides ?? [],
      atMs,
      nowMs,
      silences: silent(parts, searched),
      ...(shown === undefined ? {} : { shown }),
    },
  );
  return { across, problems };
}

class Gathering {
  readonly parts: ClusterPart[];
  readonly problems: CertkeepError[] = [];
  /** Whether certificate logs were ever searched. */
  searched = false;
  readonly #states: StateStore;
  readonly #known: ReadonlySet<string>;
  readonly #times: { readonly atMs: number; readonly nowMs: number };

  constructor(
    states: StateStore,
    known: readonly StateDocument[],
    times: { readonly atMs: number; readonly nowMs: number },
  ) {
    this.#states = states;
    this.#times = times;
    this.#known = new Set(known.map(({ cluster }) => cluster));
    this.parts = known.map((state) => partOf(state, times.atMs));
  }

  async readAll(visit: (state: StateDocument) => void): Promise<void> {
    const limit = pLimit(READS_AT_ONCE);
    try {
      const names = await this.#states.names();
      const domains = names.flatMap((name) => transparencyDomain(name) ?? []);
      this.searched = domains.length > 0;
      await Promise.all([
        ...stateKeysIn(names)
          .filter((key) => !this.#known.has(key))
          .map((key) => limit(() => this.#readState(key, visit))),
        ...domains.map((domain) => limit(() => this.#readLogged(domain))),
      ]);
    } catch (error) {
      this.#failed(error, "all");
    }
  }

  async #readState(key: string, visit: (state: StateDocument) => void): Promise<void> {
    try {
      const loaded = await loadState(this.#states, key);
      if (loaded === null) return;
      // A copied document still counts once, as what it lies under.
      const state = { ...loaded.state, cluster: key };
      const part = partOf(state, this.#times.atMs);
      visit(state);
      this.parts.push(part);
    } catch (error) {
      // A state of this format may still hold an instant that is none: that is damage as well.
      const damaged = error instanceof RangeError;
      this.#failed(damaged ? invalidInstant(this.#states, key) : error, key);
    }
  }

  #failed(error: unknown, cluster: string): void {
    if (!isCertkeepError(error)) throw error;
    this.problems.push(error);
    this.parts.push(unreadPart(cluster, error.code));
  }

  async #readLogged(domain: string): Promise<void> {
    const nothing = unreadPart(transparencyName(domain), "");
    try {
      const loaded = await loadTransparency(this.#states, domain);
      if (loaded === null) return;
      const evidence = transparencyEvidence(loaded.document, this.#times.nowMs);
      this.parts.push({ ...nothing, evidence });
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      const { code: reason } = error;
      const silences = [{ source: "ct", cluster: null, reason, sinceMs: null } as const];
      this.problems.push(error);
      this.parts.push({ ...nothing, evidence: { ...NO_EVIDENCE, silences } });
    }
  }
}

function invalidInstant({ url }: StateStore, key: string): CertkeepError {
  return new CertkeepError("state_damaged", {
    where: `${url}, state of ${key}`,
    found: "an instant that is none",
    expected: "RFC 3339",
  });
}

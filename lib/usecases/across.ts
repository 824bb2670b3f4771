/**
 * The issuances of all clusters: those just audited, and the states of all others that the store
 * holds, also of clusters that this run doesn't look at; and beside them what certificate logs told
 * of domains. What can't be read is a silence, and told.
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
import type { LimitOverride } from "../ratelimit/limit.ts";
import type { Issuer } from "../issuer/issuers.ts";
import type { Clock } from "../ports/runtime.ts";
import type { StateStore } from "../ports/stores.ts";
import type { StateDocument } from "../state/document.ts";
import { NO_EVIDENCE, type Silence } from "../ratelimit/evidence.ts";
import {
  transparencyDomain,
  transparencyEvidence,
  transparencyName,
} from "../state/transparency.ts";
import { loadTransparency } from "./transparency.ts";
import { loadState, stateKeysIn } from "./states.ts";

export interface AcrossPorts {
  readonly states: StateStore;
  /** The instant that is asked about. */
  readonly clock: Clock;
  /** The time it really is, where `clock` tells another. */
  readonly wall?: Clock;
  readonly kit: { readonly issuers: readonly Issuer[] };
  readonly overrides?: readonly LimitOverride[];
}

export interface GatheredAcross {
  readonly across: Across;
  /** States that could not be read. */
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
  const atMs = ports.clock.nowMs();
  const nowMs = Math.max(
    (ports.wall ?? ports.clock).nowMs(),
    ports.wall === undefined ? Number.NEGATIVE_INFINITY : atMs,
  );
  const problems: CertkeepError[] = [];
  const parts: ClusterPart[] = known.map((state) => partOf(state, atMs));
  const have = new Set(known.map(({ cluster }) => cluster));
  const limit = pLimit(READS_AT_ONCE);
  const read = async (key: string): Promise<void> => {
    try {
      const loaded = await loadState(ports.states, key);
      if (loaded === null) return;
      // A copied document still counts once, as what it lies under.
      const state = { ...loaded.state, cluster: key };
      const part = partOf(state, atMs);
      visit(state);
      parts.push(part);
    } catch (error) {
      // A state of this format may still hold an instant that is none: that is damage as well.
      const problem =
        error instanceof RangeError
          ? new CertkeepError("state_damaged", {
              where: `${ports.states.url}, state of ${key}`,
              found: "an instant that is none",
              expected: "RFC 3339",
            })
          : error;
      if (!isCertkeepError(problem)) throw error;
      problems.push(problem);
      parts.push(unreadPart(key, problem.code));
    }
  };
  const readLogged = async (domain: string): Promise<void> => {
    const nothing = unreadPart(transparencyName(domain), "");
    try {
      const loaded = await loadTransparency(ports.states, domain);
      if (loaded !== null)
        parts.push({ ...nothing, evidence: transparencyEvidence(loaded.document, nowMs) });
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      problems.push(error);
      parts.push({
        ...nothing,
        evidence: {
          ...NO_EVIDENCE,
          silences: [{ source: "ct", cluster: null, reason: error.code, sinceMs: null }],
        },
      });
    }
  };
  let searched = false;
  try {
    const names = await ports.states.names();
    const domains = names.flatMap((name) => transparencyDomain(name) ?? []);
    searched = domains.length > 0;
    await Promise.all([
      ...stateKeysIn(names)
        .filter((key) => !have.has(key))
        .map((key) => limit(read, key)),
      ...domains.map((domain) => limit(readLogged, domain)),
    ]);
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    problems.push(error);
    parts.push(unreadPart("all", error.code));
  }
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

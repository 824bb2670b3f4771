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
import { CertkeepError, isCertkeepError, orError } from "../error.ts";
import type { StateStore } from "../ports/stores.ts";
import type { StateDocument } from "../state/document.ts";
import { NO_EVIDENCE, type Silence } from "../ratelimit/evidence.ts";
import {
  transparencyDomain,
  transparencyEvidence,
  transparencyName,
} from "../state/transparency.ts";
import type { AuditPorts, JudgeKit } from "./audit/context.ts";
import {
  DAMAGED_STATE,
  type LoadedTransparency,
  loadTransparency,
  readState,
  stateKeysIn,
} from "./states.ts";

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
  const problems: CertkeepError[] = [];
  const parts = known.map((state) => partOf(state, atMs));
  const failed = (error: unknown, cluster: string): void => {
    if (!isCertkeepError(error)) throw error;
    problems.push(error);
    parts.push(unreadPart(cluster, error.code));
  };
  const addState = async (key: string): Promise<void> => {
    try {
      const loaded = await readState(states, key);
      if (loaded === null) return;
      // A copied document still counts once, as what it lies under.
      const state = { ...loaded, cluster: key };
      const part = partOf(state, atMs);
      visit(state);
      parts.push(part);
    } catch (error) {
      // A state of this format may still hold an instant that is none: that is damage as well.
      failed(error instanceof RangeError ? invalidInstant(states, key) : error, key);
    }
  };
  const addLogged = async (domain: string): Promise<void> => {
    const loaded = await orError(loadTransparency(states, domain));
    if (isCertkeepError(loaded)) problems.push(loaded);
    if (loaded !== null) parts.push(loggedPart(domain, loaded, nowMs));
  };
  const names = await orError(states.names());
  if (isCertkeepError(names)) failed(names, "all");
  const all = isCertkeepError(names) ? [] : names;
  const domains = all.flatMap((name) => transparencyDomain(name) ?? []);
  const atHand = new Set(known.map(({ cluster }) => cluster));
  const limit = pLimit(READS_AT_ONCE);
  await Promise.all([
    ...stateKeysIn(all)
      .filter((key) => !atHand.has(key))
      .map((key) => limit(addState, key)),
    ...domains.map((domain) => limit(addLogged, domain)),
  ]);
  const across = createAcross(
    parts.toSorted((a, b) => (a.cluster < b.cluster ? -1 : 1)),
    {
      issuers: ports.kit.issuers,
      overrides: ports.overrides ?? [],
      atMs,
      nowMs,
      silences: silent(parts, domains.length > 0),
      ...(shown === undefined ? {} : { shown }),
    },
  );
  return { across, problems };
}

function loggedPart(
  domain: string,
  loaded: LoadedTransparency | CertkeepError,
  nowMs: number,
): ClusterPart {
  const nothing = unreadPart(transparencyName(domain), "");
  if (!isCertkeepError(loaded))
    return { ...nothing, evidence: transparencyEvidence(loaded.document, nowMs) };
  const silence = { source: "ct", cluster: null, reason: loaded.code, sinceMs: null } as const;
  return { ...nothing, evidence: { ...NO_EVIDENCE, silences: [silence] } };
}

function invalidInstant({ url }: StateStore, key: string): CertkeepError {
  return new CertkeepError("state_damaged", {
    where: `${url}, state of ${key}`,
    found: "a time in it isn't RFC 3339",
    todo: DAMAGED_STATE,
  });
}

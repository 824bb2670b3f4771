/**
 * The logs of all pods that issue, some at a time, within a number of bytes: what they say, what
 * they claim, and for which sets they are whole. Those that were read longest ago come first, so
 * that a bound starves nobody.
 */
import pLimit from "p-limit";
import {
  type Coverage,
  type Evidence,
  mergeEvidence,
  NO_EVIDENCE,
} from "../../../ratelimit/evidence.ts";
import { claimsOf } from "../../../ratelimit/log/claims.ts";
import type { LogReading } from "../../../ratelimit/log/reader.ts";
import { setOf } from "../../../ratelimit/limit.ts";
import type { PodFacts } from "../../../ports/cluster.ts";
import type { SecretRecord, StateDocument } from "../../../state/document.ts";
import type { LogSignal, SourceStatus } from "../../../state/signals.ts";
import { standingSecrets } from "../../../state/secrets.ts";
import { type ContainerRead, type ContainerTarget, readContainer, scopeOf } from "./container.ts";
import { issuerOfClaims } from "./issuer.ts";
import { type ObserveContext, readBefore, statusCode, statusOf } from "./sourcestatus.ts";
import { containerOf, mayIssue, type Writer, writes } from "./writers.ts";

const PODS_AT_ONCE = 4;
const MAX_PODS = 200;
const LOG_BYTES = 4 * 1024 * 1024;
const ALL_BYTES = 32 * 1024 * 1024;
/** A line may be under way when a log is read. */
const SETTLED_MS = 1_000;

export interface LogsRead {
  readonly looks: readonly SourceStatus[];
  readonly signs: readonly LogSignal[];
  readonly evidence: Evidence;
}

function countOn(before: readonly LogSignal[], readings: readonly LogReading[]): LogSignal[] {
  const keyOf = ({ kind, code, domain, where }: LogSignal): string =>
    JSON.stringify([kind, code, domain, where]);
  const known = new Map(before.map((signal) => [keyOf(signal), signal]));
  const counted = new Map<string, LogSignal>();
  for (const signal of readings.flatMap(({ signals }) => signals)) {
    const key = keyOf(signal);
    const last = counted.get(key) ?? known.get(key);
    counted.set(
      key,
      last === undefined
        ? signal
        : {
            ...(signal.lastMs >= last.lastMs ? signal : last),
            // A notice of lines that were held back doesn't say what they said.
            sample: isNotice(signal) || signal.lastMs < last.lastMs ? last.sample : signal.sample,
            firstMs: Math.min(last.firstMs, signal.firstMs),
            count: last.count + signal.count,
          },
    );
  }
  return [...counted.values()];
}

function isNotice({ sample }: LogSignal): boolean {
  return sample.startsWith("[RATELIMIT] ");
}

/** Sets of one name that this pod alone writes, and one Secret alone holds. */
function soleSets(
  pod: PodFacts,
  pods: readonly PodFacts[],
  writers: readonly Writer[],
  state: StateDocument,
): readonly string[] {
  const sets = writers
    .filter(
      (writer) => writes(pod, writer) && pods.filter((other) => writes(other, writer)).length === 1,
    )
    .flatMap(({ domains }) => domains.map((domain) => setOf([domain]).key));
  return [...new Set(sets)].filter(
    (set) =>
      [...standingSecrets(state)].filter(({ record }) => holds(record, set)).length <= 1 &&
      writers.filter(({ domains }) => domains.includes(set)).length === 1,
  );
}

function holds(record: SecretRecord, set: string): boolean {
  return Object.values(record.certificates).some(
    ({ names, domain }) => setOf(names).key === set || domain?.toLowerCase() === set,
  );
}

function coverageOf(
  sets: readonly string[],
  { wholeFromMs: fromMs, status }: ContainerRead,
  cluster: string,
  issuerOf: (domain: string) => string,
): readonly Coverage[] {
  if (fromMs === null) return [];
  return sets.map((set) => ({
    source: "log" as const,
    cluster,
    issuer: issuerOf(set),
    scope: { kind: "set" as const, key: set },
    fromMs,
    untilMs: status.askedMs - SETTLED_MS,
  }));
}

interface PodLog {
  readonly pod: PodFacts;
  readonly target: ContainerTarget;
  readonly directory: string | undefined;
  readonly last: SourceStatus | null;
}

function podLogs(pods: readonly PodFacts[], before: readonly SourceStatus[]): readonly PodLog[] {
  const statuses = new Map(
    before.filter(({ source }) => source === "logs").map((status) => [status.scope, status]),
  );
  return pods
    .filter(mayIssue)
    .flatMap((pod): PodLog[] => {
      const container = containerOf(pod);
      if (container === null) return [];
      const target = {
        namespace: pod.namespace,
        pod: pod.name,
        container: container.name,
        startedMs: container.startedMs,
        restarts: container.restarts,
        operator: pod.labels["app"] === "operator",
      };
      const last = statuses.get(scopeOf(target)) ?? null;
      return [{ pod, target, directory: container.acmeDirectory, last }];
    })
    .toSorted((a, b) => (a.last?.askedMs ?? 0) - (b.last?.askedMs ?? 0));
}

/**
 * `done` is called for each log as soon as it is read, so that what an end of time leaves out is
 * that alone.
 */
export async function readLogs(
  pods: readonly PodFacts[],
  writers: readonly Writer[],
  context: ObserveContext,
  done: (part: LogsRead) => void,
): Promise<void> {
  const { signal, before } = context;
  let left = ALL_BYTES;
  const read = async (log: PodLog, index: number): Promise<void> => {
    const { target, last } = log;
    const skip = (code: string): void => {
      const status = statusOf(context, "logs", scopeOf(target), { code, ...readBefore(last) });
      done({ looks: [status], signs: [], evidence: NO_EVIDENCE });
    };
    if (index >= MAX_PODS || left <= 0) return skip("too_much");
    if (signal.aborted) return skip("timeout");
    try {
      const found = await readContainer(target, {
        ...context,
        last,
        allowance: () => Math.max(1, Math.min(LOG_BYTES, left)),
        spend: (bytes) => (left -= bytes),
      });
      done({
        looks: [found.status],
        signs: countOn(before.signs, found.readings),
        evidence: evidenceOf(log, found, { pods, writers, context }),
      });
    } catch (error) {
      skip(statusCode(error));
    }
  };
  const limit = pLimit(PODS_AT_ONCE);
  await Promise.all(podLogs(pods, before.looks).map((log, index) => limit(read, log, index)));
}

interface Known {
  readonly pods: readonly PodFacts[];
  readonly writers: readonly Writer[];
  readonly context: ObserveContext;
}

function evidenceOf(
  { pod, directory }: PodLog,
  read: ContainerRead,
  { pods, writers, context: { state, issuers, nowMs } }: Known,
): Evidence {
  const { cluster } = state;
  const source = {
    issuers,
    directory,
    own: writers.flatMap((writer) => (writes(pod, writer) ? writer.lastCertificates : [])),
    all: writers.flatMap(({ lastCertificates }) => lastCertificates),
  };
  const issuerFor = (readings: readonly LogReading[]): ((domain: string | null) => string) =>
    issuerOfClaims({ ...source, seen: readings.flatMap(({ directories }) => directories) });
  const claims = read.readings.map((reading) =>
    claimsOf(reading, { cluster, issuerOf: issuerFor([reading]), nowMs }),
  );
  const sets = soleSets(pod, pods, writers, state);
  const coverage = coverageOf(sets, read, cluster, issuerFor(read.readings));
  return mergeEvidence(...claims, { ...NO_EVIDENCE, coverage });
}

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
import { setOf } from "../../../ratelimit/names.ts";
import type { PodFacts } from "../../../ports/cluster.ts";
import type { SecretRecord, StateDocument } from "../../../state/document.ts";
import type { LogSignal, SourceStatus } from "../../../state/signals.ts";
import { standingSecrets } from "../../../state/secrets.ts";
import { type ContainerRead, type ContainerTarget, readContainer, scopeOf } from "./container.ts";
import type { ObserveContext } from "./context.ts";
import { statusOf, statusCode } from "./sourcestatus.ts";
import { containerOf, mayIssue, type Writer, writes } from "./writers.ts";

const PODS_AT_ONCE = 4;
/** Pods read in one audit. */
const MAX_PODS = 200;
/** Of one log, and of all in one audit. */
const LOG_BYTES = 4 * 1024 * 1024;
const ALL_BYTES = 32 * 1024 * 1024;
/** A line may be under way when a log is read. */
const SETTLED_MS = 1_000;

export interface LogsRead {
  readonly looks: readonly SourceStatus[];
  readonly signs: readonly LogSignal[];
  readonly evidence: Evidence;
}

/**
 * Whose certificates a name's are, by what is recorded; Tailscale orders from Let's Encrypt where
 * nothing says otherwise.
 */
function issuersOf(state: StateDocument): (domain: string | null, staging: boolean) => string {
  const issuers = new Map<string, string>();
  for (const { record } of standingSecrets(state)) {
    for (const { domain, issuer } of Object.values(record.certificates))
      if (domain !== null && issuer !== null) issuers.set(domain.toLowerCase(), issuer);
  }
  return (domain, staging) =>
    (domain === null ? undefined : issuers.get(domain)) ??
    (staging ? "letsencrypt-staging" : "letsencrypt");
}

/** Signals counted on from those before. */
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
            firstMs: Math.min(last.firstMs, signal.firstMs),
            count: last.count + signal.count,
          },
    );
  }
  return [...counted.values()];
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
  read: ContainerRead,
  cluster: string,
  issuerOf: (domain: string) => string,
): readonly Coverage[] {
  const fromMs = read.wholeFromMs;
  if (fromMs === null) return [];
  return sets.map((set) => ({
    source: "log" as const,
    cluster,
    issuer: issuerOf(set),
    scope: { kind: "set" as const, key: set },
    fromMs,
    untilMs: read.look.askedMs - SETTLED_MS,
  }));
}

/**
 * `done` is told of each log as soon as it is read, so that what an end of time leaves out is that
 * alone.
 */
export async function readLogs(
  pods: readonly PodFacts[],
  writers: readonly Writer[],
  context: ObserveContext,
  done: (part: LogsRead) => void,
): Promise<void> {
  const { diagnosis, nowMs, state, before, signal } = context;
  const looks = new Map(
    before.looks.filter(({ source }) => source === "logs").map((look) => [look.scope, look]),
  );
  const issuers = issuersOf(state);
  let left = ALL_BYTES;
  const targets = pods
    .filter(mayIssue)
    .flatMap((pod): { pod: PodFacts; target: ContainerTarget; last: SourceStatus | null }[] => {
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
      return [{ pod, target, last: looks.get(scopeOf(target)) ?? null }];
    })
    .toSorted((a, b) => (a.last?.askedMs ?? 0) - (b.last?.askedMs ?? 0));
  const skip = (target: ContainerTarget, last: SourceStatus | null, code: string): void =>
    done({
      looks: [
        statusOf("logs", scopeOf(target), nowMs, last, { code, lineMs: last?.lineMs ?? null }),
      ],
      signs: [],
      evidence: NO_EVIDENCE,
    });
  const limit = pLimit(PODS_AT_ONCE);
  await Promise.all(
    targets.map(({ pod, target, last }, i) =>
      limit(async () => {
        if (i >= MAX_PODS || left <= 0) return skip(target, last, "too_much");
        if (signal.aborted) return skip(target, last, "timeout");
        try {
          const read = await readContainer(target, {
            diagnosis,
            nowMs,
            before: last,
            allowance: () => Math.max(1, Math.min(LOG_BYTES, left)),
            spend: (bytes) => (left -= bytes),
            signal,
          });
          const claims = read.readings.map((reading) =>
            claimsOf(reading, {
              cluster: state.cluster,
              issuerOf: (domain) => issuers(domain, reading.stagingSeen),
              nowMs,
            }),
          );
          const coverage = coverageOf(
            soleSets(pod, pods, writers, state),
            read,
            state.cluster,
            (domain) =>
              issuers(
                domain,
                read.readings.some(({ stagingSeen }) => stagingSeen),
              ),
          );
          done({
            looks: [read.look],
            signs: countOn(before.signs, read.readings),
            evidence: mergeEvidence(...claims, { ...NO_EVIDENCE, coverage }),
          });
        } catch (error) {
          skip(target, last, statusCode(error));
        }
      }),
    ),
  );
}

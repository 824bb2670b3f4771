/**
 * What sources besides Secrets report of why certificates are issued: logs, Events, access reviews,
 * suggested renewal windows, revocation lists. Kept in a cluster's state, so that a report says
 * what an audit saw.
 *
 * All of it is that cluster's own word: it decides nothing about another cluster. Text is redacted
 * and bounded before it gets here, and escaped where it is shown. Reading is total: an entry that
 * isn't one is dropped.
 */
import * as z from "zod/mini";
import { DAY_MS } from "../ratelimit/limit.ts";
import type { StateDocument } from "./document.ts";
import {
  type AccessAnswer,
  accessAnswer,
  type EventSignal,
  eventSignal,
  type LogSignal,
  logSignal,
  type RenewalWindow,
  renewalWindow,
  type RevocationAnswer,
  revocationAnswer,
  type SourceStatus,
  sourceStatus,
} from "./signals.ts";
import { fieldsOf, isRecord } from "../untrusted.ts";
import { validEntries } from "./validate.ts";

interface Kinds {
  looks: SourceStatus;
  signs: LogSignal;
  events: EventSignal;
  access: AccessAnswer;
  windows: RenewalWindow;
  revocations: RevocationAnswer;
}
type Kind = keyof Kinds;
export type Observations = { readonly [K in Kind]: readonly Kinds[K][] };

/**
 * How long after its last sight an entry is kept; what is about one certificate may be asked
 * rarely.
 */
const KEEP_MS = 30 * DAY_MS;
const KEEP_ANSWERS_MS = 120 * DAY_MS;

interface Rules<T> {
  /** Fields of a later version stay. */
  readonly schema: z.ZodMiniType<T>;
  /** What makes two entries the same. */
  readonly keyOf: (entry: T) => readonly unknown[];
  readonly atMs: (entry: T) => number;
  /** Of two the same, `later` by `atMs`; `null`: the later as it is. */
  readonly join: ((later: T, a: T, b: T) => T) | null;
  readonly keepMs: number;
  /** Entries that are looked at, and that are kept. */
  readonly most: number;
}

/** Each of two audits counted on from what it found: the greater count holds what both saw. */
function joinCounts<T extends LogSignal | EventSignal>(later: T, a: T, b: T): T {
  const firstMs = Math.min(a.firstMs, b.firstMs);
  return { ...later, firstMs, count: Math.max(a.count, b.count) };
}

/** What the issuer says of one certificate. */
const ANSWER = {
  keyOf: ({ issuer, serial }: RenewalWindow | RevocationAnswer) => [issuer, serial],
  atMs: ({ askedMs }: RenewalWindow | RevocationAnswer) => askedMs,
  join: null,
  keepMs: KEEP_ANSWERS_MS,
  most: 20_000,
};

const RULES: { readonly [K in Kind]: Rules<Kinds[K]> } = {
  looks: {
    schema: z.looseObject(sourceStatus.shape),
    keyOf: ({ source, scope }) => [source, scope],
    atMs: ({ askedMs }) => askedMs,
    join: (later, a, b) => ({ ...later, wholeMs: maxOrNull(a.wholeMs, b.wholeMs) }),
    keepMs: KEEP_MS,
    most: 1_000,
  },
  signs: {
    schema: z.looseObject(logSignal.shape),
    keyOf: ({ kind, code, domain, where }) => [kind, code, domain, where],
    atMs: ({ lastMs }) => lastMs,
    join: joinCounts,
    keepMs: KEEP_MS,
    most: 1_000,
  },
  events: {
    schema: z.looseObject(eventSignal.shape),
    keyOf: ({ namespace, object, type, reason }) => [namespace, object, type, reason],
    atMs: ({ lastMs }) => lastMs,
    join: joinCounts,
    keepMs: KEEP_MS,
    most: 300,
  },
  access: {
    schema: z.looseObject(accessAnswer.shape),
    keyOf: ({ secret, account, verb }) => [secret, account, verb],
    atMs: ({ atMs }) => atMs,
    join: (later, a, b) =>
      a.allowed === b.allowed ? { ...later, sinceMs: Math.min(a.sinceMs, b.sinceMs) } : later,
    keepMs: KEEP_MS,
    most: 1_000,
  },
  windows: { schema: z.looseObject(renewalWindow.shape), ...ANSWER },
  revocations: { schema: z.looseObject(revocationAnswer.shape), ...ANSWER },
};

function ofKinds(listOf: <K extends Kind>(kind: K) => readonly Kinds[K][]): Observations {
  const lists = (Object.keys(RULES) as Kind[]).map((kind) => [kind, listOf(kind)] as const);
  return Object.fromEntries(lists) as unknown as Observations;
}

export const NO_OBSERVATIONS: Observations = ofKinds(() => []);

/** Total: what isn't an observation is dropped. */
export function parseObservations(value: unknown): Observations {
  const stored = fieldsOf(value);
  return ofKinds((kind) => {
    const { schema, most } = RULES[kind];
    return validEntries(schema, stored[kind], most);
  });
}

/** What other sources reported to a state. */
export function observationsOf(state: Pick<StateDocument, "observations">): Observations {
  return state.observations === undefined ? NO_OBSERVATIONS : parseObservations(state.observations);
}

/** One entry per key, sorted by key. */
function joined<T>({ keyOf, atMs, join }: Rules<T>, a: readonly T[], b: readonly T[]): T[] {
  const byKey = new Map<string, T>();
  for (const entry of [...a, ...b]) {
    const key = JSON.stringify(keyOf(entry));
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, entry);
    else {
      const later = laterBy(atMs, known, entry);
      byKey.set(key, join === null ? later : join(later, known, entry));
    }
  }
  return [...byKey].toSorted(([x], [y]) => (x < y ? -1 : 1)).map(([, entry]) => entry);
}

/** The later of two; of two at one instant the choice doesn't depend on the order. */
function laterBy<T>(atMs: (entry: T) => number, a: T, b: T): T {
  if (atMs(a) !== atMs(b)) return atMs(a) > atMs(b) ? a : b;
  return JSON.stringify(a) <= JSON.stringify(b) ? a : b;
}

function maxOrNull(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

/** What two audits saw of one cluster, in any order; the same twice is the same. */
export function mergeObservations(a: Observations, b: Observations): Observations {
  return ofKinds((kind) => joined(RULES[kind], a[kind], b[kind]));
}

function newest<T>(
  { keyOf, atMs, keepMs, most }: Rules<T>,
  entries: readonly T[],
  nowMs: number,
): readonly T[] {
  const wanted = entries.filter((entry) => atMs(entry) >= nowMs - keepMs);
  if (wanted.length <= most) return wanted;
  const key = (entry: T): string => JSON.stringify(keyOf(entry));
  return wanted
    .toSorted((a, b) => atMs(b) - atMs(a) || (key(a) < key(b) ? -1 : 1))
    .slice(0, most)
    .toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}

/**
 * Without what is too old to say anything, and the newest of each kind where there are too many.
 */
export function boundObservations(observations: Observations, nowMs: number): Observations {
  return ofKinds((kind) => newest(RULES[kind], observations[kind], nowMs));
}

/**
 * What is to be stored in place of `stored`: fields that this version doesn't know stay;
 * `undefined` where there is nothing.
 */
export function storedObservations(stored: unknown, observations: Observations): unknown {
  const others = isRecord(stored) ? stored : {};
  if (
    Object.keys(others).length === 0 &&
    Object.values(observations).every((list: readonly unknown[]) => list.length === 0)
  )
    return undefined;
  return { ...others, ...observations };
}

/** What is to be stored of two states' observations, bounded. */
export function carryObservations(
  a: Pick<StateDocument, "observations">,
  b: Pick<StateDocument, "observations">,
  nowMs: number,
): unknown {
  const others = [a, b].map(({ observations }) => (isRecord(observations) ? observations : {}));
  return storedObservations(
    { ...others[0], ...others[1] },
    boundObservations(mergeObservations(observationsOf(a), observationsOf(b)), nowMs),
  );
}

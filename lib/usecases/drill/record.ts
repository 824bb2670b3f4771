/**
 * What a drill leaves behind: a note of the last whole one, by which doctor says how long ago it
 * was; and in each cluster's state what it couldn't use, so that every report and digest says it
 * until a drill finds it good. A state that has nothing to say, and had nothing, isn't written.
 *
 * Retention as part of a drill: removes from the store what was opened, judged, and is due.
 */
import * as z from "zod/mini";
import {
  planRetention,
  planUnopenedRetention,
  type RetentionCopy,
} from "../../backup/retention.ts";
import { formatMsOrNull, parseMs, parseMsOrNull } from "../../certificate/time.ts";
import { type CertkeepError, isCertkeepError } from "../../error.ts";
import type { UnreadableBackup } from "../../finding/backups.ts";
import type { StateStore } from "../../ports/stores.ts";
import type { DrilledCertificate, DrilledCopy } from "../../report/drill.ts";
import { type CertificateEntry, certificates, titleOf } from "../../state/certificates.ts";
import type { CertificateRecord, StateDocument } from "../../state/document.ts";
import type { DrillPorts } from "../drill.ts";
import { changeState } from "../states.ts";
import type { Examined } from "./examine.ts";

export const DRILL_NAME = "drill";

const drillDocument = z.looseObject({
  format: z.number(),
  at: z.string(),
  /** Copies that were looked at, and of them those that could not be opened. */
  copies: z.number(),
  unreadable: z.number(),
});
type DrillNote = z.infer<typeof drillDocument>;

export function parseDrill(text: string): DrillNote | null {
  try {
    const parsed = z.safeParse(drillDocument, JSON.parse(text));
    return parsed.success && /^\d{4}-/.test(parsed.data.at) ? parsed.data : null;
  } catch {
    return null;
  }
}

export function formatDrill(note: Pick<DrillNote, "at" | "copies" | "unreadable">): string {
  return `${JSON.stringify({ format: 1, ...note })}\n`;
}

/** Copies of one cluster that are told one by one; the rest are counted. */
const UNREADABLE_TOLD = 20;
const DETAIL_MAX = 200;

export interface ClusterDrill {
  readonly looked: ReadonlySet<string>;
  readonly unreadable: readonly UnreadableBackup[];
  readonly removed: ReadonlySet<string>;
  /** Digests of those that were opened and hold what their record says, by version. */
  readonly digests: ReadonlyMap<string, string>;
  /** Whether it looked at all that the cluster has; else the rest of the last record stands. */
  readonly isComplete: boolean;
}

type DrillRecord = NonNullable<StateDocument["drill"]>;

/** The record after a drill at `at` (RFC 3339), or `null` where there is nothing to write. */
function nextRecord(
  before: DrillRecord | undefined,
  found: ClusterDrill,
  at: string,
): DrillRecord | null {
  if (!found.isComplete && found.looked.size === 0) return null;
  const earlier = found.isComplete
    ? []
    : (before?.unreadable ?? []).filter(({ version }) => !found.looked.has(version));
  const now = [...found.unreadable]
    .toSorted((a, b) => (a.version < b.version ? -1 : 1))
    .map((one) => ({ ...one, detail: one.detail.slice(0, DETAIL_MAX) }));
  const all = [...earlier, ...now];
  const unreadable = all.slice(0, UNREADABLE_TOLD);
  const more = all.length - unreadable.length + (found.isComplete ? 0 : (before?.more ?? 0));
  const isEmpty = all.length === 0 && more === 0;
  const wasEmpty = before === undefined || (before.unreadable.length === 0 && before.more === 0);
  return isEmpty && wasEmpty ? null : { at, unreadable, more };
}

function withDrill(state: StateDocument, found: ClusterDrill, at: string): StateDocument | null {
  const drill = nextRecord(state.drill, found, at);
  const before = Object.entries(state.copies);
  const left = before
    .filter(([version]) => !found.removed.has(version))
    .map(([version, copy]) => {
      const digest = found.digests.get(version) ?? copy.digest;
      return [version, digest === copy.digest ? copy : { ...copy, digest }] as const;
    });
  const isUnchanged =
    left.length === before.length &&
    left.every(([version, copy]) => state.copies[version] === copy);
  if (drill === null && isUnchanged) return null;
  return {
    ...state,
    copies: Object.fromEntries(left),
    ...(drill === null ? {} : { drill }),
  };
}

export async function recordDrill(
  states: StateStore,
  known: ReadonlyMap<string, StateDocument>,
  found: ReadonlyMap<string, ClusterDrill>,
  at: string,
): Promise<CertkeepError[]> {
  const problems: CertkeepError[] = [];
  for (const [cluster, state] of known) {
    const one = found.get(cluster);
    if (one === undefined || withDrill(state, one, at) === null) continue;
    try {
      await changeState(states, cluster, state.title, state.server, (now) => {
        return withDrill(now, one, at) ?? now;
      });
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      problems.push(error);
    }
  }
  return problems;
}

/** @returns the backups, each with whether it was removed, or would be */
export async function applyRetention(
  examined: readonly Examined[],
  ports: Pick<DrillPorts, "backups" | "remove" | "recipientsFor" | "opener" | "prunesUnopened">,
  run: {
    readonly states: ReadonlyMap<string, StateDocument>;
    readonly nowMs: number;
    readonly isOver: () => boolean;
    readonly problems: CertkeepError[];
  },
): Promise<DrilledCopy[]> {
  const copies = examined.map(({ copy }) => copy);
  const { opener } = ports;
  const candidates = examined.flatMap((one, at) => {
    const { cluster } = one.copy;
    const state = run.states.get(cluster);
    const recipients = ports.recipientsFor(cluster, state);
    const candidate =
      opener === null ? unopenedOf(one, state, recipients) : candidateOf(one, recipients);
    return candidate === null ? [] : [{ ...candidate, cluster, at }];
  });
  const removals =
    opener !== null
      ? planRetention(candidates, run.nowMs).remove
      : ports.prunesUnopened === true
        ? planUnopenedRetention(candidates, run.nowMs).map((copy) => ({
            copy,
            reason: "expired" as const,
          }))
        : [];
  for (const { copy, reason } of removals) {
    const drilled = copies[copy.at];
    if (drilled === undefined || run.isOver()) continue;
    try {
      if (ports.remove) await ports.backups.remove(copy.key, opener === null ? "current" : "all");
      copies[copy.at] = { ...drilled, removed: reason };
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      run.problems.push(error);
    }
  }
  return copies;
}

function candidateOf(
  { copy, opened }: Examined,
  configured: readonly string[],
): RetentionCopy | null {
  const { header } = copy;
  if (header === null) return null;
  const pair = opened?.pair ?? null;
  return {
    key: copy.key,
    kind: header.kind,
    clusterIdentity: header.clusterIdentity,
    namespace: header.namespace,
    secret: header.secret,
    fieldBase: header.fieldBase,
    names: pair?.names ?? header.names,
    judged: opened !== null,
    valid: pair?.everHolds === true,
    notBeforeMs: pair?.notBeforeMs ?? null,
    notAfterMs: pair?.notAfterMs ?? null,
    recordedAtMs: copy.recordedAt === null ? null : parseMs(copy.recordedAt),
    // Without configured recipients it isn't known who can still open it, so everybody counts.
    recipientsConfigured:
      configured.length === 0 ||
      header.recipients.some((recipient) => configured.includes(recipient)),
    retired: copy.retired,
  };
}

/** By what an audit recorded of it, where its header agrees. */
function unopenedOf(
  one: Examined,
  state: StateDocument | undefined,
  configured: readonly string[],
): RetentionCopy | null {
  const candidate = candidateOf(one, configured);
  const { version, header, verdict } = one.copy;
  const known = state?.copies[version];
  if (candidate === null || header === null || known === undefined) return candidate;
  const agrees =
    verdict === "not_opened" &&
    one.copy.key === known.key &&
    header.kind === known.kind &&
    header.namespace === known.namespace &&
    header.secret === known.secret &&
    header.fieldBase === known.fieldBase &&
    header.notBefore === known.notBefore &&
    header.notAfter === known.notAfter &&
    JSON.stringify(header.names) === JSON.stringify(known.names);
  return {
    ...candidate,
    names: known.names,
    judged: agrees,
    valid: known.seenValid,
    // Nobody vouches for what the header says of it.
    recipientsConfigured: true,
    notBeforeMs: known.notBefore === null ? null : parseMsOrNull(known.notBefore),
    notAfterMs: known.notAfter === null ? null : parseMsOrNull(known.notAfter),
  };
}

/** How each certificate of a state would fare if it had to be restored now. Pure. */
export function drilledCertificates(
  cluster: string,
  state: StateDocument,
  examined: readonly Examined[],
  nowMs: number,
): DrilledCertificate[] {
  const usable = examined.filter(
    ({ copy, opened }) =>
      copy.cluster === cluster &&
      copy.verdict === "good" &&
      !copy.retired &&
      opened?.record.header.kind === "certificate",
  );
  return [...certificates(state, nowMs)].flatMap((entry): DrilledCertificate[] => {
    const { condition, namespace, secret, record, verdict } = entry;
    if (condition === "pending" || record.staging) return [];
    const live = condition === "lost" ? "lost" : verdict.valid ? "valid" : "not_valid";
    const title = titleOf(entry);
    return [{ cluster, namespace, secret, title, live, good: newestFor(entry, usable) }];
  });
}

function newestFor(
  entry: CertificateEntry & { readonly record: CertificateRecord },
  usable: readonly Examined[],
): DrilledCertificate["good"] {
  const nameSet = (names: readonly string[]): string => [...names].toSorted().join(",");
  const endOf = ({ opened }: Examined): number => opened?.pair?.notAfterMs ?? 0;
  const [newest] = usable
    .filter(({ opened }) => {
      const header = opened?.record.header;
      return (
        header?.namespace === entry.namespace &&
        header.secret === entry.secret &&
        header.fieldBase === entry.fieldBase &&
        nameSet(header.names) === nameSet(entry.record.names)
      );
    })
    .toSorted((a, b) => endOf(b) - endOf(a));
  if (newest === undefined) return null;
  const { version, recordedAt } = newest.copy;
  return { version, recordedAt, notAfter: formatMsOrNull(newest.opened?.pair?.notAfterMs ?? null) };
}

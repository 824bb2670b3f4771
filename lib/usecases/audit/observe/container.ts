/**
 * The log of one container since it was last read: what it says, and whether anything may be
 * missing.
 *
 * A kubelet keeps the latest file of a log alone, and nothing says that an earlier one is gone. So
 * a read is whole only if it meets the last line of the read before, or begins with the container.
 * In doubt it isn't.
 */
import { CertkeepError } from "../../../error.ts";
import { LogReader, type LogReading } from "../../../ratelimit/log/reader.ts";
import type { LogQuery } from "../../../ports/cluster.ts";
import { count } from "../../../report/text.ts";
import type { SourceStatus } from "../../../state/signals.ts";
import { type ObserveContext, statusOf } from "./sourcestatus.ts";

export interface ContainerTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly startedMs: number | null;
  readonly restarts: number;
  readonly operator: boolean;
}

export interface ContainerRead {
  readonly status: SourceStatus;
  readonly readings: readonly LogReading[];
  /**
   * From when on every certificate that it issued is in the log; `null`: from no instant that is
   * sure.
   */
  readonly wholeFromMs: number | null;
}

interface ContainerContext extends ObserveContext {
  readonly last: SourceStatus | null;
  /** Bytes that may still be taken in; asked before each read. */
  allowance(): number;
  spend(bytes: number): void;
}

/** What a log says of longer ago changes no limit any more. */
const FIRST_LOOK_MS = 8 * 24 * 3_600_000;
/** A container writes its first line within so much of its start. */
const START_MS = 10_000;
/**
 * Lines that are dropped without a number are so within ten seconds of the announcement
 * (types/logger, RateLimitedFn).
 */
const HELD_MS = 15_000;
/** Reads that happened, and weren't whole. */
const GAPS: ReadonlySet<string | null> = new Set(["gap", "too_much", "debug_off"]);
/** Read at a stretch: tens of milliseconds, whatever stands in it. */
const SLICE_BYTES = 128 * 1024;
/** Lines read of the end of a log that is too long to be read from where it was left. */
const TAIL_LINES = 2_000;

export function scopeOf({
  namespace,
  pod,
  container,
}: Pick<ContainerTarget, "namespace" | "pod" | "container">): string {
  return `${namespace}/${pod}/${container}`;
}

interface Piece {
  readonly reading: LogReading;
  readonly cut: boolean;
}

async function readPiece(
  target: ContainerTarget,
  context: ContainerContext,
  countAfterMs: number | null,
  query: Partial<LogQuery>,
): Promise<Piece | null> {
  const { namespace, pod, container } = target;
  const limitBytes = context.allowance();
  const log = await context.diagnosis.readLog(
    { namespace, pod, container, limitBytes, ...query },
    context.signal,
  );
  if (log.state === "none") return null;
  context.spend(log.bytes.length);
  const reader = new LogReader(scopeOf(target), context.nowMs, countAfterMs ?? undefined);
  for (let from = 0; from < log.bytes.length; from += SLICE_BYTES) {
    await breath();
    if (context.signal.aborted)
      throw new CertkeepError("deadline", {
        where: `log of ${scopeOf(target)}`,
        found: `time ran out after ${from} of ${log.bytes.length} bytes`,
        todo: "The next audit reads it",
      });
    reader.push(log.bytes.subarray(from, from + SLICE_BYTES));
  }
  return { reading: reader.end(), cut: log.cut };
}

/**
 * Lets timers and other clusters' answers have their turn: a forged log may take a second to read.
 */
function breath(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export async function readContainer(
  target: ContainerTarget,
  context: ContainerContext,
): Promise<ContainerRead> {
  const { nowMs, last: before } = context;
  const { startedMs, restarts } = target;
  const metMs = before?.lineMs ?? null;
  const sinceMs =
    metMs ??
    (startedMs === null || startedMs < nowMs - FIRST_LOOK_MS ? nowMs - FIRST_LOOK_MS : null);
  const restarted = restarts > 0 && (metMs === null || startedMs === null || metMs < startedMs);
  const previous = restarted
    ? await readPiece(target, context, metMs, { previous: true, sinceMs })
    : null;
  const current = await readPiece(target, context, metMs, { sinceMs });
  const end = (code: string | null, unread: string | null, lineMs: number | null): SourceStatus =>
    statusOf(context, "logs", scopeOf(target), { code, unread, lineMs, restarts });
  if (current === null)
    return {
      status:
        startedMs === null
          ? end(null, null, metMs)
          : end("gap", "the container runs, and its log is missing", metMs),
      readings: previous === null ? [] : [previous.reading],
      wholeFromMs: null,
    };
  const debugSeen =
    current.reading.debugSeen || (before !== null && before.wholeMs !== null && metMs !== null);
  const known = { metMs, startedMs, restarted, debugSeen };
  const judged = judge(target, current, known);
  const lost = judged.code === null ? lostLogs(target, before, previous) : null;
  const { code, unread } = lost === null ? judged : { code: "gap", unread: lost };
  const tail = current.cut ? await readTail(target, context, metMs, current) : null;
  const readings = [previous, current, tail].flatMap((piece) => piece?.reading ?? []);
  const lines = readings.flatMap(({ lastMs }) => lastMs ?? []);
  const more = readings.reduce((sum, { moreSignals }) => sum + moreSignals, 0);
  // It takes nothing from what is known of issuances, which are counted by themselves.
  const left = more === 0 ? null : `${count(more, "line")} of more names and kinds than are stored`;
  return {
    status: end(code, unread ?? left, lines.length === 0 ? metMs : Math.max(...lines)),
    readings,
    wholeFromMs:
      code !== null || (current.reading.json && !debugSeen) ? null : wholeFrom(before, known),
  };
}

/** What is newest says most: where the rest is too long, its end is read, and the middle isn't. */
async function readTail(
  target: ContainerTarget,
  context: ContainerContext,
  metMs: number | null,
  { reading }: Piece,
): Promise<Piece | null> {
  if (context.allowance() <= 0) return null;
  const readMs = Math.max(...[metMs, reading.lastMs].map((ms) => ms ?? Number.NEGATIVE_INFINITY));
  return readPiece(target, context, readMs, { tailLines: TAIL_LINES });
}

/** From when on a read that joins the one before it is complete. */
function wholeFrom(
  before: SourceStatus | null,
  { metMs, startedMs, restarted }: Known,
): number | null {
  if (restarted || metMs === null) return startedMs;
  // After a read with a gap, what is missing may reach a little further than it did; one that
  // failed has left none.
  return before !== null && GAPS.has(before.code)
    ? Math.max(metMs, before.askedMs + HELD_MS)
    : metMs;
}

/**
 * The logs that were lost since the last read, in words: of a container that was restarted, a
 * kubelet keeps the log before the last restart alone, and of a recreated pod none.
 */
function lostLogs(
  { restarts, startedMs }: ContainerTarget,
  before: SourceStatus | null,
  previous: Piece | null,
): string | null {
  const known = before?.restarts;
  const metMs = before?.lineMs ?? null;
  if (known === undefined || metMs === null) return null;
  if (restarts > known + 1) return `logs of ${count(restarts - known - 1, "earlier container")}`;
  if (restarts === known && (startedMs === null || startedMs <= metMs)) return null;
  const firstMs = previous?.reading.firstMs ?? null;
  const joins = restarts >= known && previous?.cut === false && firstMs !== null;
  if (joins && firstMs <= metMs) return null;
  return restarts > known
    ? "lines of the container before the restart: they aren't in the log any more"
    : "the log of the pod that this one replaced";
}

interface Known {
  readonly metMs: number | null;
  readonly startedMs: number | null;
  readonly restarted: boolean;
  readonly debugSeen: boolean;
}

/** Why a read isn't whole, and what was left unread, in words. */
function judge(
  target: ContainerTarget,
  { reading, cut }: Piece,
  { metMs, startedMs, restarted, debugSeen }: Known,
): { readonly code: string | null; readonly unread: string | null } {
  if (target.operator && !debugSeen) return { code: "debug_off", unread: null };
  if (cut)
    return {
      code: "too_much",
      unread:
        `what follows the first ${(reading.bytes / 1_048_576).toFixed(1)} MiB, but for the last ` +
        `${TAIL_LINES.toLocaleString("en-US")} lines`,
    };
  if (reading.unreadLines > 0)
    return {
      code: "gap",
      unread: `${count(reading.unreadLines, "line")} binary, broken or too long`,
    };
  if (reading.nameless > 0)
    return {
      code: "gap",
      unread: `${count(reading.nameless, "certificate")} for names that the log doesn't contain`,
    };
  if (reading.dropping)
    return { code: "gap", unread: "lines that Tailscale held back and hasn't counted yet" };
  if (metMs !== null && !restarted)
    return reading.firstMs !== null && reading.firstMs <= metMs
      ? { code: null, unread: null }
      : {
          code: "gap",
          unread: "lines after the last one that was read: it isn't in the log any more",
        };
  if (reading.lines === 0 && startedMs === null) return { code: null, unread: null };
  return startedMs !== null && reading.firstMs !== null && reading.firstMs <= startedMs + START_MS
    ? { code: null, unread: null }
    : { code: "gap", unread: "lines before the first one that is there" };
}

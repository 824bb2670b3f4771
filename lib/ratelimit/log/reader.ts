/**
 * Reads one container's log, in whatever pieces it comes: what it says of certificates, counted,
 * and how whole that is. Memory is bounded whatever the log holds; time is linear in it.
 *
 * Tailscale writes five lines of a kind and then one every five seconds (types/logger,
 * RateLimitedFn). With the fifth it announces that it may drop some, and before the next one it
 * says how many it dropped, if any. So lines seen and dropped are added, the announcement isn't
 * counted, and a log in which no line of that kind follows one has a gap.
 */
import type { LogSignal } from "../../state/signals.ts";
import { type IssuedLine, IssuedLines, MAX_OF_NAME } from "./issued.ts";
import { type LogLine, parseLine, splitStamp } from "./line.ts";
import type { RefusalText } from "./refusal.ts";
import { LogSignals, MAX_SIGNALS } from "./signals.ts";
import { createSplitter } from "./split.ts";
import { mayMatter, parseHeldBack, type Said, understand } from "./understand.ts";

export interface RefusedLine {
  readonly domain: string | null;
  readonly seenMs: number;
  readonly refusal: RefusalText;
}

export interface LogReading {
  readonly where: string;
  readonly lines: number;
  readonly bytes: number;
  /** Times of the first and the last line that bear one. */
  readonly firstMs: number | null;
  readonly lastMs: number | null;
  readonly signals: readonly LogSignal[];
  /** In order; of each name the newest, as more change nothing. */
  readonly issued: readonly IssuedLine[];
  readonly refused: readonly RefusedLine[];
  /** Certificates issued for names that the log doesn't tell, or that there are too many of. */
  readonly nameless: number;
  /** Lines that are binary, half a JSON, or too long: what they said isn't known. */
  readonly unreadLines: number;
  /** Lines that made no sign, as there were too many kinds and names. */
  readonly moreSignals: number;
  readonly json: boolean;
  readonly debugSeen: boolean;
  /** Hosts of the ACME directories that it names. */
  readonly directories: readonly string[];
  /**
   * Certificates may have been issued at the end whose lines were dropped, and it isn't said yet
   * how many.
   */
  readonly dropping: boolean;
}

const MAX_REFUSED = 200;
const MAX_DIRECTORIES = 10;
/** An ACME server's address, or the name of Let's Encrypt's without one. */
const DIRECTORY =
  /https:\/\/([a-z0-9.-]{1,253}(?::\d{1,5})?)\/(?:directory|dir|acme)\b|\b(acme[a-z0-9-]{0,30}\.api\.letsencrypt\.org)\b/gi;
/** Lines are dropped within so much of the announcement: by then two more may be written. */
const DROPS_MS = 10_000;
/** A number of dropped lines above this isn't believed to the last one. */
const MAX_DROPPED = 1_000_000;

export interface LogReader {
  push(bytes: Uint8Array): void;
  end(): LogReading;
}

/**
 * `fallbackMs`: when lines without any time were read. `countAfterMs`: lines up to then were
 * counted by an earlier read and make no signals.
 */
export function createLogReader(
  where: string,
  fallbackMs: number,
  countAfterMs = Number.NEGATIVE_INFINITY,
): LogReader {
  const decoder = new TextDecoder();
  const signals = new LogSignals(where, countAfterMs);
  const issued = new IssuedLines();
  let refused: RefusedLine[] = [];
  /** Formats of which lines may be dropped, and since when. */
  const dropping = new Map<string, number>();
  /** Of those, the formats of lines that tell of issuances. */
  const issuing = new Set<string>();
  /** The last sign of a message that a format stands for. */
  const lastOf = new Map<string, Said>();
  let [lines, bytes, nameless, unreadLines] = [0, 0, 0, 0];
  let firstStamped: string | null = null;
  let lastStamped: string | null = null;
  let [json, debugSeen] = [false, false];
  const directories = new Set<string>();
  let lastMs: number | null = null;

  const heldBack = (line: LogLine, atMs: number): boolean => {
    const held = parseHeldBack(line.text);
    if (held === null) return false;
    const said = understand(held.format);
    if (said === null) return true;
    const sinceMs = dropping.get(held.format);
    if (held.count === null) {
      // Of one that an earlier read met, that read has told the gap.
      if (said.kind === "issued" && atMs > countAfterMs) issuing.add(held.format);
      if (dropping.size < MAX_SIGNALS) dropping.set(held.format, atMs);
      return true;
    }
    dropping.delete(held.format);
    issuing.delete(held.format);
    const count = Math.min(held.count, MAX_DROPPED);
    if (count === 0) return true;
    // A format of errors names none: what was dropped is taken for more of what was last seen of
    // it.
    const like =
      said.kind === "order_failed" || said.kind === "renewal_failed"
        ? (lastOf.get(held.format) ?? said)
        : said;
    signals.addHeldBack(like, atMs, count, line.text);
    if (like.kind !== "issued") return true;
    if (like.domain === null) {
      nameless += count;
      return true;
    }
    const fromMs = Math.min(sinceMs ?? atMs, atMs);
    const untilMs = Math.min(fromMs + DROPS_MS, atMs);
    for (let i = Math.max(0, count - MAX_OF_NAME); i < count; i++) {
      issued.add(
        like.domain,
        Math.round(fromMs + ((untilMs - fromMs) * (i + 1)) / (count + 1)),
        line.instant === "" ? String(atMs) : line.instant,
        ` dropped ${i}`,
      );
    }
    return true;
  };

  const take = (raw: string): void => {
    if (raw === "") return;
    lines += 1;
    const { stamp } = splitStamp(raw);
    if (stamp !== null) {
      firstStamped ??= raw.slice(0, 64);
      lastStamped = raw.slice(0, 64);
    }
    if (raw.includes("://") || raw.includes(".api.letsencrypt.org"))
      for (const [, ofUrl, ofHost] of raw.matchAll(DIRECTORY))
        if (directories.size < MAX_DIRECTORIES)
          directories.add((ofUrl ?? ofHost ?? "").toLowerCase());
    const structured = raw.startsWith("{", stamp === null ? 0 : stamp.length + 1);
    if (structured) json = true;
    if (!debugSeen && /"level":\s?"debug"|\tDEBUG\t/i.test(raw)) debugSeen = true;
    const binary = raw.includes("\u0000") || raw.includes("\ufffd");
    if (!binary && !mayMatter(raw) && !(structured && !raw.endsWith("}"))) return;
    const line = parseLine(raw);
    if (line.broken) unreadLines += 1;
    const atMs = line.atMs ?? lastMs ?? fallbackMs;
    if (line.atMs !== null) lastMs = line.atMs;
    if (heldBack(line, atMs)) return;
    const said = understand(line.text);
    if (said === null) return;
    signals.add(said, atMs, line.text);
    if (said.kind === "issued") {
      // It follows an announcement without a number: none was dropped in between.
      dropping.delete(line.text);
      issuing.delete(line.text);
      if (said.domain === null) nameless += 1;
      else issued.add(said.domain, atMs, line.instant);
    }
    for (const format of formatsOf(said, line.text))
      if (lastOf.size < MAX_SIGNALS || lastOf.has(format)) lastOf.set(format, said);
    if (said.refusal !== null) {
      refused.push({ domain: said.domain, seenMs: atMs, refusal: said.refusal });
      if (refused.length > 2 * MAX_REFUSED) refused = refused.slice(-MAX_REFUSED);
    }
  };

  const feed = createSplitter(take, () => {
    lines += 1;
    unreadLines += 1;
  });

  const stampedMs = (raw: string | null): number | null =>
    raw === null ? null : parseLine(raw).atMs;

  return {
    push(chunk) {
      bytes += chunk.length;
      feed(decoder.decode(chunk, { stream: true }));
    },
    end() {
      feed(`${decoder.decode()}\n`);
      const { lines: kept, beyond } = issued.kept();
      const { signals: said, more } = signals.kept();
      return {
        where,
        lines,
        bytes,
        firstMs: stampedMs(firstStamped),
        lastMs: stampedMs(lastStamped),
        signals: said,
        issued: kept,
        refused: refused.slice(-MAX_REFUSED),
        nameless: nameless + beyond,
        unreadLines,
        moreSignals: more,
        json,
        debugSeen,
        directories: [...directories],
        dropping: issuing.size > 0,
      };
    },
  };
}

/**
 * The formats that a message of an error came from, as a later line may say how many of them were
 * dropped.
 */
function formatsOf(said: Said, text: string): readonly string[] {
  const prefix = /^cert\("[^"\\]{1,260}"\): /.exec(text)?.[0];
  if (prefix === undefined || said.kind === "issued") return [];
  const rest = text.slice(prefix.length);
  if (rest.startsWith("getCertPEM: ")) return [`${prefix}getCertPEM: %v`];
  return rest.startsWith("async renewal failed: ") ? [`${prefix}async renewal failed: %v`] : [];
}

/** Reads a whole log at once. */
export function readLog(log: string | Uint8Array, where: string, fallbackMs: number): LogReading {
  const reader = createLogReader(where, fallbackMs);
  reader.push(typeof log === "string" ? new TextEncoder().encode(log) : log);
  return reader.end();
}

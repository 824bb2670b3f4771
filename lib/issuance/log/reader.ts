/**
 * Reads one container's log, in whatever pieces it comes: what it says of certificates, counted, and how whole that
 * is. Memory is bounded whatever the log holds; time is linear in it.
 *
 * Tailscale writes five lines of a kind and then one every five seconds (types/logger, RateLimitedFn). With the fifth it
 * announces that it may drop some, and before the next one it says how many it dropped, if any. So lines seen and dropped
 * are added, the announcement isn't counted, and a log in which no line of that kind follows one has a gap.
 */
import type { LogSign } from "../../state/observations.ts";
import { type LogLine, parseLine, splitStamp } from "./line.ts";
import { sampleOf } from "./redact.ts";
import type { RefusalText } from "./refusal.ts";
import { mayMatter, parseHeldBack, type Said, understand } from "./understand.ts";

/** One certificate that the log says was issued. */
export interface IssuedLine {
  readonly domain: string;
  readonly atMs: number;
  /** The instant as it was written, with a number where one line stands for several: the same line gives the same. */
  readonly mark: string;
}

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
  readonly signs: readonly LogSign[];
  /** In order; of each name the newest, as more change nothing. */
  readonly issued: readonly IssuedLine[];
  readonly refused: readonly RefusedLine[];
  /** Certificates issued for names that the log doesn't tell, or that there are too many of. */
  readonly nameless: number;
  /** Lines that are binary, half a JSON, or too long: what they said isn't known. */
  readonly unreadLines: number;
  /** Signs that no more room was kept for. */
  readonly moreSigns: number;
  readonly json: boolean;
  readonly debugSeen: boolean;
  readonly stagingSeen: boolean;
  /** Certificates may have been issued at the end whose lines were dropped, and it isn't said yet how many. */
  readonly dropping: boolean;
}

/** Characters of a line that are looked at; longer ones are counted as unread. */
const MAX_LINE = 65_536;
const MAX_SIGNS = 500;
const MAX_NAMES = 1_000;
/** Issuances kept of one name: ten times what any limit gives a week. */
const MAX_OF_NAME = 50;
const MAX_ISSUED = 2_000;
const MAX_REFUSED = 200;
/** Lines are dropped within so much of the announcement: by then two more may be written. */
const DROPS_MS = 10_000;
/** A number of dropped lines above this isn't believed to the last one. */
const MAX_DROPPED = 1_000_000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface LogReader {
  push(bytes: Uint8Array): void;
  end(): LogReading;
}

/**
 * `fallbackMs`: when lines without any time were read. `countAfterMs`: lines up to then were counted by an earlier read
 * and make no signs.
 */
export function createLogReader(where: string, fallbackMs: number, countAfterMs = Number.NEGATIVE_INFINITY): LogReader {
  const decoder = new TextDecoder();
  const signs = new Map<string, Mutable<LogSign>>();
  const issued = new Map<string, IssuedLine[]>();
  let refused: RefusedLine[] = [];
  /** Formats of which lines may be dropped, and since when. */
  const dropping = new Map<string, number>();
  /** Of those, the formats of lines that tell of issuances. */
  const issuing = new Set<string>();
  /** The last sign of a message that a format stands for. */
  const lastOf = new Map<string, Said>();
  const marks = new Map<string, number>();
  let pending = "";
  let overlong = false;
  let [lines, bytes, nameless, unreadLines, moreSigns] = [0, 0, 0, 0, 0];
  let firstStamped: string | null = null;
  let lastStamped: string | null = null;
  let [json, debugSeen, stagingSeen] = [false, false, false];
  let lastMs: number | null = null;

  /** Its sample is the text as it came, until the end. */
  const addSign = (said: Said, atMs: number, count: number, sample: string): void => {
    if (atMs <= countAfterMs) return;
    const key = JSON.stringify([said.kind, said.code, said.domain]);
    const known = signs.get(key);
    if (known !== undefined) {
      known.firstMs = Math.min(known.firstMs, atMs);
      known.count = Math.min(known.count + count, Number.MAX_SAFE_INTEGER);
      if (atMs >= known.lastMs) [known.lastMs, known.sample] = [atMs, sample];
      return;
    }
    if (signs.size >= MAX_SIGNS) moreSigns += 1;
    else signs.set(key, { kind: said.kind, code: said.code, domain: said.domain, where, firstMs: atMs, lastMs: atMs, count, sample });
  };

  const addIssued = (domain: string | null, atMs: number, instant: string, suffix: string): void => {
    if (domain === null) return;
    const list = issued.get(domain) ?? [];
    if (list.length === 0) {
      if (issued.size >= MAX_NAMES) {
        nameless += 1;
        return;
      }
      issued.set(domain, list);
    }
    // Two lines of one name at one instant are told apart by their order.
    const base = `${domain} ${instant === "" ? atMs : instant}${suffix}`;
    const nth = marks.get(base) ?? 0;
    if (marks.size < MAX_NAMES * MAX_OF_NAME) marks.set(base, nth + 1);
    list.push({ domain, atMs, mark: nth === 0 ? base : `${base} ${nth}` });
    if (list.length > 2 * MAX_OF_NAME) list.splice(0, list.length - MAX_OF_NAME);
  };

  const heldBack = (line: LogLine, atMs: number): boolean => {
    const held = parseHeldBack(line.text);
    if (held === null) return false;
    const said = understand(held.format);
    if (said === null) return true;
    const sinceMs = dropping.get(held.format);
    if (held.count === null) {
      // Of one that an earlier read met, that read has told the gap.
      if (said.kind === "issued" && atMs > countAfterMs) issuing.add(held.format);
      if (dropping.size < MAX_SIGNS) dropping.set(held.format, atMs);
      return true;
    }
    dropping.delete(held.format);
    issuing.delete(held.format);
    const count = Math.min(held.count, MAX_DROPPED);
    if (count === 0) return true;
    // A format of errors names none: what was dropped is taken for more of what was last seen of it.
    const like = said.kind === "order_failed" || said.kind === "renewal_failed" ? (lastOf.get(held.format) ?? said) : said;
    addSign(like, atMs, count, line.text);
    if (like.kind !== "issued") return true;
    if (like.domain === null) nameless += count;
    const fromMs = Math.min(sinceMs ?? atMs, atMs);
    const untilMs = Math.min(fromMs + DROPS_MS, atMs);
    for (let i = Math.max(0, count - MAX_OF_NAME); i < count; i++) {
      addIssued(like.domain, Math.round(fromMs + ((untilMs - fromMs) * (i + 1)) / (count + 1)), line.instant === "" ? String(atMs) : line.instant, ` dropped ${i}`);
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
    if (raw.includes("acme-staging")) stagingSeen = true;
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
    addSign(said, atMs, 1, line.text);
    if (said.kind === "issued") {
      // It follows an announcement without a number: none was dropped in between.
      dropping.delete(line.text);
      issuing.delete(line.text);
      if (said.domain === null) nameless += 1;
      addIssued(said.domain, atMs, line.instant, "");
    }
    for (const format of formatsOf(said, line.text)) if (lastOf.size < MAX_SIGNS || lastOf.has(format)) lastOf.set(format, said);
    if (said.refusal !== null) {
      refused.push({ domain: said.domain, seenMs: atMs, refusal: said.refusal });
      if (refused.length > 2 * MAX_REFUSED) refused = refused.slice(-MAX_REFUSED);
    }
  };

  const feed = (text: string): void => {
    let from = 0;
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", from)) {
      const piece = text.slice(from, at);
      from = at + 1;
      if (overlong || pending.length + piece.length > MAX_LINE) {
        lines += 1;
        unreadLines += 1;
        [pending, overlong] = ["", false];
        continue;
      }
      const whole = pending + piece;
      pending = "";
      take(whole.endsWith("\r") ? whole.slice(0, -1) : whole);
    }
    if (overlong) return;
    if (pending.length + text.length - from > MAX_LINE) [pending, overlong] = ["", true];
    else pending += text.slice(from);
  };

  const stampedMs = (raw: string | null): number | null => (raw === null ? null : parseLine(raw).atMs);

  return {
    push(chunk) {
      bytes += chunk.length;
      feed(decoder.decode(chunk, { stream: true }));
    },
    end() {
      feed(`${decoder.decode()}\n`);
      const all = [...issued.values()].flatMap((list) => list.slice(-MAX_OF_NAME));
      const kept = all.length <= MAX_ISSUED ? all : all.toSorted((a, b) => b.atMs - a.atMs || (a.mark < b.mark ? -1 : 1)).slice(0, MAX_ISSUED);
      return {
        where,
        lines,
        bytes,
        firstMs: stampedMs(firstStamped),
        lastMs: stampedMs(lastStamped),
        signs: [...signs.values()].map((sign) => ({ ...sign, sample: sampleOf(sign.sample) })),
        issued: kept,
        refused: refused.slice(-MAX_REFUSED),
        nameless: nameless + all.length - kept.length,
        unreadLines,
        moreSigns,
        json,
        debugSeen,
        stagingSeen,
        dropping: issuing.size > 0,
      };
    },
  };
}

/** The formats that a message of an error came from, as a later line may say how many of them were dropped. */
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

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
import { type IssuedLine, IssuedLines, MAX_OF_NAME } from "./claims.ts";
import { createSplitter, type LogLine, parseLine, splitStamp } from "./line.ts";
import type { RefusalText } from "./refusal.ts";
import { LogSignals, MAX_SIGNALS } from "./signals.ts";
import { type HeldBack, mayMatter, parseHeldBack, type Said, understand } from "./understand.ts";

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

/**
 * Which lines Tailscale held back, and what they said: their notice repeats the format alone, so
 * that of errors it is taken for more of what was last seen of it.
 */
class HeldBackLines {
  /** Formats of which lines may be dropped, and since when. */
  readonly #sinceMs = new Map<string, number>();
  /** Of those, the formats of lines that report issuances. */
  readonly #issuing = new Set<string>();
  /** What a format last said. */
  readonly #last = new Map<string, Said>();

  /** Whether issuances may have been dropped whose number isn't known yet. */
  get dropping(): boolean {
    return this.#issuing.size > 0;
  }

  /** A notice that lines may be dropped from now on; `counts`: no earlier read met it. */
  announce({ format }: HeldBack, { kind }: Said, atMs: number, counts: boolean): void {
    if (kind === "issued" && counts) this.#issuing.add(format);
    if (this.#sinceMs.size < MAX_SIGNALS) this.#sinceMs.set(format, atMs);
  }

  /** Since when they were dropped, now that it is known how many; and what they said. */
  counted(
    format: string,
    said: Said,
    atMs: number,
  ): { readonly sinceMs: number; readonly like: Said } {
    const sinceMs = Math.min(this.#sinceMs.get(format) ?? atMs, atMs);
    this.#forget(format);
    const nameless = said.kind === "order_failed" || said.kind === "renewal_failed";
    return { sinceMs, like: nameless ? (this.#last.get(format) ?? said) : said };
  }

  /** A line that was written: of an issuance it shows that none was dropped before it. */
  written(said: Said, text: string): void {
    if (said.kind === "issued") this.#forget(text);
    for (const format of formatsOf(said, text))
      if (this.#last.size < MAX_SIGNALS || this.#last.has(format)) this.#last.set(format, said);
  }

  #forget(format: string): void {
    this.#sinceMs.delete(format);
    this.#issuing.delete(format);
  }
}

export class LogReader {
  readonly #where: string;
  readonly #fallbackMs: number;
  readonly #countAfterMs: number;
  readonly #decoder = new TextDecoder();
  readonly #signals: LogSignals;
  readonly #issued = new IssuedLines();
  readonly #heldBack = new HeldBackLines();
  readonly #directories = new Set<string>();
  readonly #feed = createSplitter(
    (line) => this.#take(line),
    () => {
      this.#lines += 1;
      this.#unreadLines += 1;
    },
  );
  #refused: RefusedLine[] = [];
  #lines = 0;
  #bytes = 0;
  #nameless = 0;
  #unreadLines = 0;
  #firstStamped: string | null = null;
  #lastStamped: string | null = null;
  #json = false;
  #debugSeen = false;
  #lastMs: number | null = null;

  /**
   * `fallbackMs`: when lines without any time were read. `countAfterMs`: lines up to then were
   * counted by an earlier read and make no signals.
   */
  constructor(where: string, fallbackMs: number, countAfterMs = Number.NEGATIVE_INFINITY) {
    this.#where = where;
    this.#fallbackMs = fallbackMs;
    this.#countAfterMs = countAfterMs;
    this.#signals = new LogSignals(where, countAfterMs);
  }

  push(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    this.#feed(this.#decoder.decode(bytes, { stream: true }));
  }

  end(): LogReading {
    this.#feed(`${this.#decoder.decode()}\n`);
    const { lines: issued, beyond } = this.#issued.kept();
    const { signals, more } = this.#signals.kept();
    return {
      where: this.#where,
      lines: this.#lines,
      bytes: this.#bytes,
      firstMs: stampedMs(this.#firstStamped),
      lastMs: stampedMs(this.#lastStamped),
      signals,
      issued,
      refused: this.#refused.slice(-MAX_REFUSED),
      nameless: this.#nameless + beyond,
      unreadLines: this.#unreadLines,
      moreSignals: more,
      json: this.#json,
      debugSeen: this.#debugSeen,
      directories: [...this.#directories],
      dropping: this.#heldBack.dropping,
    };
  }

  #take(raw: string): void {
    if (raw === "") return;
    this.#lines += 1;
    if (!this.#glance(raw)) return;
    const line = parseLine(raw);
    if (line.broken) this.#unreadLines += 1;
    const atMs = line.atMs ?? this.#lastMs ?? this.#fallbackMs;
    if (line.atMs !== null) this.#lastMs = line.atMs;
    const heldBack = parseHeldBack(line.text);
    if (heldBack === null) this.#understand(line, atMs);
    else this.#count(heldBack, line, atMs);
  }

  /** Notes what a line shows before it is taken apart; whether it has to be, as most needn't. */
  #glance(raw: string): boolean {
    const { stamp } = splitStamp(raw);
    if (stamp !== null) {
      this.#lastStamped = raw.slice(0, 64);
      this.#firstStamped ??= this.#lastStamped;
    }
    if (raw.includes("://") || raw.includes(".api.letsencrypt.org"))
      for (const [, ofUrl, ofHost] of raw.matchAll(DIRECTORY))
        if (this.#directories.size < MAX_DIRECTORIES)
          this.#directories.add((ofUrl ?? ofHost ?? "").toLowerCase());
    const structured = raw.startsWith("{", stamp === null ? 0 : stamp.length + 1);
    this.#json ||= structured;
    this.#debugSeen ||= /"level":\s?"debug"|\tDEBUG\t/i.test(raw);
    const binary = raw.includes("\u0000") || raw.includes("\ufffd");
    return binary || mayMatter(raw) || (structured && !raw.endsWith("}"));
  }

  #understand({ text, instant }: LogLine, atMs: number): void {
    const said = understand(text);
    if (said === null) return;
    this.#signals.add(said, atMs, text);
    this.#heldBack.written(said, text);
    if (said.kind === "issued") {
      if (said.domain === null) this.#nameless += 1;
      else this.#issued.add(said.domain, atMs, instant);
    }
    if (said.refusal !== null) {
      this.#refused.push({ domain: said.domain, seenMs: atMs, refusal: said.refusal });
      if (this.#refused.length > 2 * MAX_REFUSED) this.#refused = this.#refused.slice(-MAX_REFUSED);
    }
  }

  /** Counts the lines that a notice says were held back. */
  #count(heldBack: HeldBack, { text, instant }: LogLine, atMs: number): void {
    const said = understand(heldBack.format);
    if (said === null) return;
    if (heldBack.count === null) {
      this.#heldBack.announce(heldBack, said, atMs, atMs > this.#countAfterMs);
      return;
    }
    const count = Math.min(heldBack.count, MAX_DROPPED);
    const { sinceMs, like } = this.#heldBack.counted(heldBack.format, said, atMs);
    if (count === 0) return;
    this.#signals.addHeldBack(like, atMs, count, text);
    if (like.kind !== "issued") return;
    if (like.domain === null) {
      this.#nameless += count;
      return;
    }
    const untilMs = Math.min(sinceMs + DROPS_MS, atMs);
    for (let i = Math.max(0, count - MAX_OF_NAME); i < count; i++)
      this.#issued.add(
        like.domain,
        Math.round(sinceMs + ((untilMs - sinceMs) * (i + 1)) / (count + 1)),
        instant === "" ? String(atMs) : instant,
        ` dropped ${i}`,
      );
  }
}

function stampedMs(raw: string | null): number | null {
  return raw === null ? null : parseLine(raw).atMs;
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
  const reader = new LogReader(where, fallbackMs);
  reader.push(typeof log === "string" ? new TextEncoder().encode(log) : log);
  return reader.end();
}

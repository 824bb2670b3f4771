/**
 * One line of a container's log taken apart: when it was written, and what it says. Plain lines of
 * Go's log package (containerboot's begin with `boot: `), of klog, and JSON lines of zap; before
 * each there may be the kubelet's own time. Total: any text is a line, and what can't be understood
 * is said to be unread.
 *
 * Text that comes in pieces, line by line. A line that is too long is left out and told, so that
 * memory is bounded.
 *
 * Text of a log made fit to keep: escape sequences, control and invisible characters gone, and
 * nothing in it that could be a credential. Redacting twice changes nothing; time is linear in the
 * text.
 *
 * It takes away too much rather than too little: a run of letters that could be a key goes, a
 * serial number or a name stays.
 */
import { parseMsOrNull } from "../../certificate/time.ts";
import { isRecord, jsonOf } from "../../untrusted.ts";

const GONE = "[redacted]";

/** ECMA-48 §5.4 (CSI), §8.3.89 (OSC, ended by BEL or ST), and other escapes of one character. */
const ESCAPES =
  /\u001b\[[0-?]*[ -/]*[@-~]|\u009b[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[@-Z\\-_]?/g;
/**
 * Formatting characters of Unicode, bidirectional overrides and zero-width ones among them, and
 * lone surrogates.
 */
const INVISIBLE = /[\p{Cf}\p{Cs}]/gu;
const CONTROLS = /\p{Cc}+/gu;

/** One line of a log as plain text. */
export function plainLine(raw: string): string {
  return raw.replace(ESCAPES, "").replace(INVISIBLE, "").replace(CONTROLS, " ");
}

/**
 * From the first armour on to the end: what follows may be the rest of a key whose end was cut off
 * or moved.
 */
const ARMOUR = "-----BEGIN";

/**
 * After these, the API server quotes who was shown a whole Secret (a webhook, a policy), or the
 * value itself: in any form.
 */
const QUOTING = /\b(?:denied (?:the )?request|Invalid value:|an error on the server \()/;

function withoutQuoted(text: string): string {
  const match = QUOTING.exec(text);
  if (match === null) return text;
  const end = match.index + match[0].length;
  return end === text.length ? text : `${text.slice(0, end)} ${GONE}`;
}

/** A value that is called a credential by its name. */
const NAMED =
  /((?:token|jwt|password|passwd|passphrase|secret|auth_?key|api[_-]?key|access[_-]?key|signature|assertion|credential|cookie)["'\\]{0,3}=["'\\]{0,3})[^\s"'\\&]+/gi;
const QUOTED =
  /((?:token|jwt|password|passwd|passphrase|auth_?key|api[_-]?key|access[_-]?key|client_?secret|signature|assertion|authorization|cookie)\\{0,3}["']\s{0,3}:\s{0,3}\\{0,3}["'])[^"'\\]+/gi;
const SCHEME = /\b((?:bearer|basic)\s{1,4})[^\s"',;]+/gi;
/** Keys as Tailscale writes them: auth and client keys, and the private halves of a node's. */
const TAILSCALE = /\b(?:tskey-|privkey:|nlpriv:)[^\s"',;]+/gi;
/**
 * A JSON object in base64url, as each part of a JWT but the last (RFC 7519 §3.1); with `{ "` it
 * begins otherwise.
 */
const JWT = /ey[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)*/g;
/**
 * As long as a key of 128 bits and more in base64; texts of words and serial numbers are told from
 * it below.
 */
const RUN = /[A-Za-z0-9+/_=-]{32,}/g;

function isKeyLike(run: string): boolean {
  return /[0-9]/.test(run) && /[A-Z]/.test(run) && /[a-z]/.test(run);
}

/** Without credentials. Idempotent. */
export function redact(text: string): string {
  const ours = withoutQuoted(text);
  const armour = ours.indexOf(ARMOUR);
  const open = armour === -1 ? ours : `${ours.slice(0, armour)}${GONE}`;
  return open
    .replace(SCHEME, `$1${GONE}`)
    .replace(NAMED, `$1${GONE}`)
    .replace(QUOTED, `$1${GONE}`)
    .replace(TAILSCALE, GONE)
    .replace(JWT, GONE)
    .replace(RUN, (run) => (isKeyLike(run) ? GONE : run));
}

/** Longest sample kept, in characters. */
const SAMPLE_LENGTH = 300;

/**
 * Of a longer line only so much is looked at, up to a space: what the cut would halve could be a
 * key.
 */
const LOOKED_AT = 4_096;

function beginningOf(line: string): string {
  return line.length <= LOOKED_AT
    ? line
    : line.slice(0, Math.max(0, line.lastIndexOf(" ", LOOKED_AT)));
}

/** A line as it may be kept. */
export function sampleOf(line: string): string {
  const clean = redact(beginningOf(plainLine(line))).trim();
  return clean.length <= SAMPLE_LENGTH ? clean : `${clean.slice(0, SAMPLE_LENGTH - 1)}…`;
}

export interface LogLine {
  /**
   * The kubelet's own time where it is there, as text with all its digits; else the line's, else
   * empty.
   */
  readonly instant: string;
  readonly atMs: number | null;
  /** Message, without what stands before it. */
  readonly text: string;
  readonly json: boolean;
  /** It was logged at debug level. */
  readonly debug: boolean;
  /** It holds bytes that are no text, or JSON that is none: what it said isn't known. */
  readonly broken: boolean;
}

/** RFC 3339 at the beginning, as `timestamps=true` gives it. */
const STAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))[ \t]/;
const GO_TIME = /^(\d{4})\/(\d\d)\/(\d\d) (\d\d:\d\d:\d\d)(\.\d{1,9})? /;
/** k8s.io/klog: severity, month and day, time, thread, file and line. */
const KLOG = /^([IWEF])\d{4} \d\d:\d\d:\d\d\.\d{1,9}\s{1,8}\d{1,10} [\w.-]{1,128}:\d{1,6}\] /;
const ZAP_LEVEL = /^(DEBUG|INFO|WARN|ERROR|DPANIC|PANIC|FATAL)\t(?:([\w./-]{1,128})\t)?/;
const VERBOSE = /^\[v\d\] ?/;

/** The kubelet's time and what comes after it. */
export function splitStamp(raw: string): { readonly stamp: string | null; readonly rest: string } {
  const match = STAMP.exec(raw);
  return match === null
    ? { stamp: null, rest: raw }
    : { stamp: match[1] as string, rest: raw.slice(match[0].length) };
}

function ownMs(value: unknown): number | null {
  if (typeof value === "string") return parseMsOrNull(value.replace(/([+-]\d\d)(\d\d)$/, "$1:$2"));
  // zap's epoch encoder: seconds with a fraction.
  return typeof value === "number" && value > 0 && value < 1e11 ? Math.floor(value * 1000) : null;
}

function parseJson(text: string): Omit<LogLine, "instant"> | null {
  const value = jsonOf(text);
  if (!isRecord(value)) return null;
  const { level, ts, time, msg, message, error } = value;
  const said = typeof msg === "string" ? msg : typeof message === "string" ? message : "";
  const why = typeof error === "string" && error !== "" ? error : null;
  return {
    atMs: ownMs(ts ?? time),
    text: plainLine(why === null ? said : `${said}: ${why}`),
    json: true,
    debug: typeof level === "string" && level.toLowerCase() === "debug",
    broken: false,
  };
}

/** Takes a line apart. */
export function parseLine(raw: string): LogLine {
  const { stamp, rest } = splitStamp(raw.startsWith("\ufeff") ? raw.slice(1) : raw);
  const stampMs = stamp === null ? null : parseMsOrNull(stamp);
  const instant = stamp ?? "";
  const binary = rest.includes("\u0000") || rest.includes("\ufffd");
  const bare = plainLine(rest).trimStart();
  if (bare.startsWith("{")) {
    const json = parseJson(bare);
    if (json !== null) return { ...json, instant, atMs: stampMs ?? json.atMs, broken: binary };
    return { instant, atMs: stampMs, text: "", json: true, debug: false, broken: true };
  }
  let text = bare.startsWith("boot: ") ? bare.slice("boot: ".length) : bare;
  let atMs = stampMs;
  const time = GO_TIME.exec(text);
  if (time !== null) {
    const [whole, year, month, day, clock, fraction = ""] = time;
    atMs ??= parseMsOrNull(`${year}-${month}-${day}T${clock}${fraction}Z`);
    text = text.slice(whole.length);
  } else text = text.replace(KLOG, "");
  // Control characters were made spaces, so the tabs of zap's console form are looked for in what
  // came.
  const level = ZAP_LEVEL.exec(rest);
  if (level !== null) text = plainLine(rest.slice(level[0].length));
  return {
    instant,
    atMs,
    text: text.replace(VERBOSE, "").trimEnd(),
    json: false,
    debug: level?.[1] === "DEBUG",
    broken: binary,
  };
}

/** Characters of a line that are looked at. */
const MAX_LINE = 65_536;

/**
 * `take` is given each line without its end; `skip` is called for one that is too long. A line is
 * given once its end has come.
 */
export function createSplitter(
  take: (line: string) => void,
  skip: () => void,
): (text: string) => void {
  let pending = "";
  let overlong = false;
  return (text) => {
    let from = 0;
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", from)) {
      const piece = text.slice(from, at);
      from = at + 1;
      if (overlong || pending.length + piece.length > MAX_LINE) {
        [pending, overlong] = ["", false];
        skip();
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
}

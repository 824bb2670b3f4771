/**
 * One line of a container's log taken apart: when it was written, and what it says. Plain lines of
 * Go's log package (containerboot's begin with `boot: `), of klog, and JSON lines of zap; before
 * each there may be the kubelet's own time. Total: any text is a line, and what can't be understood
 * is said to be unread.
 */
import { parseMsOrNull } from "../../certificate/time.ts";
import { plainLine } from "./redact.ts";

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

function msOrNull(instant: string): number | null {
  const ns = parseMsOrNull(instant);
  return ns === null ? null : ns;
}

/** The kubelet's time and what comes after it. */
export function splitStamp(raw: string): { readonly stamp: string | null; readonly rest: string } {
  const match = STAMP.exec(raw);
  return match === null
    ? { stamp: null, rest: raw }
    : { stamp: match[1] as string, rest: raw.slice(match[0].length) };
}

function ownMs(value: unknown): number | null {
  if (typeof value === "string") return msOrNull(value.replace(/([+-]\d\d)(\d\d)$/, "$1:$2"));
  // zap's epoch encoder: seconds with a fraction.
  return typeof value === "number" && value > 0 && value < 1e11 ? Math.floor(value * 1000) : null;
}

function parseJson(text: string): Omit<LogLine, "instant"> | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const { level, ts, time, msg, message, error } = value as Readonly<Record<string, unknown>>;
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
  const stampMs = stamp === null ? null : msOrNull(stamp);
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
    atMs ??= msOrNull(`${year}-${month}-${day}T${clock}${fraction}Z`);
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

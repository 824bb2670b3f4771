/**
 * A refusal by Let's Encrypt's rate limits, in its words of all ages (boulder
 * ratelimits/transaction.go; before 2025-01-10 ra/ra.go). The number in brackets is the bucket's
 * burst; the time is UTC. Total.
 */
import { parseMsOrNull } from "../../certificate/time.ts";
import { isHostName } from "../../secret/shapes.ts";
import { type LimitKind, setOf } from "../limit.ts";

/** `set` and `domain` are limits of certificates; the others are told and enter no budget. */
export type RefusedLimit = LimitKind | "orders" | "authorizations" | "registrations" | "other";

export interface RefusalText {
  readonly limit: RefusedLimit;
  /**
   * Key of the set, or the registered domain; `null` where the text doesn't say (the set is then
   * the order's).
   */
  readonly key: string | null;
  /** `null` where the text names none, as the oldest don't. */
  readonly retryAtMs: number | null;
  /** `null` in older texts. */
  readonly burst: number | null;
}

/** Words that every such refusal has one of; looked for first, as few lines have any. */
const ANY =
  /too many (?:certificates(?: \(\d{1,9}\))? already issued for|new orders|failed authorizations|new registrations|registrations|currently pending)|urn:(?:ietf:params:acme|acme):error:rateLimited/i;
const CERTIFICATES =
  /too many certificates(?: \((\d{1,9})\))? already issued for:? ([^\n]{0,8192})/i;
const EXACT_SET =
  /^(?:this )?exact set of (?:identifiers|domains)(?: in the last [0-9hms.]{1,24}(?: hours)?)?(: )?/i;
/** What comes after a list of names. */
const AFTER_NAMES = /,? retry after |:? see /i;
const ONE_NAME = /^"?([A-Za-z0-9*_-][A-Za-z0-9.*_-]{0,253})/;
const RETRY =
  /retry after (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d{1,9})?(?: UTC|Z| \+0000 UTC|([+-]\d\d:\d\d))?/i;

const OTHERS: readonly (readonly [RegExp, RefusedLimit])[] = [
  [/too many new orders/i, "orders"],
  [/too many failed authorizations/i, "authorizations"],
  [/too many currently pending authorizations/i, "authorizations"],
  [/too many (?:new )?registrations/i, "registrations"],
];

function retryOf(text: string): number | null {
  const match = RETRY.exec(text);
  if (match === null) return null;
  const [, day, clock, fraction = "", offset = "Z"] = match;
  return parseMsOrNull(`${day}T${clock}${fraction}${offset}`);
}

function isName(name: string): boolean {
  return isHostName(name.startsWith("*.") ? name.slice(2) : name);
}

/** The names up to where the text goes on. */
function setKeyOf(text: string): string | null {
  const end = text.search(AFTER_NAMES);
  const names = (end === -1 ? text : text.slice(0, end))
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  return names.length > 0 && names.length <= 100 && names.every(isName) ? setOf(names).key : null;
}

/** Boulder's answer (503) under load has the same type, and limits nobody. */
const BUSY = /\bservice busy\b/i;

/** `null`: the text is no such refusal. */
export function parseRefusal(text: string): RefusalText | null {
  if (!ANY.test(text) || BUSY.test(text)) return null;
  const retryAtMs = retryOf(text);
  const certificates = CERTIFICATES.exec(text);
  if (certificates !== null) {
    const burst = certificates[1] === undefined ? null : Number(certificates[1]);
    const what = certificates[2] ?? "";
    const set = EXACT_SET.exec(what);
    if (set !== null)
      return {
        limit: "set",
        key: set[1] === undefined ? null : setKeyOf(what.slice(set[0].length)),
        retryAtMs,
        burst: burst === 0 ? null : burst,
      };
    const name = ONE_NAME.exec(what)?.[1]?.toLowerCase().replace(/\.$/, "") ?? "";
    return {
      limit: "domain",
      key: isName(name) ? name : null,
      retryAtMs,
      burst: burst === 0 ? null : burst,
    };
  }
  const limit = OTHERS.find(([pattern]) => pattern.test(text))?.[1] ?? "other";
  return { limit, key: null, retryAtMs, burst: null };
}

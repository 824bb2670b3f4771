/**
 * ACME Renewal Information over HTTPS (RFC 9773 §4): unauthenticated, by the address that the
 * issuer's directory gives. An address on another host than the directory's is refused: who is
 * asked is what somebody configured.
 */
import { parseMsOrNull } from "../../certificate/time.ts";
import { fieldsOf, isRecord, jsonOf, textOf } from "../../untrusted.ts";
import type {
  NoWindow,
  RenewalInfoSource,
  SuggestedWindow,
  WebAnswer,
  WebReader,
} from "../../ports/outside.ts";

export interface RenewalInfoOptions {
  /** Of one request; default 5,000. */
  readonly timeoutMs?: number;
}

/** RFC 9773 §4.3.2: within a minute and a day, and six hours where nothing is said. */
const [LEAST_MS, MOST_MS, USUAL_MS] = [60_000, 24 * 3_600_000, 6 * 3_600_000];
const MAX_BYTES = 64 * 1024;
const MAX_URL = 1_024;

type Found = { readonly ok: true; readonly url: string } | NoWindow;

export function createRenewalInfo(
  web: WebReader,
  { timeoutMs = 5_000 }: RenewalInfoOptions = {},
): RenewalInfoSource {
  const directories = new Map<string, Promise<Found>>();
  const get = (url: string, signal?: AbortSignal): Promise<WebAnswer> =>
    web.get(url, {
      headers: { accept: "application/json", "user-agent": "certkeep" },
      timeoutMs,
      maxBytes: MAX_BYTES,
      signal,
    });

  const find = async (directory: string, signal?: AbortSignal): Promise<Found> => {
    const got = await get(directory, signal);
    if (!got.ok || got.status !== 200) return failure(got);
    const value = jsonOf(got.body.toString("utf8"));
    if (!isRecord(value)) return none("invalid_answer");
    if (!("renewalInfo" in value)) return none("not_offered");
    const address = textOf(value["renewalInfo"]) ?? "";
    const url = address.length <= MAX_URL ? URL.parse(address) : null;
    if (
      url === null ||
      url.origin !== new URL(directory).origin ||
      url.username !== "" ||
      url.search !== "" ||
      url.hash !== ""
    )
      return none("invalid_answer");
    return { ok: true, url: url.href.replace(/\/$/, "") };
  };

  return {
    ask: async (directory, id, signal) => {
      const known = directories.get(directory) ?? find(directory, signal);
      directories.set(directory, known);
      const found = await known;
      if (!found.ok) return found;
      const got = await get(`${found.url}/${id}`, signal);
      return got.ok && got.status === 200
        ? windowOf(jsonOf(got.body.toString("utf8")), got.retryMs)
        : got.ok && got.status === 404
          ? none("unknown_certificate", got.retryMs)
          : failure(got);
    },
  };
}

function none(code: NoWindow["code"], retryMs: number | null = null): NoWindow {
  return { ok: false, code, retryMs };
}

function failure(got: WebAnswer): NoWindow {
  if (!got.ok) return none(got.code === "redirect" ? "invalid_answer" : got.code);
  if (got.status === 429) return none("rate_limited", got.retryMs);
  if (got.status === 401 || got.status === 403) return none("forbidden", got.retryMs);
  return got.status >= 500 ? none("unreachable", got.retryMs) : none("invalid_answer", got.retryMs);
}

function instantMs(value: unknown): number | null {
  return typeof value === "string" && value.length <= 64 ? parseMsOrNull(value) : null;
}

/** RFC 9773 §4.2; a window that ends before it begins is none. */
function windowOf(value: unknown, retryMs: number | null): SuggestedWindow | NoWindow {
  const { suggestedWindow, explanationURL: explanation } = fieldsOf(value);
  const { start, end } = fieldsOf(suggestedWindow);
  const [startMs, endMs] = [instantMs(start), instantMs(end)];
  if (startMs === null || endMs === null || endMs < startMs) return none("invalid_answer", retryMs);
  return {
    ok: true,
    startMs,
    endMs,
    explanationUrl:
      typeof explanation === "string" &&
      explanation.length <= MAX_URL &&
      /^https?:\/\/[\x21-\x7e]+$/.test(explanation)
        ? explanation
        : null,
    retryMs: retryMs === null ? USUAL_MS : Math.min(MOST_MS, Math.max(LEAST_MS, retryMs)),
  };
}

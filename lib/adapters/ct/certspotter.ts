/**
 * Cert Spotter's search of certificate logs (https://sslmate.com/help/reference/ct_search_api_v1):
 * unexpired issuances in the order in which it found them, precertificate and certificate of one
 * issuance as one entry, the certificate where it is known.
 *
 * The token is a credential: it goes into one header and stands in no answer. Text of the server
 * goes nowhere.
 */
import type {
  LoggedFailure,
  LoggedPage,
  TransparencySource,
  WebReader,
} from "../../ports/outside.ts";
import { fieldsOf, jsonOf, textOf } from "../../untrusted.ts";

export const CERT_SPOTTER_URL = "https://api.certspotter.com/v1/issuances";

export interface CertSpotterOptions {
  /** Default: Cert Spotter's own. */
  readonly url?: string;
  readonly token?: string;
  /** Of one page; default 8,000. */
  readonly timeoutMs?: number;
  /** Of one page; default 16 MiB: some hundred entries of a few kB are what it gives. */
  readonly maxBytes?: number;
  /** Entries of one page that are looked at; default 5,000. */
  readonly maxRows?: number;
}

/** An identifier is opaque; so much of one is kept and sent back. */
const ID = /^[\x21-\x7e]{1,100}$/;
/** A certificate in base64; what issuers sign has a few kB. */
const MAX_DER_TEXT = 200_000;

function fail(code: LoggedFailure["code"], retryMs: number | null = null): LoggedFailure {
  return { ok: false, code, retryMs };
}

export function createCertSpotter(
  web: WebReader,
  options: CertSpotterOptions = {},
): TransparencySource {
  const {
    url = CERT_SPOTTER_URL,
    token,
    timeoutMs = 8_000,
    maxBytes = 16 * 1024 * 1024,
    maxRows = 5_000,
  } = options;
  const headers = {
    accept: "application/json",
    "user-agent": "certkeep",
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return {
    name: new URL(url).host,
    page: async (domain, cursor, signal) => {
      const query = new URLSearchParams([
        ["domain", domain],
        ["include_subdomains", "true"],
        ["expand", "cert_der"],
      ]);
      if (cursor !== null) query.set("after", cursor);
      const got = await web.get(`${url}?${query.toString()}`, {
        headers,
        timeoutMs,
        maxBytes,
        signal,
      });
      if (!got.ok) return fail(got.code === "redirect" ? "invalid_answer" : got.code);
      const value = jsonOf(got.body.toString("utf8"));
      if (got.status !== 200) return refusal(got.status, value, got.retryMs);
      return Array.isArray(value)
        ? pageOf(value, cursor, maxRows)
        : fieldsOf(value)["code"] === "rate_limited"
          ? fail("rate_limited", got.retryMs)
          : fail("invalid_answer");
    },
  };
}

function refusal(status: number, value: unknown, retryMs: number | null): LoggedFailure {
  if (status === 429 || fieldsOf(value)["code"] === "rate_limited")
    return fail("rate_limited", retryMs);
  if (status === 401 || status === 403) return fail("forbidden");
  return status >= 500 ? fail("unreachable", retryMs) : fail("refused");
}

function pageOf(
  rows: readonly unknown[],
  before: string | null,
  maxRows: number,
): LoggedPage | LoggedFailure {
  if (rows.length === 0) return { ok: true, ders: [], unread: 0, cursor: null };
  const ders: Uint8Array[] = [];
  for (const row of rows.slice(0, maxRows)) {
    const der = derOf(row);
    if (der !== null) ders.push(der);
  }
  // The entry that the next page begins after is the last: without its identifier there is no going
  // on.
  const id = textOf(fieldsOf(rows.at(-1))["id"]);
  if (id === null || !ID.test(id) || id === before) return fail("invalid_answer");
  return { ok: true, ders, unread: rows.length - ders.length, cursor: id };
}

function derOf(row: unknown): Uint8Array | null {
  const text = textOf(fieldsOf(row)["cert_der"]) ?? "";
  return text.length <= MAX_DER_TEXT && /^[A-Za-z0-9+/]+={0,2}$/.test(text)
    ? Buffer.from(text, "base64")
    : null;
}

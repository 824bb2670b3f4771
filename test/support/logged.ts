/** Certificate logs in a test: what a search of them gives, and a search in memory. */
import { createIssuer, type Issuer } from "../../lib/issuer/issuers.ts";
import type { LoggedFailure, TransparencySource } from "../../lib/ports/outside.ts";
import type { Authority, IssueOptions, Issued } from "./pki.ts";

export const HOUR_MS = 3_600_000;
export const BACKDATE_MS = 3_510_000;
const LIFETIME_MS = 90 * 24 * HOUR_MS;
/** RFC 6962 §3.1: critical, its value NULL. */
const POISON = {
  oid: "1.3.6.1.4.1.11129.2.4.3",
  critical: true,
  value: Buffer.from("0500", "hex"),
};

/** The authority as an issuer that logs what it issues. */
export function loggingIssuer(
  authority: Authority,
  over: Partial<Parameters<typeof createIssuer>[0]> = {},
): Issuer {
  return createIssuer({
    id: "test",
    title: "Test CA",
    anchorsPem: authority.root.pem,
    intermediatesPem: authority.intermediates.map(({ pem }) => pem).join(""),
    limits: {
      perSet: { count: 5, periodMs: 168 * HOUR_MS },
      perDomain: { count: 50, periodMs: 168 * HOUR_MS },
      source: "test",
      checked: "2026-11-23",
    },
    backdateMs: BACKDATE_MS,
    logged: { shortestLifetimeMs: 160 * HOUR_MS },
    ...over,
  });
}

/** As an issuer makes one at `issuedMs`: dated back, with the time of a log in it. */
export function certificateOf(
  authority: Authority,
  issuedMs: number,
  names: readonly string[],
  options: Partial<IssueOptions> = {},
): Issued {
  const notBeforeMs = issuedMs - BACKDATE_MS;
  return authority.issue({
    names,
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notBeforeMs + LIFETIME_MS),
    scts: [{ timestampMs: issuedMs }],
    ...options,
  });
}

/** The precertificate before it: the same serial number, poisoned, without a log's time. */
export function precertificateOf(
  authority: Authority,
  issuedMs: number,
  names: readonly string[],
  options: Partial<IssueOptions> = {},
): Issued {
  const notBeforeMs = issuedMs - BACKDATE_MS;
  return authority.issue({
    names,
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notBeforeMs + LIFETIME_MS),
    extensions: [POISON],
    ...options,
  });
}

export interface MemorySearch extends TransparencySource {
  /** In the order in which they were found; may grow. */
  readonly found: { readonly der: Uint8Array; readonly untilMs?: number }[];
  readonly asked: { readonly domain: string; readonly cursor: string | null }[];
  /** Instead of an answer, while it is set; "hang" until the signal. */
  fails: LoggedFailure | "hang" | null;
  unread: number;
}

/**
 * Pages of `pageSize`; an entry with `untilMs` isn't shown from then on, as Cert Spotter shows what
 * is unexpired.
 */
export function createMemorySearch(pageSize = 3, nowMs: () => number = () => 0): MemorySearch {
  const search: MemorySearch = {
    name: "logs.test",
    found: [],
    asked: [],
    fails: null,
    unread: 0,
    page: async (domain, cursor, signal) => {
      search.asked.push({ domain, cursor });
      if (search.fails === "hang")
        return new Promise((resolve) =>
          signal?.addEventListener(
            "abort",
            () => resolve({ ok: false, code: "timeout", retryMs: null }),
            { once: true },
          ),
        );
      if (search.fails !== null) return search.fails;
      const after = cursor === null ? -1 : Number(cursor);
      const rows = search.found
        .map((row, id) => ({ ...row, id }))
        .filter(({ id, untilMs }) => id > after && (untilMs ?? Number.POSITIVE_INFINITY) > nowMs())
        .slice(0, pageSize);
      return {
        ok: true,
        ders: rows.map(({ der }) => der),
        unread: rows.length === 0 ? 0 : search.unread,
        cursor: rows.length === 0 ? null : String(rows.at(-1)?.id),
      };
    },
  };
  return search;
}

/**
 * Searches certificate logs for the registered domains of known certificates, and stores the
 * verified issuances, the span in which all are seen, and where the next search goes on.
 *
 * Polite: one chain of requests a domain, by one of all runs, none again within an hour, a growing
 * pause after failures that later runs keep to, and none at all once the search answers that it is
 * too much. It never throws for what the search does, and ends with the signal; what it read by
 * then is stored.
 */
import pLimit from "p-limit";
import { type CertkeepError, isCertkeepError, internalError } from "../error.ts";
import {
  type LoggedContext,
  type LoggedEntry,
  readLogged,
  spanOfLook,
} from "../ratelimit/transparency.ts";
import { type Issuance, mergeIssuances } from "../ratelimit/issuance.ts";
import {
  DAY_MS,
  HOUR_MS,
  isRegisteredDomain,
  registeredDomain,
  registeredDomains,
} from "../ratelimit/limit.ts";
import type { Issuer } from "../issuer/issuers.ts";
import type { TransparencySource } from "../ports/outside.ts";
import type { StateDocument } from "../state/document.ts";
import { heldIn, secretEntries } from "../state/secrets.ts";
import {
  boundTransparency,
  emptyTransparency,
  formatTransparency,
  type TransparencyDocument,
  transparencyName,
} from "../state/transparency.ts";
import type { AuditPorts, JudgeKit } from "./audit/context.ts";
import { loadTransparency, saveTransparency } from "./states.ts";

/** `clock`: the time it really is. */
export interface TransparencyPorts extends Pick<AuditPorts, "states" | "clock"> {
  readonly kit: Pick<JudgeKit, "issuers" | "verifier">;
  readonly source: TransparencySource;
  readonly signal: AbortSignal;
}

/** How far the search went for one domain, by its document. */
export interface TransparencyStatus {
  readonly domain: string;
  readonly source: string;
  readonly askedMs: number | null;
  readonly wholeMs: number | null;
  /** `null`: whole. */
  readonly code: string | null;
  readonly sinceMs: number | null;
  readonly unread: number;
  readonly others: number;
}

export interface TransparencyRun {
  readonly looks: readonly TransparencyStatus[];
  readonly problems: readonly CertkeepError[];
}

/**
 * Domains asked about in one run: without a token Cert Spotter answers some ten questions an hour.
 */
const DOMAINS_AT_MOST = 10;
/** Pages of one domain and run; the next run goes on where this one ended. */
const PAGES_AT_MOST = 20;
const READS_AT_ONCE = 4;
const CHECKS_AT_ONCE = 64;
const AGAIN_MS = HOUR_MS;
/** Longer than a run asks. */
const CLAIM_MS = HOUR_MS / 30;
const FIRST_PAUSE_MS = HOUR_MS / 4;
const MAX_PAUSE_MS = 6 * HOUR_MS;

/** Of certificates whose issuer logs them all anyway: others' names are nobody else's business. */
export function loggedDomains(
  states: readonly StateDocument[],
  issuers: readonly Issuer[],
): string[] {
  const logged = new Set(issuers.filter((issuer) => issuer.logged !== null).map(({ id }) => id));
  const domains = new Set<string>();
  for (const state of states) {
    for (const { record } of secretEntries(state)) {
      for (const [, { issuer, keyFits, names }] of heldIn(record)) {
        if (issuer !== null && keyFits && logged.has(issuer))
          for (const domain of registeredDomains(names)) domains.add(domain);
      }
    }
  }
  return [...domains].filter(isRegisteredDomain).toSorted();
}

/** Domains as somebody wrote them down. */
export function askedDomains(domains: readonly string[]): string[] {
  return [...new Set(domains.map(registeredDomain))].filter(isRegisteredDomain).toSorted();
}

export async function askTransparency(
  domains: readonly string[],
  ports: TransparencyPorts,
): Promise<TransparencyRun> {
  const problems: CertkeepError[] = [];
  const caught = async <T>(work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      problems.push(isCertkeepError(error) ? error : internalError("certificate logs", error));
      return null;
    }
  };
  const limit = pLimit(READS_AT_ONCE);
  const loaded = await Promise.all(
    domains.map((domain) =>
      limit(() =>
        caught(async () => {
          const known = await loadTransparency(ports.states, domain);
          return {
            document: known?.document ?? emptyTransparency(domain, ports.source.name),
            revision: known?.revision ?? null,
          };
        }),
      ),
    ),
  );
  const documents = loaded.filter((one) => one !== null);
  const nowMs = ports.clock.nowMs();
  const due = documents
    .filter(({ document }) => !isHeld(document, ports.source.name, nowMs))
    .toSorted((a, b) => (a.document.askedMs ?? 0) - (b.document.askedMs ?? 0));
  // What was too much for one domain is too much for all: the search counts who asks.
  let stop = documents.some(
    ({ document }) =>
      document.failure?.code === "rate_limited" && isHeld(document, ports.source.name, nowMs),
  );
  const after = new Map(documents.map(({ document }) => [document.domain, document]));
  for (const { document, revision } of due.slice(0, DOMAINS_AT_MOST)) {
    if (stop || ports.signal.aborted) break;
    await caught(async () => {
      // Of many runs at once one asks: the one that gets to say so first.
      const claimed = await ports.states.write(
        transparencyName(document.domain),
        formatTransparency({ ...document, nextMs: nowMs + CLAIM_MS }),
        revision,
      );
      if (claimed === null) return;
      const next = boundTransparency(await ask(document, ports), ports.clock.nowMs());
      stop = next.failure?.code === "rate_limited";
      await saveTransparency(ports.states, { document: next, revision: claimed });
      after.set(document.domain, next);
    });
  }
  return { looks: [...after.values()].map(statusOf), problems };
}

/** A pause that reaches further than any can comes from a clock that has gone back since. */
function isHeld({ nextMs, source }: TransparencyDocument, asked: string, nowMs: number): boolean {
  return source === asked && nextMs > nowMs && nextMs <= nowMs + DAY_MS;
}

function statusOf({
  domain,
  source,
  askedMs,
  wholeMs,
  failure,
  unread,
  others,
}: TransparencyDocument): TransparencyStatus {
  return {
    domain,
    source,
    askedMs,
    wholeMs,
    code: failure?.code ?? (wholeMs === null ? "not_asked_yet" : null),
    sinceMs: failure?.sinceMs ?? null,
    unread: unread?.count ?? 0,
    others,
  };
}

interface Asked {
  readonly cursor: string | null;
  readonly issuances: readonly Issuance[];
  readonly unread: number;
  readonly others: number;
  /** `null`: everything was read. */
  readonly failed: { readonly code: string; readonly retryMs: number | null } | null;
}

/** One chain of requests: the pages since the last time, until one is empty. */
async function askPages(
  domain: string,
  from: string | null,
  { clock, kit, source, signal }: TransparencyPorts,
): Promise<Asked> {
  const issuances: Issuance[] = [];
  let cursor = from;
  let [unread, others] = [0, 0];
  const end = (failed: Asked["failed"]): Asked => ({ cursor, issuances, unread, others, failed });
  for (let pages = 0; pages < PAGES_AT_MOST; pages += 1) {
    const page = signal.aborted
      ? ({ ok: false, code: "timeout", retryMs: null } as const)
      : await source.page(domain, cursor, signal);
    if (!page.ok) return end(page);
    if (page.cursor === null) return end(null);
    const { issuers, verifier } = kit;
    const context = { issuers, verifier, domain, where: source.name, seenMs: clock.nowMs() };
    const read = await readPage(page.ders, context, signal);
    // The time was over in the middle of it: it is asked for again.
    if (read === null) continue;
    issuances.push(...read.issuances);
    unread += read.unread + page.unread;
    others += read.others;
    cursor = page.cursor;
  }
  return end({ code: "too_much", retryMs: null });
}

async function ask(
  before: TransparencyDocument,
  ports: TransparencyPorts,
): Promise<TransparencyDocument> {
  const { clock, kit, source } = ports;
  const startMs = clock.nowMs();
  // Another source begins again, and so does its count of others' certificates.
  const from = before.source === source.name ? before.cursor : null;
  const { cursor, issuances, unread, others, failed } = await askPages(before.domain, from, ports);
  const endMs = clock.nowMs();
  const tries = (before.failure?.tries ?? 0) + 1;
  const sinceMs = before.failure?.sinceMs ?? startMs;
  return {
    ...before,
    source: source.name,
    cursor,
    askedMs: startMs,
    wholeMs: failed === null ? endMs : before.wholeMs,
    nextMs: endMs + (failed === null ? AGAIN_MS : pauseMs(failed, tries)),
    failure: failed === null ? null : { code: failed.code, sinceMs, tries },
    spans:
      failed === null ? [...before.spans, ...spansOf(kit.issuers, startMs, endMs)] : before.spans,
    unread:
      unread === 0
        ? before.unread
        : { count: unread + (before.unread?.count ?? 0), untilMs: endMs },
    others: (from === null ? 0 : before.others) + others,
    issuances: mergeIssuances(before.issuances, issuances),
  };
}

/** `null` where the signal ended it. */
async function readPage(
  ders: readonly Uint8Array[],
  context: LoggedContext,
  signal: AbortSignal,
): Promise<{
  readonly issuances: readonly Issuance[];
  readonly unread: number;
  readonly others: number;
} | null> {
  const entries: LoggedEntry[] = [];
  for (let from = 0; from < ders.length; from += CHECKS_AT_ONCE) {
    if (signal.aborted) return null;
    entries.push(
      ...(await Promise.all(
        ders.slice(from, from + CHECKS_AT_ONCE).map((der) => readLogged(der, context)),
      )),
    );
  }
  const count = (kind: LoggedEntry["kind"]): number =>
    entries.filter((entry) => entry.kind === kind).length;
  return {
    issuances: entries.flatMap((entry) => (entry.kind === "issuance" ? [entry.issuance] : [])),
    unread: count("unread"),
    others: count("other"),
  };
}

function spansOf(
  issuers: readonly Issuer[],
  startMs: number,
  endMs: number,
): TransparencyDocument["spans"] {
  return issuers.flatMap(({ id, logged }) => {
    const span = logged === null ? null : spanOfLook(logged.shortestLifetimeMs, startMs, endMs);
    return span === null ? [] : [{ issuer: id, ...span }];
  });
}

/** As the search says, within a minute and a day; else doubled with each failure. */
function pauseMs({ retryMs }: { readonly retryMs: number | null }, tries: number): number {
  const ownMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(tries - 1, 10));
  return retryMs === null ? ownMs : Math.min(DAY_MS, Math.max(60_000, retryMs));
}

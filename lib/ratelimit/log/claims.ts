/**
 * From what a log says to evidence: a certificate that it says was issued is claimed by its
 * cluster, a refusal is told as that cluster's. Neither changes another cluster's numbers; what is
 * kept of them is bounded, so that a log forged by the million costs its own cluster a few entries.
 *
 * A line has no serial number: its claim gets one of its own, made from where and when it was
 * written, so that lines read twice are one claim.
 *
 * Certificates that a log says were issued: of each name the newest, as more change nothing; what
 * is beyond is counted.
 */
import { createHash } from "node:crypto";
import { type Evidence, NO_EVIDENCE, type Refusal } from "../evidence.ts";
import { createIssuance, type Issuance } from "../issuance.ts";
import { DAY_MS } from "../limit.ts";
import type { LogReading, RefusedLine } from "./reader.ts";

export interface ClaimOptions {
  readonly cluster: string;
  /** Id of the issuer of a name's certificates; of what names none with `null`. */
  readonly issuerOf: (domain: string | null) => string;
  /** The clock: a line of later is taken for one of now. */
  readonly nowMs: number;
}

/** What Let's Encrypt dates notBefore back (its own documentation; lib/issuer). */
const BACKDATE_MS = 3_510_000;
/** Of what is issued by default; a claim's end isn't known. */
const LIFETIME_MS = 90 * DAY_MS;
/**
 * A refusal that claims to run longer than the longest period of a limit, with all that is added to
 * it, isn't one.
 */
const MAX_WAIT_MS = 30 * DAY_MS;

/** Claims kept of one set: ten times a week's limit. */
const MAX_OF_SET = 50;
/** Claims kept in all. */
const MAX_CLAIMS = 5_000;
/** Refusals kept in all. */
const MAX_REFUSALS = 500;

function serialOf(cluster: string, where: string, mark: string): string {
  return createHash("sha256")
    .update(JSON.stringify([cluster, where, mark]))
    .digest("hex")
    .slice(0, 40);
}

function refusalOf(
  { domain, seenMs, refusal }: RefusedLine,
  where: string,
  options: ClaimOptions,
): Refusal | null {
  const { limit, retryAtMs, burst } = refusal;
  if ((limit !== "set" && limit !== "domain") || retryAtMs === null) return null;
  // Tailscale orders certificates of one name: an exact set that isn't named is that one.
  const key = refusal.key ?? (limit === "set" ? domain : null);
  const seenAtMs = Math.min(seenMs, options.nowMs);
  if (key === null || retryAtMs - seenAtMs > MAX_WAIT_MS) return null;
  return {
    issuer: options.issuerOf(domain ?? key),
    kind: limit,
    key,
    retryAtMs,
    seenAtMs,
    cluster: options.cluster,
    where,
    burst,
  };
}

/** What one container's log claims. */
export function claimsOf(reading: LogReading, options: ClaimOptions): Evidence {
  const { cluster } = options;
  const { where } = reading;
  const issuances = reading.issued.map(({ domain, atMs, mark }) => {
    const notBeforeMs = Math.min(atMs, options.nowMs) - BACKDATE_MS;
    return createIssuance({
      issuer: options.issuerOf(domain),
      serial: serialOf(cluster, where, mark),
      names: [domain],
      notBeforeMs,
      notAfterMs: notBeforeMs + LIFETIME_MS - 1_000,
      sctMs: null,
      backdateMs: BACKDATE_MS,
      sources: [{ kind: "log", cluster, where, firstSeenMs: notBeforeMs + BACKDATE_MS }],
      claimedBy: cluster,
    });
  });
  return {
    ...NO_EVIDENCE,
    issuances,
    refusals: reading.refused.flatMap((line) => refusalOf(line, where, options) ?? []),
  };
}

const newestFirst = (a: Issuance, b: Issuance): number =>
  b.issuedAtMs - a.issuedAtMs || (a.serial < b.serial ? -1 : 1);

/**
 * Evidence with no more claims and refusals than can change a number; what was verified stays as it
 * is.
 */
export function boundClaims(evidence: Evidence): Evidence {
  const claims = evidence.issuances.filter(({ claimedBy }) => claimedBy !== null);
  const refusals =
    evidence.refusals.length <= MAX_REFUSALS
      ? evidence.refusals
      : evidence.refusals
          .toSorted((a, b) => b.seenAtMs - a.seenAtMs || (a.key < b.key ? -1 : 1))
          .slice(0, MAX_REFUSALS);
  if (claims.length <= MAX_OF_SET) return { ...evidence, refusals };
  const counts = new Map<string, number>();
  const kept = new Set<Issuance>();
  for (const claim of claims.toSorted(newestFirst)) {
    const set = `${claim.issuer} ${claim.set} ${claim.claimedBy}`;
    const count = counts.get(set) ?? 0;
    if (count >= MAX_OF_SET || kept.size >= MAX_CLAIMS) continue;
    counts.set(set, count + 1);
    kept.add(claim);
  }
  return {
    ...evidence,
    refusals,
    issuances: evidence.issuances.filter(
      (issuance) => issuance.claimedBy === null || kept.has(issuance),
    ),
  };
}

/** One certificate that the log says was issued. */
export interface IssuedLine {
  readonly domain: string;
  readonly atMs: number;
  /**
   * The instant as it was written, with a number where one line stands for several: the same line
   * gives the same.
   */
  readonly mark: string;
}

const MAX_NAMES = 1_000;
/** Issuances kept of one name: ten times what any limit gives a week. */
export const MAX_OF_NAME = 50;
const MAX_ISSUED = 2_000;

export class IssuedLines {
  readonly #byName = new Map<string, IssuedLine[]>();
  readonly #marks = new Map<string, number>();
  #beyond = 0;

  /** `instant`: the time as the line has it, or empty. */
  add(domain: string, atMs: number, instant: string, suffix = ""): void {
    const list = this.#byName.get(domain) ?? [];
    if (list.length === 0) {
      if (this.#byName.size >= MAX_NAMES) {
        this.#beyond += 1;
        return;
      }
      this.#byName.set(domain, list);
    }
    // Two lines of one name at one instant are told apart by their order.
    const base = `${domain} ${instant === "" ? atMs : instant}${suffix}`;
    const nth = this.#marks.get(base) ?? 0;
    if (this.#marks.size < MAX_NAMES * MAX_OF_NAME) this.#marks.set(base, nth + 1);
    list.push({ domain, atMs, mark: nth === 0 ? base : `${base} ${nth}` });
    if (list.length > 2 * MAX_OF_NAME) list.splice(0, list.length - MAX_OF_NAME);
  }

  /** `beyond`: certificates for which there were too many names or lines. */
  kept(): { readonly lines: readonly IssuedLine[]; readonly beyond: number } {
    const all = [...this.#byName.values()].flatMap((list) => list.slice(-MAX_OF_NAME));
    const lines =
      all.length <= MAX_ISSUED
        ? all
        : all
            .toSorted((a, b) => b.atMs - a.atMs || (a.mark < b.mark ? -1 : 1))
            .slice(0, MAX_ISSUED);
    return { lines, beyond: this.#beyond + all.length - lines.length };
  }
}

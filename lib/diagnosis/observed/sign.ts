/** What owners' logs tell, per name and kind. Pure. */
import { type Refusal, SKEW_MS } from "../../ratelimit/evidence.ts";
import { parseRefusal } from "../../ratelimit/log/refusal.ts";
import { registeredDomain } from "../../ratelimit/names.ts";
import { storedRefusals } from "../../state/evidence.ts";
import type { LogSign, SignKind } from "../../state/observations.ts";
import { podOf } from "../bearing.ts";
import { shortened, whenText } from "../text.ts";
import { commandLine, literal } from "../../finding/command.ts";
import { subjectOf, type Draft, type Subject } from "../../finding/finding.ts";
import type { CertificateEntry } from "../../state/certificates.ts";
import { instantOf } from "../../finding/words.ts";
import { explain, label, storedMsOf, type View } from "./spot.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Ends by age, after the last line of its kind. */
const AGE_MS: Partial<Record<SignKind, number>> = {
  store_write_failed: 7 * DAY_MS,
  store_read_failed: DAY_MS,
  dns_failed: DAY_MS,
  https_not_enabled: DAY_MS,
  replaces_refused: 30 * DAY_MS,
  paused: 7 * DAY_MS,
};
/**
 * Ends of refusals whose time isn't known. A limit of orders, failed authorizations or registrations frees itself within
 * its period; of certificates one more comes free within the period's share of each, and the wait shown is up to 3 % longer.
 */
const LIMITS_MS: ReadonlyMap<string | null, number> = new Map([
  ["orders", 3 * HOUR_MS],
  ["authorizations", HOUR_MS],
  ["registrations", 3 * HOUR_MS],
  ["set", 35 * HOUR_MS],
  ["domain", 4 * HOUR_MS],
  ["other", DAY_MS],
]);
const LIMIT_WORDS: ReadonlyMap<string | null, string> = new Map([
  ["orders", "for too many new orders"],
  ["authorizations", "for too many failed authorizations"],
  ["registrations", "for too many new accounts"],
  ["set", "for too many certificates of the same names"],
  ["domain", "for too many certificates under its domain"],
]);
const MAX_SAMPLE = 200;
const MAX_LINES = 5;
/** Findings about names of which no Secret is known; more are counted in one. */
const MAX_UNPLACED = 20;

/** Until when the last line says that the issuer refuses; `null` where it doesn't, or was cut off before. */
function untilMsOf({ sample }: LogSign): number | null {
  return parseRefusal(sample)?.retryAtMs ?? null;
}

function untilText(sign: LogSign): string {
  const untilMs = untilMsOf(sign);
  return untilMs === null ? "until when isn't known" : `until ${instantOf(untilMs)}, as it says`;
}

interface Told {
  readonly code: Draft["code"];
  readonly seen: (label: string, sign: LogSign) => string;
}

const TOLD: Partial<Record<SignKind, Told>> = {
  store_write_failed: {
    code: "issued_not_stored",
    seen: (name, sign) =>
      `A certificate of ${name} was issued and could not be stored (${(sign.code ?? "other").replaceAll("_", " ")}), ${whenText(sign)}.`,
  },
  store_read_failed: {
    code: "storage_failing",
    seen: (name, sign) =>
      `What is stored for ${name} could not be read by its owner (${(sign.code ?? "other").replaceAll("_", " ")}), ${whenText(sign)}.`,
  },
  dns_failed: {
    code: "dns_failing",
    seen: (name, sign) =>
      `Orders for ${name} fail for DNS (${(sign.code ?? "other").replaceAll("_", " ")}), ${whenText(sign)}.`,
  },
  https_not_enabled: {
    code: "dns_failing",
    seen: (name, sign) =>
      `The owner of ${name} gets no certificate, since HTTPS isn't enabled for it, ${whenText(sign)}.`,
  },
  replaces_refused: {
    code: "account_key_lost",
    seen: (name, sign) =>
      `The issuer refused to renew ${name}, as another ACME account asked for it before, ${whenText(sign)}.`,
  },
  paused: {
    code: "rate_limited",
    seen: (name, sign) => `The issuer has paused the account for ${name}, ${whenText(sign)}.`,
  },
  rate_limited: {
    code: "rate_limited",
    seen: (name, sign) =>
      `The issuer refused an order for ${name}, ${LIMIT_WORDS.get(sign.code) ?? "by one of its limits"}, ${whenText(sign)}; ${untilText(sign)}.`,
  },
};

/** Whether a sign is too old to tell of what is now. */
function isStale(sign: LogSign, atMs: number): boolean {
  if (sign.kind === "rate_limited" && (untilMsOf(sign) ?? Number.POSITIVE_INFINITY) <= atMs)
    return true;
  const ageMs =
    sign.kind === "rate_limited" ? (LIMITS_MS.get(sign.code) ?? 0) : (AGE_MS[sign.kind] ?? 0);
  return sign.lastMs <= atMs - ageMs || sign.firstMs > atMs + SKEW_MS;
}

/** Whether a refusal was kept of it: that knows until when, and tells it. */
function isTimed(
  { kind, code, domain, where, lastMs }: LogSign,
  refusals: readonly Refusal[],
): boolean {
  if (kind !== "rate_limited") return false;
  return refusals.some(
    (refusal) =>
      refusal.kind === code &&
      refusal.where === where &&
      refusal.seenAtMs >= lastMs - SKEW_MS &&
      (domain === null ||
        (code === "set"
          ? refusal.key.split(",").includes(domain)
          : refusal.key === registeredDomain(domain))),
  );
}

/** A line that names nobody is its owner's alone, never a neighbour's. */
function entriesFor(sign: LogSign, { byName, writers }: View): readonly CertificateEntry[] {
  return sign.domain !== null
    ? (byName.get(sign.domain.toLowerCase()) ?? [])
    : writers.ofPod(...podOf(sign.where));
}

interface Group {
  readonly subject: Subject;
  readonly told: Told;
  readonly entry: CertificateEntry | null;
  readonly signs: LogSign[];
}

function groupsOf(view: View): Group[] {
  const {
    state,
    atMs,
    observations: { signs },
  } = view;
  const issuedMs = new Map<string, number>();
  for (const { kind, domain, lastMs } of signs)
    if (kind === "issued" && domain !== null)
      issuedMs.set(domain, Math.max(lastMs, issuedMs.get(domain) ?? Number.NEGATIVE_INFINITY));
  const refusals = storedRefusals(state).filter(({ cluster }) => cluster === state.cluster);
  const groups = new Map<string, Group>();
  for (const sign of signs) {
    const told = TOLD[sign.kind];
    if (told === undefined || isStale(sign, atMs) || isTimed(sign, refusals)) continue;
    // An order that went through since tells that what kept orders from it is over; not that it could be stored.
    if (
      sign.kind !== "store_write_failed" &&
      sign.domain !== null &&
      (issuedMs.get(sign.domain) ?? Number.NEGATIVE_INFINITY) > sign.lastMs
    )
      continue;
    const near = entriesFor(sign, view);
    const open: readonly (CertificateEntry | null)[] =
      near.length === 0 && sign.domain !== null
        ? [null]
        : near.filter((entry) => (storedMsOf(entry) ?? Number.NEGATIVE_INFINITY) <= sign.lastMs);
    for (const entry of open) {
      const subject =
        entry === null
          ? {
              cluster: state.cluster,
              namespace: sign.where.split("/")[0] ?? null,
              secret: null,
              name: sign.domain,
            }
          : subjectOf(entry);
      const key = `${told.code} ${JSON.stringify(subject)}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { subject, told, entry, signs: [sign] });
      else group.signs.push(sign);
    }
  }
  return [...groups.values()];
}

export function* signDrafts(view: View): Generator<Draft> {
  const groups = groupsOf(view);
  yield* groups.filter(({ entry }) => entry !== null).map(draftOf);
  yield* boundedDrafts(
    groups.filter(({ entry }) => entry === null).map(draftOf),
    view.state.cluster,
  );
}

function draftOf({ subject, told, entry, signs }: Group): Draft {
  const newest = signs.toSorted((a, b) => b.lastMs - a.lastMs);
  const first = newest[0] as LogSign;
  return {
    code: told.code,
    subject,
    seen: told.seen(label(subject), first),
    evidence: newest
      .slice(0, MAX_LINES)
      .map((sign) => `${sign.where}: ${shortened(sign.sample, MAX_SAMPLE)}`),
    command: explain(subject),
    ...(told.code === "rate_limited" && entry?.verdict?.valid === true
      ? {
          severity: "warning" as const,
          advice: "what is live is valid: keep it; nothing else is issued for it meanwhile",
        }
      : {}),
    cause: `${told.code}:${first.code ?? first.kind}`,
  };
}

/** Names that a log made up are told up to a number; the rest in one. */
function* boundedDrafts(drafts: readonly Draft[], cluster: string): Generator<Draft> {
  for (const [code, of] of Map.groupBy(drafts, (draft) => draft.code)) {
    yield* of.slice(0, MAX_UNPLACED);
    if (of.length > MAX_UNPLACED)
      yield {
        code,
        subject: { cluster, namespace: null, secret: null, name: null },
        seen: `Logs tell the same of ${(of.length - MAX_UNPLACED).toLocaleString("en-US")} more names of which no Secret is known.`,
        command: commandLine(literal("certkeep explain"), cluster),
      };
  }
}

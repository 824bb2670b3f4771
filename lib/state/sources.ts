/**
 * What sources of evidence left in a state besides issuances: spans of complete sight, refusals,
 * silences, counts of what was left unread. Total: an entry that isn't one is dropped. That only
 * narrows what is claimed, except for a refusal, which another source then has to report.
 */
import * as z from "zod/mini";
import type { Coverage, Refusal, Silence, Unread } from "../ratelimit/evidence.ts";
import { SOURCE_KINDS } from "../ratelimit/issuance.ts";

/** Entries of one kind looked at. */
const MAX_ENTRIES = 10_000;
const MAX_TEXT = 1_024;
/** ECMAScript's last instant, ms since the epoch. */
const LAST_MS = 8_640_000_000_000_000;

const text = z.string().check(z.maxLength(MAX_TEXT));
const instant = z.number().check(z.int(), z.minimum(-LAST_MS), z.maximum(LAST_MS));
const source = z.enum(SOURCE_KINDS);
const kind = z.enum(["set", "domain"]);

const coverage = z.object({
  source,
  cluster: z.nullable(text),
  issuer: text,
  scope: z.union([z.object({ kind: z.literal("all") }), z.object({ kind, key: text })]),
  fromMs: instant,
  untilMs: instant,
});
const refusal = z.object({
  issuer: text,
  kind,
  key: text,
  retryAtMs: instant,
  seenAtMs: instant,
  cluster: text,
  where: text,
  burst: z.nullable(z.number().check(z.int(), z.positive())),
});
const silence = z.object({
  source,
  cluster: z.nullable(text),
  reason: text,
  sinceMs: z.nullable(instant),
});
const unread = z.object({
  source,
  cluster: z.nullable(text),
  count: z.number().check(z.int(), z.positive()),
  untilMs: z.nullable(instant),
});

function parseList<T extends z.ZodMiniType>(schema: T, value: unknown): z.infer<T>[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_ENTRIES).flatMap((entry: unknown) => {
    const parsed = z.safeParse(schema, entry);
    return parsed.success ? [parsed.data] : [];
  });
}

export function parseCoverage(value: unknown): readonly Coverage[] {
  return parseList(coverage, value);
}

export function parseRefusals(value: unknown): readonly Refusal[] {
  return parseList(refusal, value);
}

export function parseSilences(value: unknown): readonly Silence[] {
  return parseList(silence, value);
}

export function parseUnread(value: unknown): readonly Unread[] {
  return parseList(unread, value);
}

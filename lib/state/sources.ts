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

const textSchema = z.string().check(z.maxLength(MAX_TEXT));
const instantSchema = z.number().check(z.int(), z.minimum(-LAST_MS), z.maximum(LAST_MS));
const sourceSchema = z.enum(SOURCE_KINDS);
const kindSchema = z.enum(["set", "domain"]);

const coverageSchema = z.object({
  source: sourceSchema,
  cluster: z.nullable(textSchema),
  issuer: textSchema,
  scope: z.union([
    z.object({ kind: z.literal("all") }),
    z.object({ kind: kindSchema, key: textSchema }),
  ]),
  fromMs: instantSchema,
  untilMs: instantSchema,
});
const refusalSchema = z.object({
  issuer: textSchema,
  kind: kindSchema,
  key: textSchema,
  retryAtMs: instantSchema,
  seenAtMs: instantSchema,
  cluster: textSchema,
  where: textSchema,
  burst: z.nullable(z.number().check(z.int(), z.positive())),
});
const silenceSchema = z.object({
  source: sourceSchema,
  cluster: z.nullable(textSchema),
  reason: textSchema,
  sinceMs: z.nullable(instantSchema),
});
const unreadSchema = z.object({
  source: sourceSchema,
  cluster: z.nullable(textSchema),
  count: z.number().check(z.int(), z.positive()),
  untilMs: z.nullable(instantSchema),
});

function parseList<T extends z.ZodMiniType>(schema: T, value: unknown): z.infer<T>[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_ENTRIES).flatMap((entry: unknown) => {
    const parsed = z.safeParse(schema, entry);
    return parsed.success ? [parsed.data] : [];
  });
}

export function parseCoverage(value: unknown): readonly Coverage[] {
  return parseList(coverageSchema, value);
}

export function parseRefusals(value: unknown): readonly Refusal[] {
  return parseList(refusalSchema, value);
}

export function parseSilences(value: unknown): readonly Silence[] {
  return parseList(silenceSchema, value);
}

export function parseUnread(value: unknown): readonly Unread[] {
  return parseList(unreadSchema, value);
}

/**
 * What the digest remembers, one document for all routes: which findings were said and when, and
 * the messages that are not delivered yet. It holds no webhook and nothing of a Secret.
 *
 * Total reading, as of every state: a text that isn't this document gives a problem, never an
 * exception; fields that this version doesn't know survive.
 */
import { createHash } from "node:crypto";
import * as z from "zod/mini";
import { readDocument } from "./validate.ts";

const DIGEST_FORMAT = 1;
/** Name of the document in a state store. */
export const DIGEST_NAME = "digest";

const entry = z.looseObject({
  /** As it was said; earlier versions wrote `information` for `info`. */
  severity: z.pipe(
    z.string(),
    z.transform((word) => (word === "information" ? "info" : word)),
  ),
  code: z.string(),
  cluster: z.string(),
  /** Name for people, cut. */
  label: z.string(),
  saidMs: z.number(),
  /** Since when it is not seen any more; `null` while it is. */
  goneMs: z.nullable(z.number()),
  /** When it was said that it is gone; such entries stay for a while, to know what flaps. */
  resolvedMs: z.nullable(z.number()),
  /** How often it went and came back. */
  flaps: z.number(),
});
export type SaidEntry = z.infer<typeof entry>;

const queued = z.looseObject({
  id: z.string(),
  madeMs: z.number(),
  text: z.string(),
  blocks: z.array(z.unknown()),
  attempts: z.number(),
  /** Not tried again before then. */
  notBeforeMs: z.number(),
  /** Until then another run is delivering it. */
  claimedUntilMs: z.number(),
});
export type QueuedMessage = z.infer<typeof queued>;

const routeRecord = z.looseObject({
  /** When a message was last made. */
  postMs: z.number(),
  /** The last day's digest that was due and dealt with. */
  dailyMs: z.number(),
  /** The clock at the last run that changed something. */
  clockMs: z.number(),
  /** By a digest of the finding's id. */
  said: z.record(z.string(), entry),
  outbox: z.array(queued),
  failure: z.nullable(z.looseObject({ atMs: z.number(), code: z.string() })),
});
export type RouteRecord = z.infer<typeof routeRecord>;

const digestDocument = z.looseObject({
  format: z.number(),
  readableFrom: z.number(),
  routes: z.record(z.string(), routeRecord),
});
export type DigestDocument = z.infer<typeof digestDocument>;

export function emptyDigest(): DigestDocument {
  return { format: DIGEST_FORMAT, readableFrom: DIGEST_FORMAT, routes: {} };
}

export function saidKey(id: string): string {
  return createHash("sha256").update(id).digest("base64url").slice(0, 20);
}

export type ParsedDigest =
  | { readonly ok: true; readonly document: DigestDocument }
  | { readonly ok: false; readonly newer: boolean; readonly place: string; readonly found: string };

export function parseDigest(text: string): ParsedDigest {
  const read = readDocument(text, DIGEST_FORMAT, digestDocument);
  return read.ok ? { ok: true, document: read.value } : read;
}

export function formatDigest(document: DigestDocument): string {
  return `${JSON.stringify(document)}\n`;
}

/**
 * What the auditing function is given: messages of the queue, or clusters by name. Parsed and never
 * trusted; a message that isn't one is told, and hides no other. Pure.
 */
import * as z from "zod/mini";
import { CertkeepError } from "../../error.ts";
import { LABEL } from "../form.ts";
import { isSecretive, shown } from "../problem.ts";

/** Formats of a message that this version works. */
const MESSAGE_FORMAT = 1;
/** A year: what waited longer than any queue keeps is no interval. */
const MAX_MINUTES = 525_600;

export interface AuditMessage {
  readonly cluster: string;
  /** RFC 3339, for people. */
  readonly queuedAt: string;
  /** A message that is older than this at its first receipt is left to the next one. */
  readonly intervalMinutes: number;
}

export function formatMessage({ cluster, queuedAt, intervalMinutes }: AuditMessage): string {
  return JSON.stringify({ format: MESSAGE_FORMAT, cluster, queuedAt, intervalMinutes });
}

export type ParsedMessage =
  | { readonly ok: true; readonly message: AuditMessage }
  | { readonly ok: false; readonly found: string; readonly expected: string };

const messageBody = z.looseObject({
  format: z.literal(MESSAGE_FORMAT),
  cluster: z.string().check(z.regex(LABEL)),
  queuedAt: z.string(),
  intervalMinutes: z.number().check(z.positive(), z.maximum(MAX_MINUTES)),
});

/** Total: any text gives a message or what is wrong with it. */
export function parseMessage(body: string): ParsedMessage {
  const expected = `a message of format ${MESSAGE_FORMAT}, as dispatch queues it`;
  let raw: unknown;
  try {
    raw = JSON.parse(body);
  } catch {
    return { ok: false, found: `${body.length} characters that are no JSON`, expected };
  }
  const format =
    typeof raw === "object" && raw !== null
      ? (raw as Record<string, unknown>)["format"]
      : undefined;
  if (format !== MESSAGE_FORMAT)
    return {
      ok: false,
      found: typeof format === "number" ? `format ${format}` : "no format",
      expected,
    };
  const parsed = z.safeParse(messageBody, raw);
  if (!parsed.success)
    return {
      ok: false,
      found: `${String(parsed.error.issues[0]?.path[0] ?? "the whole")} of another kind`,
      expected,
    };
  const { cluster, queuedAt, intervalMinutes } = parsed.data;
  return { ok: true, message: { cluster, queuedAt, intervalMinutes } };
}

/** A message as the queue hands it over. */
export interface Receipt {
  readonly id: string;
  /** How often it was handed over, this time included; `null`: the queue doesn't say. */
  readonly receives: number | null;
  /** Milliseconds since 1970. */
  readonly sentMs: number | null;
  readonly parsed: ParsedMessage;
}

export type AuditEvent =
  | { readonly kind: "queue"; readonly receipts: readonly Receipt[] }
  | { readonly kind: "direct"; readonly clusters: readonly string[] };

const queueEvent = z.looseObject({
  Records: z.array(
    z.looseObject({
      messageId: z.string(),
      body: z.string(),
      attributes: z.optional(z.record(z.string(), z.unknown())),
    }),
  ),
});
const directEvent = z.looseObject({
  clusters: z.optional(
    z.array(
      z.string().check(
        z.maxLength(512),
        z.refine((name) => !isSecretive(name)),
      ),
    ),
  ),
});

function wholeNumber(value: unknown): number | null {
  return typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : null;
}

/**
 * `{}` or nothing: all clusters. @throws CertkeepError usage, for what is neither messages nor a
 * list of names
 */
export function parseAuditEvent(event: unknown): AuditEvent {
  if (typeof event === "object" && event !== null && "Records" in event) {
    const parsed = z.safeParse(queueEvent, event);
    if (!parsed.success)
      throw new CertkeepError("usage", {
        where: "event",
        found: `Records without ${String(parsed.error.issues[0]?.path.at(-1) ?? "messages")}`,
        expected: "messages of the queue, each with messageId and body",
      });
    const receipts = parsed.data.Records.map(({ messageId, body, attributes = {} }): Receipt => ({
      id: messageId,
      receives: wholeNumber(attributes["ApproximateReceiveCount"]),
      sentMs: wholeNumber(attributes["SentTimestamp"]),
      parsed: parseMessage(body),
    }));
    return { kind: "queue", receipts };
  }
  const parsed = z.safeParse(directEvent, event === "" ? {} : (event ?? {}));
  if (!parsed.success)
    throw new CertkeepError("usage", {
      where: "event",
      found:
        typeof event === "object"
          ? "clusters that is no list of names"
          : `a ${typeof event}${typeof event === "string" ? `, ${shown(event)}` : ""}`,
      expected: '{"clusters": ["prod"]}, or {} for all',
    });
  return { kind: "direct", clusters: parsed.data.clusters ?? [] };
}

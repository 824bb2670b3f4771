/**
 * What the auditing function is given: messages of the queue, or clusters by name. Parsed and never
 * trusted; a message that isn't one is told, and hides no other. Pure.
 *
 * What the restoring function is asked for. Strict: a field that isn't known is refused, since a
 * misspelt one would restore something else than was meant. Pure.
 */
import * as z from "zod/mini";
import { parseMsOrNull } from "../certificate/time.ts";
import { CertkeepError } from "../error.ts";
import { FORCIBLE, type PlanCode } from "../restoreplan/objection.ts";
import { flag, orElse, orNull, text } from "./field.ts";
import { LABEL } from "./form.ts";
import { described, isSecretive, meant, pathText } from "./problem.ts";
import { fieldsOf, jsonOf } from "../untrusted.ts";

/** Formats of a message that this version works. */
const MESSAGE_FORMAT = 1;
/** A year: what waited longer than any queue keeps is no interval. */
const MAX_MINUTES = 525_600;

interface AuditMessage {
  readonly cluster: string;
  /** RFC 3339, for people. */
  readonly queuedAt: string;
  /** A message that is older than this at its first receipt is left to the next one. */
  readonly intervalMinutes: number;
}

export function formatMessage({ cluster, queuedAt, intervalMinutes }: AuditMessage): string {
  return JSON.stringify({ format: MESSAGE_FORMAT, cluster, queuedAt, intervalMinutes });
}

type ParsedMessage =
  | { readonly ok: true; readonly message: AuditMessage }
  | { readonly ok: false; readonly found: string };

const messageBody = z.looseObject({
  format: z.literal(MESSAGE_FORMAT),
  cluster: z.string().check(z.regex(LABEL)),
  queuedAt: z.string(),
  intervalMinutes: z.number().check(z.positive(), z.maximum(MAX_MINUTES)),
});

/** Total: any text gives a message or what is wrong with it. */
export function parseMessage(body: string): ParsedMessage {
  const raw = jsonOf(body);
  if (raw === undefined) return { ok: false, found: `its ${body.length} characters aren't JSON` };
  const { format } = fieldsOf(raw);
  if (format !== MESSAGE_FORMAT)
    return {
      ok: false,
      found:
        typeof format === "number"
          ? `it has format ${format}, not ${MESSAGE_FORMAT}`
          : `it has no format ${MESSAGE_FORMAT}`,
    };
  const parsed = z.safeParse(messageBody, raw);
  if (!parsed.success)
    return { ok: false, found: `its ${String(parsed.error.issues[0]?.path[0])} is invalid` };
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

type AuditEvent =
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
        found: `Records has no valid ${String(parsed.error.issues[0]?.path.at(-1))}`,
        todo: "Pass messages of the queue, each with messageId and body",
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
          ? "clusters isn't a list of names"
          : `it is ${described(event, null, false)}, not an object`,
      todo: 'Pass {"clusters": ["prod"]}, or {} for all',
    });
  return { kind: "direct", clusters: parsed.data.clusters ?? [] };
}

const MAX_NAMES = 1000;
const MAX_LENGTH = 512;
const CLUSTER = "the name of a registered cluster";
const NAMES =
  `a list of domains, Secrets, NAMESPACE/SECRET or patterns, at most ${MAX_NAMES}, none of them ` +
  "a key or token";
const INSTANT = "an instant such as 2026-12-24T18:00:00Z";
const FORCE = `a list of what to override, of: ${FORCIBLE.join(", ")}`;

const restoredName = z.string(NAMES).check(
  z.minLength(1, NAMES),
  z.maxLength(MAX_LENGTH, NAMES),
  z.refine((given) => !isSecretive(given), NAMES),
);

/** A restore as it is asked for. The message of each check is what the field must be. */
const restoreEvent = z.strictObject({
  cluster: text(CLUSTER, LABEL),
  /** Domains, Secrets, `namespace/secret`, patterns. */
  names: orElse(z.array(restoredName, NAMES).check(z.maxLength(MAX_NAMES, NAMES)), []),
  namespace: orNull(text("a namespace", LABEL)),
  all: flag("true or false"),
  /** RFC 3339. */
  asOf: orNull(
    z.string(INSTANT).check(z.refine((given) => parseMsOrNull(given) !== null, INSTANT)),
  ),
  version: orNull(
    text("the version of a backup, or its first 8 digits at least", /^[0-9a-f]{8,64}$/i),
  ),
  /** `false`: a plan. */
  apply: flag("true (small letters, without quotes) to restore, or false for a plan"),
  unrecorded: flag("true or false"),
  standby: flag("true or false"),
  force: orElse(z.array(z.enum(FORCIBLE as [PlanCode, ...PlanCode[]], FORCE), FORCE), []),
  replace: flag("true or false"),
  createNamespace: flag("true or false"),
  fromCluster: orNull(text(CLUSTER, LABEL)),
});
export type RestoreEvent = z.output<typeof restoreEvent>;

const FIELDS = Object.keys(restoreEvent._zod.def.shape);

/** Fields that somebody may know from the command line, with what to do instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  rebuilt:
    "A person confirms that a cluster was rebuilt; the function then restores to the successor: " +
    "certkeep clusters add NAME --rebuilt",
  as:
    "To restore to another place, use the command line: certkeep restore CLUSTER NAME --as " +
    "NAMESPACE/NAME",
  follow:
    "Run it again while the cluster comes up: it does what is left. Or use the command line: " +
    "certkeep restore CLUSTER --all --apply --follow 30m",
  identity: "The deployment names the identity",
};

const EXAMPLE = '{"cluster": "prod", "names": ["shop.example.com"], "apply": true}';

/** @throws CertkeepError usage, naming the field */
export function parseRestoreEvent(event: unknown): RestoreEvent {
  const wrong = (found: string, todo: string): CertkeepError =>
    new CertkeepError("usage", { where: "restore event", found, todo });
  if (typeof event !== "object" || event === null || Array.isArray(event))
    throw wrong(`it is ${described(event, null, true)}`, `Pass an object such as ${EXAMPLE}`);
  const parsed = restoreEvent.safeParse(event);
  if (parsed.success) {
    const { names, all, namespace, version, asOf } = parsed.data;
    if (names.length === 0 && !all && namespace === null && version === null && asOf === null)
      throw wrong(
        "it names nothing to restore",
        `Add names, namespace, version or all, as in ${EXAMPLE}`,
      );
    return parsed.data;
  }
  const { issues } = parsed.error;
  const unknown = issues.find((issue) => issue.code === "unrecognized_keys")?.keys[0];
  if (unknown !== undefined)
    throw wrong(`${pathText([unknown])} isn't a field`, insteadOf(unknown));
  const field = String(issues[0]?.path[0]);
  const value = (event as Readonly<Record<string, unknown>>)[field];
  throw wrong(`${field} is ${described(value, null, true)}`, `It must be ${issues[0]?.message}`);
}

function insteadOf(field: string): string {
  const elsewhere = Object.hasOwn(ELSEWHERE, field) ? ELSEWHERE[field] : undefined;
  const near = meant(field, FIELDS);
  const fields = `Use one of ${FIELDS.join(", ")}`;
  return elsewhere ?? (near === null ? fields : `${fields}. Did you mean "${near}"?`);
}

/**
 * What the settings of a configuration are made of: text of a form, lists, settings that may be
 * left out.
 *
 * Forms of single values in a configuration: names, patterns, selectors, references. Pure
 * predicates.
 */
import * as z from "zod/mini";
import { parseMsOrNull } from "../certificate/time.ts";
import { isRecipient } from "./recipient.ts";

/** RFC 1123 label, as Kubernetes names a namespace; certkeep names clusters likewise. */
export const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** A namespace, or a pattern of namespaces in which `*` stands for any characters. */
export const NAMESPACE_PATTERN = /^[a-z0-9*]([a-z0-9*-]{0,61}[a-z0-9*])?$/;
/** `namespace/name`; a Secret's name is an RFC 1123 subdomain of at most 253 characters. */
export const SECRET_REF =
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\/(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
export const SECRET_NAME =
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
/** What names and domains consist of, and `*`. */
export const PATTERN = /^[A-Za-z0-9._:*-]{1,253}$/;
/** A host name as a certificate holds it, a wildcard's included. */
export const HOST =
  /^(?=.{1,253}$)(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$/;
/** A domain with one dot at least. */
export const DOMAIN =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$/;
/** A secret is named by where it is, never by its value. */
export const REFERENCE =
  /^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|secretsmanager:\/\/[A-Za-z0-9/_+=.@-]+)$/;
const FILE_STORE = /^file:[^\s?#][^?#]*$/;
/**
 * `s3://BUCKET` or `s3://BUCKET/PREFIX`: segments of letters, digits and `._=@-`, none beginning
 * with a dot.
 */
const S3_STORE = /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[A-Za-z0-9_=@-][A-Za-z0-9._=@-]*)*$/;
/**
 * The part of a secret's name before what certkeep adds; leaves room for it in the 512 characters
 * that AWS takes.
 */
export const SECRETS_STORE =
  /^secretsmanager:\/\/(?=.{1,128}$)[A-Za-z0-9_+=@-][A-Za-z0-9._+=@-]*(\/[A-Za-z0-9_+=@-][A-Za-z0-9._+=@-]*)*$/;
/** Where states may lie. */
export const STATE_STORE = new RegExp(`${FILE_STORE.source}|${S3_STORE.source}`);
/** Where copies may lie. */
export const BACKUP_STORE = new RegExp(`${STATE_STORE.source}|${SECRETS_STORE.source}`);
export const REGION = /^[a-z]{2,4}(-[a-z]+)+-\d$/;
/** A stage of the deployment, as serverless.yml names its resources by it. */
export const STAGE = /^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$/;
export const TOPIC_ARN = /^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$/;
export const FUNCTION_NAME = /^[A-Za-z0-9_-]{1,64}$/;
/** What others are asked at: no user, no query, no fragment. */
export const HTTPS_URL = /^https:\/\/[A-Za-z0-9.-]{1,253}(:\d{1,5})?(\/[A-Za-z0-9._~/-]*)?$/;

const VALUE = "([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?";
const KEY = "([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?";
/**
 * One requirement of a label selector: `key`, `!key`, `key=value`, `key!=value`, `key in (a,b)`,
 * `key notin (a,b)`.
 */
const REQUIREMENT = new RegExp(
  `^(!?${KEY}|${KEY}\\s*(=|==|!=)\\s*${VALUE}|` +
    `${KEY}\\s+(in|notin)\\s*\\(\\s*${VALUE}(\\s*,\\s*${VALUE})*\\s*\\))$`,
);

/**
 * Whether `given` is a label selector by the grammar of Kubernetes (k8s.io/apimachinery/pkg/labels,
 * Parse), less `<` and `>`.
 */
export function isSelector(given: string): boolean {
  if (given.length > 1024) return false;
  return given.split(/,(?![^(]*\))/).every((part) => REQUIREMENT.test(part.trim()));
}

const DAY_MS = 86_400_000;

/**
 * Milliseconds since 1970 from which on `given` has passed: the end of a day in UTC (`2026-12-31`),
 * or an RFC 3339 instant; null for neither.
 */
export function endOf(given: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(given)) return parseMsOrNull(given);
  const start = parseMsOrNull(`${given}T00:00:00Z`);
  return start === null ? null : start + DAY_MS;
}

/** What an editor shows of a setting. */
interface Help {
  readonly title?: string;
  readonly description: string;
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
}

export const help = z.registry<Help>();

export function text(expected: string, form: RegExp) {
  return z.string(expected).check(z.regex(form, expected));
}

/** At least one item; each counts once. */
export function list<T extends z.ZodMiniType>(item: T, expected: string) {
  return z.pipe(
    z.array(item, expected).check(z.minLength(1, `${expected}, with one item at least`)),
    z.transform((given: z.output<T>[]): readonly z.output<T>[] => [...new Set(given)]),
  );
}

/** May be left out: the value is then `value`. */
export function orElse<T extends z.ZodMiniType, const D>(schema: T, value: D) {
  return z.pipe(
    z.optional(schema),
    z.transform((given): NonNullable<z.output<T>> | D => given ?? value),
  );
}

/** May be left out: the value is then `null`. */
export function orNull<T extends z.ZodMiniType>(schema: T) {
  return orElse(schema, null);
}

/** A section of the file: left out or empty, it is what `{}` would be. */
export function section<T extends z.ZodMiniType>(schema: T) {
  return z.pipe(
    z.optional(z.nullable(schema)),
    z.transform((given): z.output<T> => given ?? z.parse(schema, {})),
  );
}

/** A section that is a list: left out or empty, it has no item. */
export function items<T extends z.ZodMiniType>(item: T, expected: string) {
  return z.pipe(
    z.optional(z.nullable(z.array(item, expected))),
    z.transform((given): readonly z.output<T>[] => given ?? []),
  );
}

export function flag(expected: string, value = false) {
  return orElse(z.boolean(expected), value);
}

const RECIPIENT = "an age recipient: `age1` and 58 letters and digits, as age-keygen prints it";
export const recipient = z
  .string(RECIPIENT)
  .check(
    z.regex(/^age1[02-9ac-hj-np-z]{58}$/, RECIPIENT),
    z.refine(
      isRecipient,
      `${RECIPIENT}; its checksum doesn't fit, so a character is wrong or missing`,
    ),
  );
export const path = text("the path of a file, in one line", /^[^\r\n\0]+$/);
const NAME = "small letters, digits and -, at most 63, beginning and ending with a letter or digit";
export const clusterName = () => text(`a cluster's name: ${NAME}`, LABEL);
export const routeName = () => text(`a name: ${NAME}`, LABEL);

export const HTTPS = "a URL that begins with https://, without a user or a query";

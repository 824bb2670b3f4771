/**
 * Forms of single values in a configuration: names, patterns, selectors, references. Pure
 * predicates.
 */
import { parseMsOrNull } from "../certificate/time.ts";

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
 * Whether `text` is a label selector by the grammar of Kubernetes (k8s.io/apimachinery/pkg/labels,
 * Parse), less `<` and `>`.
 */
export function isSelector(text: string): boolean {
  if (text.length > 1024) return false;
  return text.split(/,(?![^(]*\))/).every((part) => REQUIREMENT.test(part.trim()));
}

const DAY_MS = 86_400_000;

/**
 * Milliseconds since 1970 from which on `text` has passed: the end of a day in UTC (`2026-12-31`),
 * or an RFC 3339 instant; null for neither.
 */
export function endOf(text: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return parseMsOrNull(text);
  const start = parseMsOrNull(`${text}T00:00:00Z`);
  return start === null ? null : start + DAY_MS;
}

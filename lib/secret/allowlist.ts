/**
 * What may be taken out of a Secret, and put into one: names of fields by shape, labels,
 * annotations. Extraction, backups and what is opened of them all pass this one list. It is a list
 * of what is allowed: a new field of a node's state is outside it by itself.
 */
import {
  isControllerAnnotation,
  isControllerLabel,
  isControllerValue,
  RELEASE_LABELS,
} from "./controllers.ts";
import { isCertManagerAnnotation } from "./secret.ts";
import { ACCOUNT_FIELD, isHostName, pairForm, type Shape } from "./shapes.ts";

/** Kinds of backups. */
export type KeptKind = "certificate" | "account-key" | "standby" | "replaced";

/** Most labels that are kept of one Secret. */
export const MAX_LABELS = 64;
/** Most characters of one annotation of cert-manager: hundreds of names fit in. */
const MAX_ANNOTATION_CHARS = 32_768;

/**
 * Base of the shared account's field: what Tailscale's store makes of a tailnet's name
 * (store_kube.go, sanitizeKey).
 */
const ACCOUNT_BASE = /^[A-Za-z0-9_.-]{1,232}$/;

/** Base that stands for `acme-account.key.pem` itself. */
const ACCOUNT_FIELD_BASE = "acme-account";

/** Base of a pair in `tls.crt` and `tls.key`. */
export const TLS_FIELD_BASE = "tls";

/** Name of the account key's field of `fieldBase`, or `null` where the shape keeps none there. */
function accountField(shape: Shape, fieldBase: string): string | null {
  switch (shape) {
    case "operator":
    case "standalone":
    case "proxygroup-state":
    case "sidecar":
      return fieldBase === ACCOUNT_FIELD_BASE ? ACCOUNT_FIELD : null;
    case "acme-accounts":
      return ACCOUNT_BASE.test(fieldBase) ? `${fieldBase}.${ACCOUNT_FIELD}` : null;
    default:
      return null;
  }
}

/** Name of the field that holds the account key of `fieldBase`, in whichever shape. */
export function accountFieldName(fieldBase: string): string {
  return fieldBase === ACCOUNT_FIELD_BASE ? ACCOUNT_FIELD : `${fieldBase}.${ACCOUNT_FIELD}`;
}

/** Base of an account key's field, or `null` where the shape keeps no account key there. */
export function accountFieldBase(shape: Shape, field: string): string | null {
  const suffix = `.${ACCOUNT_FIELD}`;
  const base =
    field === ACCOUNT_FIELD
      ? ACCOUNT_FIELD_BASE
      : field.endsWith(suffix)
        ? field.slice(0, -suffix.length)
        : null;
  return base !== null && accountField(shape, base) === field ? base : null;
}

/**
 * Names of the certificate's and the key's field of `fieldBase`, or `null` where the shape holds no
 * such pair.
 */
export function pairFields(
  shape: Shape,
  fieldBase: string,
): { readonly certificate: string; readonly key: string } | null {
  const form = pairForm(shape);
  if (form === "tls" ? fieldBase !== TLS_FIELD_BASE : form === null || !isHostName(fieldBase))
    return null;
  return { certificate: `${fieldBase}.crt`, key: `${fieldBase}.key` };
}

/** Names of the fields that a backup of `kind` may hold; empty where shape and base allow none. */
export function allowedFields(
  shape: Shape,
  fieldBase: string,
  kind: KeptKind,
): ReadonlySet<string> {
  const fields = new Set<string>();
  const account = accountField(shape, fieldBase);
  if ((kind === "account-key" || kind === "replaced") && account !== null) fields.add(account);
  const pair = kind === "account-key" ? null : pairFields(shape, fieldBase);
  if (pair !== null) {
    fields.add(pair.certificate).add(pair.key);
    if (shape === "tls") fields.add("ca.crt");
  }
  return fields;
}

const LABEL_PREFIX =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const LABEL_NAME = /^(?=.{1,63}$)[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?$/;
const LABEL_VALUE = /^(?=.{0,63}$)(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)?$/;

/**
 * Whether a backup may hold a label of this key. Tailscale's shapes hold what the operator knows
 * its own by, and any shape what other controllers do. A generic TLS Secret holds every label but
 * Tailscale's: those of a cert-manager secretTemplate can't be told from others, labels hold no
 * secrets, and their size is bounded by their syntax.
 */
export function isAllowedLabel(shape: Shape, key: string): boolean {
  const slash = key.indexOf("/");
  const prefix = slash < 0 ? "" : key.slice(0, slash);
  if (!LABEL_NAME.test(key.slice(slash + 1)) || (slash >= 0 && !LABEL_PREFIX.test(prefix)))
    return false;
  if (prefix === "tailscale.com") return shape !== "tls";
  return (
    shape === "tls" || isControllerLabel(key) || (shape === "recorder" && RECORDER_LABELS.has(key))
  );
}

/**
 * Whether a label of this key is taken into a backup: backups of earlier versions hold labels of
 * releases too.
 */
export function isKeptLabel(shape: Shape, key: string): boolean {
  return isAllowedLabel(shape, key) && !RELEASE_LABELS.has(key);
}

/** cmd/k8s-operator/tsrecorder_specs.go, tsrLabels. */
const RECORDER_LABELS: ReadonlySet<string> = new Set([
  "app.kubernetes.io/name",
  "app.kubernetes.io/instance",
  "app.kubernetes.io/managed-by",
]);

/**
 * Whether `value` is a label's value by Kubernetes' syntax: at most 63 characters of
 * `[A-Za-z0-9_.-]`.
 */
export function isLabelValue(value: string): boolean {
  return LABEL_VALUE.test(value);
}

/**
 * Whether a backup may hold this annotation: what other controllers, or cert-manager of a generic
 * TLS Secret, adopt it by.
 */
export function isKeptAnnotation(shape: Shape, key: string, value: string): boolean {
  if (isControllerAnnotation(key)) return isControllerValue(value);
  return shape === "tls" && isCertManagerAnnotation(key) && value.length <= MAX_ANNOTATION_CHARS;
}

/** The labels that are kept, sorted by key, at most `MAX_LABELS`. */
export function keptLabels(
  shape: Shape,
  labels: Readonly<Record<string, unknown>>,
): Record<string, string> {
  return kept(labels, (key, value) => isKeptLabel(shape, key) && isLabelValue(value));
}

/** The annotations that are kept, sorted by key. */
export function keptAnnotations(
  shape: Shape,
  all: Readonly<Record<string, unknown>>,
): Record<string, string> {
  return kept(all, (key, value) => isKeptAnnotation(shape, key, value));
}

function kept(
  record: Readonly<Record<string, unknown>>,
  wanted: (key: string, value: string) => boolean,
): Record<string, string> {
  const entries: [string, string][] = [];
  if (typeof record !== "object" || record === null) return {};
  for (const [key, value] of Object.entries(record)) {
    if (typeof value === "string" && wanted(key, value)) entries.push([key, value]);
  }
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.slice(0, MAX_LABELS));
}

/**
 * What a Secret is, by its metadata alone, and whether its values are worth asking for. Values are
 * read only of what holds a certificate or an account key, or where the metadata doesn't tell; a
 * Secret of auth keys (the operator's `…-config`) is never asked for, not even when it is named.
 */
import type { SecretMeta } from "./secret.ts";
import {
  ACCOUNT_FIELD,
  ACCOUNTS_SECRET,
  hostOfField,
  LABEL,
  NODE_STATE_FIELDS,
  OPAQUE_TYPE,
  own,
  type Shape,
  TLS_TYPE,
} from "./shapes.ts";

export interface ClassifyOptions {
  /** Names that the operator's own Secret may have (its OPERATOR_SECRET); default `operator`. */
  readonly operatorNames: readonly string[];
  readonly operatorNamespace: string;
  /** `namespace/name` of Secrets that a person asked for by name. */
  readonly named: ReadonlySet<string>;
}

export const DEFAULT_CLASSIFY_OPTIONS: ClassifyOptions = {
  operatorNames: ["operator"],
  operatorNamespace: "tailscale",
  named: new Set(),
};

export interface Classification {
  /** `null`: none, or not to be told by metadata. */
  readonly shape: Shape | null;
  /** Whether its values have to be read. */
  readonly want: boolean;
}

/** What classification looks at. */
export type ClassifiedMeta = Pick<
  SecretMeta,
  "namespace" | "name" | "type" | "dataKeys" | "labels"
>;

const NOTHING: Classification = { shape: null, want: false };

/**
 * Shape of a Secret by name, type, labels and names of fields. Total: hostile text only makes it no
 * shape.
 */
export function classify(
  meta: ClassifiedMeta,
  options: ClassifyOptions = DEFAULT_CLASSIFY_OPTIONS,
): Classification {
  const label = (key: string): string | null => own(meta.labels, key);
  const named = options.named.has(`${meta.namespace}/${meta.name}`);
  const secretType = label(LABEL.secretType);
  const managed = label(LABEL.managed) === "true";

  // A proxy's configuration holds its auth key; cert-manager keeps the key of a request under way.
  if (secretType === "config" || label(LABEL.nextPrivateKey) === "true") return NOTHING;
  const type = meta.type === "" ? OPAQUE_TYPE : meta.type;
  if (type !== null && type !== OPAQUE_TYPE && type !== TLS_TYPE) return NOTHING;

  const shape = shapeOf(meta, type, managed, secretType, options);
  if (shape === null) return withoutShape(meta, type, named);
  const want =
    named || meta.dataKeys === null || meta.dataKeys.some((field) => isOfInterest(shape, field));
  return { shape, want };
}

function shapeOf(
  meta: ClassifiedMeta,
  type: string | null,
  managed: boolean,
  secretType: string | null,
  options: ClassifyOptions,
): Shape | null {
  if (managed && secretType === "certs") {
    return own(meta.labels, LABEL.parentType) === "proxygroup"
      ? "apiserver-proxygroup"
      : "ha-ingress";
  }
  if (type === TLS_TYPE) return "tls";
  if (managed && meta.name === ACCOUNTS_SECRET) return "acme-accounts";
  if (managed) {
    const ofGroup = own(meta.labels, LABEL.parentType) === "proxygroup";
    return ofGroup && secretType === "state" ? "proxygroup-state" : "standalone";
  }
  if (meta.namespace === options.operatorNamespace && options.operatorNames.includes(meta.name))
    return "operator";
  if (own(meta.labels, LABEL.app) === "recorder") return "recorder";
  return meta.dataKeys !== null && isSidecar(meta.dataKeys) ? "sidecar" : null;
}

/** `X.crt` beside `X.key`; or, among a node's state, one of them alone or an account key. */
function isSidecar(fields: readonly string[]): boolean {
  const all = new Set(fields);
  const node = NODE_STATE_FIELDS.some((field) => all.has(field));
  if (node && all.has(ACCOUNT_FIELD)) return true;
  return fields.some((field) => {
    const host = hostOfField(field);
    return host !== null && (node || (all.has(`${host}.crt`) && all.has(`${host}.key`)));
  });
}

function withoutShape(meta: ClassifiedMeta, type: string | null, named: boolean): Classification {
  const fields = meta.dataKeys;
  if (fields === null) return { shape: null, want: true };
  if (fields.includes("tls.crt") && fields.includes("tls.key")) {
    if (named) return { shape: "tls", want: true };
    if (type === null) return { shape: null, want: true };
  }
  return named ? { shape: null, want: true } : NOTHING;
}

function isOfInterest(shape: Shape, field: string): boolean {
  switch (shape) {
    case "ha-ingress":
    case "apiserver-proxygroup":
    case "tls":
      return field === "tls.crt" || field === "tls.key";
    case "acme-accounts":
      return field.endsWith(`.${ACCOUNT_FIELD}`);
    case "proxygroup-state":
      return field === ACCOUNT_FIELD;
    case "recorder":
      return hostOfField(field) !== null;
    case "operator":
    case "standalone":
    case "sidecar":
      return field === ACCOUNT_FIELD || hostOfField(field) !== null;
  }
}

/**
 * Layouts of Secrets: the forms in which a certificate lies in a Secret, and the words they are
 * recognised by. Names of labels and fields are Tailscale's (kube/kubetypes, cmd/k8s-operator,
 * ipn/store/kubestore) and cert-manager's.
 *
 * Also which layout a Secret has, by its metadata alone, and whether to read its values. Values are
 * read only of what holds a certificate or an account key, or where the metadata doesn't tell; a
 * Secret of auth keys (the operator's `…-config`) is never asked for, not even when it is named.
 */
import type { SecretMeta } from "./secret.ts";

/** Letters as in the documentation; `tls` is any other `kubernetes.io/tls` Secret. */
export const SHAPES = {
  operator: "A",
  standalone: "B",
  "ha-ingress": "C",
  "apiserver-proxygroup": "D",
  "proxygroup-state": "E",
  "acme-accounts": "F",
  recorder: "G",
  sidecar: "H",
  tls: null,
} as const;

export type Shape = keyof typeof SHAPES;

/** Whether `text`, from a state or a backup's header, names a shape of this version. */
export function isShape(text: string): text is Shape {
  return Object.hasOwn(SHAPES, text);
}

/**
 * How the pair's fields are called: by the host name that they are for, or `tls.crt` and `tls.key`;
 * `null` where a shape holds no pair.
 */
export function pairForm(shape: Shape): "host" | "tls" | null {
  switch (shape) {
    case "operator":
    case "standalone":
    case "recorder":
    case "sidecar":
      return "host";
    case "ha-ingress":
    case "apiserver-proxygroup":
    case "tls":
      return "tls";
    case "proxygroup-state":
    case "acme-accounts":
      return null;
  }
}

export const TLS_TYPE = "kubernetes.io/tls";
export const OPAQUE_TYPE = "Opaque";

export const LABEL = {
  managed: "tailscale.com/managed",
  secretType: "tailscale.com/secret-type",
  group: "tailscale.com/proxy-group",
  parent: "tailscale.com/parent-resource",
  parentNamespace: "tailscale.com/parent-resource-ns",
  parentType: "tailscale.com/parent-resource-type",
  app: "app.kubernetes.io/name",
  nextPrivateKey: "cert-manager.io/next-private-key",
} as const;

/** Secret of the shared ACME accounts, fixed by the operator. */
export const ACCOUNTS_SECRET = "tailscale-acme-accounts";

/** feature/acme/certstore.go, acmePEMName. */
export const ACCOUNT_FIELD = "acme-account.key.pem";

/**
 * Fields that only a node's state has (ipn/store.go, the keys of machine key and profiles). Their
 * names tell a Tailscale Secret that lost half of a pair; their values are never taken.
 */
const NODE_STATE_FIELDS: readonly string[] = ["_machinekey", "_current-profile", "_profiles"];

const LABEL_OF_HOST = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/**
 * Whether `text` is a host name that a certificate can be stored under: labels as util/dnsname
 * ValidHostname wants them, no dot at the end, and at least two of them, so that `ca.key`,
 * `tls.key` or `authkey.key` are none. At most 249 characters, as a field's name has 253 with
 * `.crt`.
 */
export function isHostName(text: string): boolean {
  if (text.length > 249) return false;
  const labels = text.split(".");
  return labels.length >= 2 && labels.every((label) => LABEL_OF_HOST.test(label));
}

/** The host name of `<host>.crt` or `<host>.key`, or `null` where the field is none of them. */
export function hostOfField(field: string): string | null {
  if (!field.endsWith(".crt") && !field.endsWith(".key")) return null;
  const host = field.slice(0, -4);
  return isHostName(host) ? host : null;
}

/** Own string property: what comes from a cluster may be called `constructor`. */
export function own(
  record: Readonly<Record<string, unknown>> | null | undefined,
  key: string,
): string | null {
  if (
    record === null ||
    record === undefined ||
    typeof record !== "object" ||
    !Object.hasOwn(record, key)
  )
    return null;
  const value = record[key];
  return typeof value === "string" ? value : null;
}

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

interface Classification {
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

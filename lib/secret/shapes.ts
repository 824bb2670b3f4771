/**
 * The forms in which a certificate lies in a Secret, and the words they are recognised by. Names of
 * labels and fields are Tailscale's (kube/kubetypes, cmd/k8s-operator, ipn/store/kubestore) and
 * cert-manager's.
 */

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
export const NODE_STATE_FIELDS: readonly string[] = [
  "_machinekey",
  "_current-profile",
  "_profiles",
];

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

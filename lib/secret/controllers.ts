/**
 * Annotations and labels by which other controllers know a Secret as theirs: without them Helm
 * refuses an upgrade, and a mirrored Secret is never renewed. A backup holds them by exact key.
 *
 * A key is listed only if its value stays the same while nobody changes the Secret's owner, so that
 * no controller causes new backups, and only if the value is a name or a setting. Annotations that
 * repeat the object, and with it the private key, must never be listed:
 * kubectl.kubernetes.io/last-applied-configuration, kapp.k14s.io/original,
 * objectset.rio.cattle.io/applied. docs/backups.md lists it for users.
 */

interface Controller {
  readonly name: string;
  readonly annotations: readonly string[];
  readonly labels: readonly string[];
}

const prefixed = (prefix: string, ...names: string[]): string[] =>
  names.map((name) => `${prefix}/${name}`);

export const CONTROLLERS: readonly Controller[] = [
  {
    name: "Helm",
    annotations: [
      "meta.helm.sh/release-name",
      "meta.helm.sh/release-namespace",
      "helm.sh/resource-policy",
    ],
    labels: ["app.kubernetes.io/managed-by"],
  },
  {
    name: "Argo CD",
    annotations: prefixed(
      "argocd.argoproj.io",
      "tracking-id",
      "installation-id",
      "sync-options",
      "compare-options",
    ),
    labels: [
      "app.kubernetes.io/instance",
      ...prefixed("argocd.argoproj.io", "instance", "secret-type"),
    ],
  },
  {
    name: "Flux",
    annotations: [
      ...prefixed("kustomize.toolkit.fluxcd.io", "reconcile", "prune", "ssa", "force"),
      "helm.toolkit.fluxcd.io/driftDetection",
    ],
    labels: [
      ...prefixed("kustomize.toolkit.fluxcd.io", "name", "namespace"),
      ...prefixed("helm.toolkit.fluxcd.io", "name", "namespace"),
    ],
  },
  {
    name: "Reflector",
    annotations: prefixed(
      "reflector.v1.k8s.emberstack.com",
      "reflects",
      "auto-reflects",
      "reflection-allowed",
      "reflection-allowed-namespaces",
      "reflection-allowed-namespaces-selector",
      "reflection-auto-enabled",
      "reflection-auto-namespaces",
      "reflection-auto-namespaces-selector",
    ),
    labels: [],
  },
  {
    name: "kubernetes-replicator",
    annotations: prefixed(
      "replicator.v1.mittwald.de",
      "replicate-from",
      "replicate-to",
      "replicate-to-matching",
      "replication-allowed",
      "replication-allowed-namespaces",
      "keep-owner-references",
      "strip-labels",
      "strip-annotations",
    ),
    labels: [],
  },
  {
    name: "Config Syncer (kubed)",
    annotations: prefixed("kubed.appscode.com", "sync", "sync-contexts"),
    labels: prefixed("kubed.appscode.com", "origin.name", "origin.namespace", "origin.cluster"),
  },
  {
    name: "External Secrets",
    annotations: [],
    labels: prefixed("reconcile.external-secrets.io", "managed", "created-by"),
  },
  {
    name: "Sealed Secrets",
    annotations: prefixed("sealedsecrets.bitnami.com", "managed", "patch"),
    labels: [],
  },
  {
    name: "cert-manager (CA injector)",
    annotations: ["cert-manager.io/allow-direct-injection"],
    labels: [],
  },
  {
    name: "Reloader",
    annotations: prefixed("reloader.stakater.com", "match", "ignore"),
    labels: [],
  },
  {
    name: "kapp",
    annotations: ["kapp.k14s.io/identity"],
    labels: prefixed("kapp.k14s.io", "app", "association"),
  },
  {
    name: "Rancher (Fleet, k3s)",
    annotations: prefixed(
      "objectset.rio.cattle.io",
      "id",
      "owner-gvk",
      "owner-name",
      "owner-namespace",
    ),
    labels: ["objectset.rio.cattle.io/hash"],
  },
  {
    name: "Velero",
    annotations: [],
    labels: ["velero.io/exclude-from-backup"],
  },
];

const annotations = new Set(CONTROLLERS.flatMap((controller) => controller.annotations));
const labels = new Set(CONTROLLERS.flatMap((controller) => controller.labels));

export function isControllerAnnotation(key: string): boolean {
  return annotations.has(key);
}

export function isControllerLabel(key: string): boolean {
  return labels.has(key);
}

/**
 * Labels whose value names a release, so that every deployment changes it; whoever deploys writes
 * them again.
 */
export const RELEASE_LABELS: ReadonlySet<string> = new Set([
  "helm.sh/chart",
  "app.kubernetes.io/version",
]);

/**
 * Most characters of a controller's annotation: a list of namespaces or patterns fits in, a key and
 * its chain don't.
 */
const MAX_VALUE = 1024;

/**
 * A name or a setting: one line of printable text, which no PEM or JSON document of an object is.
 */
export function isControllerValue(value: string): boolean {
  return value.length <= MAX_VALUE && /^[\x20-\x7e]*$/.test(value) && !value.includes("-----BEGIN");
}

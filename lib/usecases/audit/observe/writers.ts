/**
 * Who in a cluster writes certificates: the Secrets of Tailscale's operator and proxies, what is
 * recorded of them, and the pods that write them. Pure.
 */
import type { PodFacts } from "../../../ports/cluster.ts";
import { classify, type ClassifyOptions, LABEL, own, type Shape } from "../../../secret/shapes.ts";
import type { SecretMeta } from "../../../secret/secret.ts";
import type { CertificateRecord, SecretRecord, StateDocument } from "../../../state/document.ts";
import { heldIn, secretEntries } from "../../../state/secrets.ts";

export interface WriterHint {
  readonly shape: Shape;
  /** Name of its ProxyGroup; `null` for none. */
  readonly group: string | null;
}

/**
 * A node that never stored a certificate may still issue and lose some: the operator, and the first
 * pod of a ProxyGroup, write only their state Secret then. An L3 proxy requests none.
 */
export function writerHint(meta: SecretMeta, options: ClassifyOptions): WriterHint | null {
  const { shape } = classify(meta, options);
  switch (shape) {
    case "operator":
      return { shape, group: null };
    case "ha-ingress":
    case "apiserver-proxygroup":
      return { shape, group: own(meta.labels, LABEL.group) };
    case "proxygroup-state":
      return { shape, group: own(meta.labels, LABEL.parent) };
    case "standalone":
      return own(meta.labels, LABEL.parentType) === "ingress" ? { shape, group: null } : null;
    default:
      return null;
  }
}

/** Layouts that a pod of this cluster writes, and whose pods are found by their labels. */
const WRITTEN = [
  "operator",
  "standalone",
  "ha-ingress",
  "apiserver-proxygroup",
  "proxygroup-state",
] as const;
export type WrittenShape = (typeof WRITTEN)[number];

/** A Secret that a pod stores certificates in, or its state if it has none yet. */
export interface Writer {
  readonly key: string;
  readonly namespace: string;
  readonly secret: string;
  readonly shape: WrittenShape;
  readonly group: string | null;
  readonly domains: readonly string[];
  /** What it held when it was last complete. */
  readonly lastCertificates: readonly Pick<CertificateRecord, "domain" | "issuer">[];
  /** `null` where it is missing, or holds nothing yet. */
  readonly record: SecretRecord | null;
}

function isWritten(shape: string | null): shape is WrittenShape {
  return WRITTEN.includes(shape as WrittenShape);
}

function domainsOf(record: SecretRecord): readonly string[] {
  const domains = [...Object.values(record.certificates), ...Object.values(record.gaps)].flatMap(
    ({ domain }) => (domain === null ? [] : [domain.toLowerCase()]),
  );
  return [...new Set(domains)];
}

export function writersOf(
  state: StateDocument,
  hints: ReadonlyMap<string, WriterHint>,
): readonly Writer[] {
  const writers = new Map<string, Writer>();
  const add = (key: string, shape: WrittenShape, over: Partial<Writer> = {}): void => {
    const slash = key.indexOf("/");
    writers.set(key, {
      key,
      namespace: key.slice(0, slash),
      secret: key.slice(slash + 1),
      shape,
      group: hints.get(key)?.group ?? null,
      domains: [],
      lastCertificates: [],
      record: null,
      ...over,
    });
  };
  for (const [key, { shape }] of hints) if (isWritten(shape)) add(key, shape);
  for (const { key, record, loss } of secretEntries(state)) {
    const { shape } = record;
    const holds = Object.keys({ ...record.certificates, ...record.gaps }).length > 0;
    if (!record.foreign && isWritten(shape) && (holds || hints.has(key) || shape === "operator"))
      add(key, shape, {
        domains: domainsOf(record),
        lastCertificates: heldIn(record).map(([, certificate]) => certificate),
        record: loss === null ? record : null,
      });
  }
  return [...writers.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

export const OPERATOR_SELECTOR = "app=operator";
/** Pods of standalone Ingresses and of ProxyGroups. */
export const PROXY_SELECTOR = `${LABEL.parentType} in (ingress,proxygroup)`;

function isFirstOf(pod: PodFacts, group: string | null): boolean {
  if (pod.labels[LABEL.parentType] !== "proxygroup" || !pod.name.endsWith("-0")) return false;
  return group === null || pod.labels[LABEL.parent] === group || pod.name === `${group}-0`;
}

/**
 * Whether a pod issues for a writer: the operator's own, the one that a standalone Secret is named
 * after, a group's first.
 */
export function writes(pod: PodFacts, writer: Writer): boolean {
  if (pod.namespace !== writer.namespace) return false;
  switch (writer.shape) {
    case "operator":
      return pod.labels["app"] === "operator";
    case "standalone":
      return pod.labels[LABEL.parentType] === "ingress" && pod.name === writer.secret;
    case "ha-ingress":
    case "apiserver-proxygroup":
      return isFirstOf(pod, writer.group);
    case "proxygroup-state":
      return pod.name === writer.secret && isFirstOf(pod, writer.group);
  }
}

/**
 * Whether a pod's log tells of certificates: proxies of a group write them by its first pod alone.
 */
export function mayIssue(pod: PodFacts): boolean {
  return (
    pod.labels["app"] === "operator" ||
    pod.labels[LABEL.parentType] === "ingress" ||
    isFirstOf(pod, null)
  );
}

/**
 * The container that writes: as the operator calls it, else the pod's first. Of a container with
 * another name it isn't known whether it is Tailscale's, so neither is its ACME directory.
 */
export function containerOf(pod: PodFacts): PodFacts["containers"][number] | null {
  const name = pod.labels["app"] === "operator" ? "operator" : "tailscale";
  const named = pod.containers.find((container) => container.name === name);
  const [first] = pod.containers;
  return named ?? (first === undefined ? null : { acmeDirectory: "", ...first });
}

/**
 * Who in a cluster writes certificates: the Secrets of Tailscale's operator and proxies, what is
 * recorded of them, and the pods that write them. Pure.
 */
import type { PodFacts } from "../../../ports/cluster.ts";
import { classify, type ClassifyOptions } from "../../../secret/classify.ts";
import type { SecretMeta } from "../../../secret/secret.ts";
import { LABEL, own, type Shape } from "../../../secret/shapes.ts";
import type { SecretRecord, StateDocument } from "../../../state/document.ts";
import { secretEntries } from "../../../state/secrets.ts";

/** What a listing tells of a Secret that one of Tailscale's proxies writes. */
export interface WriterHint {
  readonly shape: Shape;
  /** Name of its ProxyGroup; `null` for none. */
  readonly group: string | null;
}

/**
 * Secrets of an L3 proxy and of an operator without a certificate are none: nothing issues for
 * them.
 */
export function writerHint(meta: SecretMeta, options: ClassifyOptions): WriterHint | null {
  if (own(meta.labels, LABEL.managed) !== "true") return null;
  const { shape } = classify(meta, options);
  const parentType = own(meta.labels, LABEL.parentType);
  if (shape === "ha-ingress" || shape === "apiserver-proxygroup")
    return { shape, group: own(meta.labels, LABEL.group) };
  if (shape === "proxygroup-state") return { shape, group: own(meta.labels, LABEL.parent) };
  return shape === "standalone" && parentType === "ingress" ? { shape, group: null } : null;
}

/**
 * Shapes whose certificates a pod of this cluster issues, and that are found by the labels of pods.
 */
const WRITTEN = ["operator", "standalone", "ha-ingress", "apiserver-proxygroup"] as const;
export type WrittenShape = (typeof WRITTEN)[number];

/** A Secret that a pod keeps certificates in. */
export interface Writer {
  readonly key: string;
  readonly namespace: string;
  readonly secret: string;
  readonly shape: WrittenShape;
  readonly group: string | null;
  /** Names of its certificates, as far as they are known. */
  readonly domains: readonly string[];
  /** `null` where it isn't there, or holds nothing yet. */
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

/** Of a state as it stands after reading, and of what the listing told. */
export function writersOf(
  state: StateDocument,
  hints: ReadonlyMap<string, WriterHint>,
): readonly Writer[] {
  const writers = new Map<string, Writer>();
  const add = (
    key: string,
    shape: WrittenShape,
    record: SecretRecord | null,
    present: boolean,
  ): void => {
    const slash = key.indexOf("/");
    const domains = record === null ? [] : domainsOf(record);
    const held =
      record !== null &&
      (Object.keys(record.certificates).length > 0 || Object.keys(record.gaps).length > 0);
    // The operator's own Secret, and that of an L3 proxy, hold a certificate only where one was
    // asked for.
    if (!held && !hints.has(key)) return;
    writers.set(key, {
      key,
      namespace: key.slice(0, slash),
      secret: key.slice(slash + 1),
      shape,
      group: hints.get(key)?.group ?? null,
      domains,
      record: present ? record : null,
    });
  };
  for (const [key, { shape }] of hints) if (isWritten(shape)) add(key, shape, null, false);
  for (const { key, record, loss } of secretEntries(state))
    if (!record.foreign && isWritten(record.shape)) add(key, record.shape, record, loss === null);
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

/** The container that writes: as the operator calls it, else the pod's first. */
export function containerOf(pod: PodFacts): PodFacts["containers"][number] | null {
  const name = pod.labels["app"] === "operator" ? "operator" : "tailscale";
  return pod.containers.find((container) => container.name === name) ?? pod.containers[0] ?? null;
}

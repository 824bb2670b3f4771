/**
 * Asks a cluster by the port of lib/ports/cluster.ts. It sends GET, and POST for
 * SubjectAccessReviews alone.
 *
 * It is less patient than the reader: what isn't told in seconds isn't told this time. Of a log no
 * more is taken in than was asked for, whatever the server sends.
 */
import type * as k8s from "@kubernetes/client-node";
import type {
  ClusterDiagnosis,
  ContainerFacts,
  EventFacts,
  Listed,
  PodFacts,
} from "../../ports/cluster.ts";
import { parseMsOrNull } from "../../certificate/time.ts";
import type { Connection } from "./connection.ts";
import { HttpClient, type HttpOptions } from "./http.ts";
import { fieldsOf, listOf, textOf, textsOf, type Untrusted } from "../../untrusted.ts";

const REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
/**
 * One page: who has more pods of an operator, or more warnings in a namespace, is told that there
 * are more.
 */
const PAGE_LIMIT = 500;
const MAX_REVIEW_BYTES = 256 * 1024;
const MAX_CONTAINERS = 50;
const MAX_MESSAGE = 4_096;
/**
 * Names as the API server takes them (RFC 1123 subdomain, and containers' labels): anything else
 * isn't asked for.
 */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
/**
 * What the kubelet writes as if it were the log, where the log's file is gone
 * (pkg/kubelet/kubelet_pods.go, pkg/kubelet/kuberuntime/logs).
 */
const NO_FILE =
  /^(?:unable to retrieve container logs for |failed to try resolving symlinks in path |failed to open log file )/;

const PATIENCE: HttpOptions = {
  connectTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
  attempts: 2,
  maxRetryAfterMs: 2_000,
};

function namespacePath(namespace: string): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
}

function msOf(value: unknown): number | null {
  const text = textOf(value);
  return text === null ? null : parseMsOrNull(text);
}

function countOf(value: unknown, least: number): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > least ? value : least;
}

function nameOf(value: unknown): string | null {
  const text = textOf(value);
  return text !== null && NAME.test(text) ? text : null;
}

function parseContainers(
  spec: Untrusted<k8s.V1PodSpec>,
  status: Untrusted<k8s.V1PodStatus>,
): readonly ContainerFacts[] {
  const states = new Map(
    listOf(status.containerStatuses)
      .map((entry) => fieldsOf<k8s.V1ContainerStatus>(entry))
      .map((one) => [one.name, one]),
  );
  return listOf(spec.containers)
    .slice(0, MAX_CONTAINERS)
    .flatMap((entry) => {
      const container = fieldsOf<k8s.V1Container>(entry);
      const name = nameOf(container.name);
      if (name === null) return [];
      const acmeDirectory = acmeDirectoryOf(container);
      const state = states.get(name) ?? fieldsOf<k8s.V1ContainerStatus>(null);
      const { running } = fieldsOf<k8s.V1ContainerState>(state.state);
      return [
        {
          name,
          startedMs: msOf(fieldsOf<k8s.V1ContainerStateRunning>(running).startedAt),
          restarts: countOf(state.restartCount, 0),
          ...(acmeDirectory === null ? {} : { acmeDirectory }),
        },
      ];
    });
}

/** Gives tailscaled another directory (envknob); a ProxyClass sets it for staging. */
const ACME_DIRECTORY = "TS_DEBUG_ACME_DIRECTORY_URL";
const MAX_URL = 512;

/** Empty where something else than the container's text sets it, or may; `null`: none is set. */
function acmeDirectoryOf({ env, envFrom }: Untrusted<k8s.V1Container>): string | null {
  const set = listOf(env)
    .map((entry) => fieldsOf<k8s.V1EnvVar>(entry))
    .findLast(({ name }) => name === ACME_DIRECTORY);
  if (set === undefined) return listOf(envFrom).length === 0 ? null : "";
  const value = textOf(set.value) ?? "";
  return value.length <= MAX_URL ? value : "";
}

/** A pod, or `null` for what is none. */
function parsePod(value: unknown, namespace: string): PodFacts | null {
  const pod = fieldsOf<k8s.V1Pod>(value);
  const metadata = fieldsOf<k8s.V1ObjectMeta>(pod.metadata);
  const name = nameOf(metadata.name);
  if (name === null || metadata.namespace !== namespace) return null;
  const spec = fieldsOf<k8s.V1PodSpec>(pod.spec);
  return {
    namespace,
    name,
    labels: textsOf(metadata.labels),
    account: nameOf(spec.serviceAccountName),
    containers: parseContainers(spec, fieldsOf<k8s.V1PodStatus>(pod.status)),
  };
}

/** An event, or `null` for what is none. A series counts for itself (events.k8s.io). */
function parseEvent(value: unknown, namespace: string): EventFacts | null {
  const event = fieldsOf<k8s.CoreV1Event>(value);
  const about = fieldsOf<k8s.V1ObjectReference>(event.involvedObject);
  const metadata = fieldsOf<k8s.V1ObjectMeta>(event.metadata);
  const type = event.type;
  const [kind, name, reason] = [about.kind, about.name, event.reason].map(textOf);
  if ((type !== "Normal" && type !== "Warning") || kind == null || name == null || reason == null)
    return null;
  if (metadata.namespace !== namespace || [kind, name, reason].some((text) => text.length > 253))
    return null;
  const series = fieldsOf<k8s.CoreV1EventSeries>(event.series);
  const firstMs =
    msOf(event.firstTimestamp) ?? msOf(event.eventTime) ?? msOf(metadata.creationTimestamp);
  if (firstMs === null) return null;
  const lastMs = msOf(series.lastObservedTime) ?? msOf(event.lastTimestamp) ?? firstMs;
  return {
    namespace,
    kind,
    name,
    type,
    reason,
    message: (textOf(event.message) ?? "").slice(0, MAX_MESSAGE),
    count: countOf(series.count, countOf(event.count, 1)),
    firstMs: Math.min(firstMs, lastMs),
    lastMs: Math.max(firstMs, lastMs),
  };
}

class KubernetesDiagnosis implements ClusterDiagnosis {
  readonly #http;

  constructor(connection: Connection, options: HttpOptions) {
    this.#http = new HttpClient(connection, { ...PATIENCE, ...options });
  }

  async #list<T>(
    resource: "pods" | "events",
    namespace: string,
    selector: Readonly<Record<string, string>>,
    parse: (value: unknown, namespace: string) => T | null,
    signal?: AbortSignal,
  ): Promise<Listed<T>> {
    const query = new URLSearchParams({ limit: String(PAGE_LIMIT), ...selector });
    const body = await this.#http.fields<Record<string, unknown>>(
      { verb: "list", resource, namespace },
      {
        path: `${namespacePath(namespace)}/${resource}?${query}`,
        kind: resource,
        signal,
      },
    );
    if (!Array.isArray(body["items"]))
      throw this.#http.invalid(`the server answered with JSON that isn't a list of ${resource}`);
    const items = listOf(body["items"]);
    const parsed = items.flatMap((item) => parse(item, namespace) ?? []);
    const token = fieldsOf(body["metadata"])["continue"];
    return {
      items: parsed,
      more: parsed.length < items.length || (typeof token === "string" && token !== ""),
    };
  }

  readonly readLog: ClusterDiagnosis["readLog"] = async (query, signal) => {
    const { namespace, pod, container, limitBytes } = query;
    const parameters = new URLSearchParams({
      container,
      timestamps: "true",
      limitBytes: String(limitBytes),
    });
    if (query.previous === true) parameters.set("previous", "true");
    if (query.sinceMs != null)
      parameters.set(
        "sinceTime",
        new Date(Math.floor(query.sinceMs / 1_000) * 1_000).toISOString().replace(".000Z", "Z"),
      );
    if (query.tailLines != null) parameters.set("tailLines", String(query.tailLines));
    const answer = await this.#http.send({
      path: `${namespacePath(namespace)}/pods/${encodeURIComponent(pod)}/log?${parameters}`,
      accept: "text/plain, */*",
      maxBodyBytes: limitBytes,
      keepPartial: true,
      kind: "logs",
      signal,
    });
    // 400: it hasn't started, or there is no previous one; 404: the pod is gone.
    if (answer.status === 400 || answer.status === 404) return { state: "none" };
    if (answer.status !== 200 && answer.status !== 204)
      throw this.#http.failure({ verb: "get", resource: "pods/log", namespace, name: pod }, answer);
    if (NO_FILE.test(answer.body.toString("latin1", 0, 200))) return { state: "none" };
    return {
      state: "read",
      bytes: answer.body,
      cut: answer.cut === true || answer.body.length >= limitBytes,
    };
  };

  readonly reviewAccess: ClusterDiagnosis["reviewAccess"] = async (
    { namespace, secret, account, verb },
    signal,
  ) => {
    const spec = {
      user: `system:serviceaccount:${namespace}:${account}`,
      // A binding may name these instead of the account.
      groups: [
        "system:serviceaccounts",
        `system:serviceaccounts:${namespace}`,
        "system:authenticated",
      ],
      resourceAttributes: { namespace, verb, group: "", resource: "secrets", name: secret },
    };
    const review: k8s.V1SubjectAccessReview = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec,
    };
    const answer = await this.#http.fields<k8s.V1SubjectAccessReview>(
      { verb: "create", resource: "subjectaccessreviews.authorization.k8s.io", namespace: null },
      {
        method: "POST",
        path: REVIEWS,
        body: JSON.stringify(review),
        repeatable: true,
        maxBodyBytes: MAX_REVIEW_BYTES,
        kind: "access",
        signal,
      },
    );
    const status = fieldsOf<k8s.V1SubjectAccessReviewStatus>(answer.status);
    if (typeof status.allowed !== "boolean")
      throw this.#http.invalid(
        "the server answered an access review without saying whether it is allowed",
      );
    return {
      allowed: status.allowed,
      reason: (textOf(status.reason) ?? "").slice(0, MAX_MESSAGE),
    };
  };

  readonly listPods: ClusterDiagnosis["listPods"] = (namespace, labelSelector, signal) =>
    this.#list("pods", namespace, { labelSelector }, parsePod, signal);

  readonly listEvents: ClusterDiagnosis["listEvents"] = (namespace, fieldSelector, signal) =>
    this.#list("events", namespace, { fieldSelector }, parseEvent, signal);

  readonly requests: ClusterDiagnosis["requests"] = () => ({ ...this.#http.requests });

  readonly close: ClusterDiagnosis["close"] = async () => this.#http.close();
}

/** Makes what a connection's credential may ask. Nothing is asked until a method is called. */
export function createClusterDiagnosis(
  connection: Connection,
  options: HttpOptions = {},
): ClusterDiagnosis {
  return new KubernetesDiagnosis(connection, options);
}

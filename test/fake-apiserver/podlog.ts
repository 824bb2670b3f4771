/**
 * The logs of pods, as the API server passes them on from a kubelet: by container, the current or
 * the one before the last restart, from a time or a number of lines on, up to so many bytes.
 */
import type { StoredObject } from "./objects.ts";
import { type Call, type Reply, isTrue, parseCount } from "./request.ts";
import { badRequest, notFound } from "./status.ts";
import type { Storage } from "./storage.ts";

/**
 * Log text by `namespace/pod/container`, and with ` previous` after it; each line begins with the
 * kubelet's time.
 */
export type PodLogs = ReadonlyMap<string, string>;

export function logKey(
  namespace: string,
  pod: string,
  container: string,
  previous: boolean,
): string {
  return `${namespace}/${pod}/${container}${previous ? " previous" : ""}`;
}

export interface LogChoice {
  readonly timestamps: boolean;
  readonly sinceTime: string | null;
  readonly tailLines: number | null;
  readonly limitBytes: number | null;
}

/**
 * What a kubelet gives of a log (pkg/kubelet/kuberuntime/logs): the last lines first chosen, then
 * those since, then bytes.
 */
export function selectLog(log: string, choice: LogChoice): string {
  const lines = log.split("\n").filter((line) => line !== "");
  const last =
    choice.tailLines === null ? lines : lines.slice(Math.max(0, lines.length - choice.tailLines));
  const sinceMs =
    choice.sinceTime === null ? Number.NEGATIVE_INFINITY : Date.parse(choice.sinceTime);
  const chosen = last.filter((line) => Date.parse(line.slice(0, line.indexOf(" "))) >= sinceMs);
  const shown = choice.timestamps
    ? chosen
    : chosen.map((line) => line.slice(line.indexOf(" ") + 1));
  const text = shown.map((line) => `${line}\n`).join("");
  return choice.limitBytes === null
    ? text
    : Buffer.from(text).subarray(0, choice.limitBytes).toString("utf8");
}

export function logChoice(query: URLSearchParams): LogChoice {
  return {
    timestamps: isTrue(query.get("timestamps")),
    sinceTime: query.get("sinceTime"),
    tailLines: parseCount(query, "tailLines"),
    limitBytes: parseCount(query, "limitBytes"),
  };
}

function containersOf(pod: StoredObject): string[] {
  const { spec } = pod as { spec?: { containers?: readonly { name?: unknown }[] } };
  return (spec?.containers ?? []).flatMap(({ name }) => (typeof name === "string" ? [name] : []));
}

/** @throws Refusal 404 without the pod, 400 without the container or its log */
export function readPodLog(storage: Storage, call: Call, logs: PodLogs): Reply {
  const { resource, namespace, name } = call.target;
  const pod = storage.get(resource, namespace, name ?? "");
  if (pod === null) throw notFound(resource, name ?? "");
  const containers = containersOf(pod);
  const wanted =
    call.query.get("container") ?? (containers.length === 1 ? containers[0] : undefined);
  if (wanted === undefined)
    throw badRequest(
      `a container name must be specified for pod ${name}, choose one of: ` +
        `[${containers.join(" ")}]`,
    );
  if (!containers.includes(wanted))
    throw badRequest(`container ${wanted} is not valid for pod ${name}`);
  const previous = isTrue(call.query.get("previous"));
  const log = logs.get(logKey(namespace ?? "", name ?? "", wanted, previous));
  if (log === undefined)
    throw badRequest(
      previous
        ? `previous terminated container "${wanted}" in pod "${name}" not found`
        : `container "${wanted}" in pod "${name}" is waiting to start: ContainerCreating`,
    );
  return { status: 200, body: selectLog(log, logChoice(call.query)) };
}

/** When a restored Secret is served, so whether a pod has to restart. */
import type { RestartNote } from "../../restoreplan/item.ts";

const PLAIN: Readonly<
  Record<Exclude<RestartNote["reads"], "sidecar_if_running" | "sidecar_at_start">, string>
> = {
  none: "",
  nobody: "no pod has to restart",
  not_known: "unknown whether needed",
  operator_if_running:
    "if the operator already runs: it reads the Secret only when it starts. None before its " +
    "first start",
  operator_at_start: "the operator reads the Secret only when it starts",
  group_next_access:
    "pods read it on the next connection. Up to version 1.92.5 the first pod may serve an old " +
    "one from memory: restart it then",
  group_within_a_day:
    "the first pod reads it on each connection (from 1.94 on), the others within 24 hours: " +
    "restart to have it everywhere at once",
  proxy_not_started:
    "its pod hasn't started yet, as far as the Secret says: it reads the certificate when it " +
    "first starts",
  proxy_at_start: "the proxy reads the Secret only when it starts",
  pod_at_start: "the pod of the same name reads it only when it starts",
  by_program:
    "unknown whether needed; ingress controllers reload on their own; a pod that mounts it " +
    "serves " +
    "it once its program reloads it",
};

/** A clause; empty where there is nothing to say. */
export function restartText(note: RestartNote): string {
  if (note.reads !== "sidecar_if_running" && note.reads !== "sidecar_at_start")
    return PLAIN[note.reads];
  const { secret } = note;
  const workload = `the workload whose TS_KUBE_SECRET is ${secret}, which the Secret doesn't name`;
  return note.reads === "sidecar_if_running"
    ? `if it already runs: ${workload}`
    : `restart ${workload}; it reads the Secret only when it starts`;
}

interface Served {
  /** In a table's cell. */
  readonly word: string;
  /** After "Served"; a command follows where there is one. */
  readonly clause: string;
}

const AFTER_RESTART: Served = { word: "after restart", clause: "after a restart" };

const SERVED: Readonly<Record<RestartNote["reads"], Served | null>> = {
  none: null,
  nobody: null,
  not_known: { word: "unknown", clause: "at an unknown time; restart the pods that use it" },
  operator_if_running: {
    word: "after restart",
    clause: "after a restart, if the operator is already running",
  },
  operator_at_start: AFTER_RESTART,
  group_next_access: {
    word: "immediately",
    clause: "on the next connection; proxies up to 1.92.5 after a restart",
  },
  group_within_a_day: {
    word: "within 24 h",
    clause: "within 24 hours, or everywhere at once after a restart",
  },
  proxy_not_started: { word: "when started", clause: "when its pod starts" },
  proxy_at_start: AFTER_RESTART,
  pod_at_start: AFTER_RESTART,
  by_program: {
    word: "when reloaded",
    clause: "once its pods reload it; ingress controllers reload on their own",
  },
  sidecar_if_running: {
    word: "after restart",
    clause: "after a restart of the workload with this TS_KUBE_SECRET, if it is already running",
  },
  sidecar_at_start: {
    word: "after restart",
    clause: "after a restart of the workload with this TS_KUBE_SECRET",
  },
};

/** When it is served; `null` where nothing serves it. */
export function servedText({ reads }: RestartNote): Served | null {
  return SERVED[reads];
}

/** When a restored Secret is read, so whether a pod has to restart. */
import type { RestartNote } from "../../restoreplan/item.ts";

const PLAIN: Readonly<
  Record<Exclude<RestartNote["reads"], "sidecar_if_running" | "sidecar_at_start">, string>
> = {
  none: "",
  nobody: "no pod has to restart",
  not_known: "it is unknown whether one is needed",
  operator_if_running:
    "if the operator already runs: it reads the Secret only when it starts. None before its " +
    "first start",
  operator_at_start: "the operator reads the Secret only when it starts",
  group_next_access:
    "pods read a missing one on the next connection. Up to version 1.92.5 the first pod may " +
    "hold an old one in memory: restart then",
  group_within_a_day:
    "the first pod reads it on each connection (from 1.94 on), the others within 24 hours: " +
    "restart to have it everywhere at once",
  proxy_not_started:
    "its pod hasn't started yet, as far as the Secret says: it reads the certificate when it " +
    "first starts",
  proxy_at_start: "the proxy reads the Secret only when it starts",
  pod_at_start: "the pod of the same name reads it only when it starts",
  by_program:
    "it is unknown whether one is needed; ingress controllers see the change by themselves; a " +
    "pod that mounts it reads it when its program does",
};

/** A clause; empty where there is nothing to say. */
export function restartText(note: RestartNote): string {
  if (note.reads !== "sidecar_if_running" && note.reads !== "sidecar_at_start")
    return PLAIN[note.reads];
  const workload = `the workload whose TS_KUBE_SECRET is ${note.secret}, which the Secret doesn't name`;
  return note.reads === "sidecar_if_running"
    ? `if it already runs: ${workload}`
    : `restart ${workload}; it reads the Secret only when it starts`;
}

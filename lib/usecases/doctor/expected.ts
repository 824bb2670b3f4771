/** What a cluster's credentials should be able to do, by its entry or its registration. Pure. */
import type { AccessPlan, Question } from "../../rbac/rules.ts";
import type { Part } from "../../rbac/table.ts";
import type { ExaminedCluster } from "./context.ts";

const DEFAULT_PARTS: readonly Part[] = ["secrets", "parents", "diagnosis"];

export function planOfEntry(cluster: ExaminedCluster): AccessPlan {
  const byName = cluster.namespaces !== null && cluster.namespaces.length === 0;
  const parts =
    cluster.access?.parts ??
    (byName
      ? ["named" as const]
      : [...DEFAULT_PARTS, ...(cluster.secrets.length > 0 ? ["named" as const] : [])]);
  const patterns = cluster.namespaces?.some((name) => name.includes("*")) === true;
  return { parts, namespaces: patterns ? null : cluster.namespaces, secrets: cluster.secrets };
}

export function hasRestoring({ restoreKubeconfig, eks }: ExaminedCluster): boolean {
  return restoreKubeconfig !== null || eks?.restoreRole != null;
}

/** Without these nothing works; the rest leaves something unknown. */
export function isEssential({ capability }: Question): boolean {
  return ["secrets", "named", "restore"].includes(capability.part) || capability.id === "identity";
}

/**
 * Which sources are missing to name a cause, and the setting that would show it. A source that
 * failed is a known unknown: it says since when, and never counts as “nothing happened”.
 */
import { calledBy } from "../state/identity.ts";
import type { SourceStatus } from "../state/signals.ts";
import type { CertificateEntry } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import type { ClusterIndex } from "./clusterindex.ts";
import type { Measure, Missing } from "./cause.ts";

/**
 * Without these a cause may stay unknown; the others only add to it, and are named where they were
 * asked and failed.
 */
const NEEDED = ["logs", "access", "events"] as const;
const OPTIONAL = ["renewal_info", "revocation", "transparency"] as const;

/** Of a certificate that isn't Tailscale's. */
const OTHERS: Missing = {
  source: "logs",
  code: "not_tailscale",
  sinceMs: null,
  measure: null,
};

/** Layouts whose pods no label of Tailscale's names. */
const SIDECARS: ReadonlySet<string> = new Set(["sidecar", "recorder"]);
/** Kinds of owners whose pods' logs kubectl finds; a Recorder's StatefulSet is called as it is. */
const OWNERS: ReadonlyMap<string, string> = new Map([
  ["Deployment", "deployment"],
  ["StatefulSet", "statefulset"],
  ["DaemonSet", "daemonset"],
  ["ReplicaSet", "replicaset"],
  ["Job", "job"],
  ["Pod", "pod"],
  ["Recorder", "statefulset"],
]);

function sidecarMissing({ namespace, secret, holder: { parent } }: CertificateEntry): Missing {
  const kind = OWNERS.get(parent?.kind ?? "");
  const owner = kind === undefined || parent === null ? null : `${kind}/${parent.name}`;
  const measure = { kind: "read_sidecar_log", namespace, secret, owner } as const;
  return { source: "logs", code: "sidecar", sinceMs: null, measure };
}

/**
 * Statuses of sources near these certificates. Of logs those of their own owners, where any is
 * known.
 */
function near(index: ClusterIndex, entries: readonly CertificateEntry[]): readonly SourceStatus[] {
  const statuses = index.statuses();
  const written = statuses.byOwnersOf(entries.map(({ key }) => key));
  const others = [...new Set(entries.map(({ namespace }) => namespace))].flatMap((namespace) =>
    statuses.inNamespace(namespace),
  );
  // Whose log it is isn't known; the operator's level says nothing of what proxies write.
  return written.length > 0
    ? [...written, ...others.filter(({ source }) => source !== "logs")]
    : others.filter(({ code }) => code !== "debug_off");
}

/**
 * Sources by which something may stay unknown, for these certificates; without any: for the whole
 * cluster.
 */
export function missingFor(index: ClusterIndex, entries: readonly CertificateEntry[]): Missing[] {
  // Logs, Events and access reviews are of Tailscale's owners alone.
  if (entries.length > 0 && entries.every(({ owner }) => owner !== "tailscale")) return [OTHERS];
  const [first] = entries;
  if (first !== undefined && entries.every(({ layout }) => SIDECARS.has(layout)))
    return [sidecarMissing(first)];
  const {
    state,
    observations: { looks },
  } = index;
  const close = entries.length === 0 ? looks : near(index, entries);
  const needed = NEEDED.flatMap((source) => {
    const failing = close.filter((status) => status.source === source);
    if (failing.length > 0) return failed(state, source, failing);
    const all = looks.filter((status) => status.source === source);
    if (all.length === 0) return [missing(state, source, "not_enabled", null)];
    return all.every(({ code }) => code === "not_enabled" || code === "forbidden")
      ? failed(state, source, all)
      : [missing(state, source, "not_asked", null)];
  });
  const optional = OPTIONAL.flatMap((source) =>
    failed(
      state,
      source,
      looks.filter((status) => status.source === source && status.code !== "not_enabled"),
    ),
  );
  return [...needed, ...optional];
}

/** One for each way in which it failed, since the first that did. */
function failed(
  state: StateDocument,
  source: Missing["source"],
  looks: readonly SourceStatus[],
): Missing[] {
  const codes = new Map<string, number | null>();
  for (const { code, sinceMs } of looks) {
    if (code === null) continue;
    const known = codes.get(code);
    codes.set(code, known == null ? sinceMs : sinceMs === null ? known : Math.min(known, sinceMs));
  }
  return [...codes].map(([code, sinceMs]) => missing(state, source, code, sinceMs));
}

function missing(
  state: StateDocument,
  source: Missing["source"],
  code: string,
  sinceMs: number | null,
): Missing {
  return { source, code, sinceMs, measure: measureFor(state, source, code) };
}

function measureFor(state: StateDocument, source: Missing["source"], code: string): Measure | null {
  const cluster = calledBy(state);
  if (code === "debug_off") return { kind: "log_debug" };
  // Neither a setting nor a later audit brings a pod.
  if (code === "no_pod") return null;
  if (source === "renewal_info" || source === "revocation" || source === "transparency")
    return null;
  if (code === "not_asked") return { kind: "register_namespace", cluster };
  if (code === "not_enabled" || code === "forbidden") return { kind: "add_diagnosis", cluster };
  if (code === "gap" || code === "too_much") return { kind: "await_audit" };
  return { kind: "doctor", cluster };
}

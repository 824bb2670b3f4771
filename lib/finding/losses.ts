/** What went missing with its Secret: one by one, or as an incident. Pure. */
import { parseMs } from "../certificate/time.ts";
import { setOf } from "../ratelimit/limit.ts";
import type { Part } from "../rbac/table.ts";
import { combinedHelp, type RecordedPlanner, type RestoreHelp } from "../restoreplan/recorded.ts";
import { type CertificateEntry, verdictAt } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import { INCIDENT_MS } from "../state/incident.ts";
import { calledBy } from "../state/identity.ts";
import {
  type Action,
  allowRestores,
  registerAgain,
  type RestoreAction,
  restoreAction,
} from "./action.ts";
import { type Draft, explainAction, type Subject, subjectOf } from "./finding.ts";

/** Restoring where that helps, else what is known of it. */
export function remedy(
  state: StateDocument,
  subject: Subject,
  { backup, createNamespace, replace, standby }: RestoreHelp,
): readonly Action[] {
  const name = subject.name ?? subject.secret;
  return backup === "restorable" && name !== null
    ? allowedRestore(
        state,
        restoreAction(calledBy(state), [name], { createNamespace, replace, standby }),
      )
    : explainAction(subject);
}

/** A person's own credential may do more than was registered, which only the cluster knows. */
const BROUGHT: ReadonlySet<string> = new Set(["certificate", "kubeconfig"]);

/** A restore, after the command that gives a registration the permissions which it lacks for it. */
export function allowedRestore(
  { credential }: Pick<StateDocument, "credential">,
  restore: RestoreAction,
): readonly Action[] {
  if (credential?.parts === undefined || BROUGHT.has(credential.kind)) return [restore];
  const { parts, kind } = credential;
  const wanted: readonly Part[] = [
    "restore",
    ...(restore.replace ? (["replace"] as const) : []),
    ...(restore.createNamespace ? (["create-namespace"] as const) : []),
  ];
  const lacking = wanted.filter((part) => !parts.includes(part));
  return lacking.length === 0
    ? [restore]
    : [allowRestores(restore.cluster, kind, lacking), restore];
}

export function* lossDrafts(
  state: StateDocument,
  entries: readonly CertificateEntry[],
  planner: RecordedPlanner,
  atMs: number,
): Generator<Draft> {
  const lost = entries.flatMap((entry) =>
    entry.condition === "lost" && !entry.record.staging && parseMs(entry.record.notAfter) >= atMs
      ? [entry]
      : [],
  );
  const isReplaced = replacedIn(entries);
  const ofIncidents: OfSecret[] = [];
  for (const certificates of Map.groupBy(lost, (entry) => entry.key).values()) {
    const [first, ...rest] = certificates;
    if (first === undefined) continue;
    const { how, incident, lastSeenMs } = first.loss;
    if (incident !== null) {
      ofIncidents.push([first, ...rest]);
      continue;
    }
    const subject = subjectOf(first);
    const help = combinedHelp(certificates.map((entry) => planner.helpFor(entry)));
    const { backup } = help;
    const common = {
      subject,
      actions: remedy(state, subject, help),
      due: first.record.notAfter,
    };
    const params = {
      of: "one",
      lastSeenMs,
      owner: first.owner,
      serials: certificates.map(({ record }) => record.serial),
      backup,
    } as const;
    if (how === "removed" || how === "replaced")
      yield { ...common, code: "secret_removed", params: { ...params, parent: how } };
    else
      yield {
        ...common,
        code: "secret_lost",
        ...(how === "unknown" && (isReplaced(first) || !certificates.some(wasValid))
          ? { severity: "warning" as const }
          : {}),
        params: { ...params, parent: how === "unknown" ? "unknown" : "stands" },
      };
  }
  for (const secrets of byIncident(ofIncidents)) yield incidentDraft(state, secrets, planner);
}

function wasValid({ record, loss }: LostCertificate): boolean {
  return verdictAt(record, loss.lastSeenMs).valid;
}

/** Whether another Secret that its Ingress could use holds a valid certificate for its names. */
function replacedIn(entries: readonly CertificateEntry[]): (lost: LostCertificate) => boolean {
  const keyOf = (namespace: string, names: readonly string[]): string =>
    `${namespace}\n${setOf(names).key}`;
  let valid: ReadonlySet<string> | null = null;
  return ({ layout, namespace, record }) => {
    if (layout !== "tls") return false;
    valid ??= new Set(
      entries.flatMap((entry) =>
        entry.condition === "live" && entry.verdict.valid
          ? [keyOf(entry.namespace, entry.record.names)]
          : [],
      ),
    );
    return valid.has(keyOf(namespace, record.names));
  };
}

type LostCertificate = CertificateEntry & { readonly condition: "lost" };
type OfSecret = readonly [LostCertificate, ...LostCertificate[]];

/** What is called alike and was lost more than an hour later is another incident. */
function byIncident(secrets: readonly OfSecret[]): OfSecret[][] {
  const lostMs = ([{ loss }]: OfSecret): number => loss.lostMs;
  const incidents: OfSecret[][] = [];
  const latest = new Map<string | null, OfSecret[]>();
  for (const secret of secrets.toSorted((a, b) => lostMs(a) - lostMs(b))) {
    const { incident } = secret[0].loss;
    const known = latest.get(incident);
    const last = known?.at(-1);
    if (known !== undefined && last !== undefined && lostMs(secret) - lostMs(last) <= INCIDENT_MS)
      known.push(secret);
    else {
      const begun = [secret];
      latest.set(incident, begun);
      incidents.push(begun);
    }
  }
  return incidents;
}

function spanOf(lost: readonly OfSecret[]): { readonly fromMs: number; readonly untilMs: number } {
  return lost.reduce(
    ({ fromMs, untilMs }, [{ loss }]) => ({
      fromMs: Math.min(fromMs, loss.lastSeenMs),
      untilMs: Math.max(untilMs, loss.lostMs),
    }),
    { fromMs: Number.POSITIVE_INFINITY, untilMs: Number.NEGATIVE_INFINITY },
  );
}

function incidentDraft(
  state: StateDocument,
  lost: readonly OfSecret[],
  planner: RecordedPlanner,
): Draft {
  const keys = lost.map(([first]) => first.key);
  const incident = lost[0]?.[0].loss.incident ?? "";
  const helps = lost.map((certificates) =>
    combinedHelp(certificates.map((entry) => planner.helpFor(entry))),
  );
  const { backup, createNamespace } = combinedHelp(helps);
  const namespaces = [...new Set(keys.map((key) => key.slice(0, key.indexOf("/"))))];
  const namespace = namespaces.length === 1 ? (namespaces[0] ?? null) : null;
  return {
    code: "secret_lost",
    subject: { cluster: state.cluster, namespace, secret: null, name: null },
    params: {
      of: "many",
      count: keys.length,
      restorable: helps.filter((help) => help.backup === "restorable").length,
      backup,
      incident,
      ...spanOf(lost),
      keys: keys.slice(0, 50),
    },
    actions:
      backup === "restorable"
        ? namespaceRestore(state, namespaces, createNamespace)
        : [{ kind: "explain", name: state.cluster }],
    cause: [incident],
  };
}

/**
 * Restores everything that was in these namespaces. Where a registration's Roles were deleted with
 * one, the cluster is registered again first, which also recreates that namespace.
 */
export function namespaceRestore(
  state: StateDocument,
  namespaces: readonly string[],
  createNamespace: boolean,
): readonly Action[] {
  const cluster = calledBy(state);
  const { kind, parts, namespaces: registered } = state.credential ?? {};
  const hadRoles = namespaces.filter((name) => registered?.includes(name) === true);
  const isRegisteredAgain = createNamespace && parts !== undefined && hadRoles.length > 0;
  const [only = null] = namespaces.length === 1 ? namespaces : [];
  const restores = allowedRestore(
    state,
    restoreAction(cluster, [], {
      all: true,
      namespace: only,
      createNamespace:
        createNamespace && !(isRegisteredAgain && hadRoles.length === namespaces.length),
    }),
  );
  return isRegisteredAgain && restores.length === 1
    ? [registerAgain(cluster, kind), ...restores]
    : restores;
}

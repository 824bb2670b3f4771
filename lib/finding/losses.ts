/** What went missing with its Secret: one by one, or as an incident. Pure. */
import { parseMs } from "../certificate/time.ts";
import { combinedHelp, type RecordedPlanner, type RestoreHelp } from "../restoreplan/recorded.ts";
import type { CertificateEntry } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import { calledBy } from "../state/identity.ts";
import { type Action, restoreAction } from "./action.ts";
import { type Draft, explainAction, type Subject, subjectOf } from "./finding.ts";

/** Restoring where that helps, else what is known of it. */
export function remedy(
  state: StateDocument,
  subject: Subject,
  { backup, createNamespace, replace, standby }: RestoreHelp,
): readonly Action[] {
  const name = subject.name ?? subject.secret;
  return backup === "restorable" && name !== null
    ? [restoreAction(calledBy(state), [name], { createNamespace, replace, standby })]
    : explainAction(subject);
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
  const incidents = new Map<
    string,
    { readonly incident: string; readonly of: CertificateEntry[][] }
  >();
  for (const held of Map.groupBy(lost, (entry) => entry.key).values()) {
    const [first] = held;
    if (first === undefined) continue;
    const { how, incident, lostMs, lastSeenMs } = first.loss;
    if (incident !== null) {
      const id = `${incident}|${lostMs}`;
      const known = incidents.get(id) ?? { incident, of: [] };
      known.of.push(held);
      incidents.set(id, known);
      continue;
    }
    const subject = subjectOf(first);
    const help = combinedHelp(held.map((entry) => planner.helpFor(entry)));
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
      serials: held.map(({ record }) => record.serial),
      backup,
    } as const;
    if (how === "removed" || how === "replaced")
      yield { ...common, code: "secret_removed", params: { ...params, parent: how } };
    else
      yield {
        ...common,
        code: "secret_lost",
        ...(how === "unknown" ? { severity: "warning" as const } : {}),
        params: { ...params, parent: how === "unknown" ? "unknown" : "stands" },
      };
  }
  for (const { incident, of } of incidents.values())
    yield incidentDraft(state, incident, of, planner);
}

/** `lost`: the certificates of each Secret. */
function incidentDraft(
  state: StateDocument,
  incident: string,
  lost: readonly (readonly CertificateEntry[])[],
  planner: RecordedPlanner,
): Draft {
  const keys = lost.flatMap(([first]) => first?.key ?? []);
  const helps = lost.map((held) => combinedHelp(held.map((entry) => planner.helpFor(entry))));
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
      keys: keys.slice(0, 50),
    },
    actions:
      backup === "restorable"
        ? [restoreAction(calledBy(state), [], { all: true, namespace, createNamespace })]
        : [{ kind: "explain", name: state.cluster }],
    cause: [incident],
  };
}

/** What restores or fixes an item, and what explains it: one command each. Pure. */
import {
  type Action,
  registersFirst,
  type RestoreAction,
  type RestoreFunction,
  viaOf,
} from "../../finding/action.ts";
import { type Finding, findingRef, labelOf } from "../../finding/finding.ts";
import type { ItemFix, ItemMore, ItemSubject } from "../items.ts";
import { commandOf, invokeRestore, restoreCommand, fitsCommand } from "../command.ts";
import { rankOf } from "./merge.ts";
import { own, say, type Text } from "../part.ts";
import { adviceOf } from "../phrases.ts";

/** More names than this are restored by `--all`. */
const MOST_NAMES = 4;

interface Wanted {
  readonly action: RestoreAction;
  readonly finding: Finding;
  readonly by: RestoreFunction | null;
}

export function fixOf(findings: readonly Finding[]): ItemFix {
  const [lead] = findings;
  const wanted = findings.flatMap((finding): Wanted[] => {
    const action = finding.actions.find((one) => one.kind === "restore");
    const invoke = finding.actions.find((one) => one.kind === "invoke");
    return action === undefined ? [] : [{ action, finding, by: invoke?.by ?? null }];
  });
  const text = lead === undefined ? [] : fixText(lead, findings);
  if (wanted.length > 0) {
    const restores = mergedRestores(wanted);
    const commands = restores.map(({ action }) => restoreCommand(action, { apply: true }));
    const before = wanted.flatMap(
      ({
        finding: {
          actions: [first],
        },
      }) => (first !== undefined && registersFirst(first) ? (commandOf(first) ?? []) : []),
    );
    const typed = restores.flatMap(({ action }, index) =>
      commands[index] === null ? [typedText(action)] : [],
    );
    return {
      label: "Restore",
      text: typed.length > 0 ? (typed[0] ?? text) : text,
      commands: [...new Set(before), ...commands.filter((one) => one !== null)],
      invokes: restores.flatMap(({ action, by }) =>
        by === null ? [] : (invokeRestore(by, action) ?? []),
      ),
    };
  }
  const doing = findings.flatMap(({ actions: [first] }) =>
    first === undefined || first.kind === "explain" || first.kind === "invoke"
      ? []
      : (commandOf(first) ?? []),
  );
  return { label: "Fix", text, commands: [...new Set(doing)], invokes: [] };
}

function fixText(lead: Finding, findings: readonly Finding[]): Text {
  // Where several Secrets share a limit, that is what to change.
  const shared = findings.find((one) => one.code === "shared_set" && !one.params.sameSerial);
  const {
    general,
    own: special,
    alone,
    several,
  } = adviceOf(
    shared !== undefined && rankOf(lead) >= rankOf({ code: "set_budget_exhausted" })
      ? shared
      : lead,
  );
  const single = findings.every(
    ({ subject }) =>
      subject.cluster === lead.subject.cluster && labelOf(subject) === labelOf(lead.subject),
  );
  if (!single) return own(several ?? general);
  if (alone !== undefined) return alone;
  return special.length > 0 ? say`${own(general)}. ${special}` : own(general);
}

/** What a person types where a name fits no command. */
function typedText({ cluster, names }: RestoreAction): Text {
  return say`Type the name yourself, in quotes: certkeep restore
    ${fitsCommand(cluster) ? cluster : "CLUSTER"} ${names.join(" ")} --apply`;
}

/** Restores that one command does are one. */
function mergedRestores(
  wanted: readonly Wanted[],
): { action: RestoreAction; by: RestoreFunction | null }[] {
  const whole = wanted.filter(({ action }) => action.all);
  const single = wanted.filter(({ action }) => !action.all);
  const groups = Map.groupBy(single, ({ action: { cluster, replace, standby } }) =>
    JSON.stringify([cluster, replace, standby]),
  );
  const merged = [...groups.values()].flatMap((of) => {
    const [first] = of;
    if (first === undefined) return [];
    // What brings back all of a namespace, or of the cluster, brings back these too.
    if (whole.some(({ action }) => covers(action, of))) return [];
    return [{ action: mergedAction(of, first), by: first.by }];
  });
  return [...whole.map(({ action, by }) => ({ action, by })), ...merged];
}

function covers(all: RestoreAction, of: readonly Wanted[]): boolean {
  return of.every(
    ({ action, finding }) =>
      action.cluster === all.cluster &&
      !action.replace &&
      !action.standby &&
      (all.namespace === null || finding.subject.namespace === all.namespace),
  );
}

function mergedAction(of: readonly Wanted[], first: Wanted): RestoreAction {
  const names = [...new Set(of.flatMap((one) => fittingNames(one)))].toSorted();
  const createNamespace = of.some(({ action }) => action.createNamespace);
  const base = { ...first.action, names, createNamespace };
  const { replace, standby } = first.action;
  if (names.length <= MOST_NAMES || replace || standby) return base;
  const namespaces = [...new Set(of.map(({ finding }) => finding.subject.namespace))];
  const [only = null] = namespaces;
  return { ...base, names: [], all: true, namespace: namespaces.length === 1 ? only : null };
}

/** A name that fits no command is replaced by its Secret's, which Kubernetes keeps to letters. */
function fittingNames({ action, finding }: Wanted): readonly string[] {
  const { namespace, secret } = finding.subject;
  if (namespace === null || secret === null || action.names.every(fitsCommand)) return action.names;
  return [`${namespace}/${secret}`];
}

const NOTES: Readonly<Record<string, string>> = {
  storage: "what blocks the write",
  account_key_lost: "the ACME account key",
  validation_fails: "what makes it fail validation",
  dns: "what fails in DNS",
  race: "who requests it",
  pod_churn: "which pods request it",
  network: "what blocks the connection",
};

/** What to run where the first command doesn't apply. */
function otherOf({ code, actions: [first, second] }: Finding): ItemMore | null {
  if (code !== "audit_incomplete" || first?.kind !== "restore" || second === undefined) return null;
  const command = second.kind === "invoke" ? null : commandOf(second);
  return command === null ? null : { label: "Details", command, note: "if it still exists" };
}

export function moreOf(
  findings: readonly Finding[],
  subjects: readonly ItemSubject[],
): ItemMore | null {
  const [lead] = findings;
  if (lead === undefined) return null;
  // The first that is listed, if any of it can be explained.
  const explain = [...(subjects[0]?.findings ?? []), ...findings]
    .flatMap(({ actions }) => actions)
    .find((action): action is Extract<Action, { kind: "explain" }> => action.kind === "explain");
  const forbidden = findings.some(({ code }) => code === "storage_forbidden");
  const cause = findings
    .flatMap(({ why }) => why?.causes ?? [])
    .find(({ overMs }) => overMs === null);
  if (!forbidden && cause === undefined && explain === undefined) return otherOf(lead);
  const [first] = subjects;
  const name = explain?.name ?? first?.name ?? lead.subject.cluster;
  const via = viaOf(findings);
  const explained = (of: string): string | null =>
    commandOf({ kind: "explain", name: of, ...(via === undefined ? {} : { via }) });
  const command = explained(name) ?? explained(findingRef(lead));
  if (command === null) return null;
  if (forbidden) return { label: "Prevent", command, note: "the missing permission" };
  return cause === undefined
    ? { label: "Details", command, note: "" }
    : { label: "Prevent", command, note: NOTES[cause.code] ?? "" };
}

/**
 * Namespaces whose Secrets the credential has lost the permission to read. A permission that lies
 * in a namespace dies with it, so that the namespace may have been deleted: one item for all of
 * them, with what restores their certificates. Pure.
 */
import { formatMs, parseMs } from "../certificate/time.ts";
import { recordedPlanner } from "../restoreplan/recorded.ts";
import { certificates } from "../state/certificates.ts";
import type { StateDocument, Unread } from "../state/document.ts";
import { calledBy } from "../state/identity.ts";
import { heldIn, standingSecrets, withoutNamespaces } from "../state/secrets.ts";
import type { Action } from "./action.ts";
import type { Draft } from "./finding.ts";
import { namespaceRestore } from "./losses.ts";

/** The namespace of a part that there is no permission to read; `null`: it is none. */
export function namespaceOf({ scope, code }: Pick<Unread, "scope" | "code">): string | null {
  return code === "cluster_forbidden"
    ? (/^(?:namespace |Secret (?=[^/]+\/))([^/]+)/.exec(scope)?.[1] ?? null)
    : null;
}

/** Namespaces that hold recorded certificates of which the last audit might read none. */
export function refusedNamespaces(state: StateDocument): ReadonlySet<string> {
  const unread = (state.audit?.unread ?? []).filter((part) => namespaceOf(part) !== null);
  if (unread.length === 0) return new Set();
  const scopes = new Set(unread.map(({ scope }) => scope));
  const holding = [...standingSecrets(state)].filter(({ record }) => heldIn(record).length > 0);
  const read = new Set(
    holding.flatMap(({ key, namespace }) => (scopes.has(`Secret ${key}`) ? [] : [namespace])),
  );
  return new Set(holding.flatMap(({ namespace }) => (read.has(namespace) ? [] : [namespace])));
}

export function* namespaceDrafts(state: StateDocument, atMs: number): Generator<Draft> {
  const refused = refusedNamespaces(state);
  if (refused.size === 0) return;
  const existing = new Set(
    state.audit?.unread.flatMap((part) =>
      part.namespaceExists === true ? [namespaceOf(part) ?? ""] : [],
    ),
  );
  for (const mayBeDeleted of [true, false]) {
    const namespaces = [...refused]
      .filter((name) => existing.has(name) !== mayBeDeleted)
      .toSorted();
    if (namespaces.length > 0) yield draftOf(state, namespaces, mayBeDeleted, atMs);
  }
}

function draftOf(
  state: StateDocument,
  namespaces: readonly string[],
  mayBeDeleted: boolean,
  atMs: number,
): Draft {
  const { count, restorable } = lossOf(state, new Set(namespaces), atMs);
  const [only = null] = namespaces.length === 1 ? namespaces : [];
  const cluster = calledBy(state);
  const lastReachedAt = state.audit?.lastReachedAt ?? null;
  const doctor: Action = { kind: "doctor", cluster };
  return {
    code: "audit_incomplete",
    severity: mayBeDeleted ? "critical" : "warning",
    subject: { cluster: state.cluster, namespace: only, secret: null, name: null },
    params: {
      of: "namespaces",
      namespaces,
      mayBeDeleted,
      count,
      restorable,
      lastReachedMs: lastReachedAt === null ? null : parseMs(lastReachedAt),
    },
    actions:
      mayBeDeleted && restorable > 0
        ? [...namespaceRestore(state, namespaces, true), doctor]
        : [doctor],
    cause: ["namespaces"],
  };
}

function lossOf(
  state: StateDocument,
  namespaces: ReadonlySet<string>,
  atMs: number,
): { readonly count: number; readonly restorable: number } {
  const lost = { ...state, ...withoutNamespaces(state, namespaces, formatMs(atMs)) };
  const planner = recordedPlanner(lost, atMs);
  const entries = [...certificates(lost, atMs)].filter(
    ({ condition, namespace }) => condition === "lost" && namespaces.has(namespace),
  );
  const keys = (of: readonly { readonly key: string }[]): number =>
    new Set(of.map(({ key }) => key)).size;
  return {
    count: keys(entries),
    restorable: keys(entries.filter((entry) => planner.helpFor(entry).backup === "restorable")),
  };
}

/** Which cluster answers, which state it has, and whether it is the one that is pinned there. */
import { CertkeepError, isCertkeepError } from "../../error.ts";
import { matchesPattern } from "../../finding/place.ts";
import { notAuditedParts } from "../../report/pinning.ts";
import type { StateStore } from "../../ports/stores.ts";
import { emptyState, type StateDocument } from "../../state/document.ts";
import { notPinned, type ClusterIdentity } from "../../state/identity.ts";
import { earlierState, renamed } from "../pin.ts";
import { findState, findStateAt, loadState, nameOf } from "../states.ts";
import type { AuditTarget } from "./context.ts";

export interface Identified {
  readonly target: AuditTarget;
  readonly key: string;
  readonly look:
    | { readonly ok: true; readonly seen: ClusterIdentity; readonly isPinned: boolean }
    | { readonly ok: false; readonly error: CertkeepError };
  readonly stored: StateDocument;
  readonly revision: string | null;
  /** The state that the cluster had before it had this name; `null`: none is taken over. */
  readonly earlier: StateDocument | null;
}

/**
 * The target as the cluster that it is known as: whatever context leads there, a cluster has one
 * name, one state and one set of backups.
 */
export async function asNamed<T extends AuditTarget>(
  target: T,
  states: StateStore,
  seen: ClusterIdentity,
): Promise<T> {
  const name = target.name === null ? await nameOf(states, seen) : null;
  if (name === null) return target;
  // What is recorded of the registered credential stays: this one is the person's own.
  const { credential: _, ...rest } = target;
  const settings = (await target.settingsOf?.(name)) ?? target.settings;
  return confined({ ...(rest as T), name, title: name, settings });
}

/** @throws CertkeepError usage, for a namespace that the cluster's settings leave out */
export function confined<T extends AuditTarget>(target: T): T {
  const { only = null, settings, title } = target;
  const { namespaces } = settings;
  if (only === null || namespaces?.some((pattern) => matchesPattern(pattern, only)) !== false)
    return target;
  throw new CertkeepError("usage", {
    where: `cluster ${title}`,
    found: `namespace ${only} isn't among those that are audited: ${namespaces.join(", ")}`,
    todo: "Choose one of them, or add it to the cluster's namespaces first",
  });
}

/**
 * @throws CertkeepError usage, where a context without a registration leads to another cluster than
 * its state's: nothing is marked there, since the state isn't this context's
 */
export async function identify(given: AuditTarget, states: StateStore): Promise<Identified> {
  const seen = await given.reader.identity().catch((error: unknown) => {
    if (!isCertkeepError(error)) throw error;
    return error;
  });
  const failed = isCertkeepError(seen);
  const target = failed ? given : await asNamed(given, states, seen);
  const { name, title, server } = target;
  const key =
    name ?? (failed ? await findStateAt(states, server) : await findState(states, seen, server));
  const loaded = await loadState(states, key);
  const revision = loaded?.revision ?? null;
  const empty = emptyState(key, title, server);
  if (failed)
    return {
      target,
      key,
      look: { ok: false, error: seen },
      stored: loaded?.state ?? empty,
      revision,
      earlier: null,
    };
  const earlier =
    name === null || loaded !== null ? null : await earlierState(states, name, seen, server);
  const stored = loaded?.state ?? (earlier === null ? empty : renamed(earlier, key));
  const differs = notPinned(stored, seen);
  if (differs !== null && name === null)
    throw new CertkeepError("usage", notAuditedParts(title, differs));
  const look = { ok: true, seen, isPinned: differs === null } as const;
  return { target, key, look, stored, revision, earlier };
}

/** Which cluster answers, which state it has, and whether it is the one that is pinned there. */
import { CertkeepError, isCertkeepError } from "../../error.ts";
import { notPinnedParts } from "../../report/pinning.ts";
import type { StateStore } from "../../ports/stores.ts";
import { emptyState, type StateDocument } from "../../state/document.ts";
import { identityKey, notPinned, type ClusterIdentity } from "../../state/identity.ts";
import { findState, findStateAt, loadState } from "../states.ts";
import type { AuditTarget } from "./context.ts";

export interface Identified {
  /** Of the state. */
  readonly key: string;
  readonly look:
    | { readonly ok: true; readonly seen: ClusterIdentity; readonly isPinned: boolean }
    | { readonly ok: false; readonly error: CertkeepError };
  /** The state as it is stored, or an empty one. */
  readonly stored: StateDocument;
  /** `null`: none is stored yet. */
  readonly revision: string | null;
}

/**
 * @throws CertkeepError usage, where a context without a registration leads to another cluster than
 * its state's: nothing is marked there, since the state isn't this context's
 */
export async function identify(target: AuditTarget, states: StateStore): Promise<Identified> {
  const { name, title, server } = target;
  const seen = await target.reader.identity().catch((error: unknown) => {
    if (!isCertkeepError(error)) throw error;
    return error;
  });
  const failed = isCertkeepError(seen);
  const key =
    name ?? (failed ? await findStateAt(states, server) : await findState(states, seen, server));
  const loaded = await loadState(states, key);
  const revision = loaded?.revision ?? null;
  const empty = emptyState(key, title, server);
  if (failed)
    return { key, look: { ok: false, error: seen }, stored: loaded?.state ?? empty, revision };
  const stored = loaded?.state ?? (await adoptedState(target, states, seen)) ?? empty;
  const differs = notPinned(stored, seen);
  if (differs !== null && name === null)
    throw new CertkeepError(
      "usage",
      notPinnedParts(
        { called: title, registered: false },
        differs,
        "Nothing was recorded, and nothing recorded is shown",
      ),
    );
  return { key, look: { ok: true, seen, isPinned: differs === null }, stored, revision };
}

/**
 * What was known of a cluster before it had a name: all but the backups, whose keys begin with what
 * it was called then.
 */
async function adoptedState(
  { name, server }: AuditTarget,
  states: StateStore,
  seen: ClusterIdentity,
): Promise<StateDocument | null> {
  if (name === null || seen.uid === null) return null;
  const unnamed = (await loadState(states, identityKey(seen, server)))?.state ?? null;
  if (unnamed === null || unnamed.identity === null || notPinned(unnamed, seen) !== null)
    return null;
  const findings = Object.fromEntries(
    Object.entries(unnamed.findings).map(([id, finding]) => [
      id.replace(`|${unnamed.cluster}|`, `|${name}|`),
      finding,
    ]),
  );
  return { ...unnamed, cluster: name, copies: {}, findings };
}

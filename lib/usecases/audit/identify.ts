/** Which cluster answers, which state it has, and whether it is the one that is pinned there. */
import { CertkeepError, isCertkeepError } from "../../error.ts";
import { notAuditedParts } from "../../report/pinning.ts";
import type { StateStore } from "../../ports/stores.ts";
import { emptyState, type StateDocument } from "../../state/document.ts";
import { notPinned, type ClusterIdentity } from "../../state/identity.ts";
import { earlierState, renamed } from "../pin.ts";
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
  /** The state that the cluster had before it had this name; `null`: none is taken over. */
  readonly earlier: StateDocument | null;
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
    return {
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
  return { key, look, stored, revision, earlier };
}

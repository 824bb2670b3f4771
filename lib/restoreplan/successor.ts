/**
 * A cluster that was rebuilt under its own name: a new state begins under the new identity,
 * knows the copies of the old one, and names where the old state went. Pure.
 */
import { parseMs } from "../certificate/time.ts";
import { emptyState, type StateDocument } from "../state/document.ts";
import { joinSecrets } from "../state/secrets.ts";
import type { StoredIdentity } from "../state/identity.ts";

/**
 * For so long after a cluster was rebuilt its earlier state tells what `all` means, beside its own.
 */
const PREDECESSOR_COUNTS_MS = 7 * 86_400_000;

export interface Predecessor {
  /** Key of the earlier identity. */
  readonly key: string;
  /** Name of the document that holds the earlier state. */
  readonly document: string;
  /** RFC 3339: when the successor was pinned. */
  readonly at: string;
}

/** Name of the document that an earlier state is kept under. */
export function predecessorName(cluster: string, key: string): string {
  return `predecessor-${cluster}-${key}`;
}

/**
 * The state of the successor. What is unknown in the old document isn't carried over, but for its
 * copies.
 */
export function succeed(
  before: StateDocument,
  identity: StoredIdentity,
  document: string,
  now: string,
): StateDocument {
  const predecessor: Predecessor = { key: before.identity?.key ?? "unknown", document, at: now };
  return {
    ...emptyState(before.cluster, before.title, before.server),
    identity: { ...identity },
    copies: before.copies,
    ...(before.drill === undefined ? {} : { drill: before.drill }),
    quota: before.quota,
    predecessors: [...predecessorsOf(before), predecessor],
  };
}

/** Earlier identities, the oldest first; what isn't one is left out. */
export function predecessorsOf(state: StateDocument): readonly Predecessor[] {
  const { predecessors } = state as { readonly predecessors?: unknown };
  if (!Array.isArray(predecessors)) return [];
  return (predecessors as unknown[]).flatMap((one) => {
    const { key, document, at } = (typeof one === "object" && one !== null ? one : {}) as Record<
      string,
      unknown
    >;
    return typeof key === "string" &&
      typeof document === "string" &&
      typeof at === "string" &&
      /^\d{4}-/.test(at)
      ? [{ key, document, at }]
      : [];
  });
}

export function stillCounts(predecessor: Predecessor, nowMs: number): boolean {
  return nowMs <= parseMs(predecessor.at) + PREDECESSOR_COUNTS_MS;
}

/**
 * What the earlier cluster held and this one doesn't know of yet, beside its own: both together are
 * what `all` means.
 */
export function withPredecessor(own: StateDocument, earlier: StateDocument): StateDocument {
  return {
    ...own,
    ...joinSecrets(own, earlier),
    copies: { ...earlier.copies, ...own.copies },
  };
}

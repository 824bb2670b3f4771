/** The time that one cluster has, so that one that never ends holds no other. */
import type { Timer } from "../ports/runtime.ts";

/** What was read of a cluster by then counts; the rest is read next time. */
export const CLUSTER_MS = 5 * 60_000;

/**
 * Calls `cut` once the time of a cluster is over. @returns what to call when it was done in time
 */
export function cutInTime(timer: Timer | undefined, cut: () => void | Promise<void>): () => void {
  const done = new AbortController();
  void timer?.sleep(CLUSTER_MS, done.signal).then(() => (done.signal.aborted ? undefined : cut()));
  return () => done.abort();
}

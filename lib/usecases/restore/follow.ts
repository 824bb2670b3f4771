/**
 * Waiting for Secrets that their owners still make, and filling each before its pod first reads it:
 * a watch by the operator's labels, or, where watching isn't granted, a listing several times a
 * second. The copies are open by then: from event to patch there is one request.
 */
import { isCertkeepError } from "../../error.ts";
import { itemTitle } from "../../report/phrases/plan.ts";
import { planRestore } from "../../restoreplan/plan.ts";
import type { Wanted } from "../../restoreplan/view.ts";
import { secretKey, type Secret } from "../../secret/secret.ts";
import type { RestoreTarget } from "./context.ts";
import { MANAGED_SELECTOR } from "./live.ts";
import { type Results, restoreSecret, settled, tasksOf, type WriteContext } from "./write.ts";

/** Between two listings where there is no watch. */
const POLL_MS = 250;
/** Before a watch that ended is begun again. */
const AGAIN_MS = 200;

export interface FollowContext {
  readonly target: RestoreTarget;
  readonly write: WriteContext;
  readonly followMs: number;
  readonly event: (message: string) => void;
}

export async function follow(
  waiting: readonly Wanted[],
  results: Results,
  context: FollowContext,
): Promise<void> {
  const open = new Set(waiting);
  const { ports } = context.write;
  const over = new AbortController();
  const stop = (): void => over.abort();
  ports.signal?.addEventListener("abort", stop, { once: true });
  if (ports.signal?.aborted === true) stop();
  const timer = ports.timer.sleep(context.followMs, over.signal).then(stop);
  // One after the other: two events of a Secret never race each other.
  let last: Promise<void> = Promise.resolve();
  const seen = new Map<string, string>();
  const failures: unknown[] = [];
  const take = (secret: Secret): void => {
    const key = secretKey(secret);
    if (seen.get(key) === secret.resourceVersion) return;
    seen.set(key, secret.resourceVersion);
    last = last
      .then(() => fill(secret, open, results, context))
      .then(() => {
        if (open.size === 0) stop();
      })
      .catch((error: unknown) => {
        failures.push(error);
        stop();
      });
  };
  const namespaces = new Set(waiting.map(({ namespace }) => namespace));
  await Promise.all(
    [...namespaces].map((namespace) => watchNamespace(namespace, take, over.signal, context)),
  );
  await last;
  stop();
  await timer;
  ports.signal?.removeEventListener("abort", stop);
  if (failures.length > 0) throw failures[0];
}

/** Restores into a Secret that was just seen what is `open` in it. */
async function fill(
  secret: Secret,
  open: Set<Wanted>,
  results: Results,
  { write, event }: FollowContext,
): Promise<void> {
  await write.live.take(secret);
  const here = [...open].filter(({ namespace }) => namespace === secret.namespace);
  const plan = planRestore(here, write.live, write.options);
  const tasks = tasksOf(here, plan);
  for (const one of plan.writes.filter(
    ({ namespace, name }) => namespace === secret.namespace && name === secret.name,
  )) {
    for (const [wanted, item] of await restoreSecret(tasks, one, write)) {
      results.set(wanted, item);
      if (item.outcome === "done" || item.outcome === "kept") open.delete(wanted);
      if (item.outcome === "done")
        event(`Secret ${one.namespace}/${one.name}: ${itemTitle(item.item)} restored`);
    }
  }
  for (const { wanted, item } of tasks) {
    if (!open.has(wanted) || item.rule === "later" || item.rule === "restore") continue;
    results.set(wanted, settled(item));
    if (item.rule === "keep") open.delete(wanted);
  }
}

async function watchNamespace(
  namespace: string,
  take: (secret: Secret) => void,
  signal: AbortSignal,
  { target, write, event }: FollowContext,
): Promise<void> {
  const scope = { namespace, labelSelector: MANAGED_SELECTOR };
  let told = false;
  while (!signal.aborted) {
    try {
      for await (const change of target.writer.watchSecrets(scope, signal))
        if (change.type === "present") take(change.secret);
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      if (error.code === "cluster_forbidden")
        return pollNamespace(namespace, take, signal, { target, write, event });
      if (!told) event(`Watch of namespace ${namespace} lost, starting it again: ${error.message}`);
      told = true;
    }
    await write.ports.timer.sleep(AGAIN_MS, signal);
  }
}

async function pollNamespace(
  namespace: string,
  take: (secret: Secret) => void,
  signal: AbortSignal,
  { target, write, event }: Pick<FollowContext, "target" | "write" | "event">,
): Promise<void> {
  event(
    `Permission to watch Secrets in namespace ${namespace} is missing: listing them ` +
      `${1000 / POLL_MS} times a second instead.`,
  );
  let told = false;
  while (!signal.aborted) {
    try {
      for await (const page of target.reader.listSecrets({
        namespace,
        labelSelector: MANAGED_SELECTOR,
      }))
        for (const secret of page) take(secret);
      told = false;
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      if (error.code === "cluster_forbidden") throw error;
      if (!told) event(`Listing namespace ${namespace} failed, trying again: ${error.message}`);
      told = true;
    }
    await write.ports.timer.sleep(POLL_MS, signal);
  }
}

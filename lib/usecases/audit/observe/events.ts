/**
 * Warnings about Tailscale's proxies in the namespaces that hold certificates. An event lives an
 * hour in a cluster, and its message stays that of its first time: so it is kept here, and its
 * count says more than its words.
 */
import pLimit from "p-limit";
import { sampleOf } from "../../../ratelimit/log/line.ts";
import type { EventFacts } from "../../../ports/cluster.ts";
import type { EventSignal, SourceStatus } from "../../../state/signals.ts";
import { type ObserveContext, statusCode, statusOf } from "./sourcestatus.ts";
import type { Writer } from "./writers.ts";

const ASKS_AT_ONCE = 4;
const MAX_NAMESPACES = 20;
const SELECTOR = "type=Warning";
/** Of the state store (ipn/store/kubestore) and of the operator's Ingresses. */
const TOLD = /^(?:Tailscaled?State[A-Za-z]{1,60}|HTTPSNotEnabled)$/;

function signOf({ kind, name, message, ...event }: EventFacts): EventSignal {
  const { namespace, type, reason, count, firstMs, lastMs } = event;
  const object = `${kind}/${name}`;
  return { namespace, object, type, reason, message: sampleOf(message), count, firstMs, lastMs };
}

function namespacesOf(writers: readonly Writer[]): readonly string[] {
  const parents = writers.flatMap(({ record }) =>
    record?.parent?.kind === "Ingress" && record.parent.namespace !== null
      ? [record.parent.namespace]
      : [],
  );
  return [...new Set([...writers.map(({ namespace }) => namespace), ...parents])];
}

export async function readEvents(
  writers: readonly Writer[],
  context: ObserveContext,
  done: (look: SourceStatus, events: readonly EventSignal[]) => void,
): Promise<void> {
  const { diagnosis, signal } = context;
  const limit = pLimit(ASKS_AT_ONCE);
  await Promise.all(
    namespacesOf(writers).map((namespace, i) =>
      limit(async () => {
        const look = (code: string | null, unread: string | null = null): SourceStatus =>
          statusOf(context, "events", namespace, { code, unread });
        if (i >= MAX_NAMESPACES || signal.aborted)
          return done(look(signal.aborted ? "timeout" : "too_much"), []);
        try {
          const { items, more } = await diagnosis.listEvents(namespace, SELECTOR, signal);
          done(
            more ? look("too_much", "warnings after the first page") : look(null),
            items.filter(({ reason }) => TOLD.test(reason)).map(signOf),
          );
        } catch (error) {
          done(look(statusCode(error)), []);
        }
      }),
    ),
  );
}

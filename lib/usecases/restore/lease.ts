/**
 * One restore of a cluster at a time, where they share a state store: a lease in a document of its
 * own, taken and renewed by compare-and-swap. It is free once its time is over, once its process is
 * known to be gone, or once it was seen unrenewed for longer than a lease lasts, whatever its
 * writer's clock said. Where no store is shared, the versions that each write names protect the
 * cluster.
 */
import * as z from "zod/mini";
import { formatMs, parseMsOrNull } from "../../certificate/time.ts";
import { CertkeepError, orError } from "../../error.ts";
import type { ProcessMark } from "../../ports/runtime.ts";
import type { RestorePorts } from "./context.ts";

/** How long a lease holds unless it is renewed. */
const LEASE_MS = 30_000;
const RENEW_MS = 10_000;
const POLL_MS = 1_000;
/** Longer than a lease: in this time a holder that is alive renewed it. */
const WAIT_MS = LEASE_MS + 5_000;

export type LeasePorts = Pick<
  RestorePorts,
  "states" | "clock" | "timer" | "holder" | "processes" | "signal"
>;

const leaseDocument = z.object({
  holder: z.string(),
  until: z.string(),
  /** Absent in leases of older versions. */
  process: z.catch(
    z.nullable(
      z.object({
        boot: z.string(),
        namespaces: z.string(),
        pid: z.number().check(z.int(), z.positive()),
        started: z.string(),
      }),
    ),
    null,
  ),
});

interface Held {
  readonly holder: string;
  readonly untilMs: number;
  readonly process: ProcessMark | null;
}

/** `null` for what isn't a lease: it is treated as free. */
function parseLease(text: string): Held | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = z.safeParse(leaseDocument, value);
  const untilMs = parsed.success ? parseMsOrNull(parsed.data.until) : null;
  return parsed.success && untilMs !== null ? { ...parsed.data, untilMs } : null;
}

function leaseOf({ clock, holder }: LeasePorts, process: ProcessMark | null): string {
  return format({ holder, untilMs: clock.nowMs() + LEASE_MS, process });
}

function format({ holder, untilMs, process }: Held): string {
  const lease = { format: 1, holder, until: formatMs(untilMs) };
  return `${JSON.stringify(process === null ? lease : { ...lease, process })}\n`;
}

function leaseName(cluster: string): string {
  return `lease-${cluster}`;
}

/**
 * Runs `work` while holding the lease; waits for one that is about to end. @throws CertkeepError
 * lease_held
 */
export async function withLease<T>(
  cluster: string,
  ports: LeasePorts,
  note: (message: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  const process = (await ports.processes?.own()) ?? null;
  await acquire(cluster, ports, process, note);
  const over = new AbortController();
  const renewing = renew(cluster, ports, process, over.signal);
  try {
    return await work();
  } finally {
    over.abort();
    await renewing;
    await release(cluster, ports);
  }
}

async function acquire(
  cluster: string,
  ports: LeasePorts,
  process: ProcessMark | null,
  note: (message: string) => void,
): Promise<void> {
  const { states, timer, signal } = ports;
  const name = leaseName(cluster);
  let first: string | null = null;
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    const stored = await states.read(name);
    const held = stored === null ? null : parseLease(stored.text);
    const revision = stored?.revision ?? null;
    const waited = waitedMs >= WAIT_MS;
    if (held === null || (waited && revision === first) || (await isFree(held, ports))) {
      if ((await states.write(name, leaseOf(ports, process), revision)) !== null) return;
    } else if (waited || signal?.aborted === true) {
      throw new CertkeepError("lease_held", {
        where: `cluster ${cluster}`,
        found: "another restore of it is running, and only one can run at a time",
        todo: "Wait until it ends, then run this again: it does what is left",
      });
    }
    if (waitedMs === 0) {
      first = revision;
      note(
        `Another restore of ${cluster} is running or was killed. Waiting up to ` +
          `${WAIT_MS / 1000} seconds for it.`,
      );
    }
    await timer.sleep(POLL_MS, signal);
  }
}

async function isFree(held: Held, { clock, holder, processes }: LeasePorts): Promise<boolean> {
  if (held.untilMs <= clock.nowMs() || held.holder === holder) return true;
  return held.process !== null && processes !== undefined && processes.isGone(held.process);
}

async function renew(
  cluster: string,
  ports: LeasePorts,
  process: ProcessMark | null,
  over: AbortSignal,
): Promise<void> {
  const { timer } = ports;
  while (!over.aborted) {
    await timer.sleep(RENEW_MS, over);
    if (over.aborted) return;
    // A store that fails for a moment is tried again; the versions in each write protect meanwhile.
    await orError(replaceOwn(cluster, ports, () => leaseOf(ports, process)));
  }
}

async function release(cluster: string, ports: LeasePorts): Promise<void> {
  const ended = (): string => format({ holder: "", untilMs: ports.clock.nowMs(), process: null });
  // Where that fails it becomes free by itself.
  await orError(replaceOwn(cluster, ports, ended));
}

/** Replaces the lease where it still is this run's. */
async function replaceOwn(
  cluster: string,
  { states, holder }: LeasePorts,
  text: () => string,
): Promise<void> {
  const stored = await states.read(leaseName(cluster));
  if (stored !== null && parseLease(stored.text)?.holder === holder)
    await states.write(leaseName(cluster), text(), stored.revision);
}

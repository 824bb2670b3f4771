/**
 * One restore of a cluster at a time, where they share a state store: a lease in a document of its own, taken and
 * renewed by compare-and-swap, that ends by itself if its holder dies. Where no store is shared, the versions that
 * each write names keep them from harm.
 */
import { formatInstant, parseInstantOrNull } from "../../certificate/time.ts";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import type { Clock } from "../../ports/clock.ts";
import type { StateStore } from "../../ports/states.ts";
import type { Timer } from "../../ports/timer.ts";

/** How long a lease holds unless it is renewed. */
const LEASE_MS = 30_000;
const RENEW_MS = 10_000;
const POLL_MS = 1_000;
/** Longer than a lease: who waits so long has seen its holder renew it. */
const WAIT_MS = LEASE_MS + 5_000;

export interface LeasePorts {
  readonly states: StateStore;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly holder: string;
  readonly signal?: AbortSignal;
}

interface Held {
  readonly holder: string;
  readonly untilNs: bigint;
}

function parseLease(text: string): Held | null {
  try {
    const { holder, until } = JSON.parse(text) as { holder?: unknown; until?: unknown };
    const untilNs = typeof until === "string" ? parseInstantOrNull(until) : null;
    return typeof holder === "string" && untilNs !== null ? { holder, untilNs } : null;
  } catch {
    // What isn't a lease holds nobody up.
    return null;
  }
}

function format(holder: string, untilNs: bigint): string {
  return `${JSON.stringify({ format: 1, holder, until: formatInstant(untilNs) })}\n`;
}

function leaseName(cluster: string): string {
  return `lease-${cluster}`;
}

/** Runs `work` while holding the lease; waits for one that is about to end. @throws CertkeepError lease_held */
export async function withLease<T>(
  cluster: string,
  ports: LeasePorts,
  note: (message: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  await acquire(cluster, ports, note);
  const over = new AbortController();
  const renewing = renew(cluster, ports, over.signal);
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
  note: (message: string) => void,
): Promise<void> {
  const { states, clock, timer, holder, signal } = ports;
  const name = leaseName(cluster);
  const giveUpNs = clock.nowNs() + BigInt(WAIT_MS) * 1_000_000n;
  for (let told = false; ;) {
    const stored = await states.read(name);
    const held = stored === null ? null : parseLease(stored.text);
    const nowNs = clock.nowNs();
    if (held === null || held.untilNs <= nowNs || held.holder === holder) {
      if (
        (await states.write(
          name,
          format(holder, nowNs + BigInt(LEASE_MS) * 1_000_000n),
          stored?.revision ?? null,
        )) !== null
      )
        return;
    } else {
      if (nowNs >= giveUpNs || signal?.aborted === true) {
        throw new CertkeepError("lease_held", {
          where: `cluster ${cluster}`,
          found: `another restore of it, under way and alive (its lease runs until ${formatInstant(held.untilNs)})`,
          expected: "one at a time",
          todo: "Wait for it to end, then run this again: it does what is left",
        });
      }
      if (!told)
        note(
          `Another restore of ${cluster} is under way, or was killed; waiting for it until ${formatInstant(held.untilNs)} at least.`,
        );
      told = true;
    }
    await timer.sleep(POLL_MS, signal);
  }
}

async function renew(
  cluster: string,
  { states, clock, timer, holder }: LeasePorts,
  over: AbortSignal,
): Promise<void> {
  while (!over.aborted) {
    await timer.sleep(RENEW_MS, over);
    if (over.aborted) return;
    try {
      const stored = await states.read(leaseName(cluster));
      if (stored !== null && parseLease(stored.text)?.holder === holder)
        await states.write(
          leaseName(cluster),
          format(holder, clock.nowNs() + BigInt(LEASE_MS) * 1_000_000n),
          stored.revision,
        );
    } catch (error) {
      // A store that fails for a moment is tried again; the versions in each write protect meanwhile.
      if (!isCertkeepError(error)) throw error;
    }
  }
}

async function release(cluster: string, { states, clock, holder }: LeasePorts): Promise<void> {
  try {
    const stored = await states.read(leaseName(cluster));
    if (stored !== null && parseLease(stored.text)?.holder === holder)
      await states.write(leaseName(cluster), format("", clock.nowNs()), stored.revision);
  } catch (error) {
    // It ends by itself.
    if (!isCertkeepError(error)) throw error;
  }
}

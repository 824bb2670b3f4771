import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createProcessTable } from "../../../lib/adapters/file/system.ts";
import { createFileStates } from "../../../lib/adapters/file/stores.ts";
import { realTimer } from "../../../lib/adapters/timer.ts";
import { isCertkeepError } from "../../../lib/error.ts";
import type { ProcessMark, ProcessTable } from "../../../lib/ports/runtime.ts";
import { withLease, type LeasePorts } from "../../../lib/usecases/restore/lease.ts";
import { createMemoryStates } from "../../support/memory.ts";

const START_MS = Date.UTC(2026, 10, 23, 12);
const MARK: ProcessMark = { boot: "b", namespaces: "pid:[1]", pid: 40, started: "1234" };
const NAME = "lease-prod";

function table(gone: boolean): ProcessTable {
  return { own: async () => MARK, isGone: async () => gone };
}

interface Run {
  /** The lease that is there before. */
  readonly lease: unknown;
  readonly processes?: ProcessTable;
  /** Whether its holder renews it. */
  readonly renewed?: boolean;
}

/** Seconds that a restore waited, or the code of its error. */
async function waited({ lease, processes, renewed = false }: Run): Promise<number | string> {
  let nowMs = START_MS;
  const states = createMemoryStates();
  await states.write(NAME, JSON.stringify(lease), null);
  let ended = false;
  const ports: LeasePorts = {
    states,
    clock: { nowMs: () => nowMs },
    timer: {
      sleep: async (ms, signal) => {
        if (ms !== 1_000)
          return new Promise((resolve) => signal?.addEventListener("abort", () => resolve()));
        nowMs += ms;
        const stored = await states.read(NAME);
        if (renewed && !ended)
          await states.write(NAME, JSON.stringify(lease), stored?.revision ?? null);
      },
    },
    holder: "me",
    ...(processes === undefined ? {} : { processes }),
  };
  try {
    return await withLease(
      "prod",
      ports,
      () => undefined,
      async () => {
        ended = true;
        return (nowMs - START_MS) / 1000;
      },
    );
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return error.code;
  }
}

const until = (seconds: number): string => new Date(START_MS + seconds * 1000).toISOString();
const held = { format: 1, holder: "other", until: until(29), process: MARK };

describe("a lease", () => {
  it.each([
    ["whose process is gone is taken at once", { lease: held, processes: table(true) }, 0],
    ["whose process may run is waited for", { lease: held, processes: table(false) }, 29],
    ["is waited for where processes aren't known", { lease: held }, 29],
    [
      "of an older version names no process and is waited for",
      { lease: { format: 1, holder: "other", until: until(29) }, processes: table(true) },
      29,
    ],
    [
      "with a process in another form is waited for",
      { lease: { ...held, process: { pid: "40" } }, processes: table(true) },
      29,
    ],
    [
      "of a clock that was ahead is taken once it was seen unrenewed for longer than a lease",
      { lease: { ...held, until: until(86_400 * 365) }, processes: table(false) },
      35,
    ],
    [
      "that is renewed is left to its holder",
      { lease: { ...held, until: until(86_400) }, processes: table(false), renewed: true },
      "lease_held",
    ],
    ["that is none is free", { lease: { holder: 1 }, processes: table(false) }, 0],
  ] as const)("%s", async (_title, run, expected) => {
    expect(await waited(run)).toBe(expected);
  });

  it("names the process of its holder, and no one's once it is given back", async () => {
    const states = createMemoryStates();
    const ports: LeasePorts = {
      states,
      clock: { nowMs: () => START_MS },
      timer: realTimer,
      holder: "me",
      processes: table(false),
    };
    await withLease(
      "prod",
      ports,
      () => undefined,
      async () => {
        expect(JSON.parse((await states.read(NAME))?.text ?? "")).toEqual({
          format: 1,
          holder: "me",
          until: "2026-11-23T12:00:30Z",
          process: MARK,
        });
      },
    );
    expect(JSON.parse((await states.read(NAME))?.text ?? "")).toEqual({
      format: 1,
      holder: "",
      until: "2026-11-23T12:00:00Z",
    });
  });

  it.runIf(process.platform === "linux")(
    "of a process that was killed is taken by the next at once",
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "certkeep-lease-"));
      try {
        const child = spawn(process.execPath, [
          fileURLToPath(new URL("./holder.ts", import.meta.url)),
          folder,
        ]);
        await once(child.stdout, "data");
        child.kill("SIGKILL");
        await once(child, "exit");
        const began = performance.now();
        await withLease(
          "prod",
          {
            states: createFileStates(folder),
            clock: { nowMs: () => Date.now() },
            timer: realTimer,
            holder: "next",
            processes: createProcessTable(),
          },
          () => undefined,
          async () => undefined,
        );
        // A lease lasts 30 s: far below that, and no matter how busy the machine is.
        expect(performance.now() - began).toBeLessThan(15_000);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
    60_000,
  );
});

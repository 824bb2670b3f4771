/**
 * Runs a program to its end and measures it from outside: the clock from before it is started,
 * processor time and the highest resident memory as Linux counts them (proc(5): VmHWM never falls,
 * so that the last look before the end tells all but what came in the last moments).
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

export interface Measured {
  readonly seconds: number;
  /** All threads together; 0 where the system doesn't tell. */
  readonly cpuSeconds: number;
  /** 0 where the system doesn't tell. */
  readonly peakBytes: number;
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface MeasureOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

const LOOK_EVERY_MS = 10;
/** proc(5): in clock ticks, 100 a second on every Linux that Node runs on. */
const TICKS = 100;

export async function measure(
  command: string,
  args: readonly string[],
  options: MeasureOptions = {},
): Promise<Measured> {
  const begin = performance.now();
  const child = spawn(command, args, {
    ...options,
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (part: Buffer) => out.push(part));
  child.stderr.on("data", (part: Buffer) => err.push(part));
  let peakBytes = 0;
  let cpuSeconds = 0;
  const look = (): void => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peakBytes = Math.max(peakBytes, Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024);
      const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      cpuSeconds = Math.max(cpuSeconds, (Number(fields[11]) + Number(fields[12])) / TICKS);
    } catch {
      // It has just ended, or this isn't Linux.
    }
  };
  const looking = setInterval(look, LOOK_EVERY_MS);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const took = (performance.now() - begin) / 1000;
  clearInterval(looking);
  const text = (parts: readonly Buffer[]): string => Buffer.concat(parts).toString("utf8");
  return { seconds: took, cpuSeconds, peakBytes, code, stdout: text(out), stderr: text(err) };
}

/**
 * The quickest of several runs; memory is the highest of them. The machine may be busy with
 * something else.
 */
export async function best(runs: number, run: () => Promise<Measured>): Promise<Measured> {
  let quickest: Measured | null = null;
  let peakBytes = 0;
  for (let i = 0; i < runs; i += 1) {
    const measured = await run();
    peakBytes = Math.max(peakBytes, measured.peakBytes);
    if (quickest === null || measured.seconds < quickest.seconds) quickest = measured;
  }
  if (quickest === null) throw new Error("nothing was run");
  return { ...quickest, peakBytes };
}

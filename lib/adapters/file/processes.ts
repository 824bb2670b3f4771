/** Processes by Linux' /proc. On other systems nothing is known, so nobody is taken for gone. */
import { readFile, readlink } from "node:fs/promises";
import type { ProcessMark, ProcessTable } from "../../ports/runtime.ts";
import { systemCode } from "./system.ts";

export interface ProcessWorld {
  /** Text of a file below /proc. */
  readonly read: (path: string) => Promise<string>;
  /** Target of a link below /proc. */
  readonly link: (path: string) => Promise<string>;
  /** Throws ESRCH where no process has that id; sends nothing. */
  readonly probe: (pid: number) => void;
  readonly pid: number;
}

const REAL: ProcessWorld = {
  read: (path) => readFile(path, "latin1"),
  link: (path) => readlink(path),
  probe: (pid) => void process.kill(pid, 0),
  pid: process.pid,
};

export function createProcessTable(world: ProcessWorld = REAL): ProcessTable {
  async function own(): Promise<ProcessMark | null> {
    try {
      // A /proc of another pid namespace numbers processes otherwise.
      if ((await world.link("/proc/self")) !== String(world.pid)) return null;
      const boot = (await world.read("/proc/sys/kernel/random/boot_id")).trim();
      const started = startOf(await world.read("/proc/self/stat"));
      if (boot === "" || started === null) return null;
      const pids = await world.link("/proc/self/ns/pid");
      // Start times are counted from the boot as a time namespace has it; old kernels have none.
      const times = await world.link("/proc/self/ns/time").catch((error: unknown) => {
        if (systemCode(error) === "ENOENT") return "";
        throw error;
      });
      return { boot, namespaces: `${pids} ${times}`.trim(), pid: world.pid, started };
    } catch {
      return null;
    }
  }

  async function isGone(mark: ProcessMark): Promise<boolean> {
    const here = await own();
    if (here === null || here.boot !== mark.boot || here.namespaces !== mark.namespaces)
      return false;
    try {
      // /proc may hide processes of other users; the kernel doesn't.
      world.probe(mark.pid);
    } catch (error) {
      return systemCode(error) === "ESRCH";
    }
    try {
      const started = startOf(await world.read(`/proc/${mark.pid}/stat`));
      return started !== null && started !== mark.started;
    } catch {
      return false;
    }
  }

  return { own, isGone };
}

/**
 * Field 22 of proc_pid_stat(5). The name of the program, field 2, may hold spaces and parentheses.
 */
function startOf(stat: string): string | null {
  const fields = stat
    .slice(stat.lastIndexOf(")") + 1)
    .trim()
    .split(" ");
  const started = fields[19] ?? "";
  return /^\d{1,20}$/.test(started) ? started : null;
}

/**
 * Starts the programs that tests run against, each in a process group of its own.
 *
 * Invariant: a program doesn't outlive the test process, however that ends. On an orderly end an
 * exit handler kills the group; on a SIGKILL a guard does, a shell that waits for the end of its
 * standard input, which only the test process holds open. The guard also removes the program's
 * folder.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { openSync, closeSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A program that was started and is to be stopped. */
export interface Program {
  readonly pid: number;
  /** Null while it runs. */
  exitCode(): number | null;
  /** What it has written so far, standard output and standard error together. */
  output(): string;
  signal(name: NodeJS.Signals): void;
  /** Kills the whole group at once; resolves when the program is gone. */
  kill(): Promise<void>;
}

/** What a program is started with; `folder` (if any) is removed when the test process dies. */
export interface ProgramOptions {
  readonly logFile: string;
  readonly folder?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

// `-s KILL --` is the form that every shell takes: some read `-KILL -- -123` as a list of numbers.
const guardScript =
  'cat >/dev/null; kill -s KILL -- "-$1" 2>/dev/null; if [ -n "$2" ]; then rm -rf -- "$2"; fi';
const running = new Set<() => void>();

process.on("exit", () => {
  for (const end of running) end();
});

function killGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // Gone already, which is what was wanted.
  }
}

function startGuard(pid: number, folder: string): ChildProcess {
  const guard = spawn("sh", ["-c", guardScript, "guard", String(pid), folder], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  // Neither the guard nor the pipe to it may keep the test process alive.
  guard.unref();
  const pipe = guard.stdin as unknown as { unref?: () => void } | null;
  pipe?.unref?.();
  return guard;
}

/** Starts a program; its output goes to `logFile`. */
export function startProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions,
): Program {
  const log = openSync(options.logFile, "a", 0o600);
  const child = spawn(command, args, {
    cwd: options.cwd,
    detached: true,
    env: options.env ?? process.env,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const gone = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${command} could not be started`);
  child.unref();
  const guard = startGuard(pid, options.folder ?? "");
  const end = (): void => {
    killGroup(pid, "SIGKILL");
    if (options.folder !== undefined) rmSync(options.folder, { recursive: true, force: true });
  };
  running.add(end);
  return {
    pid,
    exitCode: () => child.exitCode ?? (child.signalCode === null ? null : 128),
    output: () => readFileSync(options.logFile, "utf8"),
    signal: (name) => killGroup(pid, name),
    kill: async () => {
      running.delete(end);
      // The guard first: once the program is gone, its number may be given to another.
      if (guard.pid !== undefined) killGroup(guard.pid, "SIGKILL");
      killGroup(pid, "SIGKILL");
      child.ref();
      await gone;
    },
  };
}

/** A port of the loopback that nothing listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

/**
 * Waits until `ready` gives true; what fails before counts as not ready. @throws after `timeoutMs`.
 */
export async function waitUntil(
  what: string,
  timeoutMs: number,
  ready: () => Promise<boolean>,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  let last: unknown = null;
  while (performance.now() < end) {
    try {
      if (await ready()) return;
    } catch (error) {
      last = error;
    }
    await sleep(50);
  }
  throw new Error(
    `${what} was not ready within ${timeoutMs} ` +
      `ms${last instanceof Error ? `: ${last.message}` : ""}`,
  );
}

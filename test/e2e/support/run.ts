/** Runs a program to its end and gives all it said, whatever its exit code is. */
import { spawn } from "node:child_process";
import type { Kube } from "./kube.ts";
import { requireTool } from "./tools.ts";

/** How a program ended; `code` is null where a signal ended it. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a program is run with. Without `env` it gets this process's environment. */
export interface RunOptions {
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** After this long it is killed; default 60,000. */
  readonly timeoutMs?: number;
}

/** Runs a program. @throws only where it can't be started. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ["pipe", "pipe", "pipe"],
      timeout: options.timeoutMs ?? 60_000,
      killSignal: "SIGKILL",
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (part: Buffer) => stdout.push(part));
    child.stderr.on("data", (part: Buffer) => stderr.push(part));
    child.once("error", reject);
    child.once("close", (code, signal) => {
      const text = (parts: Buffer[]): string => Buffer.concat(parts).toString("utf8");
      resolve({ code, signal, stdout: text(stdout), stderr: text(stderr) });
    });
    // A program may end without reading what it is given.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}

/** Runs kubectl against a server, as the administrator unless a kubeconfig is given. */
export async function kubectl(
  kube: Kube,
  args: readonly string[],
  options: RunOptions & { readonly kubeconfig?: string } = {},
): Promise<Ended> {
  const { kubeconfig = kube.kubeconfigFor(), ...rest } = options;
  // A home of its own: kubectl caches discovery there.
  const env = { ...process.env, HOME: kube.folder };
  return runProgram(requireTool("kubectl"), ["--kubeconfig", kubeconfig, ...args], {
    env,
    ...rest,
  });
}

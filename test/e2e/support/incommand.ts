/**
 * Runs a command line of certkeep in this process, with the folder's certkeep.yaml named: a test
 * that needs dozens doesn't pay for dozens of processes.
 */
import { PassThrough, Readable } from "node:stream";
import { run } from "../../../lib/cli/run.ts";
import { named } from "../../support/named.ts";

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runIn(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Said> {
  const text = { stdout: "", stderr: "" };
  const sink = (name: "stdout" | "stderr"): PassThrough => {
    const stream = new PassThrough();
    stream.on("data", (part: Buffer) => {
      text[name] += part.toString("utf8");
    });
    return stream;
  };
  const stdout = sink("stdout");
  const stderr = sink("stderr");
  const code = await run(named(cwd, args), {
    stdin: Readable.from([]),
    stdout,
    stderr,
    env,
    cwd,
    interactive: false,
    errTty: false,
    outTty: false,
    columns: 120,
    nowMs: () => Date.now(),
  });
  await new Promise((resolve) => setImmediate(resolve));
  return { code, ...text };
}

/** A command as a person runs it in a folder, without a process of its own. */
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { run } from "../../lib/cli/run.ts";

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

type Environment = Parameters<typeof run>[1];

/** `stdin`: what it reads there; `env`: besides a home and the folder's kubeconfig. */
export async function runIn(
  folder: string,
  args: readonly string[],
  { stdin = "", env = {}, ...over }: Partial<Omit<Environment, "stdin">> & { stdin?: string } = {},
): Promise<Ended> {
  const text = { out: "", err: "" };
  const sink = (name: keyof typeof text): PassThrough =>
    new PassThrough().setEncoding("utf8").on("data", (part: string) => (text[name] += part));
  const code = await run(args, {
    stdin: Readable.from(stdin === "" ? [] : [Buffer.from(stdin)]),
    stdout: sink("out"),
    stderr: sink("err"),
    env: { HOME: folder, KUBECONFIG: join(folder, "kubeconfig"), ...env },
    cwd: folder,
    interactive: false,
    errTty: false,
    outTty: false,
    columns: 100,
    nowMs: Date.now,
    ...over,
  });
  await new Promise((resolve) => setImmediate(resolve));
  return { code, ...text };
}

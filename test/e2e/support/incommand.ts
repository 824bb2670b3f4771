/**
 * Runs a command line of certkeep in this process, with the folder's certkeep.yaml named: a test
 * that needs dozens doesn't pay for dozens of processes.
 */
import { runIn as runHere } from "../../support/cli.ts";
import { configIn, named } from "../../support/named.ts";

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
  const { code, out, err } = await runHere(cwd, named(cwd, args), { env, columns: 120 });
  // Offered commands name it too; a test runs them by `runIn`, which names it again.
  const without = (said: string): string => said.replaceAll(` --config ${configIn(cwd)}`, "");
  return { code, stdout: without(out), stderr: without(err) };
}

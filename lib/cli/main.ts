/** The entry of the command: the only place of the command line that touches the process. */
import { run } from "./run.ts";

const { stdin, stdout, stderr, env } = process;
// A reader that goes away, such as `head`, ends the command without a word.
stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 3));

process.exitCode = await run(process.argv.slice(2), {
  stdin,
  stdout,
  stderr,
  env,
  cwd: process.cwd(),
  interactive: stdin.isTTY === true && stderr.isTTY === true,
  errTty: stderr.isTTY === true,
  outTty: stdout.isTTY === true,
  columns: stdout.columns ?? stderr.columns ?? 80,
  nowMs: () => Date.now(),
  onInterrupt: (stop) => {
    const signals = ["SIGINT", "SIGTERM"] as const;
    for (const signal of signals) process.once(signal, stop);
    return () => {
      for (const signal of signals) process.off(signal, stop);
    };
  },
});

/** The command `certkeep`: names its commands, ends with their exit code. */
import { Command, CommanderError } from "commander";
import { CertkeepError } from "../error.ts";
import { auditCommand } from "./audit.ts";
import { backupsCommand } from "./backups.ts";
import { checkCommand } from "./check.ts";
import { clustersCommand } from "./clusters.ts";
import { demoCommand } from "./demo.ts";
import { digestCommand } from "./digest.ts";
import { doctorCommand } from "./doctor.ts";
import { drillCommand } from "./drill.ts";
import { explainCommand } from "./explain.ts";
import { initCommand } from "./init.ts";
import { tell, writeLine, type ExitCode, type Io } from "./io.ts";
import { reportCommand } from "./report.ts";
import { restoreCommand } from "./restore.ts";
import { VERSION } from "../version.ts";

const PRECEDENCE: readonly ExitCode[] = [0, 1, 3, 2];

/** Runs one command line. @returns its exit code */
export async function run(args: readonly string[], world: Omit<Io, "exit">): Promise<ExitCode> {
  let code: ExitCode = 0;
  const io: Io = {
    ...world,
    exit: (next) => {
      if (PRECEDENCE.indexOf(next) > PRECEDENCE.indexOf(code)) code = next;
    },
  };
  const program = new Command("certkeep")
    .description("Watches over the certificates in your Kubernetes Secrets: judges them as their owner would, keeps sealed copies off the cluster, restores instead of reissuing.")
    .version(VERSION, "-V, --version")
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .showHelpAfterError("(add --help for what it takes)")
    .addHelpText("after", "\nExit codes: 0 fine, 1 findings at or above --fail-on, 2 usage or configuration, 3 incomplete.\nStart with: certkeep demo    or, on a cluster of yours: certkeep audit");
  for (const command of [demoCommand(io, (line) => run(line, world)), initCommand(io), checkCommand(io), auditCommand(io), explainCommand(io), reportCommand(io), digestCommand(io), backupsCommand(io), restoreCommand(io), drillCommand(io), clustersCommand(io), doctorCommand(io)]) {
    program.addCommand(command.copyInheritedSettings(program));
    // Made before their command had the program's settings: without them a mistake would end the process by itself.
    for (const below of command.commands) below.copyInheritedSettings(command);
  }
  // A command's own --version (that of a copy) isn't the program's. Not inherited: below a command, options go anywhere.
  program.enablePositionalOptions();
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) io.exit(error.exitCode === 0 ? 0 : 2);
    else if (error instanceof CertkeepError) tell(io, error);
    else {
      // An error that isn't the project's own may hold anything: only its class and the place in the code are shown.
      const place = error instanceof Error ? (error.stack ?? "").split("\n").filter((line) => line.trimStart().startsWith("at ")).slice(0, 6).join("\n") : "";
      writeLine(io.stderr, `certkeep: an error that should not happen: ${error instanceof Error ? error.name : typeof error}. Please report it with these lines:\n${place}`);
      io.exit(3);
    }
  }
  return code;
}

/** The command `certkeep`: names its commands, ends with their exit code. */
import { Command, CommanderError } from "commander";
import { internalError, isCertkeepError } from "../error.ts";
import { tell, write, writeLine, type ExitCode, type Io } from "./io.ts";
import { plain } from "../plain.ts";
import { VERSION } from "../version.ts";

const PRECEDENCE: readonly ExitCode[] = [0, 1, 3, 2];

type World = Omit<Io, "exit" | "inUse">;

/** Runs a command line, in a world that may differ. */
export type Line = (line: readonly string[], other?: Partial<World>) => Promise<ExitCode>;

/**
 * In the order of the help. Each is loaded only where it is needed: what one of them takes would
 * cost all the others their start.
 */
const COMMANDS: Readonly<Record<string, (io: Io, line: Line) => Promise<Command>>> = {
  demo: async (io, line) => (await import("./demo.ts")).demoCommand(io, line),
  init: async (io) => (await import("./init.ts")).initCommand(io),
  check: async (io) => (await import("./check.ts")).checkCommand(io),
  audit: async (io) => (await import("./audit.ts")).auditCommand(io),
  explain: async (io) => (await import("./explain.ts")).explainCommand(io),
  report: async (io) => (await import("./report.ts")).reportCommand(io),
  digest: async (io) => (await import("./digest.ts")).digestCommand(io),
  backups: async (io) => (await import("./backups.ts")).backupsCommand(io),
  restore: async (io) => (await import("./restore.ts")).restoreCommand(io),
  drill: async (io) => (await import("./drill.ts")).drillCommand(io),
  clusters: async (io) => (await import("./clusters.ts")).clustersCommand(io),
  doctor: async (io) => (await import("./doctor.ts")).doctorCommand(io),
};

/**
 * Names of the commands that this line needs: the one that it begins with, else all, for the help
 * and for suggestions.
 */
function needed(args: readonly string[]): readonly string[] {
  const [first = ""] = args;
  if (first === "-V" || first === "--version") return [];
  return Object.hasOwn(COMMANDS, first) ? [first] : Object.keys(COMMANDS);
}

/** Runs one command line. @returns its exit code */
export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  let code: ExitCode = 0;
  const io: Io = {
    ...world,
    inUse: { file: null, shown: false },
    exit: (next) => {
      if (PRECEDENCE.indexOf(next) > PRECEDENCE.indexOf(code)) code = next;
    },
  };
  const program = new Command("certkeep")
    .description(
      "Watches over the certificates in your Kubernetes Secrets: judges them as their owner " +
        "would, keeps encrypted backups off the cluster, restores instead of reissuing.",
    )
    .version(VERSION, "-V, --version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => write(io.stdout, text),
      writeErr: (text) => write(io.stderr, text),
      // It quotes what was typed, so a line break is somebody else's, but for the one before a
      // suggestion.
      outputError: (text) =>
        writeLine(io.stderr, plain(text.trimEnd().replace("\n(Did you mean ", " (Did you mean "))),
    })
    .showHelpAfterError("(add --help for what it takes)")
    .addHelpText(
      "after",
      "\n" +
        "Exit codes: 0 fine, 1 findings at or above --fail-on, 2 usage or configuration, 3 " +
        "incomplete.\n" +
        "Start with: certkeep demo    or, on a cluster of yours: certkeep audit",
    );
  const commands = await Promise.all(
    needed(args).map((name) =>
      COMMANDS[name]?.(io, (line, other) => run(line, { ...world, ...other })),
    ),
  );
  for (const command of commands) {
    if (command === undefined) continue;
    program.addCommand(command.copyInheritedSettings(program));
    // Made before their command had the program's settings: without them a mistake would end the
    // process by itself.
    for (const below of command.commands) below.copyInheritedSettings(command);
  }
  // A command's own --version (that of a copy) isn't the program's. Not inherited: below a command,
  // options go anywhere.
  program.enablePositionalOptions();
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) io.exit(error.exitCode === 0 ? 0 : 2);
    else tell(io, isCertkeepError(error) ? error : internalError(`version ${VERSION}`, error));
  }
  return code;
}

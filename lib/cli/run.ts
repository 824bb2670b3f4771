/** The command `certkeep`: names its commands, ends with their exit code. */
import { Command, CommanderError, Option } from "commander";
import { CertkeepError, internalError, isCertkeepError } from "../error.ts";
import { log, logRequests, tell, write, type ExitCode, type Io } from "./io.ts";
import { VERSION } from "../version.ts";

const PRECEDENCE: readonly ExitCode[] = [0, 1, 3, 2];

type World = Omit<Io, "exit" | "inUse" | "output">;

export type Line = (line: readonly string[], other?: Partial<World>) => Promise<ExitCode>;

/** Group of the help, and how the command is made. */
type Entry = readonly [
  group: "Inspect:" | "Restore:" | "Set up:",
  make: (io: Io, line: Line) => Promise<Command>,
];

/**
 * In the order of the help. Each is loaded only where it is needed: what one of them takes would
 * cost all the others their start.
 */
const COMMANDS: Readonly<Record<string, Entry>> = {
  audit: ["Inspect:", async (io) => (await import("./audit.ts")).auditCommand(io)],
  report: ["Inspect:", async (io) => (await import("./report.ts")).reportCommand(io)],
  explain: ["Inspect:", async (io) => (await import("./explain.ts")).explainCommand(io)],
  check: ["Inspect:", async (io) => (await import("./check.ts")).checkCommand(io)],
  restore: ["Restore:", async (io) => (await import("./restore.ts")).restoreCommand(io)],
  backups: ["Restore:", async (io) => (await import("./backups.ts")).backupsCommand(io)],
  drill: ["Restore:", async (io) => (await import("./drill.ts")).drillCommand(io)],
  demo: ["Set up:", async (io, line) => (await import("./demo.ts")).demoCommand(io, line)],
  init: ["Set up:", async (io) => (await import("./init.ts")).initCommand(io)],
  clusters: ["Set up:", async (io) => (await import("./clusters.ts")).clustersCommand(io)],
  doctor: ["Set up:", async (io) => (await import("./doctor.ts")).doctorCommand(io)],
  digest: ["Set up:", async (io) => (await import("./digest.ts")).digestCommand(io)],
  version: ["Set up:", async (io) => (await import("./version.ts")).versionCommand(io)],
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

/** Options of kubectl that only some commands have. */
const KUBECTL = ["--context", "--kubeconfig", "-n", "--namespace", "-A", "--all-namespaces"];

const HELP_WIDTH = 100;

/** How Commander writes a mistake, and its guess at what was meant. */
const [ERROR, HINT] = ["error: ", "\n(Did you mean "];

/** A mistake on the command line, in certkeep's own form; `null`: help was asked for. */
function usageError({ message }: CommanderError, place: string): CertkeepError | null {
  if (!message.startsWith(ERROR)) return null;
  const at = message.endsWith("?)") ? message.lastIndexOf(HINT) : -1;
  const hint = at === -1 ? null : message.slice(at + HINT.length, -"?)".length);
  const text = message.slice(ERROR.length, at === -1 ? undefined : at).replace(/\.$/u, "");
  const option = /^unknown option '([^'=]+)/u.exec(text)?.[1] ?? "";
  if (place === "certkeep report" && KUBECTL.includes(option))
    return new CertkeepError("usage", {
      where: place,
      found: `${option} has no meaning here, since it shows all clusters and namespaces`,
      todo: "To look at one: certkeep audit --context CONTEXT -n NAMESPACE",
    });
  return new CertkeepError("usage", {
    where: place,
    found: KUBECTL.includes(option) ? `${option} has no meaning here` : text,
    todo: `${hint === null ? "" : `Did you mean ${hint}? `}See: ${place} --help`,
  });
}

function placeOf(args: readonly string[], program: Command): string {
  let command = program;
  for (const word of args) {
    const below = command.commands.find((one) => one.name() === word);
    if (below === undefined) break;
    command = below;
  }
  return command === program ? "certkeep" : `${placeOfParent(command)} ${command.name()}`;
}

function placeOfParent({ parent }: Command): string {
  return parent === null || parent.parent === null
    ? "certkeep"
    : `${placeOfParent(parent)} ${parent.name()}`;
}

function createProgram(io: Io): Command {
  return new Command("certkeep")
    .description(
      "Back up the TLS certificates in your Kubernetes clusters, encrypted and off-cluster, " +
        "and restore them when they are lost instead of having them reissued. Audits change " +
        "nothing in a cluster.",
    )
    .usage("<command> [options]")
    .optionsGroup("General:")
    .version(VERSION, "-V, --version", "Print the version")
    .exitOverride()
    .configureHelp({ subcommandTerm: (command) => command.name(), minWidthToWrap: 20 })
    .addHelpOption(new Option("-h, --help", "Show this help").helpGroup("General:"))
    .addHelpCommand(
      new Command("help").argument("[command]").description("Show help").helpGroup("Set up:"),
    )
    .configureOutput({
      writeOut: (text) => write(io.stdout, text),
      writeErr: (text) => write(io.stderr, text),
      outputError: () => {},
      getOutHelpWidth: () => Math.min(io.columns, HELP_WIDTH),
      getErrHelpWidth: () => Math.min(io.columns, HELP_WIDTH),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText(
      "after",
      `
Examples:
  certkeep demo      See a restore on a sample cluster in this process
  certkeep audit     Audit the current context of your kubeconfig

Exit codes: 0 OK, 1 findings at or above --fail-on, 2 wrong usage or
configuration, 3 incomplete.`,
    );
}

export async function run(args: readonly string[], world: World): Promise<ExitCode> {
  let code: ExitCode = 0;
  const io: Io = {
    ...world,
    inUse: { file: null, shown: false },
    output: { logSinceMs: null, requests: new Map(), wide: false, yaml: null },
    exit: (next) => {
      if (PRECEDENCE.indexOf(next) > PRECEDENCE.indexOf(code)) code = next;
    },
  };
  const program = createProgram(io);
  const commands = await Promise.all(
    needed(args).map(async (name) => {
      const [group, make] = COMMANDS[name] ?? [];
      const command = await make?.(io, (line, other) => run(line, { ...world, ...other }));
      return command?.helpGroup(group ?? "");
    }),
  );
  for (const command of commands) {
    if (command === undefined) continue;
    program.addCommand(command.copyInheritedSettings(program));
    // Made before their command had the program's settings: without them a mistake would end the
    // process by itself.
    for (const below of command.commands) below.copyInheritedSettings(command);
  }
  // A command's own --version (that of a backup) isn't the program's. Not inherited: below a
  // command, options go anywhere.
  program.enablePositionalOptions();
  program.hook("preAction", async (_program, command) =>
    (await import("./options.ts")).applyOutput(io, command),
  );
  try {
    await program.parseAsync(args, { from: "user" }).finally(() => logRequests(io));
    log(io, "done");
  } catch (error) {
    if (error instanceof CommanderError) {
      const usage = usageError(error, placeOf(args, program));
      if (usage === null) io.exit(error.exitCode === 0 ? 0 : 2);
      else tell(io, usage);
    } else tell(io, isCertkeepError(error) ? error : internalError(`version ${VERSION}`, error));
  }
  return code;
}

/** `certkeep drill` */
import { Command } from "commander";
import { composeDrill } from "../wiring/drill.ts";
import { drillText } from "../report/drill.ts";
import { findingDocument } from "../report/phrases.ts";
import { runDrill } from "../usecases/drill.ts";
import { tell, writeJson, writeLine, type Io } from "./io.ts";
import {
  configWorld,
  createProgress,
  DOCUMENT,
  failsOn,
  IDENTITY,
  identityWorld,
  PATTERNS,
  roomFor,
  styleFor,
  widthFor,
  withAt,
  withCommon,
  withFailOn,
  type AtOption,
  type CommonOptions,
  type FailOn,
} from "./options.ts";

const SCHEMA = "certkeep.drill/v1";

type Options = CommonOptions &
  AtOption & { readonly failOn: FailOn; readonly identity?: string; readonly dryRun?: boolean };

export function drillCommand(io: Io): Command {
  const command = new Command("drill")
    .description("Test that backups can be restored, and prune old ones")
    .argument("[pattern...]", PATTERNS)
    .option("--identity <file>", IDENTITY)
    .option("--dry-run", "Show what would be pruned; remove nothing");
  return withCommon(withFailOn(withAt(command)), DOCUMENT)
    .addHelpText(
      "after",
      `
Without an identity no backup is opened and none is removed.

Examples:
  certkeep drill
  certkeep drill --identity /media/usb/identity.txt`,
    )
    .action((patterns: string[], options: Options) => drill(io, patterns, options));
}

async function drill(io: Io, patterns: string[], options: Options): Promise<void> {
  const progress = createProgress(io);
  const ports = await composeDrill({
    ...configWorld(io, options),
    ...(await identityWorld(io, options)),
    nowMs: io.nowMs,
    atMs: options.at ?? null,
    dryRun: options.dryRun === true,
    progress,
  });
  const report = await runDrill(ports, patterns);
  progress.done();
  if (options.json === true)
    writeJson(io, SCHEMA, {
      ...report,
      findings: report.findings.map(findingDocument),
      problems: report.problems.map(({ code, message }) => ({ code, message })),
    });
  else
    writeLine(
      io.stdout,
      drillText(report, {
        nowMs: ports.clock.nowMs(),
        width: widthFor(io),
        room: roomFor(io),
        style: styleFor(io, options),
        verbose: options.verbose === true,
      }),
    );
  for (const problem of report.problems) tell(io, problem);
  if (!report.opened) io.exit(3);
  if (failsOn(report.findings, options.failOn)) io.exit(1);
}

/** `certkeep drill` */
import { Command } from "commander";
import { composeDrill } from "../wiring/backups.ts";
import { drillText } from "../report/drill.ts";
import { findingDocument } from "../report/phrases.ts";
import { runDrill } from "../usecases/drill.ts";
import { problemsData, tell, type Io } from "./io.ts";
import {
  DOCUMENT,
  failsOn,
  IDENTITY,
  PATTERNS,
  present,
  withAt,
  withCommon,
  withFailOn,
  worldOf,
  type CommonOptions,
} from "./options.ts";

const SCHEMA = "certkeep.drill/v1";

type Options = CommonOptions & { readonly dryRun?: boolean };

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
  const world = worldOf(io, options);
  const report = await runDrill(await composeDrill(world, options.dryRun === true), patterns);
  world.progress.done();
  present(io, options, {
    schema: SCHEMA,
    document: () => ({
      ...report,
      findings: report.findings.map(findingDocument),
      problems: problemsData(report.problems),
    }),
    text: (page) => drillText(report, page),
  });
  for (const problem of report.problems) tell(io, problem);
  if (!report.opened) io.exit(3);
  if (failsOn(report.findings, options)) io.exit(1);
}

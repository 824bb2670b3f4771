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
  failsOn,
  identityWorld,
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
  return withFailOn(
    withAt(
      withCommon(
        new Command("drill")
          .description(
            "opens every copy and judges it, says what has none, removes what is past its time",
          )
          .argument(
            "[pattern...]",
            "clusters, Secrets, domains or versions; * stands for any characters",
          ),
      ),
    ),
  )
    .option(
      "--identity <file>",
      "the age identity that opens copies: a file, - for standard input, env:NAME or " +
        "file:PATH; default: identity: of certkeep.yaml",
    )
    .option("--dry-run", "remove nothing, and say what would be")
    .addHelpText(
      "after",
      "\n" +
        "Without an identity nothing is opened and nothing is removed.\n" +
        "\n" +
        "Examples:\n" +
        "  certkeep drill\n" +
        "  certkeep drill --identity /media/usb/identity.txt\n" +
        "  certkeep drill --at 2026-12-24T00:00:00Z   what could be restored by Christmas; " +
        "removes nothing",
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
        style: styleFor(io, options),
      }),
    );
  for (const problem of report.problems) tell(io, problem);
  if (!report.opened) io.exit(3);
  if (failsOn(report.findings, options.failOn)) io.exit(1);
}

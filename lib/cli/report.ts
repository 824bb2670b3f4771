/**
 * `certkeep report`: the state of everything, for a terminal, a browser, Prometheus. Asks no
 * cluster.
 */
import { Command, Option } from "commander";
import { composeReport, writePage } from "../wiring/digest.ts";
import { formatMs } from "../certificate/time.ts";
import { pageHtml } from "../report/html/page.ts";
import { overviewText } from "../report/overview.ts";
import { findingDocument } from "../report/phrases.ts";
import { metricsText } from "../report/prometheus.ts";
import { itemsOf } from "../report/items.ts";
import { titleIn, summaryText } from "../report/summary.ts";
import { reportAll } from "../usecases/report.ts";
import { tell, write, writeJson, writeLine, type Io } from "./io.ts";
import {
  failsOn,
  pageOf,
  TABLE,
  withAt,
  withCommon,
  withFailOn,
  worldOf,
  type CommonOptions,
} from "./options.ts";

const SCHEMA = "certkeep.report/v2";

type Options = CommonOptions & {
  readonly html?: string;
  readonly format: "text" | "prometheus";
};

export function reportCommand(io: Io): Command {
  const command = new Command("report")
    .description("Show all clusters as audits recorded them")
    .option("--html <file>", "Write one self-contained HTML page")
    .addOption(
      new Option("--format <format>", "Print text, or OpenMetrics for Prometheus")
        .choices(["text", "prometheus"])
        .default("text"),
    );
  return withCommon(withFailOn(withAt(command)), TABLE)
    .addHelpText(
      "after",
      `
Examples:
  certkeep report --html report.html
  certkeep report --format prometheus > certkeep.prom`,
    )
    .action((options: Options) => report(io, options));
}

async function report(io: Io, options: Options): Promise<void> {
  const { ports, scope } = await composeReport(worldOf(io, options));
  const atMs = ports.clock.nowMs();
  const { summaries, unregistered, problems, rows, budgets } = await reportAll(ports, scope);
  for (const problem of problems) tell(io, problem);
  const findings = summaries.flatMap((one) => one.findings);
  if (options.html !== undefined) {
    await writePage(
      options.html,
      io.cwd,
      pageHtml({ summaries, rows, budgets, unregistered, atMs }),
    );
    if (options.json !== true) writeLine(io.stderr, `certkeep: wrote ${options.html}`);
  }
  if (options.json === true)
    writeJson(io, SCHEMA, {
      at: formatMs(atMs),
      verdict: summaryText(
        summaries,
        itemsOf({ findings, nameOf: titleIn(summaries), nowMs: atMs }),
      ),
      clusters: summaries.map((one) => ({
        ...one,
        findings: one.findings.map(findingDocument),
      })),
      unregistered,
      certificates: rows,
      budgets,
    });
  else if (options.format === "prometheus")
    write(io.stdout, metricsText({ summaries, rows, budgets }));
  else if (options.html === undefined)
    writeLine(
      io.stdout,
      overviewText({
        summaries,
        unregistered,
        budgets,
        rows,
        ...pageOf(io, options),
        nowMs: atMs,
      }),
    );
  // What could not be read by the audits is told by findings; here only a state that can't be
  // read is incomplete.
  if (failsOn(findings, options)) io.exit(1);
}

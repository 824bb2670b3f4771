/** `certkeep init` */
import { Command, Option } from "commander";
import { approveConfig } from "../wiring/config.ts";
import { composeInit } from "../wiring/init.ts";
import { homeOf, shortPath } from "../wiring/path.ts";
import { CertkeepError } from "../error.ts";
import { commandLine, literal } from "../report/command.ts";
import { plain } from "../plain.ts";
import { runInit, type InitResult } from "../usecases/init.ts";
import type { CloudResult } from "../usecases/initcloud.ts";
import { NO_TERMINAL, noteTo, writeJson, writeLine, type Io } from "./io.ts";
import type { CloudOptions } from "./initaws.ts";
import { configWorld, DOCUMENT, withCommon } from "./options.ts";

type Options = CloudOptions & {
  /** `true`: the one that is found. */
  readonly approve?: string | true;
  readonly context?: readonly string[];
};

const INIT_SCHEMA = "certkeep.init/v1";
const APPROVED_SCHEMA = "certkeep.init-approved/v1";

export function initCommand(io: Io): Command {
  const command = new Command("init")
    .description("Write certkeep.yaml and create a key for backups")
    .option("-y, --yes", "Don't ask; write certkeep.yaml in this folder")
    .option(
      "--context <context>",
      "Audit this context of your kubeconfig; repeatable",
      (context: string, before: readonly string[] = []) => [...before, context],
    )
    .option("--identity <file>", "Write the identity here, or use the one that is here")
    .addOption(
      new Option(
        "--approve [file]",
        "Only approve this certkeep.yaml (default: the one found from here)",
      ).conflicts(["aws", "context", "identity", "region", "webhook", "identityInCloud"]),
    )
    .optionsGroup("AWS:")
    .option("--aws", "Set up what the functions on AWS need, too")
    .option("--stage <stage>", "Name of the stage to deploy", "prod")
    .option("--region <region>", "AWS region (default: that of certkeep.yaml, or AWS_REGION)")
    .option("--webhook <reference>", "Slack webhook: env:NAME with its URL, or none")
    .option("--identity-in-cloud", "Store the identity in Secrets Manager, to restore there");
  return withCommon(command, DOCUMENT)
    .addHelpText(
      "after",
      `
No file is replaced: an existing identity is used, and an existing certkeep.yaml
only gains recipients.

Examples:
  certkeep init
  certkeep init --aws --yes --region eu-west-1 --webhook env:SLACK_WEBHOOK`,
    )
    .action((options: Options) => setUp(io, options));
}

async function setUp(io: Io, options: Options): Promise<void> {
  if (options.approve !== undefined) return approve(io, options, options.approve);
  if (options.yes !== true && !io.interactive) {
    throw new CertkeepError("usage", {
      where: "certkeep init",
      found: NO_TERMINAL,
      todo:
        "To take the defaults, run: " +
        (options.aws === true
          ? "certkeep init --aws --yes --region REGION --webhook env:NAME"
          : "certkeep init --yes"),
    });
  }
  const shown = (path: string): string =>
    plain(
      path.startsWith(`${io.cwd}/`)
        ? path.slice(io.cwd.length + 1)
        : shortPath(path, homeOf(io.env)),
    );
  const asking = options.yes === true ? null : (await import("./questions.ts")).createQuestions(io);
  const world = {
    ...configWorld(io, options),
    ...(options.yes === true ? { askApproval: null } : {}),
    identityFile: options.identity ?? null,
    contexts: options.context ?? [],
    nowMs: io.nowMs,
    questions: asking,
    askPassphrase: asking?.passphrase ?? null,
    note: noteTo(io),
  };
  if (options.aws === true) {
    const { initCloud, cloudLines } = await import("./initaws.ts");
    const { init, cloud, next } = await initCloud({ ...world, cloudQuestions: asking }, options);
    tell(
      io,
      [...initLines(init, true, shown), ...cloudLines(cloud, shown(init.config.path))],
      next,
    );
    if (options.json === true) writeJson(io, INIT_SCHEMA, documentOf(init, next, cloud));
    return;
  }
  const { places, ports } = await composeInit(world);
  const result = await runInit(places, ports);
  const next = nextSteps(result, options);
  if (asking !== null) writeLine(io.stderr, "");
  tell(io, initLines(result, false, shown), next);
  if (options.json === true) writeJson(io, INIT_SCHEMA, documentOf(result, next, null));
}

function tell(io: Io, lines: readonly string[], next: readonly Step[]): void {
  for (const line of [...lines, ...nextLines(next)]) writeLine(io.stderr, line);
}

async function approve(io: Io, options: Options, file: string | true): Promise<void> {
  const loaded = await approveConfig({
    ...configWorld(io, options),
    configFile: file === true ? (options.config ?? null) : file,
  });
  if (loaded.file === null)
    throw new CertkeepError("config_missing", {
      where: "certkeep init --approve",
      found: "there is no certkeep.yaml in this folder or above it",
      todo: "Name it: certkeep init --approve FILE",
    });
  const others = loaded.approved.filter((path) => path !== loaded.file);
  writeLine(io.stderr, `Approved ${plain(loaded.file)}`);
  for (const path of others) writeLine(io.stderr, `  with ${plain(path)}`);
  writeLine(io.stderr, "  After a change, approve it again");
  if (options.json === true)
    writeJson(io, APPROVED_SCHEMA, { config: loaded.file, files: loaded.approved });
}

function documentOf(result: InitResult, next: readonly Step[], aws: CloudResult | null): object {
  return {
    config: result.config.path,
    identity: result.identity?.path ?? null,
    recipient: result.recipients[0] ?? null,
    recipients: result.recipients,
    clusters: result.clusters,
    actions: { config: result.config.action, identity: result.identity?.action ?? "absent" },
    next: next.map(({ command }) => command),
    ...(aws === null ? {} : { aws }),
  };
}

interface Step {
  readonly command: string;
  readonly does: string;
}

/** A file that --config names isn't found by itself: what follows names it as well. */
function nextSteps(result: InitResult, options: Options): Step[] {
  if (result.recipients.length === 0)
    return [{ command: "certkeep init", does: "run again to add recipients" }];
  const named = options.config === undefined ? [] : [literal("--config"), result.config.path];
  const command = (verb: string): string =>
    commandLine(literal("certkeep"), literal(verb), ...named) ?? `certkeep ${verb} --config FILE`;
  return [
    { command: command("audit"), does: "audit, and back up each valid certificate" },
    { command: command("backups"), does: "list the backups" },
  ];
}

const KEEP_SAFE = [
  "  Store a copy in your password manager now. It decrypts every backup. Without",
  "  it, no backup can be restored. Audits don't need it.",
];

function initLines(
  result: InitResult,
  inCloud: boolean,
  shown: (path: string) => string,
): string[] {
  const { config, identity, recipients, clusters } = result;
  const wrote = { created: "Wrote", updated: "Added to", kept: "Unchanged:" }[config.action];
  const lines = [`${wrote} ${shown(config.path)}`];
  if (config.action === "updated" && clusters.length > 0)
    lines.push(`  Clusters: ${clusters.join(", ")}`);
  if (config.action === "created" && !inCloud)
    lines.push(
      clusters.length === 0
        ? "  Clusters: the current context of your kubeconfig"
        : `  Clusters: ${clusters.join(", ")}`,
    );
  if (recipients.length > 0)
    lines.push(`  Backups are encrypted for ${recipients.map(plain).join(", ")}`);
  if (identity === null)
    lines.push("No identity here: the one of a recipient in certkeep.yaml decrypts the backups");
  else if (identity.action === "created")
    lines.push(`Created ${shown(identity.path)} (your identity)`, ...KEEP_SAFE);
  else lines.push(`Using your identity ${shown(identity.path)}`);
  if (identity !== null && !result.opens && recipients.length > 0)
    lines.push("  It can't decrypt new backups: its recipient isn't in certkeep.yaml");
  return lines;
}

function nextLines(next: readonly Step[]): string[] {
  const width = Math.max(...next.map(({ command }) => command.length));
  const lines = next.map(({ command, does }) => `  ${command.padEnd(width)}   ${does}`);
  const fits = lines.every(({ length }) => length <= 80);
  return ["", "Next:", ...(fits ? lines : next.map(({ command }) => `  ${command}`))];
}

/** `certkeep init` */
import { Command, Option } from "commander";
import { approveConfig } from "../wiring/config.ts";
import { composeInit } from "../wiring/init.ts";
import { homeOf, shortPath } from "../wiring/path.ts";
import { CertkeepError } from "../error.ts";
import { commandLine, literal } from "../report/shell.ts";
import { plain } from "../plain.ts";
import { runInit, type InitResult } from "../usecases/init.ts";
import { noteTo, writeJson, writeLine, type Io } from "./io.ts";
import type { CloudOptions } from "./initaws.ts";
import { configWorld, withCommon } from "./options.ts";

type Options = CloudOptions & {
  /** `true`: the one that is found. */
  readonly approve?: string | true;
  readonly context?: readonly string[];
};

const INIT_SCHEMA = "certkeep.init/v1";
const APPROVED_SCHEMA = "certkeep.init-approved/v1";

export function initCommand(io: Io): Command {
  return withCommon(
    new Command("init").description(
      "writes certkeep.yaml, makes an age identity, says what to keep safe",
    ),
  )
    .option(
      "-y, --yes",
      "ask nothing: certkeep.yaml in this folder; without --context it follows the current one",
    )
    .addOption(
      new Option(
        "--approve [file]",
        "only approve this certkeep.yaml, as it is now, so that it is used where it is found; " +
          "default: the one found from here",
      ).conflicts(["aws", "context", "identity", "region", "webhook", "identityInCloud"]),
    )
    .option(
      "--context <context>",
      "context of your kubeconfig to audit, whichever is current; may be given several times",
      (context: string, before: readonly string[] = []) => [...before, context],
    )
    .option("--identity <file>", "where the identity goes, or is")
    .option("--aws", "also set up what functions on AWS need: secrets, and a route of the digest")
    .option("--stage <stage>", "with --aws: the stage that will be deployed", "prod")
    .option(
      "--region <region>",
      "with --aws: the region; default: that of certkeep.yaml, else AWS_REGION",
    )
    .option(
      "--webhook <reference>",
      "with --aws: env:NAME that holds the Slack webhook's URL, or none; default: asked",
    )
    .option(
      "--identity-in-cloud",
      "with --aws: put the identity into Secrets Manager, for restores and drills there",
    )
    .addHelpText(
      "after",
      "\n" +
        "It never replaces a file: an identity that is there is used, and a certkeep.yaml that " +
        "is there gains recipients at most.\n" +
        "\n" +
        "Examples:\n" +
        "  certkeep init\n" +
        "  certkeep init --yes\n" +
        "  certkeep init --yes --config ~/certkeep.yaml --identity " +
        "/media/usb/certkeep-identity.txt\n" +
        "  certkeep init --approve certkeep.yaml   after you read a project's configuration\n" +
        "  certkeep init --aws --stage prod --region eu-west-1\n" +
        "  certkeep init --aws --yes --region eu-west-1 --webhook env:SLACK_WEBHOOK",
    )
    .action((options: Options) => setUp(io, options));
}

async function setUp(io: Io, options: Options): Promise<void> {
  if (options.approve !== undefined) return approve(io, options, options.approve);
  if (options.yes !== true && !io.interactive) {
    throw new CertkeepError("usage", {
      where: "certkeep init",
      found: "nobody to ask, since this isn't a terminal",
      expected: "a terminal, or --yes to take the defaults",
      todo:
        options.aws === true
          ? "certkeep init --aws --yes --region REGION --webhook env:NAME (or none)"
          : "certkeep init --yes",
    });
  }
  const shown = (path: string): string =>
    plain(
      path.startsWith(`${io.cwd}/`)
        ? path.slice(io.cwd.length + 1)
        : shortPath(path, homeOf(io.env)),
    );
  if (options.aws === true) {
    const { initCloud, cloudLines } = await import("./initaws.ts");
    const { init, cloud, next } = await initCloud(io, options);
    for (const line of [
      ...initLines(init, true, shown),
      ...cloudLines(cloud, shown(init.config.path)),
      ...nextLines(next),
    ])
      writeLine(io.stderr, line);
    if (options.json === true)
      writeJson(
        io,
        INIT_SCHEMA,
        documentOf(init, next, {
          registry: cloud.registry,
          webhook: cloud.webhook,
          identity: cloud.identity,
          config: cloud.config,
        }),
      );
    return;
  }
  const asking = options.yes === true ? null : (await import("./questions.ts")).createQuestions(io);
  const { places, ports } = await composeInit({
    ...configWorld(io, options),
    ...(options.yes === true ? { askApproval: null } : {}),
    identityFile: options.identity ?? null,
    contexts: options.context ?? [],
    nowMs: io.nowMs,
    questions: asking,
    askPassphrase: asking?.passphrase ?? null,
    note: noteTo(io),
  });
  const result = await runInit(places, ports);
  const next = nextSteps(result, options);
  if (asking !== null) writeLine(io.stderr, "");
  for (const line of [...initLines(result, false, shown), ...nextLines(next)])
    writeLine(io.stderr, line);
  if (options.json === true) writeJson(io, INIT_SCHEMA, documentOf(result, next, null));
}

async function approve(io: Io, options: Options, file: string | true): Promise<void> {
  const loaded = await approveConfig({
    ...configWorld(io, options),
    configFile: file === true ? (options.config ?? null) : file,
  });
  if (loaded.file === null)
    throw new CertkeepError("config_missing", {
      where: "certkeep init --approve",
      found: "no certkeep.yaml in this folder or above it",
      expected: "one to approve",
      todo: "Name it: certkeep init --approve FILE",
    });
  const others = loaded.approved.filter((path) => path !== loaded.file);
  writeLine(io.stderr, `Approved ${plain(loaded.file)}`);
  for (const path of others) writeLine(io.stderr, `  with ${plain(path)}`);
  writeLine(io.stderr, "  A file that changes has to be approved again.");
  if (options.json === true)
    writeJson(io, APPROVED_SCHEMA, { config: loaded.file, files: loaded.approved });
}

function documentOf(result: InitResult, next: readonly Step[], aws: object | null): object {
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
    return [{ command: "certkeep init", does: "once more, to add the recipients" }];
  const named = options.config === undefined ? [] : [literal("--config"), result.config.path];
  const command = (verb: string): string =>
    commandLine(literal("certkeep"), literal(verb), ...named) ?? `certkeep ${verb} --config FILE`;
  return [
    {
      command: command("audit"),
      does: "audits, and makes an encrypted backup of each good certificate",
    },
    { command: command("backups"), does: "lists the copies" },
  ];
}

const KEEP_SAFE = [
  "  Whoever has this file can open every backup.",
  "  If it is lost, no backup can be opened, by nobody: it is nowhere else.",
  "  Put a copy into your password manager now. An audit never reads it; a restore needs it.",
];

function initLines(
  result: InitResult,
  inCloud: boolean,
  shown: (path: string) => string,
): string[] {
  const { config, identity, recipients, clusters } = result;
  const lines: string[] = [];
  if (identity === null)
    lines.push(
      "No identity of yours is here. The backups open with the identity of a recipient that " +
        "certkeep.yaml names.",
    );
  else if (identity.action === "created")
    lines.push(`Made an identity: ${shown(identity.path)} (only you may read it)`, ...KEEP_SAFE);
  else lines.push(`Used the identity that is there: ${shown(identity.path)}`);
  if (identity !== null && !result.opens && recipients.length > 0) {
    lines.push(
      "  It opens no backup made from now on: its recipient isn't among those of certkeep.yaml.",
    );
  }
  const says = { created: "Wrote", updated: "Added to", kept: "Changed nothing in" }[config.action];
  lines.push(`${says} ${shown(config.path)}`);
  if (recipients.length > 0)
    lines.push(`  Backups are sealed for ${recipients.map(plain).join(", ")}`);
  if (config.action === "updated" && clusters.length > 0)
    lines.push(`  Clusters: ${clusters.join(", ")}`);
  if (config.action === "created" && !inCloud)
    lines.push(
      clusters.length === 0
        ? "  It names no cluster: the current context of your kubeconfig is audited."
        : `  Clusters: ${clusters.join(", ")}`,
    );
  return lines;
}

function nextLines(next: readonly Step[]): string[] {
  const width = Math.max(...next.map(({ command }) => command.length));
  return ["", "Next:", ...next.map(({ command, does }) => `  ${command.padEnd(width)}   ${does}`)];
}

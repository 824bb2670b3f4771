/** `certkeep restore CLUSTER [NAME…]` */
import { interactiveAuth } from "../wiring/connect.ts";
import { Command, InvalidArgumentError, Option } from "commander";
import { composeRestore } from "../wiring/restore.ts";
import { CertkeepError } from "../error.ts";
import { FORCIBLE, isPlanCode, type PlanCode } from "../restoreplan/objection.ts";
import { restoreCommand as commandFor } from "../report/command.ts";
import type { CommandChange } from "../report/phrases/planremedy.ts";
import { planText } from "../report/plan.ts";
import { runRestore } from "../usecases/restore.ts";
import type { RestoreReport, RestoreRequest } from "../usecases/restore/context.ts";
import { restoreDocument, RESTORE_SCHEMA } from "../usecases/restore/document.ts";
import { restoreExit } from "../usecases/restore/exit.ts";
import { writeJson, writeLine, type Io } from "./io.ts";
import {
  configWorld,
  createProgress,
  identityWorld,
  parseAt,
  styleFor,
  widthFor,
  withCommon,
  type CommonOptions,
} from "./options.ts";

interface Options extends CommonOptions {
  readonly apply?: boolean;
  readonly all?: boolean;
  readonly namespace?: string;
  readonly asOf?: number;
  readonly as?: { readonly namespace: string; readonly name: string };
  readonly version?: string;
  readonly rebuilt?: boolean;
  readonly fromCluster?: string;
  readonly identity?: string;
  readonly unrecorded?: boolean;
  readonly standby?: boolean;
  readonly force?: readonly PlanCode[];
  readonly replace?: boolean;
  readonly createNamespace?: boolean;
  readonly allowLater?: boolean;
  readonly follow?: number;
  readonly dryRun?: "server";
  readonly offline?: string;
}

function parsePlace(text: string): { readonly namespace: string; readonly name: string } {
  const [namespace, name, ...rest] = text.split("/");
  if (
    namespace === undefined ||
    namespace === "" ||
    name === undefined ||
    name === "" ||
    rest.length > 0
  )
    throw new InvalidArgumentError("Expected NAMESPACE/NAME.");
  return { namespace, name };
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

function parseSpan(text: string): number {
  const match = /^(\d{1,5})([smh])$/.exec(text);
  if (match === null)
    throw new InvalidArgumentError("Expected a number and s, m or h, such as 30m.");
  return Number(match[1]) * (UNITS_MS[match[2] ?? ""] ?? 0);
}

function parseForce(text: string, before: readonly PlanCode[] = []): readonly PlanCode[] {
  const named = text.split(",").map((code) => {
    const known = isPlanCode(code) && FORCIBLE.includes(code) ? code : null;
    if (known === null)
      throw new InvalidArgumentError(
        `Expected what is to be overridden, of: ${FORCIBLE.join(", ")}.`,
      );
    return known;
  });
  return [...before, ...named];
}

export function restoreCommand(io: Io): Command {
  const command = withCommon(
    new Command("restore")
      .description("shows what a restore would do; --apply does it")
      .argument(
        "<cluster>",
        "a cluster of certkeep.yaml, or a context of your kubeconfig where it names none",
      )
      .argument("[name...]", "domains, Secrets, NAMESPACE/SECRET, or patterns such as 'shop.*'"),
  );
  return withWrites(withSource(command))
    .addHelpText(
      "after",
      "\n" +
        "Without --apply nothing is written. A valid certificate is never replaced by one that " +
        "isn't better.\n" +
        "\n" +
        "Examples:\n" +
        "  certkeep restore prod shop.tail1a2b3.ts.net            the plan for one\n" +
        "  certkeep restore prod shop.tail1a2b3.ts.net --apply    the restore\n" +
        "  certkeep restore prod --namespace tailscale --apply    all that was in a namespace\n" +
        "  certkeep restore prod --rebuilt --all --apply --create-namespace --follow 30m\n" +
        "  age -d key.age | certkeep restore prod --all --identity -",
    )
    .action((cluster: string, names: string[], options: Options) =>
      restore(io, cluster, names, options),
    );
}

/** What is restored, and from where. */
function withSource(command: Command): Command {
  return command
    .option("--apply", "do it")
    .option("--all", "everything that the last audits saw live")
    .option("--namespace <name>", "only of this namespace; without names: all of it")
    .addOption(
      new Option("--as-of <time>", "with --all: what was live at this RFC 3339 instant").argParser(
        parseAt,
      ),
    )
    .option("--version <digest>", "this very copy, by its version or the beginning of it")
    .addOption(new Option("--as <namespace/name>", "to another place").argParser(parsePlace))
    .option(
      "--rebuilt",
      "the cluster was rebuilt under its own name: take the earlier one's copies, and pin the " +
        "new one",
    )
    .option("--from-cluster <name>", "take copies of another cluster")
    .option(
      "--identity <file>",
      "the age identity that opens copies: a file, - for standard input, env:NAME or " +
        "file:PATH; default: identity: of certkeep.yaml",
    );
}

/** What may be written, and how. */
function withWrites(command: Command): Command {
  return command
    .option("--create-namespace", "make namespaces that are gone")
    .option("--replace", "recreate what is immutable or of another type, with everything in it")
    .option("--allow-later", "end with 0 though some Secrets are still to be made by their owner")
    .addOption(
      new Option(
        "--follow <time>",
        "wait for Secrets that their owners still make, and fill each at once",
      ).argParser(parseSpan),
    )
    .addOption(
      new Option(
        "--dry-run <where>",
        "rehearse: the server checks every write and stores nothing",
      ).choices(["server"]),
    )
    .option(
      "--offline <folder>",
      "no cluster: write manifests to a folder (they hold private keys; mode 0600)",
    )
    .option(
      "--unrecorded",
      "take copies that no audit recorded: only your identity vouches for them",
    )
    .option("--standby", "take imported standby certificates as well")
    .addOption(
      new Option("--force <codes>", `override exactly this: ${FORCIBLE.join(", ")}`).argParser(
        parseForce,
      ),
    );
}

async function restore(io: Io, cluster: string, names: string[], options: Options): Promise<void> {
  checkOptions(options);
  const stop = new AbortController();
  const undo = io.onInterrupt?.(() => stop.abort());
  try {
    const progress = createProgress(io);
    const { target, ports } = await composeRestore({
      cluster,
      ...configWorld(io, options),
      ...(await identityWorld(io, options)),
      offline: options.offline ?? null,
      nowMs: io.nowMs,
      interactiveAuth: interactiveAuth(),
      progress,
      signal: stop.signal,
    });
    let report: RestoreReport;
    try {
      report = await runRestore(target, requestOf(cluster, names, options), ports);
    } finally {
      progress.done();
      await target.reader.close();
      await target.writer.close();
      await target.access?.self.close();
    }
    if (options.json === true) writeJson(io, RESTORE_SCHEMA, restoreDocument(report));
    else
      writeLine(
        io.stdout,
        planText({
          ...report,
          offline: options.offline ?? null,
          command: (change) => commandWith(cluster, names, options, change),
          width: widthFor(io),
          room: io.outTty ? io.columns : Infinity,
          style: styleFor(io, options),
          verbose: options.verbose === true,
        }),
      );
    io.exit(restoreExit(report, options.allowLater === true));
  } finally {
    undo?.();
  }
}

function checkOptions(options: Options): void {
  const wrong = (found: string, expected: string): never => {
    throw new CertkeepError("usage", { where: "certkeep restore", found, expected });
  };
  if (options.apply === true && options.dryRun !== undefined)
    wrong("--apply and --dry-run=server", "one of them");
  if (options.offline !== undefined && options.dryRun !== undefined)
    wrong("--offline and --dry-run=server", "one of them: without a cluster nobody rehearses");
  if (options.follow !== undefined && options.apply !== true)
    wrong("--follow without --apply", "--apply as well");
  if (options.fromCluster !== undefined && options.rebuilt === true)
    wrong(
      "--from-cluster and --rebuilt",
      "one of them: --rebuilt takes the cluster's own earlier copies",
    );
}

export function requestOf(
  cluster: string,
  names: readonly string[],
  options: Options,
): RestoreRequest {
  return {
    names,
    namespace: options.namespace ?? null,
    all: options.all === true,
    asOfMs: options.asOf ?? null,
    version: options.version ?? null,
    as: options.as ?? null,
    rebuilt: options.rebuilt === true,
    fromCluster: options.fromCluster ?? (options.offline === undefined ? null : cluster),
    unrecorded: options.unrecorded === true,
    standby: options.standby === true,
    force: new Set(options.force ?? []),
    replace: options.replace === true,
    createNamespace: options.createNamespace === true,
    mode:
      options.dryRun === "server"
        ? "rehearse"
        : options.apply === true || options.offline !== undefined
          ? "apply"
          : "plan",
    followMs: options.follow ?? null,
  };
}

/** The command as given, but for `change`. */
function commandWith(
  cluster: string,
  names: readonly string[],
  options: Options,
  change: CommandChange,
): string | null {
  const { all, namespace, createNamespace, replace, standby, asOf, identity, ...more } = options;
  return commandFor(
    {
      cluster,
      names,
      all: all === true,
      namespace: namespace ?? null,
      createNamespace: createNamespace === true || change.createNamespace === true,
      replace: replace === true || change.replace === true,
      standby: standby === true || change.standby === true,
    },
    {
      ...more,
      asOfMs: asOf ?? null,
      // What standard input gave is used up.
      identity: identity === "-" ? null : (identity ?? null),
      unrecorded: more.unrecorded === true || change.unrecorded === true,
      force: [...(more.force ?? []), ...(change.force ?? [])],
      follow: change.follow ?? (more.follow === undefined ? null : `${more.follow / 1000}s`),
      apply: change.apply,
    },
  );
}

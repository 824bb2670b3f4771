/** `certkeep restore CLUSTER [NAME…]` */
import { Command, InvalidArgumentError, Option } from "commander";
import { composeRestore } from "../wiring/restore.ts";
import { CertkeepError } from "../error.ts";
import { FORCIBLE, isPlanCode, type PlanCode } from "../restoreplan/objection.ts";
import { restoreCommand as commandFor } from "../report/command.ts";
import type { CommandChange } from "../report/phrases/plan.ts";
import { planText } from "../report/plan.ts";
import { runRestore } from "../usecases/restore.ts";
import {
  RESTORE_SCHEMA,
  restoreDocument,
  restoreExit,
  type RestoreReport,
  type RestoreRequest,
} from "../usecases/restore/context.ts";
import type { Io } from "./io.ts";
import {
  IDENTITY,
  parseAt,
  present,
  TABLE,
  withCommon,
  withContext,
  withNamespace,
  worldOf,
  type CommonOptions,
} from "./options.ts";

interface Options extends CommonOptions {
  readonly apply?: boolean;
  readonly all?: boolean;
  readonly asOf?: number;
  readonly as?: { readonly namespace: string; readonly name: string };
  readonly version?: string;
  readonly rebuilt?: boolean;
  readonly fromCluster?: string;
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
      throw new InvalidArgumentError(`Expected one or more of: ${FORCIBLE.join(", ")}.`);
    return known;
  });
  return [...before, ...named];
}

export function restoreCommand(io: Io): Command {
  const command = new Command("restore")
    .description("Show what a restore would do; --apply restores from backups")
    .argument("[cluster]", "A registered cluster, or a context of your kubeconfig")
    .argument("[name...]", "Domains, Secrets, NAMESPACE/SECRET, or patterns such as 'shop.*'");
  const choices = withContext(withWrites(withSource(withSelection(command))));
  return withCommon(
    withNamespace(choices, "Restore this namespace; without names, all of it"),
    TABLE,
  )
    .addHelpText(
      "after",
      `
Without --apply nothing is written. A valid certificate is replaced only by a
better one. With --context leave out the cluster's name.

Examples:
  certkeep restore prod shop.tail1a2b3.ts.net --apply
  certkeep restore prod -n tailscale --create-namespace --apply`,
    )
    .action(async (cluster: string | undefined, names: string[], options: Options) => {
      const given = cluster === undefined ? names : [cluster, ...names];
      const byContext = options.context !== undefined;
      const title = byContext ? options.context : given[0];
      if (title === undefined)
        throw new CertkeepError("usage", {
          where: "certkeep restore",
          found: "no cluster is named",
          todo: "Name it: certkeep restore CLUSTER, or certkeep restore --context CONTEXT",
        });
      await restore(io, title, byContext ? given : given.slice(1), options);
    });
}

function withSelection(command: Command): Command {
  return command
    .option("--apply", "Restore; without it only the plan is shown")
    .option("--all", "Restore everything that audits saw")
    .addOption(
      new Option("--as-of <time>", "With --all: restore what was live at this time").argParser(
        parseAt,
      ),
    )
    .option("--version <digest>", "Restore this version; its first digits are enough")
    .addOption(
      new Option("--as <namespace/name>", "Restore to this Secret instead").argParser(parsePlace),
    );
}

function withSource(command: Command): Command {
  return command
    .optionsGroup("Backups:")
    .option("--identity <file>", IDENTITY)
    .option("--from-cluster <name>", "Use the backups of another cluster")
    .option("--rebuilt", "Accept a rebuilt cluster as the successor of this name")
    .option("--unrecorded", "Use backups that no audit recorded, too")
    .option("--standby", "Use imported standby certificates, too");
}

function withWrites(command: Command): Command {
  return command
    .optionsGroup("Writing:")
    .option("--create-namespace", "Create missing namespaces")
    .option("--replace", "Recreate Secrets that are immutable or of another type")
    .addOption(
      new Option(
        "--follow <time>",
        "Wait this long for Secrets that Tailscale creates, such as 30m",
      ).argParser(parseSpan),
    )
    .option("--allow-later", "Exit with 0 although some Secrets don't exist yet")
    .addOption(
      new Option("--dry-run <where>", "Have the server check every write; store nothing").choices([
        "server",
      ]),
    )
    .option("--offline <folder>", "Write manifests to a folder; they hold private keys")
    .addOption(
      new Option("--force <codes>", `Override a refusal: ${FORCIBLE.join(", ")}`).argParser(
        parseForce,
      ),
    );
}

async function restore(io: Io, cluster: string, names: string[], options: Options): Promise<void> {
  checkOptions(options);
  const stop = new AbortController();
  const undo = io.onInterrupt?.(() => stop.abort());
  try {
    const world = { ...worldOf(io, options), signal: stop.signal };
    const offline = options.offline ?? null;
    const { target, ports } = await composeRestore(world, { cluster, names, offline });
    let report: RestoreReport;
    try {
      report = await runRestore(target, requestOf(cluster, names, options), ports);
    } finally {
      world.progress.done();
      await target.reader.close();
      await target.writer.close();
      await target.access?.self.close();
    }
    present(io, options, {
      schema: RESTORE_SCHEMA,
      document: () => restoreDocument(report),
      text: (page) =>
        planText({
          ...report,
          ...page,
          offline,
          command: (change) => commandWith(cluster, names, options, change),
        }),
    });
    io.exit(restoreExit(report, options.allowLater === true));
  } finally {
    undo?.();
  }
}

function checkOptions(options: Options): void {
  const wrong = (found: string, todo: string): never => {
    throw new CertkeepError("usage", { where: "certkeep restore", found, todo });
  };
  if (options.apply === true && options.dryRun !== undefined)
    wrong("--apply and --dry-run=server exclude each other", "Leave one of them out");
  if (options.offline !== undefined && options.dryRun !== undefined)
    wrong("--offline asks no server, so --dry-run=server can't work", "Leave one of them out");
  if (options.follow !== undefined && options.apply !== true)
    wrong("--follow works only with --apply", "Add --apply, or leave out --follow");
  if (options.fromCluster !== undefined && options.rebuilt === true)
    wrong(
      "--rebuilt takes the cluster's own earlier backups, so --from-cluster can't name others",
      "Leave one of them out",
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

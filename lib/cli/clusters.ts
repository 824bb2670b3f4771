/** `certkeep clusters`, and its commands `add` and `remove`. */
import { interactiveAuth } from "../wiring/connect.ts";
import { Command } from "commander";
import { composeList, composeRemove } from "../wiring/register.ts";
import { clustersText } from "../report/clusters.ts";
import { count } from "../report/text.ts";
import { listClusters } from "../usecases/register/list.ts";
import { runRemove } from "../usecases/register/remove.ts";
import { addCommand } from "./clusters/add.ts";
import { noteTo, writeJson, writeLine, type Io } from "./io.ts";
import {
  configWorld,
  DOCUMENT,
  TABLE,
  roomFor,
  withCommon,
  type CommonOptions,
} from "./options.ts";

const CLUSTERS_SCHEMA = "certkeep.clusters/v1";
const REMOVED_SCHEMA = "certkeep.cluster-removed/v1";

export function clustersCommand(io: Io): Command {
  const command = new Command("clusters")
    .description("List registered clusters, or register and remove them")
    .usage("[command] [options]");
  withCommon(command, TABLE)
    .addHelpText(
      "after",
      `
Examples:
  certkeep clusters
  certkeep clusters add prod --context prod-admin`,
    )
    .action(async (options: CommonOptions) => {
      const { settings, ports } = await composeList({
        ...configWorld(io, options),
        nowMs: io.nowMs,
        interactiveAuth: interactiveAuth(),
      });
      const rows = await listClusters(
        settings.config.clusters,
        settings.registered,
        settings.broken,
        ports,
      );
      if (options.json === true) writeJson(io, CLUSTERS_SCHEMA, { clusters: rows });
      else
        writeLine(
          io.stdout,
          clustersText(rows, {
            nowMs: io.nowMs(),
            room: options.verbose === true ? Infinity : roomFor(io),
            verbose: options.verbose === true,
          }),
        );
      if (rows.some(({ problems }) => problems.length > 0)) io.exit(2);
    });
  command.addCommand(addCommand(io).copyInheritedSettings(command));
  command.addCommand(removeCommand(io).copyInheritedSettings(command));
  return command;
}

interface RemoveOptions extends CommonOptions {
  readonly revoke?: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
}

function removeCommand(io: Io): Command {
  const command = new Command("remove")
    .description("Remove a registration; the cluster's backups stay")
    .argument("<name>", "Name of the cluster")
    .option("--revoke", "Delete its service accounts, roles and tokens from the cluster first")
    .optionsGroup("Cluster:")
    .option("--context <context>", "Use this context of an administrator (default: the current)")
    .option("--kubeconfig <file>", "Use this kubeconfig of an administrator");
  return withCommon(command, DOCUMENT)
    .addHelpText(
      "after",
      `
Without --revoke the stored credentials stay valid until they expire.

Example:
  certkeep clusters remove prod --revoke --context prod-admin`,
    )
    .action((name: string, _options: RemoveOptions, self: Command) =>
      remove(io, name, self.optsWithGlobals<RemoveOptions>()),
    );
}

async function remove(io: Io, name: string, options: RemoveOptions): Promise<void> {
  const { ports, settings, close } = await composeRemove(
    {
      name,
      ...configWorld(io, options),
      kubeconfig: options.kubeconfig ?? null,
      context: options.context ?? null,
      nowMs: io.nowMs,
      interactiveAuth: interactiveAuth(),
      note: noteTo(io),
    },
    options.revoke === true,
  );
  try {
    const result = await runRemove(name, ports);
    if (options.json === true)
      writeJson(io, REMOVED_SCHEMA, { ...result, backups: settings.stores.backups.url });
    const { url } = settings.stores.backups;
    writeLine(io.stderr, `Removed ${name}`);
    if (result.copies > 0)
      writeLine(
        io.stderr,
        `  Kept ${count(result.copies, "backup")} in ${url}; restore them elsewhere with ` +
          `--from-cluster ${result.name}`,
      );
    if (!result.registered) return;
    writeLine(
      io.stderr,
      options.revoke === true
        ? `  Deleted ${count(result.revoked.length, "object")} from the cluster; its tokens are ` +
            "no longer accepted"
        : "  Its service accounts, roles and tokens stay in the cluster (--revoke deletes them)",
    );
  } finally {
    await close();
  }
}

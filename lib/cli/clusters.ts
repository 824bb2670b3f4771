/** `certkeep clusters`, and its commands `add` and `remove`. */
import { Command } from "commander";
import { composeList, composeRemove } from "../wiring/register.ts";
import { clustersText } from "../report/clusters.ts";
import { count } from "../report/text.ts";
import { listClusters } from "../usecases/register/list.ts";
import { runRemove } from "../usecases/register/remove.ts";
import { addCommand } from "./clusters/add.ts";
import { noteTo, writeJson, writeLine, type Io } from "./io.ts";
import { DOCUMENT, present, TABLE, withCommon, worldOf, type CommonOptions } from "./options.ts";

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
      const { settings, ports } = await composeList(worldOf(io, options));
      const rows = await listClusters(
        settings.config.clusters,
        settings.registered,
        settings.broken,
        ports,
      );
      present(io, options, {
        schema: CLUSTERS_SCHEMA,
        document: () => ({ clusters: rows }),
        text: (page) => clustersText(rows, page.verbose ? { ...page, room: Infinity } : page),
      });
      if (rows.some(({ problems }) => problems.length > 0)) io.exit(2);
    });
  command.addCommand(addCommand(io).copyInheritedSettings(command));
  command.addCommand(removeCommand(io).copyInheritedSettings(command));
  return command;
}

type RemoveOptions = CommonOptions & { readonly revoke?: boolean };

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
    { ...worldOf(io, options), name, note: noteTo(io) },
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

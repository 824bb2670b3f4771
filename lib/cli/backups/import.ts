/** `certkeep backups import CERT KEY --for NAMESPACE/SECRET` */
import { resolve } from "node:path";
import { Command } from "commander";
import { composeImport } from "../../wiring/backups.ts";
import { readNamedFile, whyUnread } from "../../wiring/reference.ts";
import { CertkeepError } from "../../error.ts";
import { restoreAction } from "../../finding/action.ts";
import { plain } from "../../plain.ts";
import { restoreCommand } from "../../report/command.ts";
import { importStandby } from "../../usecases/drill/standby.ts";
import { writeLine, type Io } from "../io.ts";
import { DOCUMENT, present, withCommon, worldOf, type CommonOptions } from "../options.ts";

const SCHEMA = "certkeep.import/v1";

type Options = CommonOptions & { readonly for: string; readonly cluster?: string };

export function importCommand(io: Io): Command {
  const command = new Command("import")
    .description("Back up a standby certificate of another CA")
    .argument("<cert>", "The certificate with its chain, PEM")
    .argument("<key>", "Its private key, PEM")
    .requiredOption("--for <namespace/secret>", "Import it for this Secret")
    .option("--cluster <name>", "Import it for this cluster (default: the only one)");
  return withCommon(command, DOCUMENT)
    .addHelpText(
      "after",
      `
It is restored only with --standby.
Only for kubernetes.io/tls Secrets: Tailscale rejects certificates of other CAs.

Example:
  certkeep backups import corp.crt corp.key --for shop/web-tls`,
    )
    .action((certificate: string, key: string, _options: Options, self: Command) =>
      importFiles(io, certificate, key, self.optsWithGlobals<Options>()),
    );
}

async function importFiles(
  io: Io,
  certificate: string,
  key: string,
  options: Options,
): Promise<void> {
  const [namespace, secret] = placeOf(options.for);
  const { cluster, recipients, ports } = await composeImport(
    worldOf(io, options),
    options.cluster ?? null,
  );
  const { kept, pair, notes } = await importStandby(
    {
      cluster,
      namespace,
      secret,
      certificate: await read(io, certificate),
      key: await read(io, key),
      recipients,
    },
    ports,
  );
  const { version, made } = kept;
  const restore = restoreCommand(
    restoreAction(cluster, [`${namespace}/${secret}`], { standby: true }),
  );
  present(io, options, {
    schema: SCHEMA,
    document: () => ({ cluster, namespace, secret, version, names: pair.names, made, notes }),
    text: () =>
      plain(
        `${made ? "Backed up" : "Already backed up:"} standby ${version.slice(0, 12)} for ` +
          `${namespace}/${secret} (${pair.names.join(", ")})`,
      ) + `\nIt is restored only with --standby:\n  ${restore ?? "certkeep restore"}`,
  });
  if (options.json !== true)
    for (const note of notes) writeLine(io.stderr, plain(`certkeep: ${note}`));
}

function placeOf(text: string): readonly [namespace: string, secret: string] {
  const [namespace = "", secret = "", ...rest] = text.split("/");
  if (namespace !== "" && secret !== "" && rest.length === 0) return [namespace, secret];
  throw new CertkeepError("usage", {
    where: "--for",
    found: `${JSON.stringify(text)} doesn't name a Secret`,
    todo: "Use NAMESPACE/SECRET",
  });
}

async function read(io: Io, path: string): Promise<Uint8Array> {
  try {
    return await readNamedFile(resolve(io.cwd, path));
  } catch (error) {
    throw new CertkeepError("file_unreadable", {
      where: path,
      found: `it ${whyUnread(error)}`,
      todo: "Name a PEM file",
    });
  }
}

/** `certkeep backups retire VERSION --reason …` */
import { Command } from "commander";
import { composeSettings } from "../../wiring/settings.ts";
import { plain } from "../../plain.ts";
import { retireCopy } from "../../usecases/drill/retire.ts";
import { writeJson, writeLine, type Io } from "../io.ts";
import { configWorld, DOCUMENT, withCommon, type CommonOptions } from "../options.ts";

const SCHEMA = "certkeep.retire/v1";

type Options = CommonOptions & { readonly reason: string; readonly purge?: boolean };

export function retireCommand(io: Io): Command {
  const command = new Command("retire")
    .description("Mark a backup that must never be restored again")
    .argument("<version>", "Version of the backup; its first digits are enough")
    .requiredOption("--reason <text>", "Record why")
    .option("--purge", "Remove it from the store too");
  return withCommon(command, DOCUMENT)
    .addHelpText("after", '\nExample:\n  certkeep backups retire 09ac2a96 --reason "key leaked"')
    .action(async (version: string, _options: Options, self: Command) => {
      const options = self.optsWithGlobals<Options>();
      const { stores } = await composeSettings({
        ...configWorld(io, options),
        reach: "none",
      });
      const retired = await retireCopy(version, options.reason, options.purge === true, {
        ...stores,
        clock: { nowMs: io.nowMs },
      });
      if (options.json === true) {
        writeJson(io, SCHEMA, retired);
        return;
      }
      const names = retired.names.length === 0 ? "" : ` (${retired.names.join(", ")})`;
      const shown = retired.version.slice(0, 12);
      writeLine(io.stdout, plain(`Retired ${shown}${names}: it is never restored again`));
      writeLine(
        io.stdout,
        retired.purgeNote === null
          ? "It is still in the store; --purge removes it"
          : plain(`Purged: ${retired.purgeNote}`),
      );
    });
}

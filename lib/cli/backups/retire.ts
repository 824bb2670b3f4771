/** `certkeep backups retire VERSION --reason …` */
import { Command } from "commander";
import { composeSettings } from "../../wiring/settings.ts";
import { plain } from "../../plain.ts";
import { retireCopy } from "../../usecases/drill/retire.ts";
import { writeJson, writeLine, type Io } from "../io.ts";
import { configWorld, withCommon, type CommonOptions } from "../options.ts";

const SCHEMA = "certkeep.retire/v1";

type Options = CommonOptions & { readonly reason: string; readonly purge?: boolean };

export function retireCommand(io: Io): Command {
  return withCommon(
    new Command("retire")
      .description("a copy that must never be restored again: a leaked key, a revoked certificate")
      .argument("<version>", "the copy's version, or the beginning of it"),
  )
    .requiredOption("--reason <text>", "why, for whoever asks later")
    .option("--purge", "remove it from the store as well")
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
      writeLine(
        io.stdout,
        plain(
          "Retired " +
            `${retired.version.slice(0, 12)}${retired.names.length === 0 ? "" : ` (${retired.names.join(", ")})`}: ` +
            "it is never planned again.",
        ),
      );
      if (retired.purgeNote !== null) writeLine(io.stdout, plain(`Purged: ${retired.purgeNote}.`));
      else writeLine(io.stdout, "The copy still lies in the store; --purge removes it.");
    });
}

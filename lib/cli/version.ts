/** `certkeep version` */
import { Command } from "commander";
import { VERSION } from "../version.ts";
import { writeJson, writeLine, type Io } from "./io.ts";
import { DOCUMENT, withOutput, type CommonOptions } from "./options.ts";

const SCHEMA = "certkeep.version/v1";

export function versionCommand(io: Io): Command {
  return withOutput(new Command("version").description("Print the version"), DOCUMENT)
    .addHelpText("after", "\nExample:\n  certkeep version -o json")
    .action(({ json }: CommonOptions) => {
      if (json === true) writeJson(io, SCHEMA, { version: VERSION, node: process.versions.node });
      else writeLine(io.stdout, VERSION);
    });
}

/** `certkeep doctor [CLUSTER…]` */
import { Command } from "commander";
import { composeDoctor } from "../wiring/doctor.ts";
import { viaOfWorld } from "../wiring/world.ts";
import { CertkeepError } from "../error.ts";
import type { Via } from "../finding/action.ts";
import { doctorDocument, doctorText, type DoctorLine } from "../report/doctor.ts";
import { runDoctor } from "../usecases/doctor.ts";
import { doctorExits, failed } from "../usecases/doctor/line.ts";
import { isOf, type Io } from "./io.ts";
import {
  IDENTITY,
  present,
  refuseContextAnd,
  TABLE,
  withCommon,
  withContext,
  worldOf,
  type CommonOptions,
} from "./options.ts";

const DOCTOR_SCHEMA = "certkeep.doctor/v1";

function withVia(line: DoctorLine, via: Via): DoctorLine {
  return line.action === null ? line : { ...line, action: { via, ...line.action } };
}

type Options = CommonOptions & { readonly sendTest?: boolean };

export function doctorCommand(io: Io): Command {
  const command = new Command("doctor")
    .description("Check the setup and show how to fix it")
    .argument(
      "[cluster...]",
      "Registered clusters, or contexts of your kubeconfig (default: all that are registered, " +
        "or the current context)",
    )
    .option("--send-test", "Post a test message on every route of the digest")
    .option("--identity <file>", IDENTITY);
  return withCommon(withContext(command), TABLE)
    .addHelpText(
      "after",
      `
Exit codes: 0 OK or warnings, 1 problems, 2 configuration, 3 not everything
could be checked.

Examples:
  certkeep doctor
  certkeep doctor prod --send-test`,
    )
    .action(async (clusters: string[], options: Options) => {
      refuseContextAnd(clusters, options);
      let lines: readonly DoctorLine[];
      try {
        const world = worldOf(io, options);
        const found = await runDoctor(
          await composeDoctor(world, clusters, options.sendTest === true),
        );
        const via = viaOfWorld(world);
        lines = via === null ? found : found.map((one) => withVia(one, via));
      } catch (error) {
        if (!(error instanceof CertkeepError) || error.code === "usage") throw error;
        const { file } = io.inUse;
        const named = file === null || isOf(error, file) ? "" : `${file}:\n`;
        const message = `${named}${error.message}`;
        lines = [{ ...failed("config", error), observed: { seen: "error", message } }];
      }
      present(io, options, {
        schema: DOCTOR_SCHEMA,
        document: () => doctorDocument(lines),
        text: (page) => doctorText(lines, page),
      });
      for (const code of doctorExits(lines)) io.exit(code);
    });
}

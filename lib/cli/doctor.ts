/** `certkeep doctor [CLUSTER…]` */
import { interactiveAuth } from "../wiring/connect.ts";
import { Command } from "commander";
import { composeDoctor } from "../wiring/doctor.ts";
import { CertkeepError } from "../error.ts";
import { doctorDocument, doctorText, type DoctorLine } from "../report/doctor.ts";
import { runDoctor } from "../usecases/doctor.ts";
import { doctorExits, failed } from "../usecases/doctor/line.ts";
import { isOf, writeJson, writeLine, type Io } from "./io.ts";
import {
  configWorld,
  identityWorld,
  styleFor,
  widthFor,
  withCommon,
  type CommonOptions,
} from "./options.ts";

const DOCTOR_SCHEMA = "certkeep.doctor/v1";

type Options = CommonOptions & { readonly sendTest?: boolean; readonly identity?: string };

export function doctorCommand(io: Io): Command {
  return withCommon(
    new Command("doctor")
      .description("says what is not set up right, and how to fix it")
      .argument(
        "[cluster...]",
        "clusters of certkeep.yaml, or contexts of your kubeconfig where it names none; " +
          "default: all that it names",
      ),
  )
    .option("--send-test", "post a test message on every route of the digest")
    .option(
      "--identity <file>",
      "the identity that opens the copies, if it isn't where the configuration says",
    )
    .addHelpText(
      "after",
      "\n" +
        "It changes nothing in a cluster. Exit codes: 0 all is right (warnings too), 1 " +
        "something isn't, 2 the configuration isn't, 3 something could not be looked at.\n" +
        "\n" +
        "Examples:\n" +
        "  certkeep doctor\n" +
        "  certkeep doctor prod\n" +
        "  certkeep doctor --json | jq '.lines[] | select(.level != \"pass\")'\n" +
        "  certkeep doctor --send-test",
    )
    .action(async (clusters: string[], options: Options) => {
      let lines: readonly DoctorLine[];
      try {
        const ports = await composeDoctor({
          clusters,
          ...configWorld(io, options),
          nowMs: io.nowMs,
          ...(await identityWorld(io, options)),
          interactiveAuth: interactiveAuth(),
          sendTest: options.sendTest === true,
        });
        lines = await runDoctor(ports);
      } catch (error) {
        if (!(error instanceof CertkeepError) || error.code === "usage") throw error;
        const { file } = io.inUse;
        const named = file === null || isOf(error, file) ? "" : `${file}:\n`;
        const message = `${named}${error.message}`;
        lines = [{ ...failed("config", error), observed: { seen: "error", message } }];
      }
      if (options.json === true) writeJson(io, DOCTOR_SCHEMA, doctorDocument(lines));
      else {
        const page = { width: widthFor(io), style: styleFor(io, options) };
        const verbose = options.verbose === true;
        writeLine(io.stdout, doctorText(lines, { ...page, verbose }));
      }
      for (const code of doctorExits(lines)) io.exit(code);
    });
}

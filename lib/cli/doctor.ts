/** `certkeep doctor [CLUSTER…]` */
import { Command } from "commander";
import { composeDoctor } from "../wiring/doctor.ts";
import { personalAccess } from "../wiring/connect.ts";
import { CertkeepError } from "../error.ts";
import { plain } from "../plain.ts";
import { count, wrap } from "../report/text.ts";
import type { Style } from "../report/style.ts";
import { runDoctor } from "../usecases/doctor.ts";
import { doctorExits, failed, type Level, type Line } from "../usecases/doctor/line.ts";
import { isOf, writeJson, writeLine, type Io } from "./io.ts";
import { configWorld, styleFor, widthFor, withCommon, type CommonOptions } from "./options.ts";

const DOCTOR_SCHEMA = "certkeep.doctor/v1";

type Options = CommonOptions & { readonly sendTest?: boolean; readonly identity?: string };

export function doctorCommand(io: Io): Command {
  return withCommon(
    new Command("doctor")
      .description("says what is not set up right, and how to mend it")
      .argument(
        "[cluster...]",
        "clusters of certkeep.yaml, or contexts of your kubeconfig where it names none; default: all that it names",
      ),
  )
    .option("--send-test", "post a test message on every route of the digest")
    .option(
      "--identity <file>",
      "the identity that opens the copies, if it isn't where the configuration says",
    )
    .addHelpText(
      "after",
      "\nIt changes nothing in a cluster. Exit codes: 0 all is right (warnings too), 1 something isn't, 2 the configuration isn't, 3 something could not be looked at.\n\nExamples:\n  certkeep doctor\n  certkeep doctor prod\n  certkeep doctor --json | jq '.lines[] | select(.level != \"pass\")'\n  certkeep doctor --send-test",
    )
    .action(async (clusters: string[], options: Options) => {
      let lines: readonly Line[];
      try {
        const ports = await composeDoctor({
          clusters,
          ...configWorld(io, options),
          nowMs: io.nowMs,
          identity: options.identity ?? null,
          stdin: io.stdin,
          askPassphrase: io.interactive
            ? (await import("./questions.ts")).createQuestions(io).passphrase
            : null,
          person: personalAccess(),
          sendTest: options.sendTest === true,
        });
        lines = await runDoctor(ports);
      } catch (error) {
        if (!(error instanceof CertkeepError) || error.code === "usage") throw error;
        const { file } = io.inUse;
        const named = file === null || isOf(error, file) ? "" : `${file}:\n`;
        lines = [{ ...failed("config", error), text: `${named}${error.message}` }];
      }
      const counts = { pass: of(lines, "pass"), warn: of(lines, "warn"), fail: of(lines, "fail") };
      if (options.json === true) writeJson(io, DOCTOR_SCHEMA, { lines, counts });
      else writeLine(io.stdout, doctorText(lines, counts, styleFor(io, options), widthFor(io)));
      for (const code of doctorExits(lines)) io.exit(code);
    });
}

function of(lines: readonly Line[], level: Level): number {
  return lines.filter((one) => one.level === level).length;
}

const SIGNS: Readonly<Record<Level, string>> = { pass: "ok  ", warn: "warn", fail: "FAIL" };

function doctorText(
  lines: readonly Line[],
  counts: Readonly<Record<Level, number>>,
  style: Style,
  width: number,
): string {
  const paint: Readonly<Record<Level, (text: string) => string>> = {
    pass: style.green,
    warn: style.yellow,
    fail: style.red,
  };
  const groups = new Map<string, Line[]>();
  for (const one of lines)
    groups.set(one.cluster ?? "", [...(groups.get(one.cluster ?? "") ?? []), one]);
  const out: string[] = [];
  for (const [cluster, group] of groups) {
    if (out.length > 0) out.push("");
    out.push(style.bold(cluster === "" ? "Set-up" : `Cluster ${plain(cluster)}`));
    for (const one of group) {
      const [first = "", ...rest] = one.text
        .split("\n")
        .flatMap((text) => wrap(plain(text), width - 8));
      out.push(
        `  ${paint[one.level](SIGNS[one.level])}  ${first}`,
        ...rest.map((text) => `        ${text}`),
      );
      if (one.command !== null) out.push(`        ${style.bold(one.command)}`);
    }
  }
  out.push(
    "",
    `${count(counts.fail, "thing")} to mend, ${count(counts.warn, "warning")}, ${counts.pass} right.`,
  );
  return out.join("\n");
}

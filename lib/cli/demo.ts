/** `certkeep demo`: the commands themselves, run against a cluster in this process. */
import { join } from "node:path";
import { Command } from "commander";
import { wrap } from "../report/text.ts";
import type { DemoWorld } from "../wiring/demo.ts";
import { slackView } from "../demo/slackview.ts";
import { writeLine, type ExitCode, type Io } from "./io.ts";
import { styleFor, widthFor } from "./options.ts";

export function demoCommand(
  io: Io,
  runCommand: (args: readonly string[]) => Promise<ExitCode>,
): Command {
  return new Command("demo")
    .description(
      "Run certkeep's commands on a sample cluster in this process; needs no cluster and no " +
        "account",
    )
    .option("--no-color", "no colour")
    .action((options: { readonly color: boolean }) => demo(io, runCommand, options));
}

async function demo(
  io: Io,
  runCommand: (args: readonly string[]) => Promise<ExitCode>,
  options: { readonly color: boolean },
): Promise<void> {
  const { startDemo } = await import("../wiring/demo.ts");
  const say = (text: string): void => writeLine(io.stdout, text);
  const tell = (text: string): void =>
    say(
      text
        .split("\n")
        .flatMap((one) => (one === "" ? [""] : wrap(one, widthFor(io))))
        .join("\n"),
    );
  tell(
    "A Kubernetes API is started in this process and filled with a cluster that has seen " +
      "better days.\n" +
      "What follows are certkeep's own commands, as you would type them.",
  );
  const world = await startDemo(io.nowMs());
  const paint = options.color ? [] : ["--no-color"];
  const command = async (...args: string[]): Promise<void> => {
    say(`\n$ certkeep ${args.join(" ")}\n`);
    const code = await runCommand([...args, "--config", world.config, ...paint]);
    if (code > 1) io.exit(code);
  };
  try {
    await showSteps(command, tell, world);
    tell("\nThe digest went to a stand-in for Slack in this process. In Slack it reads:\n");
    for (const message of world.slack.messages)
      say(slackView(message, { width: widthFor(io), style: styleFor(io, options) }));
    await command("report", "--html", join(world.folder, "report.html"));
  } finally {
    await world.stop();
  }
  tell(
    "\n" +
      `Everything of the demo is in ${world.folder}; delete it when you have seen enough.\n` +
      "\n" +
      "Now on a cluster of yours, with the kubeconfig that kubectl uses; nothing is written " +
      "to it:",
  );
  say(
    "  certkeep audit        judges what is there\n" +
      "  certkeep init         makes a key; from then on each audit keeps encrypted backups",
  );
}

async function showSteps(
  command: (...args: string[]) => Promise<void>,
  tell: (text: string) => void,
  world: DemoWorld,
): Promise<void> {
  await command("audit");
  const { deleted, emptied } = world.lose();
  tell(
    "\n" +
      `Now it is 3 a.m.: somebody deletes the Secret of ${deleted}, and a template ` +
      `empties that of ${emptied}.\n` +
      "Their owner would ask Let's Encrypt for both again; five a week is all there is.",
  );
  await command("audit");
  await command("restore", "demo", deleted, emptied);
  await command("restore", "demo", deleted, emptied, "--apply");
  tell("\nThe same certificates and keys are back. Another look:");
  await command("audit");
  tell(`\nAnd why is ${world.raced} issued again and again?`);
  await command("explain", world.raced);
  await command("backups", "verify");
  await command("digest");
}

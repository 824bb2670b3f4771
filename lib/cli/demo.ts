/** `certkeep demo`: the commands themselves, run against a cluster in this process. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { Command } from "commander";
import { slackView } from "../demo/slack.ts";
import { wrap } from "../report/text.ts";
import type { DemoWorld } from "../wiring/demo.ts";
import { writeLine, write, type Io } from "./io.ts";
import { styleFor, widthFor } from "./options.ts";
import type { Line } from "./run.ts";

interface Options {
  readonly color: boolean;
  readonly full?: boolean;
}

export function demoCommand(io: Io, runCommand: Line): Command {
  return new Command("demo")
    .description("Lose and restore certificates on a sample cluster")
    .option("--full", "Run every command on a cluster with many problems")
    .optionsGroup("General:")
    .option("--no-color", "Print without color")
    .addHelpText("after", "\nExample:\n  certkeep demo")
    .action((options: Options) => demo(io, runCommand, options));
}

async function demo(io: Io, runCommand: Line, options: Options): Promise<void> {
  const { startDemo } = await import("../wiring/demo.ts");
  const isFull = options.full === true;
  const world = await startDemo(io.nowMs, isFull ? "sick" : "healthy");
  const stage = new Stage(io, runCommand, world, options);
  try {
    await (isFull ? showAll(stage, world) : showSteps(stage, world));
  } finally {
    await world.stop();
    if (!isFull) await rm(world.folder, { recursive: true, force: true });
  }
  stage.tell(
    isFull ? `\nThe files of the demo are in ${world.folder}. Delete them when you are done.` : "",
  );
  stage.tell("Next: certkeep audit   (uses your kubeconfig, changes nothing)");
}

class Stage {
  readonly #io: Io;
  readonly #run: Line;
  readonly #world: DemoWorld;
  readonly #options: Options;

  constructor(io: Io, run: Line, world: DemoWorld, options: Options) {
    this.#io = io;
    this.#run = run;
    this.#world = world;
    this.#options = options;
  }

  tell(text: string): void {
    const lines = text
      .split("\n")
      .flatMap((one) => (one === "" ? [""] : wrap(one, widthFor(this.#io))));
    writeLine(this.#io.stdout, lines.join("\n"));
  }

  heading(text: string): void {
    writeLine(this.#io.stdout, styleFor(this.#io, this.#options).bold(text));
  }

  /** On a terminal: until Enter is pressed. */
  async wait(): Promise<void> {
    const { interactive, outTty, stdin, stdout } = this.#io;
    if (!interactive || !outTty) return writeLine(stdout, "");
    write(stdout, styleFor(this.#io, this.#options).dim("Press Enter to continue "));
    // Not in raw mode, so that Ctrl-C ends the process as ever.
    const lines = createInterface({ input: stdin, terminal: false });
    lines.once("line", () => lines.close());
    await new Promise<void>((resolve) => void lines.once("close", resolve));
  }

  async command(...args: readonly string[]): Promise<void> {
    writeLine(this.#io.stdout, `$ certkeep ${args.join(" ")}`);
    await this.#runIt(args, {});
  }

  async inBackground(...args: readonly string[]): Promise<void> {
    await this.#runIt(args, {
      stdout: new PassThrough().resume(),
      stderr: new PassThrough().resume(),
    });
  }

  /** Shows a command and, of what it prints, the lines that match, whatever their colour. */
  async linesOf(lines: RegExp, ...args: readonly string[]): Promise<void> {
    writeLine(this.#io.stdout, `$ certkeep ${args.join(" ")}`);
    const stdout = new PassThrough();
    await this.#runIt(args, { stdout });
    const shown = String(stdout.read() ?? "")
      .trimEnd()
      .split("\n")
      .filter((line) => lines.test(stripVTControlCharacters(line)));
    writeLine(this.#io.stdout, shown.join("\n").trimEnd());
  }

  slack(from: number): void {
    const page = { width: widthFor(this.#io), style: styleFor(this.#io, this.#options) };
    const messages = this.#world.slack.messages.slice(from);
    const texts = messages.map((message) => slackView(message, page));
    writeLine(this.#io.stdout, texts.join("\n\n"));
  }

  async #runIt(args: readonly string[], streams: Partial<Pick<Io, "stdout" | "stderr">>) {
    const { config, nowMs } = this.#world;
    const paint = this.#options.color ? [] : ["--no-color"];
    const code = await this.#run([...args, ...paint], { ...streams, config, nowMs });
    if (code > 1) this.#io.exit(code);
  }
}

async function showSteps(stage: Stage, world: DemoWorld): Promise<void> {
  const { deleted, emptied, slack } = world;
  stage.tell("A sample cluster runs in this process; the commands below work on it alone.");
  await stage.inBackground("audit");
  await stage.inBackground("digest");
  const posted = slack.messages.length;
  const serials = [world.serial(deleted), world.serial(emptied)];
  stage.heading("1/4  Audit");
  await stage.command("audit");
  await stage.wait();

  world.lose();
  stage.heading("2/4  Disaster");
  stage.tell("orders: Secret deleted; reports: emptied by a template; Let's Encrypt: 429");
  await stage.linesOf(/\S/, "audit");
  await stage.inBackground("digest");
  await stage.wait();

  stage.heading("3/4  Restore");
  await stage.linesOf(/^(?:Restore|  |Saves)/, "restore", "demo", deleted, emptied);
  await stage.linesOf(/^Restored /, "restore", "demo", deleted, emptied, "--apply");
  const isSame = serials.join() === [world.serial(deleted), world.serial(emptied)].join();
  const short = serials.map((serial) => `${serial?.slice(0, 10)}…`).join(", ");
  stage.tell(`${isSame ? "Same" : "Other"} serials as before (${short}), 0 issuances used.`);
  for (const isLater of [false, true]) {
    if (isLater) world.sleep();
    await stage.inBackground("audit");
    await stage.inBackground("digest");
  }
  await stage.wait();

  stage.heading("4/4  Slack: what your team would have seen");
  stage.slack(posted);
}

async function showAll(stage: Stage, world: DemoWorld): Promise<void> {
  const { deleted, emptied, raced } = world;
  stage.tell(
    "A sample cluster with many problems runs in this process. The commands below are real and " +
      "work on it alone, until the demo ends.\n",
  );
  await stage.command("audit");
  world.lose();
  stage.tell(`\nThe Secret of ${deleted} is deleted, and a template empties that of ${emptied}.\n`);
  await stage.command("audit");
  await stage.command("restore", "demo", deleted, emptied);
  await stage.command("restore", "demo", deleted, emptied, "--apply");
  stage.tell("\nThe same certificates and keys are back:\n");
  await stage.command("audit");
  stage.tell(`\nWhy is ${raced} issued again and again?\n`);
  await stage.command("explain", raced);
  await stage.command("backups", "verify");
  await stage.command("digest");
  stage.tell("\nThe digest went to a stand-in for Slack in this process. In Slack it reads:\n");
  stage.slack(0);
  await stage.command("report", "--html", join(world.folder, "report.html"));
}

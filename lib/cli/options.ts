/** Options that commands share, and what they mean. */
import { InvalidArgumentError, Option, type Command } from "commander";
import pc from "picocolors";
import { isFinerThanMs, parseMsOrNull } from "../certificate/time.ts";
import { LABEL } from "../config/form.ts";
import { CertkeepError, fullStop } from "../error.ts";
import { currentSeverity, SEVERITIES, type Severity } from "../finding/codes.ts";
import type { Finding } from "../finding/finding.ts";
import { plain } from "../plain.ts";
import type { Progress } from "../ports/runtime.ts";
import { cut, PLAIN, type Style } from "../report/text.ts";
import type { ConfigWorld } from "../wiring/config.ts";
import type { ContextRef, RunWorld } from "../wiring/world.ts";
import { countRequest, log, overwrite, showConfig, writeJson, writeLine, type Io } from "./io.ts";

export interface CommonOptions {
  readonly config?: string;
  readonly output?: OutputFormat;
  readonly json?: boolean;
  readonly color: boolean;
  readonly verbose?: boolean;
  readonly at?: number;
  readonly failOn?: FailOn;
  readonly identity?: string;
  readonly context?: string;
  readonly kubeconfig?: string;
  readonly namespace?: string;
}

export type OutputFormat = "json" | "yaml" | "wide";

const GENERAL = "General:";

/** `-o`, `--json`, `--config`, `--no-color`, `-v`: called last, so that help shows them last. */
export function withCommon(command: Command, formats: readonly OutputFormat[]): Command {
  return withOutput(command, formats).option(
    "--config <file>",
    "Use this certkeep.yaml: a file or s3://BUCKET/KEY",
  );
}

/** The same for a command that looks for no configuration by itself. */
export function withOutput(command: Command, formats: readonly OutputFormat[]): Command {
  const wide = formats.includes("wide") ? " (all details, uncut)" : "";
  return command
    .optionsGroup(GENERAL)
    .addOption(
      new Option("-o, --output <format>", `Print ${orList(formats)}${wide}`).argParser(
        (text): OutputFormat => {
          const format = formats.find((one) => one === text);
          if (format === undefined) throw new InvalidArgumentError(`Expected ${orList(formats)}.`);
          return format;
        },
      ),
    )
    .option("--json", "Same as -o json")
    .option("--no-color", "Print without color")
    .option("-v, --verbose", "Show details; log what is read to standard error");
}

export const DOCUMENT: readonly OutputFormat[] = ["json", "yaml"];
export const TABLE: readonly OutputFormat[] = ["json", "yaml", "wide"];

export const IDENTITY = "Decrypt with this age identity: a file, - for standard input, or env:NAME";

export const PATTERNS = "Clusters, Secrets, domains or versions; * matches anything";

function orList(words: readonly string[]): string {
  return [words.slice(0, -1).join(", "), ...words.slice(-1)].filter(Boolean).join(" or ");
}

export function withContext(command: Command): Command {
  return command
    .optionsGroup("Cluster:")
    .option("--context <context>", "Use this kubeconfig context instead of a name")
    .option("--kubeconfig <file>", "Use this kubeconfig; names are its contexts");
}

export function withNamespace(command: Command, only: string): Command {
  return command
    .optionsGroup("Cluster:")
    .addOption(
      new Option("-n, --namespace <namespace>", only)
        .argParser(parseNamespace)
        .conflicts("allNamespaces"),
    )
    .option("-A, --all-namespaces", "Include every namespace (default)");
}

function parseNamespace(text: string): string {
  if (!LABEL.test(text))
    throw new InvalidArgumentError("Expected one namespace: lowercase letters, digits and -.");
  return text;
}

function contextRef({ context, kubeconfig }: WorldOptions): ContextRef | null {
  return context === undefined && kubeconfig === undefined
    ? null
    : { context: context ?? null, kubeconfig: kubeconfig ?? null };
}

/** @throws CertkeepError usage, where a cluster is named twice: by its name and by `--context` */
export function refuseContextAnd(
  names: readonly string[],
  { context }: Pick<CommonOptions, "context">,
): void {
  if (context === undefined || names.length === 0) return;
  throw new CertkeepError("usage", {
    where: `--context ${context}`,
    found: `it is given together with ${names.join(", ")}`,
    todo: "Name the cluster once",
  });
}

/** Applies what `-o` asks for, before a command runs. @throws CertkeepError usage */
export async function applyOutput(io: Io, command: Command): Promise<void> {
  const { output, json, verbose } = command.optsWithGlobals<CommonOptions>();
  if (json === true && output !== undefined && output !== "json")
    throw new CertkeepError("usage", {
      where: `--json with -o ${output}`,
      found: "two formats",
      todo: "Leave one of them out",
    });
  if (verbose === true) io.output.logSinceMs = io.nowMs();
  io.output.wide = output === "wide";
  // What cuts no column shows the details too.
  if (output === "wide") command.setOptionValue("verbose", true);
  if (output !== "json" && output !== "yaml") return;
  command.setOptionValue("json", true);
  if (output === "yaml") io.output.yaml = (await import("./yaml.ts")).yamlOf;
}

export function configWorld(io: Io, options: Pick<CommonOptions, "config">): ConfigWorld {
  return {
    configFile: options.config ?? io.config ?? null,
    configWord: options.config ?? null,
    env: io.env,
    cwd: io.cwd,
    askApproval: io.interactive
      ? async (question) => (await import("./questions.ts")).askApproval(io, question)
      : null,
    onConfig: (file) => {
      io.inUse.file = file;
      if (io.output.logSinceMs !== null) showConfig(io);
    },
    onUse: (line) => log(io, line),
    onRequest: (cluster, kind) => countRequest(io, cluster, kind),
  };
}

type WorldOptions = Pick<CommonOptions, "config" | "at" | "identity" | "context" | "kubeconfig">;

export function worldOf(
  io: Io,
  options: WorldOptions,
): RunWorld & { readonly progress: ReturnType<typeof createProgress> } {
  const { identity = null } = options;
  return {
    ...configWorld(io, options),
    nowMs: io.nowMs,
    atMs: options.at ?? null,
    contextRef: contextRef(options),
    identity,
    stdin: io.stdin,
    askPassphrase:
      io.interactive && identity !== "-"
        ? async (where) => (await import("./questions.ts")).createQuestions(io).passphrase(where)
        : null,
    // Only where it is needed: it is larger than what a command starts with.
    askProvider: async (...asked) =>
      (await import("../wiring/administrator.ts")).askProvider(...asked),
    progress: createProgress(io),
  };
}

export function parseAt(text: string): number {
  const at = parseMsOrNull(text);
  if (at === null)
    throw new InvalidArgumentError("Expected an RFC 3339 instant, such as 2026-11-23T03:00:00Z.");
  if (isFinerThanMs(text))
    throw new InvalidArgumentError(
      "Expected milliseconds at most, such as 2026-11-23T03:00:00.123Z.",
    );
  return at;
}

/** `--at TIME`: nothing is written or posted then. */
export function withAt(command: Command): Command {
  return command.addOption(
    new Option("--at <time>", "Judge at this RFC 3339 time; write nothing").argParser(parseAt),
  );
}

export type FailOn = Severity | "never";

export function withFailOn(command: Command): Command {
  return command.addOption(
    severityOption("--fail-on <severity>", "Exit with 1 for findings this severe or worse"),
  );
}

function severityOption(flags: string, description: string): Option {
  const option = new Option(flags, description)
    .choices([...SEVERITIES, "never"])
    .default("critical");
  const { parseArg } = option;
  return option.argParser((given, previous) => parseArg?.(currentSeverity(given), previous));
}

export function failsOn(
  findings: readonly Finding[],
  { failOn = "critical" }: CommonOptions,
): boolean {
  return (
    failOn !== "never" &&
    findings.some((finding) => SEVERITIES.indexOf(finding.severity) <= SEVERITIES.indexOf(failOn))
  );
}

export function styleFor(io: Io, options: CommonOptions): Style {
  const paint = colours(io, options.color);
  return paint.isColorSupported ? paint : PLAIN;
}

export function pageOf(io: Io, options: CommonOptions) {
  return {
    nowMs: options.at ?? io.nowMs(),
    width: widthFor(io),
    room: roomFor(io),
    style: styleFor(io, options),
    verbose: options.verbose === true,
  };
}

export function present(
  io: Io,
  options: CommonOptions,
  {
    schema,
    document,
    text,
  }: {
    readonly schema: string;
    readonly document: () => object;
    readonly text: (page: ReturnType<typeof pageOf>) => string;
  },
): void {
  if (options.json === true) writeJson(io, schema, document());
  else writeLine(io.stdout, text(pageOf(io, options)));
}

/** Text width: what the terminal has, within what reads well. */
export function widthFor(io: Io): number {
  return Math.max(40, Math.min(io.columns, 120));
}

/** Width of tables: what a terminal has; in a pipe nothing is cut. */
export function roomFor(io: Io): number {
  return io.outTty && !io.output.wide ? Math.max(40, io.columns) : Infinity;
}

/** Progress on a terminal only, as one line that overwrites itself. */
export function createProgress(io: Io): Progress & { done(): void } {
  let last = 0;
  let shown = false;
  let phase = "";
  return {
    step(what, done, total) {
      if (what !== phase) log(io, what);
      phase = what;
      if (!io.errTty) return;
      const now = io.nowMs();
      if (now - last < 100 && done !== total) return;
      last = now;
      shown = true;
      overwrite(
        io.stderr,
        cut(plain(`${what}: ${done}${total === null ? "" : ` of ${total}`}`), io.columns - 1),
      );
    },
    note(message) {
      if (shown) overwrite(io.stderr, "");
      writeLine(io.stderr, fullStop(plain(message)));
    },
    done() {
      if (shown) overwrite(io.stderr, "");
    },
  };
}

function colours(io: Io, wanted: boolean): ReturnType<typeof pc.createColors> {
  const off = !wanted || (io.env["NO_COLOR"] ?? "") !== "" || io.env["TERM"] === "dumb";
  const forced = (io.env["FORCE_COLOR"] ?? "") !== "" && io.env["FORCE_COLOR"] !== "0";
  return pc.createColors(!off && (io.outTty || forced));
}

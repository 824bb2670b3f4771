/** Options that commands share, and what they mean. */
import { InvalidArgumentError, Option, type Command } from "commander";
import pc from "picocolors";
import { isFinerThanMs, parseMsOrNull } from "../certificate/time.ts";
import { currentSeverity, SEVERITIES, type Severity } from "../finding/codes.ts";
import type { Finding } from "../finding/finding.ts";
import { plain } from "../plain.ts";
import type { Progress } from "../ports/runtime.ts";
import { cut, PLAIN, type Style } from "../report/text.ts";
import type { ConfigWorld } from "../wiring/config.ts";
import type { IdentityWorld } from "../wiring/identity.ts";
import { overwrite, showConfig, writeLine, type Io } from "./io.ts";

export interface CommonOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color: boolean;
  readonly verbose?: boolean;
}

export interface AtOption {
  /** Milliseconds since 1970. */
  readonly at?: number;
}

/** `--config`, `--json`, `--no-color`, `-v`. */
export function withCommon(command: Command): Command {
  return command
    .option(
      "--config <file>",
      "the certkeep.yaml to use, or s3://BUCKET/KEY of one; default: one that you approved, " +
        "upwards from here, then the one in your configuration folder",
    )
    .option("--json", "one JSON document on standard output, nothing else there")
    .option("--no-color", "no colour")
    .option("-v, --verbose", "say more on standard error");
}

/** How a command comes to its configuration. */
export function configWorld(
  io: Io,
  options: Pick<CommonOptions, "config" | "verbose">,
): ConfigWorld {
  return {
    configFile: options.config ?? io.config ?? null,
    env: io.env,
    cwd: io.cwd,
    askApproval: io.interactive
      ? async (question) => (await import("./questions.ts")).askApproval(io, question)
      : null,
    onConfig: (file) => {
      io.inUse.file = file;
      if (options.verbose === true) showConfig(io);
    },
  };
}

/** How a command comes to the identity that opens backups. */
export async function identityWorld(
  io: Io,
  { identity = null }: { readonly identity?: string | null },
): Promise<Pick<IdentityWorld, "identity" | "stdin" | "askPassphrase">> {
  const mayAsk = io.interactive && identity !== "-";
  return {
    identity,
    stdin: io.stdin,
    askPassphrase: mayAsk ? (await import("./questions.ts")).createQuestions(io).passphrase : null,
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
    new Option("--at <time>", "judge as of this RFC 3339 instant; writes nothing").argParser(
      parseAt,
    ),
  );
}

export type FailOn = Severity | "never";

export function withFailOn(command: Command): Command {
  return command.addOption(
    severityOption("--fail-on <severity>", "end with 1 when a finding is at least this severe"),
  );
}

function severityOption(flags: string, description: string): Option {
  const option = new Option(flags, description)
    .choices([...SEVERITIES, "never"])
    .default("critical");
  const { parseArg } = option;
  return option.argParser((given, previous) => parseArg?.(currentSeverity(given), previous));
}

export function failsOn(findings: readonly Finding[], failOn: FailOn): boolean {
  return (
    failOn !== "never" &&
    findings.some((finding) => SEVERITIES.indexOf(finding.severity) <= SEVERITIES.indexOf(failOn))
  );
}

export function styleFor(io: Io, options: CommonOptions): Style {
  const paint = colours(io, options.color);
  return paint.isColorSupported ? paint : PLAIN;
}

/** Text width: what the terminal has, within what reads well. */
export function widthFor(io: Io): number {
  return Math.max(40, Math.min(io.columns, 120));
}

/** Progress on a terminal only, as one line that overwrites itself. */
export function createProgress(io: Io): Progress & { done(): void } {
  let last = 0;
  let shown = false;
  return {
    step(what, done, total) {
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
      writeLine(io.stderr, plain(message));
    },
    done() {
      if (shown) overwrite(io.stderr, "");
    },
  };
}

export type Colours = ReturnType<typeof pc.createColors>;

function colours(io: Io, wanted: boolean): Colours {
  const off = !wanted || (io.env["NO_COLOR"] ?? "") !== "" || io.env["TERM"] === "dumb";
  const forced = (io.env["FORCE_COLOR"] ?? "") !== "" && io.env["FORCE_COLOR"] !== "0";
  return pc.createColors(!off && (io.outTty || forced));
}

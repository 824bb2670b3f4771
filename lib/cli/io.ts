/**
 * What a command has of the world around it: streams, environment, terminal. Made once, in run.ts.
 */
import type { Readable, Writable } from "node:stream";
import { fullStop, type CertkeepError } from "../error.ts";
import { pick } from "../pick.ts";
import { plain, plainJson, plainOutput } from "../plain.ts";

export const NO_TERMINAL = "certkeep can't ask, since this isn't a terminal";

/** 0 fine, 1 findings, 2 usage or configuration, 3 incomplete. */
export type ExitCode = 0 | 1 | 2 | 3;

export interface Io {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Whether a person sits at standard input and standard error. */
  readonly interactive: boolean;
  /** Whether standard error is a terminal: progress is shown only there. */
  readonly errTty: boolean;
  readonly outTty: boolean;
  /** Width of the terminal in columns, 80 where there is none. */
  readonly columns: number;
  readonly nowMs: () => number;
  /**
   * Calls `stop` at the first Ctrl-C or SIGTERM instead of ending at once; the second ends.
   * @returns what undoes it
   */
  readonly onInterrupt?: (stop: () => void) => () => void;
  /** Records how the command ends; where several hold, 2 goes before 3 before 1. */
  exit(code: ExitCode): void;
  /** The configuration where none is named; absent: it is looked for. */
  readonly config?: string;
  /** The configuration in use, once it is known. */
  readonly inUse: { file: string | null; shown: boolean };
  /** What `-v` and `-o` ask for, once they are known. */
  readonly output: Output;
}

export interface Output {
  /** When the command began, where `-v` logs what it reads; `null`: it doesn't. */
  logSinceMs: number | null;
  /** Requests to each cluster so far, by kind. */
  readonly requests: Map<string, Record<string, number>>;
  wide: boolean;
  /** A JSON text as YAML; `null`: documents are JSON. */
  yaml: ((json: string) => string) | null;
}

/**
 * The only way to a stream, together with `overwrite`: nothing that a terminal acts on gets there
 * but our own.
 */
export function write(stream: Writable, text: string): void {
  stream.write(plainOutput(text));
}

export function writeLine(stream: Writable, text: string): void {
  write(stream, `${text}\n`);
}

export function overwrite(stream: Writable, text: string): void {
  stream.write(`\r\u001b[K${plain(text)}`);
}

/**
 * One plain message on standard error, and the exit code of the error's kind. An error about
 * configuration names the file in use.
 */
export function tell(io: Io, error: CertkeepError): void {
  const isUsage = /^certkeep( |$)/u.test(error.parts.where);
  const [first = "", ...lines] = error.message.split("\n");
  writeLine(io.stderr, [`${isUsage ? "" : "certkeep: "}${fullStop(first)}`, ...lines].join("\n"));
  const { file, shown } = io.inUse;
  if (error.exitCode === 2 && file !== null && !shown && !isOf(error, file)) showConfig(io);
  io.exit(error.exitCode);
}

export function problemsData(problems: readonly CertkeepError[]): readonly object[] {
  return problems.map((error) => pick(error, "code", "message"));
}

/** With `-v`: one line on standard error of what is read, and after how many seconds. */
export function log(io: Io, line: string): void {
  const { logSinceMs } = io.output;
  if (logSinceMs === null) return;
  const seconds = ((io.nowMs() - logSinceMs) / 1_000).toFixed(2);
  writeLine(io.stderr, `certkeep: ${seconds} s: ${plain(line)}`);
}

export function countRequest({ output }: Io, cluster: string, kind: string): void {
  const kinds = output.requests.get(cluster) ?? {};
  kinds[kind] = (kinds[kind] ?? 0) + 1;
  output.requests.set(cluster, kinds);
}

/** With `-v`: how many requests went to each cluster, failed ones included. */
export function logRequests(io: Io): void {
  for (const [cluster, requests] of io.output.requests) {
    const kinds = Object.entries(requests).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const total = kinds.reduce((sum, [, n]) => sum + n, 0);
    const each = kinds.map(([kind, n]) => `${kind.replaceAll("_", " ")} ${n}`).join(", ");
    log(io, `cluster ${cluster}: ${total} ${total === 1 ? "request" : "requests"} (${each})`);
  }
}

export function noteTo(io: Io): (message: string) => void {
  return (message) => {
    const [first = "", ...lines] = message.split("\n");
    writeLine(io.stderr, `certkeep: ${[fullStop(plain(first)), ...lines.map(plain)].join("\n")}`);
  };
}

/** Whether `error` is about a place in this file: it names it. */
export function isOf({ parts: { where } }: CertkeepError, file: string): boolean {
  return where === file || where.startsWith(`${file}:`);
}

export function showConfig(io: Io): void {
  const { file, shown } = io.inUse;
  if (!shown)
    writeLine(
      io.stderr,
      `certkeep: configuration in use: ${plain(file ?? "none, so the defaults")}`,
    );
  io.inUse.shown = true;
}

/** One document on standard output, with its schema's name first. */
export function writeJson(io: Io, schema: string, document: object): void {
  const json = JSON.stringify(
    { schema, ...document },
    (_key, value: unknown) => (typeof value === "bigint" ? value.toString() : value),
    io.outTty ? 2 : undefined,
  );
  const { yaml } = io.output;
  if (yaml === null) writeLine(io.stdout, plainJson(json));
  else write(io.stdout, yaml(json));
}

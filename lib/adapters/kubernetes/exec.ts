/**
 * Credential plugins of a kubeconfig (client.authentication.k8s.io), for a person's own kubeconfig
 * only.
 *
 * The program is run without a shell, as kubectl runs it: its standard error goes to the person,
 * its standard output is read and never shown. @kubernetes/client-node's own runner isn't used: it
 * has no deadline, doesn't set KUBERNETES_EXEC_INFO, and puts all of the program's output into its
 * error.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { dirname, isAbsolute, resolve } from "node:path";
import { CertkeepError } from "../../error.ts";
import { printable } from "./connection.ts";
import { type Fields, fieldsOf, jsonOf, listOf, textOf } from "../../untrusted.ts";
import type { Environment } from "../proxy.ts";

/** The `exec` entry of a kubeconfig's user. */
export interface ExecConfig {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly installHint: string | null;
  readonly interactive: boolean;
  readonly provideClusterInfo: boolean;
  /** The kubeconfig that it stands in: relative commands begin at its folder. */
  readonly file: string;
}

export interface ExecCredential {
  readonly token: string | null;
  readonly clientPair: { readonly cert: string; readonly key: string } | null;
  readonly expiresAtMs: number | null;
}

const OUTPUT_LIMIT = 1_048_576;

/** Reads an `exec` entry; `null` where it names no command. */
export function parseExec(entry: Fields, file: string): ExecConfig | null {
  const command = textOf(entry["command"]);
  if (command === null || command === "") return null;
  return {
    apiVersion: textOf(entry["apiVersion"]) ?? "client.authentication.k8s.io/v1",
    command,
    args: listOf(entry["args"]).map((value) => String(value)),
    env: listOf(entry["env"])
      .map(fieldsOf)
      .map((item) => ({ name: textOf(item["name"]) ?? "", value: textOf(item["value"]) ?? "" }))
      .filter((item) => item.name !== ""),
    installHint: textOf(entry["installHint"]),
    interactive: textOf(entry["interactiveMode"]) !== "Never",
    provideClusterInfo: entry["provideClusterInfo"] === true,
    file,
  };
}

function parseOutput(text: string): ExecCredential | null {
  const answer = fieldsOf(jsonOf(text));
  const status = fieldsOf(answer["status"]);
  const token = textOf(status["token"]);
  const cert = textOf(status["clientCertificateData"]);
  const key = textOf(status["clientKeyData"]);
  const pair = cert !== null && key !== null && cert !== "" && key !== "" ? { cert, key } : null;
  if (answer["kind"] !== "ExecCredential" || ((token === null || token === "") && pair === null))
    return null;
  const expires = Date.parse(textOf(status["expirationTimestamp"]) ?? "");
  return {
    token: token === "" ? null : token,
    clientPair: pair,
    expiresAtMs: Number.isNaN(expires) ? null : expires,
  };
}

export interface ExecOptions {
  readonly where: string;
  readonly environment: Environment;
  /** Default 60,000; a person may have to log in. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** What the plugin may be told of the cluster. */
  readonly cluster: Fields;
}

/**
 * Runs the plugin once. @throws {CertkeepError} `kubeconfig_invalid` where it can't be run,
 * `cluster_unauthorized` where it gives nothing.
 */
export async function runExec(config: ExecConfig, options: ExecOptions): Promise<ExecCredential> {
  const interactive = config.interactive && process.stdin.isTTY === true;
  const info = {
    apiVersion: config.apiVersion,
    kind: "ExecCredential",
    spec: { interactive, ...(config.provideClusterInfo ? { cluster: options.cluster } : {}) },
  };
  const environment: Record<string, string | undefined> = {
    ...options.environment,
    KUBERNETES_EXEC_INFO: JSON.stringify(info),
  };
  for (const { name, value } of config.env) environment[name] = value;
  const child = spawn(commandOf(config), config.args, {
    env: environment,
    stdio: [interactive ? "inherit" : "ignore", "pipe", "inherit"],
    windowsHide: true,
  });
  const exit = await readOutput(child, options).catch((error: unknown) => {
    throw notRun(config, options.where, (error as NodeJS.ErrnoException).code ?? null);
  });
  const credential = exit.failed === null ? parseOutput(exit.output) : null;
  if (credential !== null) return credential;
  throw new CertkeepError("cluster_unauthorized", {
    where: options.where,
    found:
      `the credential plugin ${printable(config.command)} ` +
      (exit.failed ?? "gave no ExecCredential with a token or certificate"),
    todo:
      exit.failed === null
        ? "Run it by hand and check what it prints"
        : "Run it by hand and log in where it asks to",
  });
}

function commandOf({ command, file }: ExecConfig): string {
  const hasFolder = command.includes("/") || command.includes("\\");
  return hasFolder && !isAbsolute(command) ? resolve(dirname(file), command) : command;
}

/** Waits for the plugin's end. @throws what kept it from being started */
function readOutput(
  child: ChildProcess,
  { timeoutMs, signal }: ExecOptions,
): Promise<{ readonly failed: string | null; readonly output: string }> {
  return new Promise((resolvePromise, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let late = false;
    const kill = (): void => {
      late = true;
      child.kill("SIGKILL");
      // A grandchild may hold the pipe open.
      child.stdout?.destroy();
    };
    const timer = setTimeout(kill, timeoutMs);
    signal?.addEventListener("abort", kill, { once: true });
    if (signal?.aborted === true) kill();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", kill);
    };
    child.stdout?.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= OUTPUT_LIMIT) chunks.push(chunk);
      else kill();
    });
    child.on("error", (error) => {
      done();
      reject(error);
    });
    child.on("close", (code, killedBy) => {
      done();
      const exit = code === null ? `signal ${killedBy}` : `exit code ${code}`;
      const failed =
        size > OUTPUT_LIMIT
          ? "wrote too much to be a credential"
          : late
            ? `gave no credential within ${timeoutMs / 1000} s`
            : code === 0
              ? null
              : `failed (${exit})`;
      resolvePromise({ failed, output: Buffer.concat(chunks).toString("utf8") });
    });
  });
}

function notRun(config: ExecConfig, where: string, code: string | null): CertkeepError {
  const missing = code === "ENOENT";
  const hint = config.installHint === null ? "" : `: ${printable(config.installHint.trim(), 400)}`;
  const why = missing ? "isn't installed" : `can't be run (${code ?? "no reason given"})`;
  return new CertkeepError("kubeconfig_invalid", {
    where,
    found: `the credential plugin ${printable(config.command)} ${why}`,
    todo:
      `${missing ? "Install it, or correct `command`" : "Correct `command`"} in ` +
      `${config.file}${hint}`,
  });
}

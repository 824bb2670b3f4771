/**
 * Starts an emulator of AWS on a free port, with a folder of its own that goes with it: ministack
 * for what is deployed and for S3, moto for Secrets Manager (ministack ignores tokens and stages
 * there).
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { freePort, startProgram, waitUntil, type Program } from "./process.ts";
import { requireTool } from "./tools.ts";

export const EMULATED_REGION = "eu-west-1";

/** A running emulator. */
export interface AwsEmulator {
  readonly endpoint: string;
  /** What a client has to trust; `null` without TLS. */
  readonly caFile: string | null;
  /** For a client's environment: endpoint, credentials (of the root), region, and what to trust. */
  readonly env: Readonly<Record<string, string>>;
  /** Its own; removed when it stops. */
  readonly folder: string;
  readonly program: Program;
  stop(): Promise<void>;
}

export interface MinistackOptions {
  /** Over TLS, with a certificate of its own. Default: no. */
  readonly tls?: boolean;
  /** Every request is authorized by the policies of whoever signed it. Default: no. */
  readonly iam?: boolean;
  /** Added to the program's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts ministack; functions that are deployed into it run on this project's Node. */
export async function startMinistack(options: MinistackOptions = {}): Promise<AwsEmulator> {
  const folder = mkdtempSync(join(tmpdir(), "certkeep-e2e-ministack-"));
  const node = join(import.meta.dirname, "../../../node_modules/node/bin");
  return start(
    "ministack",
    folder,
    options.tls === true ? join(folder, "ministack-tls/server.crt") : null,
    "/_ministack/health",
    (port) => ({
      args: [],
      env: {
        PATH: `${node}${delimiter}${process.env["PATH"] ?? ""}`,
        GATEWAY_PORT: String(port),
        BIND_HOST: "127.0.0.1",
        MINISTACK_HOST: "127.0.0.1",
        MINISTACK_REGION: EMULATED_REGION,
        IOT_MTLS_ENABLED: "0",
        SFTP_ENABLED: "0",
        // What is deployed has to trust it too.
        ...(options.tls === true
          ? { USE_SSL: "1", NODE_EXTRA_CA_CERTS: join(folder, "ministack-tls/server.crt") }
          : {}),
        ...(options.iam === true ? { AUTH: "true" } : {}),
        ...options.env,
      },
    }),
  );
}

/** Starts moto; it authorizes everybody. */
export async function startMoto(): Promise<AwsEmulator> {
  const folder = mkdtempSync(join(tmpdir(), "certkeep-e2e-moto-"));
  return start("moto_server", folder, null, "/moto-api/data.json", (port) => ({
    args: ["-H", "127.0.0.1", "-p", String(port)],
    env: { PATH: process.env["PATH"] ?? "" },
  }));
}

async function start(
  tool: "ministack" | "moto_server",
  folder: string,
  caFile: string | null,
  health: string,
  how: (port: number) => {
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  },
): Promise<AwsEmulator> {
  const port = await freePort();
  const endpoint = `${caFile === null ? "http" : "https"}://127.0.0.1:${port}`;
  const { args, env } = how(port);
  const program = startProgram(requireTool(tool), args, {
    logFile: join(folder, `${tool}.log`),
    folder,
    env: { HOME: folder, TMPDIR: folder, ...env },
  });
  const stop = async (): Promise<void> => {
    await program.kill();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    await waitUntil(tool, 60_000, async () => {
      if (program.exitCode() !== null)
        throw new Error(`it ended: ${program.output().slice(-2000)}`);
      return (
        (caFile === null || existsSync(caFile)) && (await answers(`${endpoint}${health}`, caFile))
      );
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    endpoint,
    caFile,
    env: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_REGION: EMULATED_REGION,
      // The command line knows this one alone.
      AWS_DEFAULT_REGION: EMULATED_REGION,
      AWS_EC2_METADATA_DISABLED: "true",
      ...(caFile === null ? {} : { NODE_EXTRA_CA_CERTS: caFile }),
    },
    folder,
    program,
    stop,
  };
}

function answers(url: string, caFile: string | null): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const sent =
      caFile === null ? httpRequest(url) : httpsRequest(url, { ca: readFileSync(caFile) });
    sent.once("response", (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    sent.once("error", reject);
    sent.end();
  });
}

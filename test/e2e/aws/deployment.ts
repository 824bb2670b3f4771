/**
 * The stack deployed into ministack over TLS with IAM enforced, from a copy of what deploying
 * needs: the framework's own folders are made there, and the configuration of a test doesn't lie in
 * the checkout.
 */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { EMULATED_REGION, startMinistack, type AwsEmulator } from "../support/aws.ts";
import { runProgram, type Ended } from "../support/run.ts";
import { requireTool } from "../support/tools.ts";

const ROOT = join(import.meta.dirname, "../../..");
export const FRAMEWORK = join(ROOT, "node_modules/osls/bin/serverless.js");
const ACCOUNT = "000000000000";

export interface Credentials {
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly SessionToken: string;
}

export interface Deployment {
  readonly stage: string;
  readonly emulator: AwsEmulator;
  /** Where serverless.yml lies. */
  readonly folder: string;
  serverless(...args: readonly string[]): Promise<Ended>;
  /** The AWS command line, as the account's root or with the credentials of a role. */
  aws(args: readonly string[], as?: Credentials): Promise<Ended>;
  /** Its answer. @throws where it fails */
  ask<T>(args: readonly string[], as?: Credentials): Promise<T>;
  /** The command line of certkeep on a laptop with access to the account. */
  certkeep(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended>;
  /** A script of this repository, in the folder that is deployed from. */
  script(
    name: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<Ended>;
  /** Outputs of the stack by name. */
  outputs(): Promise<Readonly<Record<string, string>>>;
  /** Credentials as a function's role has them. */
  assume(name: string): Promise<Credentials>;
  stop(): Promise<void>;
}

/** A folder with what deploying needs and this certkeep.yaml; the caller removes it. */
export function layOut(config: string): string {
  const folder = mkdtempSync(join(tmpdir(), "certkeep-e2e-deploy-"));
  for (const name of [
    "serverless.yml",
    "stack",
    "functions",
    "lib",
    "package.json",
    "tsconfig.json",
  ])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "certkeep.yaml"), config);
  return folder;
}

/**
 * Starts the emulator and lays out what is to be deployed; `config` is certkeep.yaml. Nothing is
 * deployed yet.
 */
export async function prepareDeployment(stage: string, config: string): Promise<Deployment> {
  const emulator = await startMinistack({ tls: true, iam: true });
  const folder = layOut(config);
  // Lambda takes .cjs (its runtime interface client looks for .js, .mjs and .cjs); the emulator
  // looks for the first two.
  const yaml = join(folder, "serverless.yml");
  writeFileSync(
    yaml,
    readFileSync(yaml, "utf8").replace("outputFileExtension: .cjs", "outputFileExtension: .js"),
  );
  const home = join(folder, "home");
  mkdirSync(join(home, ".aws"), { recursive: true });
  // Else the command line fetches a value that is a URL, such as a webhook's.
  writeFileSync(join(home, ".aws/config"), "[default]\ncli_follow_urlparam = false\n");
  const env = {
    PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}`,
    HOME: home,
    CI: "1",
    ...emulator.env,
    AWS_DEFAULT_REGION: EMULATED_REGION,
    ...(emulator.caFile === null ? {} : { AWS_CA_BUNDLE: emulator.caFile }),
  };
  const aws = (args: readonly string[], as?: Credentials): Promise<Ended> =>
    runProgram(
      requireTool("aws"),
      [...args, "--output", "json", "--endpoint-url", emulator.endpoint],
      {
        env:
          as === undefined
            ? env
            : {
                ...env,
                AWS_ACCESS_KEY_ID: as.AccessKeyId,
                AWS_SECRET_ACCESS_KEY: as.SecretAccessKey,
                AWS_SESSION_TOKEN: as.SessionToken,
              },
        cwd: folder,
      },
    );
  const ask = async <T>(args: readonly string[], as?: Credentials): Promise<T> => {
    const ended = await aws(args, as);
    if (ended.code !== 0) throw new Error(`aws ${args.slice(0, 2).join(" ")}: ${ended.stderr}`);
    return (ended.stdout.trim() === "" ? {} : JSON.parse(ended.stdout)) as T;
  };
  return {
    stage,
    emulator,
    folder,
    aws,
    ask,
    serverless: (...args) =>
      runProgram(process.execPath, [FRAMEWORK, ...args, "--stage", stage], {
        env,
        cwd: folder,
        timeoutMs: 180_000,
      }),
    certkeep: (args, more = {}) =>
      runProgram(process.execPath, [join(ROOT, "lib/cli/main.ts"), ...args], {
        env: { ...env, ...more },
        cwd: home,
        timeoutMs: 100_000,
      }),
    script: (name, args, more) => {
      cpSync(join(ROOT, "scripts", name), join(folder, "scripts", name));
      return runProgram(join(folder, "scripts", name), args, {
        env: { ...env, ...more },
        cwd: folder,
        timeoutMs: 600_000,
      });
    },
    outputs: async () => {
      const { Stacks } = await ask<{
        Stacks: readonly { Outputs: readonly { OutputKey: string; OutputValue: string }[] }[];
      }>(["cloudformation", "describe-stacks", "--stack-name", `certkeep-${stage}`]);
      return Object.fromEntries(
        (Stacks[0]?.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]),
      );
    },
    assume: async (name) => {
      const role = `certkeep-${stage}-${name}-${EMULATED_REGION}`;
      // The role trusts Lambda alone; here it is to trust whoever tests it as well, for as long as
      // the stack stands.
      const trust = ["lambda.amazonaws.com"].map((Service) => ({
        Effect: "Allow",
        Principal: { Service },
        Action: "sts:AssumeRole",
      }));
      const document = {
        Version: "2012-10-17",
        Statement: [
          ...trust,
          {
            Effect: "Allow",
            Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
            Action: "sts:AssumeRole",
          },
        ],
      };
      await ask([
        "iam",
        "update-assume-role-policy",
        "--role-name",
        role,
        "--policy-document",
        JSON.stringify(document),
      ]);
      return (
        await ask<{ Credentials: Credentials }>([
          "sts",
          "assume-role",
          "--role-arn",
          `arn:aws:iam::${ACCOUNT}:role/${role}`,
          "--role-session-name",
          "test",
        ])
      ).Credentials;
    },
    stop: async () => {
      await emulator.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * The rights that the documentation names are enough, and what isn't among them is refused: the
 * stores, used by identities whose policies say exactly that, on an emulator that enforces them.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startMinistack, type AwsEmulator } from "../support/aws.ts";
import { runProgram } from "../support/run.ts";
import { lacksTools, requireTool } from "../support/tools.ts";
import { makeBucket, useTestCredentials, worldOf } from "./support.ts";

describe.skipIf(lacksTools("ministack", "aws"))("with rights to", () => {
  let emulator: AwsEmulator;
  let bucket: string;
  const prefix = `certkeep/${randomUUID().slice(0, 8)}`;

  const aws = async (...args: string[]): Promise<unknown> => {
    const ended = await runProgram(
      requireTool("aws"),
      ["--endpoint-url", emulator.endpoint, "--output", "json", ...args],
      { env: { ...emulator.env, PATH: process.env["PATH"], HOME: emulator.folder } },
    );
    expect({ code: ended.code, stderr: ended.stderr }).toMatchObject({ code: 0 });
    return ended.stdout === "" ? null : JSON.parse(ended.stdout);
  };

  /** What each step gave to a user whose one policy is `statements`. */
  const walk = async (
    name: string,
    statements: readonly object[],
  ): Promise<Record<string, string>> => {
    await aws("iam", "create-user", "--user-name", name);
    await aws(
      "iam",
      "put-user-policy",
      "--user-name",
      name,
      "--policy-name",
      "own",
      "--policy-document",
      JSON.stringify({ Version: "2012-10-17", Statement: statements }),
    );
    const { AccessKey } = (await aws("iam", "create-access-key", "--user-name", name)) as {
      AccessKey: { AccessKeyId: string; SecretAccessKey: string };
    };
    const ended = await runProgram(
      process.execPath,
      [join(import.meta.dirname, "../support/storewalk.ts"), bucket, prefix, name],
      {
        env: {
          ...process.env,
          ...emulator.env,
          AWS_ACCESS_KEY_ID: AccessKey.AccessKeyId,
          AWS_SECRET_ACCESS_KEY: AccessKey.SecretAccessKey,
        },
      },
    );
    expect({ code: ended.code, stderr: ended.stderr }).toMatchObject({ code: 0 });
    return JSON.parse(ended.stdout) as Record<string, string>;
  };

  const audit = (): object[] => [
    {
      Effect: "Allow",
      Action: ["s3:PutObject", "s3:GetObject"],
      Resource: [`arn:aws:s3:::${bucket}/backups/*`, `arn:aws:s3:::${bucket}/state/*`],
    },
    { Effect: "Allow", Action: "s3:ListBucket", Resource: `arn:aws:s3:::${bucket}` },
    {
      Effect: "Allow",
      Action: ["secretsmanager:CreateSecret", "secretsmanager:GetSecretValue"],
      Resource: `arn:aws:secretsmanager:*:*:secret:${prefix}/backups/*`,
    },
    { Effect: "Allow", Action: "secretsmanager:ListSecrets", Resource: "*" },
  ];

  beforeAll(async () => {
    useTestCredentials();
    emulator = await startMinistack({ iam: true });
    bucket = await makeBucket(worldOf(emulator), "versioned");
  });
  afterAll(() => emulator?.stop());

  it("create, read and list, everything goes but removing, which is told by the right that lacks", async () => {
    const ended = await walk("audit", audit());
    for (const store of ["s3", "secrets"]) {
      expect(ended).toMatchObject({
        [`${store} absent`]: "ok null",
        [`${store} create`]: 'ok "created"',
        [`${store} again`]: 'ok "exists"',
        [`${store} read`]: 'ok "x"',
        [`${store} list`]: "ok true",
      });
    }
    expect(ended).toMatchObject({
      "state write": "ok true",
      "state read": 'ok "\\"audit\\""',
      "state names": 'ok ["prod"]',
    });
    expect(ended["s3 remove"]).toContain("this identity has no permission for s3:DeleteObject");
    expect(ended["secrets remove"]).toContain(
      "this identity has no permission for secretsmanager:DeleteSecret",
    );
  });

  it("delete as well, nothing is left", async () => {
    const ended = await walk("drill", [
      ...audit(),
      {
        Effect: "Allow",
        Action: ["s3:DeleteObject", "s3:DeleteObjectVersion"],
        Resource: `arn:aws:s3:::${bucket}/backups/*`,
      },
      { Effect: "Allow", Action: "s3:ListBucketVersions", Resource: `arn:aws:s3:::${bucket}` },
      {
        Effect: "Allow",
        Action: "secretsmanager:DeleteSecret",
        Resource: `arn:aws:secretsmanager:*:*:secret:${prefix}/backups/*`,
      },
    ]);
    expect(ended).toMatchObject({ "s3 remove": "ok null", "secrets remove": "ok null" });
  });

  it("delete objects and not their versions, it is said that these stay", async () => {
    const ended = await walk("halfway", [
      ...audit(),
      { Effect: "Allow", Action: "s3:DeleteObject", Resource: `arn:aws:s3:::${bucket}/backups/*` },
    ]);
    expect(ended["s3 remove"]).toContain(
      "older versions, which this identity has no permission to list",
    );
    const listing = await walk("listing", [
      ...audit(),
      { Effect: "Allow", Action: "s3:DeleteObject", Resource: `arn:aws:s3:::${bucket}/backups/*` },
      { Effect: "Allow", Action: "s3:ListBucketVersions", Resource: `arn:aws:s3:::${bucket}` },
    ]);
    expect(listing["s3 remove"]).toContain("one version of the object is kept (AccessDenied");
  });

  it("nothing, each step says which right it lacks, and creates nothing", async () => {
    const ended = await walk("nobody", [
      { Effect: "Allow", Action: "sts:GetCallerIdentity", Resource: "*" },
    ]);
    expect(
      Object.entries(ended).filter(
        ([, text]) => !/has no permission for (s3|secretsmanager):[A-Za-z]+ /.test(text),
      ),
    ).toEqual([]);
  });
});

/**
 * The IAM policy that is printed for auditing from inside one cluster, held by ministack: its own
 * prefix works, another's is denied.
 */
import { execFileSync } from "node:child_process";
import {
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { insidePolicy } from "../../../lib/rbac/policy.ts";
import { createS3Blobs, createS3States } from "../../../lib/adapters/aws/s3stores.ts";
import { s3Client } from "../../../lib/adapters/aws/s3object.ts";
import { startMinistack, type AwsEmulator } from "../support/aws.ts";
import { lacksTools, requireTool } from "../support/tools.ts";
import { makeBucket, namesOf, thrown, useTestCredentials, worldOf } from "./support.ts";

describe.skipIf(lacksTools("ministack", "aws"))(
  "an audit from inside, by the printed policy",
  () => {
    let ministack: AwsEmulator;
    let bucket: string;
    let root: S3Client;
    const before = { ...process.env };

    beforeAll(async () => {
      useTestCredentials();
      ministack = await startMinistack({ iam: true });
      root = s3Client(worldOf(ministack));
      bucket = await makeBucket(worldOf(ministack), "versioned");
      for (const key of [
        "state/cluster-other.json",
        "state/lease-other.json",
        "backups/other/ns/s/v.json",
        "backups/lab-2/ns/s/v.json",
        "certkeep.yaml",
      ])
        await root.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: "{}" }));
      const aws = (...args: string[]): string =>
        execFileSync(requireTool("aws"), args, {
          encoding: "utf8",
          env: {
            ...ministack.env,
            AWS_DEFAULT_REGION: ministack.env["AWS_REGION"] ?? "",
            PATH: process.env["PATH"] ?? "",
            HOME: ministack.folder,
          },
        });
      const printed = insidePolicy(
        "lab",
        { backups: `s3://${bucket}/backups`, state: `s3://${bucket}/state` },
        null,
      );
      // ministack doesn't know the key s3:if-none-match, and would deny every copy; that it is
      // asked for: test/rbac/policy.test.ts.
      const policy = {
        ...printed,
        Statement: printed?.Statement.map(({ Condition, ...statement }) =>
          Condition?.["Null"] === undefined
            ? { ...statement, ...(Condition === undefined ? {} : { Condition }) }
            : statement,
        ),
      };
      aws("iam", "create-user", "--user-name", "inside");
      aws(
        "iam",
        "put-user-policy",
        "--user-name",
        "inside",
        "--policy-name",
        "lab",
        "--policy-document",
        JSON.stringify(policy),
      );
      const { AccessKey } = JSON.parse(
        aws("iam", "create-access-key", "--user-name", "inside", "--output", "json"),
      ) as { AccessKey: { AccessKeyId: string; SecretAccessKey: string } };
      // From here on the SDK is the pod.
      Object.assign(process.env, {
        AWS_ACCESS_KEY_ID: AccessKey.AccessKeyId,
        AWS_SECRET_ACCESS_KEY: AccessKey.SecretAccessKey,
      });
    });
    afterAll(async () => {
      for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
        process.env[name] = before[name];
      await ministack?.stop();
    });

    /** A client of its own, since clients keep the credentials that they found. */
    const world = () => ({
      env: {
        ...ministack.env,
        AWS_ENDPOINT_URL_S3: ministack.endpoint.replace("127.0.0.1", "localhost"),
      },
    });

    it("keeps its state and its copies", async () => {
      const states = createS3States(`s3://${bucket}/state`, world());
      expect(await states.read("cluster-lab")).toBeNull();
      const revision = await states.write("cluster-lab", "{}", null);
      expect(revision).not.toBeNull();
      expect(await states.write("cluster-lab", '{"a":1}', revision)).not.toBeNull();
      expect((await states.read("cluster-lab"))?.text).toBe('{"a":1}');
      const blobs = createS3Blobs(`s3://${bucket}/backups`, world());
      const copy = new TextEncoder().encode("{}");
      expect(await blobs.read("lab/ns/s/v.json")).toBeNull();
      expect(await blobs.create("lab/ns/s/v.json", copy)).toBe("created");
      expect(await blobs.create("lab/ns/s/v.json", copy)).toBe("exists");
      expect(await namesOf(blobs.list("lab/"))).toEqual(["lab/ns/s/v.json"]);
    });

    it("can list, read and write nothing of another cluster's, and removes no copy", async () => {
      const pod = s3Client(world());
      const denied: [string, () => Promise<unknown>][] = [
        ...[
          "state/cluster-other.json",
          "state/lease-other.json",
          "backups/other/ns/s/v.json",
          "backups/lab-2/ns/s/v.json",
          "certkeep.yaml",
        ].flatMap((Key): [string, () => Promise<unknown>][] => [
          [`get ${Key}`, () => pod.send(new GetObjectCommand({ Bucket: bucket, Key }))],
          [
            `put ${Key}`,
            () =>
              pod.send(new PutObjectCommand({ Bucket: bucket, Key, Body: "x", IfNoneMatch: "*" })),
          ],
        ]),
        ...["", "state/", "backups/", "backups/other/", "backups/lab-2/"].map(
          (Prefix): [string, () => Promise<unknown>] => [
            `list ${Prefix}`,
            () =>
              pod.send(
                new ListObjectsV2Command({ Bucket: bucket, ...(Prefix === "" ? {} : { Prefix }) }),
              ),
          ],
        ),
      ];
      for (const [what, request] of denied)
        expect(`${what}: ${((await thrown(request())) as Error | null)?.name ?? "allowed"}`).toBe(
          `${what}: AccessDenied`,
        );
      const blobs = createS3Blobs(`s3://${bucket}/backups`, world());
      expect(await thrown(blobs.remove("lab/ns/s/v.json"))).toMatchObject({
        code: "store_unavailable",
      });
      expect(await thrown(blobs.read("other/ns/s/v.json"))).toMatchObject({
        code: "file_unreadable",
      });
    });
  },
);

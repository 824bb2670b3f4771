/** Buckets and prefixes that nobody else uses, and the world of an emulator. */
import { randomUUID } from "node:crypto";
import { CreateBucketCommand, PutBucketVersioningCommand } from "@aws-sdk/client-s3";
import type { AwsWorld } from "../../../lib/adapters/aws/client.ts";
import { s3Client } from "../../../lib/adapters/aws/s3object.ts";
import { EMULATED_REGION, type AwsEmulator } from "../support/aws.ts";

/** The SDK finds credentials in the process's own environment. */
export function useTestCredentials(): void {
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_EC2_METADATA_DISABLED: "true",
  });
}

export function worldOf({ env }: Pick<AwsEmulator, "env">): AwsWorld {
  return { env };
}

/** The same emulator by another address, such as that of a proxy in front of it. */
export function worldAt(endpoint: string): AwsWorld {
  return { env: { AWS_ENDPOINT_URL: endpoint, AWS_REGION: EMULATED_REGION } };
}

export async function makeBucket(
  world: AwsWorld,
  kind: "plain" | "versioned" | "locked",
): Promise<string> {
  const bucket = `certkeep-${randomUUID().slice(0, 13)}`;
  await s3Client(world).send(
    new CreateBucketCommand({
      Bucket: bucket,
      CreateBucketConfiguration: { LocationConstraint: EMULATED_REGION },
      ...(kind === "locked" ? { ObjectLockEnabledForBucket: true } : {}),
    }),
  );
  if (kind === "versioned")
    await s3Client(world).send(
      new PutBucketVersioningCommand({
        Bucket: bucket,
        VersioningConfiguration: { Status: "Enabled" },
      }),
    );
  return bucket;
}

export async function namesOf(listing: AsyncIterable<{ readonly key: string }>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of listing) keys.push(key);
  return keys.toSorted();
}

export async function thrown(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error: unknown) => error,
  );
}

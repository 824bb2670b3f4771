/**
 * What lies on AWS, opened by its URL. Each client is loaded when the first URL asks for it, so
 * that whoever keeps everything in files loads none; in a function's bundle the same imports are
 * its own code, and run as late.
 */
import type { AwsWorld } from "../adapters/aws/client.ts";
import type { Config } from "../config/schema.ts";
import type { BlobStore, StateStore } from "../ports/stores.ts";
import type { Registry, SecretValues } from "../ports/registry.ts";

type Environment = AwsWorld["env"];

/** What certkeep.yaml says of the region counts before what this shell happens to be set to. */
export function awsWorld(env: Environment, aws: Config["aws"]): AwsWorld {
  return aws === null ? { env } : { env: { ...env, AWS_REGION: aws.region }, region: aws.region };
}

export async function openBlobs(url: string, world: AwsWorld): Promise<BlobStore> {
  if (url.startsWith("s3:"))
    return (await import("../adapters/aws/s3stores.ts")).createS3Blobs(url, world);
  const kmsKeyId = world.env["CERTKEEP_KMS_KEY"] || null;
  return (await import("../adapters/aws/secretblobs.ts")).createSecretBlobs(
    url,
    world,
    kmsKeyId === null ? {} : { kmsKeyId },
  );
}

export async function openStates(url: string, world: AwsWorld): Promise<StateStore> {
  return (await import("../adapters/aws/s3stores.ts")).createS3States(url, world);
}

export async function openRegistry(url: string, world: AwsWorld): Promise<Registry> {
  return (await import("../adapters/aws/registry.ts")).createSecretRegistry(url, world);
}

/** Values that references name, each read when it is asked for. */
export function secretValues(world: AwsWorld): SecretValues {
  return {
    read: async (name) =>
      (await import("../adapters/aws/secretsmanager.ts")).createSecretValues(world).read(name),
  };
}

export async function readRemote(url: string, env: Environment): Promise<string | null> {
  const { readS3Object } = await import("../adapters/aws/s3object.ts");
  return readS3Object(url, { env });
}

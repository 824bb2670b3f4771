/**
 * The stores on AWS keep the contract of their ports: Secrets Manager as moto has it, S3 as both
 * emulators have it.
 */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe } from "vitest";
import { createS3Blobs, createS3States } from "../../../lib/adapters/aws/s3stores.ts";
import { createSecretBlobs, MAX_SECRET_BYTES } from "../../../lib/adapters/aws/secretblobs.ts";
import { blobsContract } from "../../contract/blobs.ts";
import { statesContract } from "../../contract/states.ts";
import { startMinistack, startMoto, type AwsEmulator } from "../support/aws.ts";
import { lacksTools } from "../support/tools.ts";
import { makeBucket, useTestCredentials, worldOf } from "./support.ts";

beforeAll(useTestCredentials);

describe.skipIf(lacksTools("moto_server"))("on moto", () => {
  let moto: AwsEmulator;
  beforeAll(async () => {
    moto = await startMoto();
  });
  afterAll(() => moto?.stop());

  blobsContract("secretsmanager", async () => {
    const url = `secretsmanager://certkeep/${randomUUID()}/backups`;
    return {
      store: createSecretBlobs(url, worldOf(moto)),
      again: () => createSecretBlobs(url, worldOf(moto)),
      limits: { minBytes: 1, maxBytes: MAX_SECRET_BYTES },
    };
  });
  s3Contracts("moto", () => moto);
});

describe.skipIf(lacksTools("ministack"))("on ministack", () => {
  let ministack: AwsEmulator;
  beforeAll(async () => {
    ministack = await startMinistack();
  });
  afterAll(() => ministack?.stop());

  s3Contracts("ministack", () => ministack);
});

function s3Contracts(name: string, emulator: () => AwsEmulator): void {
  for (const kind of ["plain", "versioned"] as const) {
    blobsContract(`s3, ${kind} bucket, ${name}`, async () => {
      const url = `s3://${await makeBucket(worldOf(emulator()), kind)}/backups`;
      return {
        store: createS3Blobs(url, worldOf(emulator())),
        again: () => createS3Blobs(url, worldOf(emulator())),
      };
    });
  }
  blobsContract(`s3, a whole bucket, ${name}`, async () => {
    const url = `s3://${await makeBucket(worldOf(emulator()), "plain")}`;
    return {
      store: createS3Blobs(url, worldOf(emulator())),
      again: () => createS3Blobs(url, worldOf(emulator())),
    };
  });
  statesContract(`s3, versioned bucket, ${name}`, async () => {
    const url = `s3://${await makeBucket(worldOf(emulator()), "versioned")}/state`;
    return {
      store: createS3States(url, worldOf(emulator())),
      again: () => createS3States(url, worldOf(emulator())),
    };
  });
}

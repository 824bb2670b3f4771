/**
 * Does with the stores on AWS what an audit and a drill do, as whoever the environment says, and
 * prints how each step ended.
 */
import { createS3Blobs, createS3States } from "../../../lib/adapters/aws/s3stores.ts";
import { createSecretBlobs } from "../../../lib/adapters/aws/secretblobs.ts";

const [, , bucket = "", prefix = "", run = ""] = process.argv;
const world = { env: process.env };
const states = createS3States(`s3://${bucket}/state`, world);
const ended: Record<string, string> = {};

async function step(name: string, what: () => Promise<unknown>): Promise<void> {
  try {
    ended[name] = `ok ${JSON.stringify(await what())}`;
  } catch (error) {
    ended[name] = (error as Error).message;
  }
}

for (const [name, blobs] of [
  ["s3", createS3Blobs(`s3://${bucket}/backups`, world)],
  ["secrets", createSecretBlobs(`secretsmanager://${prefix}/backups`, world)],
] as const) {
  const key = `prod/ns/s/${run}.json`;
  await step(`${name} absent`, () => blobs.read("prod/ns/s/none.json"));
  await step(`${name} create`, () => blobs.create(key, Buffer.from("x")));
  await step(`${name} again`, () => blobs.create(key, Buffer.from("y")));
  await step(`${name} read`, async () => Buffer.from((await blobs.read(key)) ?? []).toString());
  await step(`${name} list`, async () => {
    const keys = new Set<string>();
    for await (const entry of blobs.list("prod/")) keys.add(entry.key);
    return keys.has(key);
  });
  await step(`${name} remove`, () => blobs.remove(key));
}
await step("state write", async () => {
  const before = await states.read("prod");
  return (await states.write("prod", JSON.stringify(run), before?.revision ?? null)) !== null;
});
await step("state read", async () => (await states.read("prod"))?.text);
await step("state names", () => states.names());
process.stdout.write(JSON.stringify(ended));

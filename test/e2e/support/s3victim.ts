/** Writes copies and a state below the URL it is given until it is killed. */
import { createS3Blobs, createS3States } from "../../../lib/adapters/aws/s3stores.ts";

const [, , url = ""] = process.argv;
const world = { env: process.env };
const blobs = createS3Blobs(`${url}/backups`, world);
const states = createS3States(`${url}/state`, world);
await states.names();
process.stdout.write("writing\n");
for (let at = 0; ; at += 1) {
  await blobs.create(`${process.pid}/ns/s/${at}.json`, Buffer.alloc(300_000, "c"));
  await states.write(
    "prod",
    JSON.stringify("s".repeat(500_000 + at)),
    (await states.read("prod"))?.revision ?? null,
  );
}

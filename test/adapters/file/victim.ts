/**
 * A process that writes into a store and ends itself, by SIGKILL, at a chosen call of the file
 * system.
 */
import { createFileBlobs, createFileStates } from "../../../lib/adapters/file/stores.ts";
import { watchFileSystem } from "./watched.ts";

const [blobs = "", states = "", nthText = "0", how = "whole"] = process.argv.slice(2);
const nth = Number(nthText);

const fileSystem = watchFileSystem(async (call) => {
  if (call.nth !== nth) return call.effect();
  if (how === "half") await call.half?.();
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => undefined);
});

await createFileBlobs(blobs, { fileSystem }).create(
  "prod/ns/secret/new.json",
  Buffer.alloc(100_000, "n"),
);
const store = createFileStates(states, { fileSystem });
const stored = await store.read("prod");
await store.write("prod", '"new"', stored?.revision ?? null);
process.stdout.write("survived\n");

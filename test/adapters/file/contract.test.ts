/** The file stores keep the contract of their ports. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFileBlobs, createFileStates } from "../../../lib/adapters/file/stores.ts";
import { blobsContract } from "../../contract/blobs.ts";
import { statesContract } from "../../contract/states.ts";

async function folder(): Promise<{ path: string; close: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "certkeep-store-"));
  return { path: join(path, "deep", "store"), close: () => rm(path, { recursive: true }) };
}

blobsContract("file", async () => {
  const { path, close } = await folder();
  return { store: createFileBlobs(path), again: () => createFileBlobs(path), close };
});

statesContract("file", async () => {
  const { path, close } = await folder();
  return { store: createFileStates(path), again: () => createFileStates(path), close };
});

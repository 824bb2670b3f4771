/** The stores in memory keep the contract that the tests of use cases rely on. */
import { expect, test } from "vitest";
import { blobsContract } from "../contract/blobs.ts";
import { statesContract } from "../contract/states.ts";
import { createMemoryBlobs, createMemoryStates, Faults } from "./memory.ts";

blobsContract("memory", async () => {
  const store = createMemoryBlobs();
  return { store, again: () => createMemoryBlobs(new Faults(), store.blobs) };
});

statesContract("memory", async () => {
  const store = createMemoryStates();
  return { store, again: () => createMemoryStates(new Faults(), store.states) };
});

test("a fault strikes at its call, before or after the effect", async () => {
  const faults = new Faults();
  const store = createMemoryBlobs(faults);
  faults.add({ call: "create", nth: 1, when: "before" });
  faults.add({ call: "create", nth: 2, when: "after" });
  await expect(store.create("a/1.json", new Uint8Array(1))).rejects.toThrow("before");
  expect(store.blobs.size).toBe(0);
  await expect(store.create("a/1.json", new Uint8Array(1))).rejects.toThrow("after");
  expect(store.blobs.size).toBe(1);
  expect(await store.create("a/1.json", new Uint8Array(1))).toBe("exists");
});

/**
 * Limits V8's heap while many pages or states are read and dropped.
 *
 * V8 takes memory as long as there is some: here its young generation alone grows to 128 MB, and
 * the old one doubles before it is collected. V8 reads both flags again whenever the heap would
 * grow. Over 10,000 Secrets they save 120 MB of 320, for a tenth more processor time.
 *
 * A page's values lie mostly outside V8's heap, where the collector comes late: 300 Secrets of 1 MB
 * took 200 MB of memory without collecting between pages, and 122 MB with it, in the same time. For
 * pages of ordinary Secrets it isn't worth it.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { StateStore } from "../ports/stores.ts";

/** Values are large where an item weighs more than this. */
const LARGE_ITEM_BYTES = 100_000;
const EVERY_BYTES = 8_000_000;

/** `minor`: what is young; `major`: everything. */
export type Collect = (kind: "minor" | "major") => void;

function createV8Collect(): Collect {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: { readonly type: string }) => void;
  return (kind) => collect({ type: kind });
}

/**
 * Makes what is told of each page's size, and collects after each page of large values, thoroughly
 * after every 8 MB of them.
 */
export function createCollector(
  collect: Collect | null = null,
): (bytes: number, items: number) => void {
  let run = collect;
  let since = 0;
  return (bytes, items) => {
    if (items === 0 || bytes / items < LARGE_ITEM_BYTES) return;
    since += bytes;
    run ??= createV8Collect();
    run(since < EVERY_BYTES ? "minor" : "major");
    if (since >= EVERY_BYTES) since = 0;
  };
}

const YOUNG_BYTES = 8 * 1024 * 1024;
/** The old generation is looked through when it has grown by this much since the last time. */
const OLD_GROWTH_PERCENT = 30;

/** What is used of V8. */
export interface Heap {
  set(flag: string): void;
  /** Size of the young generation. */
  youngBytes(): number;
}

const V8_HEAP: Heap = {
  set: setFlagsFromString,
  youngBytes: () =>
    getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")?.space_size ?? 0,
};

/**
 * Makes what is called before the first request and after each page. The young generation stays at
 * the size in which it was seen past 8 MB.
 */
export function createHeapLimits(heap: Heap = V8_HEAP): () => void {
  let begun = false;
  let grown = false;
  return () => {
    if (!begun) heap.set(`--heap-growing-percent=${OLD_GROWTH_PERCENT}`);
    begun = true;
    if (grown || heap.youngBytes() < YOUNG_BYTES) return;
    grown = true;
    heap.set("--semi-space-growth-factor=1");
  };
}

export function withHeapLimits(states: StateStore): StateStore {
  const save = createHeapLimits();
  return {
    url: states.url,
    names: () => states.names(),
    write: (name, text, revision) => states.write(name, text, revision),
    read: async (name) => {
      save();
      return states.read(name);
    },
  };
}

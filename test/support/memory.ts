/**
 * Stores in memory for the tests of use cases, with the contract of the real ones, and failures at
 * a chosen call: before it takes effect, or after (as when an answer is lost).
 */
import { CertkeepError } from "../../lib/error.ts";
import type { BlobStore, StateStore } from "../../lib/ports/stores.ts";

export type StoreCall = "list" | "create" | "read" | "remove" | "names" | "write";

export interface Fault {
  /** Calls of this kind only; any where absent. */
  readonly call?: StoreCall;
  /** The n-th such call, from 1; every one where absent. */
  readonly nth?: number;
  readonly when: "before" | "after";
  /** What is thrown; an unavailable store where absent. */
  readonly error?: () => Error;
}

/** May be changed between calls; shared by several stores, their calls count together. */
export class Faults {
  readonly calls: StoreCall[] = [];
  faults: Fault[] = [];

  add(fault: Fault): void {
    this.faults.push(fault);
  }

  clear(): void {
    this.faults = [];
    this.calls.length = 0;
  }

  async around<T>(call: StoreCall, effect: () => T): Promise<T> {
    await Promise.resolve();
    this.calls.push(call);
    const due = this.faults.filter((fault) => {
      if (fault.call !== undefined && fault.call !== call) return false;
      const count =
        fault.call === undefined
          ? this.calls.length
          : this.calls.filter((seen) => seen === call).length;
      return fault.nth === undefined || fault.nth === count;
    });
    const before = due.find((fault) => fault.when === "before");
    if (before !== undefined) throw failure(before, call);
    const result = effect();
    await Promise.resolve();
    const after = due.find((fault) => fault.when === "after");
    if (after !== undefined) throw failure(after, call);
    return result;
  }
}

function failure(fault: Fault, call: StoreCall): Error {
  return (
    fault.error?.() ??
    new CertkeepError("store_unavailable", {
      where: "memory:",
      found: `${call} failed on purpose, ${fault.when} it took effect`,
    })
  );
}

const SEGMENT = /^[A-Za-z0-9_=@-][A-Za-z0-9._=@-]*$/;

function checkKey(key: string): void {
  if (key.split("/").every((part) => SEGMENT.test(part))) return;
  throw new CertkeepError("store_unavailable", {
    where: "memory:",
    found: `it can't hold the key ${JSON.stringify(key)}`,
    todo: "Use segments of [A-Za-z0-9._=@-]",
  });
}

export interface MemoryBlobs extends BlobStore {
  /** What is stored, to look at and to damage. */
  readonly blobs: Map<string, Uint8Array>;
}

export function createMemoryBlobs(
  faults: Faults = new Faults(),
  blobs = new Map<string, Uint8Array>(),
): MemoryBlobs {
  return {
    url: "memory:blobs",
    blobs,
    async *list(prefix) {
      if (prefix !== "") checkKey(prefix.endsWith("/") ? prefix.slice(0, -1) : `${prefix}/`);
      const found = await faults.around("list", () =>
        [...blobs].filter(([key]) => key.startsWith(prefix)),
      );
      for (const [key, bytes] of found) yield { key, sizeBytes: bytes.byteLength };
    },
    async create(key, document) {
      checkKey(key);
      return faults.around("create", () => {
        if (blobs.has(key)) return "exists";
        blobs.set(key, Uint8Array.from(document));
        return "created";
      });
    },
    async read(key) {
      checkKey(key);
      return faults.around("read", () => {
        const bytes = blobs.get(key);
        return bytes === undefined ? null : Uint8Array.from(bytes);
      });
    },
    async remove(key) {
      checkKey(key);
      return faults.around("remove", () => {
        blobs.delete(key);
        return null;
      });
    },
  };
}

export interface MemoryStates extends StateStore {
  readonly states: Map<string, { revision: number; text: string }>;
}

export function createMemoryStates(
  faults: Faults = new Faults(),
  states = new Map<string, { revision: number; text: string }>(),
): MemoryStates {
  return {
    url: "memory:states",
    states,
    names: () => faults.around("names", () => [...states.keys()]),
    read: (name) =>
      faults.around("read", () => {
        const state = states.get(name);
        return state === undefined ? null : { revision: String(state.revision), text: state.text };
      }),
    write: (name, text, revision) =>
      faults.around("write", () => {
        const before = states.get(name)?.revision ?? 0;
        if (String(before) !== (revision ?? "0")) return null;
        states.set(name, { revision: before + 1, text });
        return String(before + 1);
      }),
  };
}

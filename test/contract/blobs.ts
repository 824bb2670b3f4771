/** What every store of backups has to do, whatever it is made of. */
import { describe, expect, test } from "vitest";
import { isCertkeepError } from "../../lib/error.ts";
import type { BlobStore } from "../../lib/ports/stores.ts";

export interface BlobsSubject {
  /** A store that nobody else uses; empty. */
  readonly store: BlobStore;
  /** Another adapter for the same place, as another process would have it. */
  readonly again: () => BlobStore;
  /** Where the store takes no document of any size. */
  readonly limits?: { readonly minBytes: number; readonly maxBytes: number };
  readonly close?: () => Promise<void>;
}

const bytes = (text: string): Uint8Array => Buffer.from(text, "utf8");

async function keysOf(store: BlobStore, prefix: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const entry of store.list(prefix)) keys.push(entry.key);
  return keys.toSorted();
}

export function blobsContract(name: string, setup: () => Promise<BlobsSubject>): void {
  const withStore = async (body: (subject: BlobsSubject) => Promise<void>): Promise<void> => {
    const subject = await setup();
    try {
      await body(subject);
    } finally {
      await subject.close?.();
    }
  };

  describe(`store of backups: ${name}`, () => {
    test("gives back the very bytes, to another adapter as well", () =>
      withStore(async ({ store, again, limits }) => {
        const document = Uint8Array.from(
          { length: Math.min(70_000, limits?.maxBytes ?? 70_000) },
          (_, index) => (index * 31) % 256,
        );
        expect(await store.create("prod/ns/secret/a.json", document)).toBe("created");
        expect(
          await store
            .read("prod/ns/secret/a.json")
            .then((read) => read !== null && Buffer.from(read).equals(document)),
        ).toBe(true);
        expect(
          await again()
            .read("prod/ns/secret/a.json")
            .then((read) => read !== null && Buffer.from(read).equals(document)),
        ).toBe(true);
      }));

    test("takes an empty document and one of 2 MiB, or says plainly what it doesn't take", () =>
      withStore(async ({ store, limits }) => {
        const { minBytes, maxBytes } = limits ?? { minBytes: 0, maxBytes: 2 * 1024 * 1024 };
        await store.create("a/small.json", new Uint8Array(minBytes).fill(7));
        expect((await store.read("a/small.json"))?.byteLength).toBe(minBytes);
        await store.create("a/big.json", new Uint8Array(maxBytes).fill(7));
        expect((await store.read("a/big.json"))?.byteLength).toBe(maxBytes);
        if (limits === undefined) return;
        await expect(
          store.create("a/larger.json", new Uint8Array(maxBytes + 1).fill(7)),
        ).rejects.toMatchObject({ name: "CertkeepError", code: "store_full" });
        await expect(
          store.create("a/less.json", new Uint8Array(minBytes - 1)),
        ).rejects.toMatchObject({ name: "CertkeepError", code: "store_unavailable" });
        expect(await keysOf(store, "")).toEqual(["a/big.json", "a/small.json"]);
      }));

    test("never overwrites", () =>
      withStore(async ({ store, again }) => {
        await store.create("a/b/c.json", bytes("first"));
        expect(await store.create("a/b/c.json", bytes("second"))).toBe("exists");
        expect(await again().create("a/b/c.json", bytes("third"))).toBe("exists");
        expect(Buffer.from((await store.read("a/b/c.json")) ?? []).toString()).toBe("first");
      }));

    test("lets one of twenty win, and keeps what the winner wrote", () =>
      withStore(async ({ store, again }) => {
        const stores = Array.from({ length: 20 }, (_, index) =>
          index % 2 === 0 ? store : again(),
        );
        const outcomes = await Promise.all(
          stores.map((one, index) => one.create("race/ns/s/v.json", bytes(`writer ${index}`))),
        );
        expect(outcomes.filter((outcome) => outcome === "created")).toHaveLength(1);
        const winner = outcomes.indexOf("created");
        expect(Buffer.from((await store.read("race/ns/s/v.json")) ?? []).toString()).toBe(
          `writer ${winner}`,
        );
        expect(await keysOf(store, "")).toEqual(["race/ns/s/v.json"]);
      }));

    test("reads nothing where nothing is", () =>
      withStore(async ({ store }) => {
        expect(await store.read("a/b/c.json")).toBeNull();
        await store.create("a/b/c.json", bytes("x"));
        expect(await store.read("a/b/d.json")).toBeNull();
        expect(await store.read("a/d/c.json")).toBeNull();
      }));

    test("lists by prefix, with sizes, in another adapter too", () =>
      withStore(async ({ store, again, limits }) => {
        const least = limits?.minBytes ?? 0;
        expect(await keysOf(store, "")).toEqual([]);
        expect(await keysOf(store, "prod/")).toEqual([]);
        const keys = [
          "prod/a/x/1.json",
          "prod/a/x/2.json",
          "prod/b/x.y/1.json",
          "production/a/x/1.json",
          "uid-1/a/x/1.json",
        ];
        for (const [index, key] of keys.entries())
          await store.create(key, new Uint8Array(index + least));
        expect(await keysOf(store, "")).toEqual(keys);
        expect(await keysOf(store, "prod/")).toEqual(keys.slice(0, 3));
        expect(await keysOf(again(), "prod/a/")).toEqual(keys.slice(0, 2));
        expect(await keysOf(again(), "prod/none/")).toEqual([]);
        const sizes = new Map<string, number | null>();
        for await (const entry of store.list("")) sizes.set(entry.key, entry.sizeBytes);
        expect(keys.map((key) => sizes.get(key))).toEqual(
          [0, 1, 2, 3, 4].map((more) => least + more),
        );
      }));

    test("removes, and removing what isn't there is no error", () =>
      withStore(async ({ store }) => {
        expect(await store.remove("a/b/c.json")).toBeNull();
        await store.create("a/b/c.json", bytes("x"));
        await store.create("a/b/d.json", bytes("y"));
        expect(await store.remove("a/b/c.json")).toBeNull();
        expect(await store.remove("a/b/c.json")).toBeNull();
        expect(await store.read("a/b/c.json")).toBeNull();
        expect(await keysOf(store, "")).toEqual(["a/b/d.json"]);
      }));

    test("takes every character of the alphabet and long names", () =>
      withStore(async ({ store }) => {
        const key = `prod_1@x=2f-A.b/${"n".repeat(63)}/${"s".repeat(253)}/${"0".repeat(64)}.json`;
        await store.create(key, bytes("x"));
        expect(await keysOf(store, "")).toEqual([key]);
        expect(await store.read(key)).not.toBeNull();
      }));

    test.each([
      "",
      "/",
      "a//b",
      "../b",
      "a/../b",
      "a/./b",
      ".hidden/b",
      "a/.b",
      "a/b/",
      "/a",
      "a\\b",
      "a b",
      "a\u0000b",
      "é",
      "a/b\n",
      "C:/a",
    ])("refuses the key %j in every call", (key) =>
      withStore(async ({ store }) => {
        for (const call of [store.create(key, bytes("x")), store.read(key), store.remove(key)]) {
          const error: unknown = await call.then(
            () => null,
            (thrown: unknown) => thrown,
          );
          expect(isCertkeepError(error, "store_unavailable")).toBe(true);
        }
        expect(await keysOf(store, "")).toEqual([]);
      }),
    );

    test("keeps what was given even if the caller wipes it afterwards", () =>
      withStore(async ({ store }) => {
        const document = bytes("content");
        await store.create("a/b.json", document);
        document.fill(0);
        expect(Buffer.from((await store.read("a/b.json")) ?? []).toString()).toBe("content");
      }));
  });
}

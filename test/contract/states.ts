/** What every store of state documents has to do, whatever it is made of. */
import { describe, expect, test } from "vitest";
import type { StateStore } from "../../lib/ports/stores.ts";

export interface StatesSubject {
  /** A store that nobody else uses; empty. */
  readonly store: StateStore;
  /** Another adapter for the same place, as another process would have it. */
  readonly again: () => StateStore;
  readonly close?: () => Promise<void>;
}

export function statesContract(name: string, setup: () => Promise<StatesSubject>): void {
  const withStore = async (body: (subject: StatesSubject) => Promise<void>): Promise<void> => {
    const subject = await setup();
    try {
      await body(subject);
    } finally {
      await subject.close?.();
    }
  };

  describe(`store of states: ${name}`, () => {
    test("reads nothing where nothing is, and the very text where something is", () =>
      withStore(async ({ store, again }) => {
        expect(await store.read("prod")).toBeNull();
        expect(await store.names()).toEqual([]);
        const text = `{"a":"é\\u0000 \u{1F512}"}\n\n`;
        const revision = await store.write("prod", text, null);
        expect(revision).not.toBeNull();
        expect(await store.read("prod")).toEqual({ revision, text });
        expect((await again().read("prod"))?.text).toBe(text);
        expect(await again().names()).toEqual(["prod"]);
      }));

    test("keeps documents apart, whatever they are called", () =>
      withStore(async ({ store }) => {
        const names = ["prod", "prod2", "Prod", "uid-1", "..", ".hidden", "a/b", "a b", "é", ""];
        for (const title of names)
          expect(await store.write(title, `"${title}"`, null)).not.toBeNull();
        for (const title of names) expect((await store.read(title))?.text).toBe(`"${title}"`);
        expect((await store.names()).toSorted()).toEqual(names.toSorted());
      }));

    test("writes only from the revision that stands", () =>
      withStore(async ({ store, again }) => {
        const first = await store.write("prod", "1", null);
        expect(await again().write("prod", "other", null)).toBeNull();
        const second = await again().write("prod", "2", first);
        expect(second).not.toBeNull();
        expect(second).not.toBe(first);
        expect(await store.write("prod", "stale", first)).toBeNull();
        expect((await store.read("prod"))?.text).toBe("2");
        expect(await store.write("missing", "x", first)).toBeNull();
        expect(await store.read("missing")).toBeNull();
      }));

    test("lets one of twenty win, from nothing and from a revision", () =>
      withStore(async ({ store, again }) => {
        let revision: string | null = null;
        for (let round = 0; round < 3; round += 1) {
          const from: string | null = revision;
          const stores = Array.from({ length: 20 }, (_, index) =>
            index % 2 === 0 ? store : again(),
          );
          const outcomes = await Promise.all(
            stores.map((one, index) => one.write("prod", `"${round}.${index}"`, from)),
          );
          const winners = outcomes.flatMap((outcome, index) => (outcome === null ? [] : [index]));
          expect(winners).toHaveLength(1);
          const stored = await store.read("prod");
          expect(stored?.text).toBe(`"${round}.${winners[0]}"`);
          revision = stored?.revision ?? null;
          expect(revision).toBe(outcomes[winners[0] ?? 0]);
        }
      }));

    test("loses no update of twenty that merge and try again", () =>
      withStore(async ({ store, again }) => {
        await Promise.all(
          Array.from({ length: 20 }, async (_, index) => {
            const mine = index % 2 === 0 ? store : again();
            for (;;) {
              const stored = await mine.read("prod");
              const known = stored === null ? [] : (JSON.parse(stored.text) as number[]);
              if (
                (await mine.write(
                  "prod",
                  JSON.stringify([...known, index]),
                  stored?.revision ?? null,
                )) !== null
              )
                return;
            }
          }),
        );
        const all = JSON.parse((await store.read("prod"))?.text ?? "[]") as number[];
        expect(all.toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: 20 }, (_, index) => index),
        );
      }));

    test("takes a document of 4 MiB", () =>
      withStore(async ({ store }) => {
        const text = JSON.stringify("x".repeat(4 * 1024 * 1024));
        await store.write("prod", text, null);
        expect((await store.read("prod"))?.text).toBe(text);
      }));
  });
}

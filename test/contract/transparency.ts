/** What every search of certificate logs has to do, whatever it asks. */
import { describe, expect, test } from "vitest";
import type { TransparencySource } from "../../lib/ports/outside.ts";

export interface SearchSubject {
  readonly source: TransparencySource;
  /** Makes it find these, after those before. */
  add(...ders: readonly Uint8Array[]): void;
  /** Makes it fail from now on. */
  fail(): void;
  readonly close?: () => Promise<void>;
}

async function all(
  { source }: SearchSubject,
  from: string | null,
): Promise<{ readonly ders: string[]; readonly cursor: string | null }> {
  const ders: string[] = [];
  for (let cursor = from; ;) {
    const page = await source.page("tail1a2b3.ts.net", cursor);
    if (!page.ok) throw new Error(page.code);
    if (page.cursor === null) return { ders, cursor };
    expect(page.cursor).not.toBe(cursor);
    ders.push(...page.ders.map((der) => Buffer.from(der).toString("latin1")));
    cursor = page.cursor;
  }
}

export function transparencyContract(name: string, setup: () => Promise<SearchSubject>): void {
  const withSearch = async (body: (subject: SearchSubject) => Promise<void>): Promise<void> => {
    const subject = await setup();
    try {
      await body(subject);
    } finally {
      await subject.close?.();
    }
  };
  const bytes = (text: string): Uint8Array => Buffer.from(text);

  describe(`search of certificate logs: ${name}`, () => {
    test("has an end at once where there is nothing", () =>
      withSearch(async (subject) =>
        expect(await all(subject, null)).toEqual({ ders: [], cursor: null }),
      ));

    test("gives everything once, in order, and goes on where a cursor is", () =>
      withSearch(async (subject) => {
        subject.add(...["a", "b", "c", "d", "e", "f", "g"].map(bytes));
        const { ders, cursor } = await all(subject, null);
        expect(ders).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
        subject.add(bytes("h"));
        expect((await all(subject, cursor)).ders).toEqual(["h"]);
      }));

    test("a failure is an answer of its own, never an empty page", () =>
      withSearch(async (subject) => {
        subject.fail();
        expect((await subject.source.page("tail1a2b3.ts.net", null)).ok).toBe(false);
      }));
  });
}

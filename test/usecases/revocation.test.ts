/** Lists of revoked certificates in a run: each fetched once, little kept. */
import { describe, expect, it } from "vitest";
import { createAuthority } from "../support/pki.ts";
import { createRevocationLists } from "../../lib/usecases/revocation.ts";

const der = createAuthority({ name: "Test" }).revocationList({
  revoked: [],
  thisUpdate: new Date(0),
  nextUpdate: new Date(1e12),
});

function listsOf(keptBytes?: number) {
  const asked: string[] = [];
  let answer: () => Promise<
    { ok: true; der: Uint8Array } | { ok: false; why: string }
  > = async () => ({ ok: true, der });
  const lists = createRevocationLists(
    { fetch: async (url) => (asked.push(url), answer()) },
    keptBytes,
  );
  return { asked, lists, say: (next: typeof answer) => void (answer = next) };
}

describe("a list", () => {
  it("is fetched once a run, by however many at once", async () => {
    const { asked, lists } = listsOf();
    await Promise.all(["a", "a", "b"].map((url) => lists.list(url, [])));
    await lists.list("a", []);
    expect(asked).toEqual(["a", "b"]);
  });

  it("that can't be had or read is so for the whole run", async () => {
    const { asked, lists, say } = listsOf();
    say(async () => ({ ok: false, why: "down" }));
    expect(await lists.list("a", [])).toEqual({
      ok: false,
      gap: { gap: "unreached", found: "down" },
    });
    say(async () => ({ ok: true, der: Buffer.from("<html>") }));
    expect(await lists.list("b", [])).toEqual({
      ok: false,
      gap: { gap: "list_unreadable" },
    });
    say(async () => ({ ok: true, der }));
    expect([(await lists.list("a", [])).ok, (await lists.list("b", [])).ok]).toEqual([
      false,
      false,
    ]);
    expect(asked).toEqual(["a", "b"]);
  });

  it("that one had no time for is there for the next", async () => {
    const { lists, say } = listsOf();
    say(async () => ({ ok: false, why: "it was interrupted" }));
    await lists.list("a", [], AbortSignal.abort());
    say(async () => ({ ok: true, der }));
    expect((await lists.list("a", [])).ok).toBe(true);
  });

  it("is forgotten, the oldest first, where all together get large", async () => {
    const { asked, lists } = listsOf(der.byteLength * 2);
    for (const url of ["a", "b", "c", "b", "c", "a"]) await lists.list(url, []);
    expect(asked).toEqual(["a", "b", "c", "a"]);
  });
});

import { expect, test } from "vitest";
import { workThrough } from "../../lib/usecases/audit/read.ts";

function gate(): { readonly open: () => void; readonly shut: Promise<void> } {
  let open = (): void => {};
  const shut = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, shut };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("takes the next page while one is under way, and no third", async () => {
  const seen: string[] = [];
  const gates = new Map(["a", "b", "c"].map((name) => [name, gate()]));
  async function* pages(): AsyncGenerator<readonly string[]> {
    for (const name of ["a", "b", "c"]) {
      seen.push(`page ${name}`);
      yield [name];
    }
  }
  const done = workThrough(pages(), async (name) => {
    seen.push(`begin ${name}`);
    await gates.get(name)?.shut;
    seen.push(`end ${name}`);
  });
  await turn();
  expect(seen).toEqual(["page a", "begin a", "page b", "begin b"]);
  gates.get("a")?.open();
  await turn();
  expect(seen.slice(4)).toEqual(["end a", "page c", "begin c"]);
  gates.get("c")?.open();
  gates.get("b")?.open();
  await done;
  expect(seen.slice(7).toSorted()).toEqual(["end b", "end c"]);
});

test("fails with what the work fails with, once nothing is under way", async () => {
  let ended = 0;
  async function* pages(): AsyncGenerator<readonly number[]> {
    yield [1, 2];
    yield [3];
    yield [4];
  }
  const done = workThrough(pages(), async (n) => {
    if (n === 1) throw new Error("the first");
    await turn();
    await turn();
    ended += 1;
  });
  await expect(done).rejects.toThrow("the first");
  expect(ended).toBe(2);
});

test("fails with what the pages fail with, once nothing is under way", async () => {
  let ended = 0;
  async function* pages(): AsyncGenerator<readonly number[]> {
    yield [1];
    throw new Error("no more");
  }
  await expect(
    workThrough(pages(), async () => {
      await turn();
      ended += 1;
    }),
  ).rejects.toThrow("no more");
  expect(ended).toBe(1);
});

test("an empty listing is nothing to do", async () => {
  async function* pages(): AsyncGenerator<readonly number[]> {
    yield [];
  }
  await expect(workThrough(pages(), async () => Promise.reject(new Error("never")))).resolves.toBe(
    undefined,
  );
});

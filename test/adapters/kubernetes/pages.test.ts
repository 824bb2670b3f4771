import { describe, expect, test } from "vitest";
import { BodyTooLarge } from "../../../lib/adapters/kubernetes/failure.ts";
import type { HttpAnswer } from "../../../lib/adapters/kubernetes/http.ts";
import { type Paging, listPages } from "../../../lib/adapters/kubernetes/pages.ts";

/** What the client takes, but for a single item. */
const MAX_BYTES = 400_000;

interface Ask {
  readonly token: string | null;
  readonly limit: number;
}

/** `total` items of `bytes` each; the token is the number of the next. */
function source(
  total: number,
  bytes: number,
  more: Partial<Paging<number>> & {
    status?: (ask: Ask, nth: number) => number;
    peekable?: boolean;
  } = {},
) {
  const asked: Ask[] = [];
  const state = { open: 0, aborted: false };
  const paging: Paging<number> = {
    ask: async (token, limit, signal) => {
      signal.addEventListener("abort", () => {
        state.aborted = true;
      });
      asked.push({ token, limit });
      const from = Number(token ?? "0");
      const to = Math.min(total, from + limit);
      if (limit > 1 && (to - from) * bytes > MAX_BYTES)
        throw new BodyTooLarge({ title: "t" }, MAX_BYTES);
      const status = more.status?.({ token, limit }, asked.length) ?? 200;
      const head =
        to < total ? `"resourceVersion":"1","continue":"${to}"` : `"resourceVersion":"1"`;
      const json = `{"kind":"SecretList","apiVersion":"v1","metadata":{${more.peekable === false ? " " : ""}${head}},"from":${from},"to":${to}`;
      const body = Buffer.from(
        `${json}${" ".repeat(Math.max(0, (to - from) * bytes - json.length - 1))}}`,
      );
      return { status, contentType: "application/json", retryAfter: null, date: null, body };
    },
    parse: (answer: HttpAnswer) => {
      const { from, to, metadata } = JSON.parse(answer.body.toString()) as {
        from: number;
        to: number;
        metadata: { continue?: string };
      };
      return {
        items: Array.from({ length: to - from }, (_, nth) => from + nth),
        unreadable: [],
        continueToken: metadata.continue ?? null,
        withValues: 0,
      };
    },
    failure: (answer) => new Error(`status ${answer.status}`),
    endless: (found) => new Error(found),
    keyOf: String,
    received: () => undefined,
    firstLimit: 20,
    maxLimit: 500,
    targetBytes: 100_000,
    ...more,
  };
  return { paging, asked, state };
}

async function all(paging: Paging<number>): Promise<number[]> {
  const items: number[] = [];
  for await (const page of listPages(paging)) items.push(...page.items);
  return items;
}

const upTo = (total: number): number[] => Array.from({ length: total }, (_, nth) => nth);

describe("a listing", () => {
  test.each([true, false])(
    "grows its pages while items are small (token read ahead: %s)",
    async (peekable) => {
      const { paging, asked } = source(2_000, 100, { peekable });
      expect(await all(paging)).toEqual(upTo(2_000));
      expect(asked.map((ask) => ask.limit)).toEqual([20, 160, 500, 500, 500, 500]);
    },
  );

  test("keeps pages near the target where items are large", async () => {
    const { paging, asked } = source(60, 10_000, { firstLimit: 20 });
    expect(await all(paging)).toEqual(upTo(60));
    expect(asked.map((ask) => ask.limit)).toEqual([20, 10, 10, 10, 10]);
  });

  test("gives up a page that is too large, asks for fewer of the same, and grows again", async () => {
    const { paging, asked } = source(600, 2_000, { firstLimit: 500 });
    expect(await all(paging)).toEqual(upTo(600));
    expect(asked.slice(0, 3)).toEqual([
      { token: null, limit: 500 },
      { token: null, limit: 62 },
      { token: "62", limit: 50 },
    ]);
  });

  test("takes a single item however large, within the client's own bound", async () => {
    const { paging } = source(3, 500_000, { firstLimit: 4 });
    expect(await all(paging)).toEqual(upTo(3));
  });

  test("asks for the next page before this one is worked on, and for no more than one", async () => {
    const { paging, asked } = source(100, 100, { maxLimit: 20 });
    const pages = listPages(paging);
    await pages.next();
    expect(asked).toHaveLength(2);
    await pages.next();
    expect(asked).toHaveLength(3);
  });

  test("that isn't read to its end leaves nothing under way", async () => {
    const { paging, state } = source(100, 100);
    for await (const page of listPages(paging)) {
      expect(page.items).toHaveLength(20);
      break;
    }
    expect(state.aborted).toBe(true);
  });
});

describe("a token that expired", () => {
  test("starts the listing again, whole", async () => {
    const { paging, asked } = source(100, 100, {
      maxLimit: 20,
      status: (_, nth) => (nth === 3 ? 410 : 200),
    });
    expect(await all(paging)).toEqual([...upTo(40), ...upTo(100)]);
    expect(asked.map((ask) => ask.token)).toEqual([null, "20", "40", null, "20", "40", "60", "80"]);
  });

  test("again and again ends in an error, never in a short list", async () => {
    const { paging, asked } = source(100, 100, {
      maxLimit: 20,
      status: ({ token }) => (token === "40" ? 410 : 200),
    });
    await expect(all(paging)).rejects.toThrow("status 410");
    expect(asked.filter((ask) => ask.token === null)).toHaveLength(5);
  });

  test("on the first page is an error at once", async () => {
    const { paging, asked } = source(100, 100, { status: () => 410 });
    await expect(all(paging)).rejects.toThrow("status 410");
    expect(asked).toHaveLength(1);
  });
});

test("an error in the middle ends the listing, after the pages before it were given", async () => {
  const { paging } = source(100, 100, {
    maxLimit: 20,
    status: ({ token }) => (token === "40" ? 500 : 200),
  });
  const got: number[] = [];
  await expect(
    (async () => {
      for await (const page of listPages(paging)) got.push(...page.items);
    })(),
  ).rejects.toThrow("status 500");
  expect(got).toEqual(upTo(40));
});

test("a server that gives the same token twice is told to go in circles", async () => {
  const body = Buffer.from(
    '{"kind":"SecretList","apiVersion":"v1","metadata":{"resourceVersion":"1","continue":"same"}}',
  );
  const { paging } = source(1, 1, {
    ask: async () => ({
      status: 200,
      contentType: "application/json",
      retryAfter: null,
      date: null,
      body,
    }),
    parse: () => ({ items: [1], unreadable: [], continueToken: "same", withValues: 0 }),
  });
  await expect(all(paging)).rejects.toThrow("circles");
});

describe("a listing that never ends", () => {
  /** Always another page, with a new token: `items` of the nth page. */
  function forever(items: (nth: number) => readonly number[], more: Partial<Paging<number>> = {}) {
    let asked = 0;
    const { paging } = source(1, 1, {
      ask: async () => {
        asked += 1;
        return {
          status: 200,
          contentType: "application/json",
          retryAfter: null,
          date: null,
          body: Buffer.from(
            `{"kind":"SecretList","apiVersion":"v1","metadata":{"resourceVersion":"1","continue":"t${asked}"},"nth":${asked}}`,
          ),
        };
      },
      parse: ({ body }) => {
        const { nth } = JSON.parse(body.toString()) as { nth: number };
        return { items: items(nth), unreadable: [], continueToken: `t${nth}`, withValues: 0 };
      },
      ...more,
    });
    return { paging, asked: () => asked };
  }
  async function ended(paging: Paging<number>): Promise<string> {
    try {
      for await (const page of listPages(paging)) void page;
    } catch (error) {
      return (error as Error).message;
    }
    return "ended well";
  }

  test("ends where its pages are empty", async () => {
    const { paging, asked } = forever(() => []);
    expect(await ended(paging)).toBe("10 pages in a row are empty");
    expect(asked()).toBeLessThan(15);
  });

  test.each([1, 2, 7])("ends where it gives the same %i pages again", async (pages) => {
    const { paging, asked } = forever((nth) => [nth % pages]);
    expect(await ended(paging)).toBe("it goes in circles");
    expect(asked()).toBeLessThan(pages + 5);
  });

  test("ends where it gives more items than there can be", async () => {
    const many = (nth: number): number[] => Array.from({ length: 500 }, (_, i) => nth * 500 + i);
    const { paging } = forever(many);
    expect(await ended(paging)).toBe("more than 1,000,000 items");
  });

  test("ends where it gives more pages than there can be", async () => {
    const { paging } = forever((nth) => [nth]);
    expect(await ended(paging)).toBe("more than 20,000 pages");
  });

  test("ends where its pages take too long, however long the caller works on them", async () => {
    let now = 0;
    const slow = forever((nth) => [nth]);
    const { ask } = slow.paging;
    const answers: Paging<number> = {
      ...slow.paging,
      nowMs: () => now,
      ask: async (...asked) => {
        const answer = await ask(...asked);
        await Promise.resolve();
        return answer;
      },
    };
    let pages = 0;
    const failure = (async () => {
      for await (const page of listPages(answers)) {
        void page;
        pages += 1;
        now += 60_000;
        if (pages === 100) break;
      }
    })();
    await failure;
    expect(pages).toBe(100);
    const dripping: Paging<number> = {
      ...slow.paging,
      nowMs: () => now,
      ask: async (...asked) => {
        await new Promise((resolve) => setImmediate(resolve));
        now += 29_000;
        return ask(...asked);
      },
    };
    expect(await ended(dripping)).toBe("it takes more than 5 minutes");
  });

  test("is told from one with gaps: some empty pages, an item in each hundredth", async () => {
    const total = 1_000;
    const { paging } = forever((nth) => (nth % 5 === 0 ? [nth] : []), {});
    const got: number[] = [];
    for await (const page of listPages(paging)) {
      got.push(...page.items);
      if (got.length === total / 5) break;
    }
    expect(got).toHaveLength(total / 5);
  });
});

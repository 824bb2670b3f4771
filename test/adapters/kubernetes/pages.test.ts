import { describe, expect, test } from "vitest";
import { BodyTooLarge, type HttpAnswer } from "../../../lib/adapters/kubernetes/http.ts";
import { type Paging, listPages } from "../../../lib/adapters/kubernetes/pages.ts";

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
    ask: async (token, limit, maxBodyBytes, signal) => {
      signal.addEventListener("abort", () => {
        state.aborted = true;
      });
      asked.push({ token, limit });
      const from = Number(token ?? "0");
      const to = Math.min(total, from + limit);
      if ((to - from) * bytes > maxBodyBytes) throw new BodyTooLarge();
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
    endless: () => new Error("circles"),
    received: () => undefined,
    firstLimit: 20,
    maxLimit: 500,
    targetBytes: 100_000,
    maxBytes: 400_000,
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

import { expect, it } from "vitest";
import { parseDigest } from "../../lib/state/digest.ts";

it("reads what an earlier version called information as info", () => {
  const said = {
    severity: "information",
    code: "shared_set",
    cluster: "prod",
    label: "shop.example",
    saidMs: 1,
    goneMs: null,
    resolvedMs: null,
    flaps: 0,
  };
  const route = { postMs: 1, dailyMs: 1, clockMs: 1, said: { a: said }, outbox: [], failure: null };
  const text = JSON.stringify({ format: 1, readableFrom: 1, routes: { ops: route } });
  expect(parseDigest(text)).toMatchObject({
    ok: true,
    document: { routes: { ops: { said: { a: { severity: "info", code: "shared_set" } } } } },
  });
});

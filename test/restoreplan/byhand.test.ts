/** docs/backups.md warns of each Secret that a restore by hand must not create. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { SITES } from "../../lib/restoreplan/shape/sites.ts";
import type { LiveViews, OpenedCopy, Wanted } from "../../lib/restoreplan/view.ts";
import type { Shape } from "../../lib/secret/shapes.ts";

const DOCS = readFileSync("docs/backups.md", "utf8");
const [, byHand = ""] = DOCS.split("## Restore without certkeep");

const views: LiveViews = {
  at: () => ({ state: "absent", namespace: "present" }),
  managed: () => [],
  sharing: () => [],
  accountOf: () => null,
  object: () => "absent",
};

function mayCreate(shape: Shape): boolean {
  const name = shape === "acme-accounts" ? "tailscale-acme-accounts" : "x";
  const copy = {
    shape,
    record: {
      header: { namespace: "tailscale", secret: name, fieldBase: "tls", kind: "certificate" },
      labels: {},
      annotations: {},
    },
    pair: null,
  } as unknown as OpenedCopy;
  const context = { wanted: {} as Wanted, views, as: null, nowMs: 0, newerSeen: false };
  return SITES[shape](copy, context).mayCreate;
}

describe("a restore without certkeep", () => {
  it.each(Object.keys(SITES) as Shape[])(
    "warns of creating a Secret of %s where restore refuses",
    (shape) => {
      expect(byHand.includes(`\`${shape}\``)).toBe(!mayCreate(shape));
    },
  );
});

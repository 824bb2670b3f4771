/** Backups from before a cluster had a name are its own where its identity is the live one. */
import { expect, it } from "vitest";
import { mayRead, readableOf } from "../../lib/restoreplan/copyrule.ts";
import { emptyState } from "../../lib/state/document.ts";

const identity = { uid: "u", caSha256: "aa", key: "uid-u" };
const state = { ...emptyState("prod", "prod", "https://api"), identity };

it.each([
  ["its own", "prod", "uid-u", "uid-u", true],
  ["from before it had a name", "uid-u", "uid-u", "uid-u", true],
  ["of another cluster without a name", "uid-v", "uid-v", "uid-u", false],
  ["of a cluster that has that for a name", "uid-u", "uid-v", "uid-u", false],
  ["from before, where another cluster answers", "uid-u", "uid-u", "uid-v", false],
  ["from before, where the uid can't be read", "uid-u", "uid-u", null, false],
])("a backup %s", (_what, cluster, clusterIdentity, live, expected) => {
  const readable = readableOf("prod", state, false, live);
  expect(mayRead({ cluster, clusterIdentity }, readable)).toBe(expected);
});

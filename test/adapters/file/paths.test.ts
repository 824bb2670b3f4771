/** Where things lie: the identity apart from the data. */
import { sep } from "node:path";
import { expect, test } from "vitest";
import { localPaths } from "../../../lib/adapters/file/paths.ts";

test("backups and states are apart, and the identity is in neither's tree", () => {
  const { config, backups, states, identities } = localPaths();
  expect(new Set([config, backups, states, identities]).size).toBe(4);
  for (const path of [config, backups, states, identities])
    expect(path).toContain(`${sep}certkeep`);
  for (const data of [backups, states])
    expect(`${identities}${sep}`.startsWith(`${data}${sep}`)).toBe(false);
  expect(JSON.stringify([config, backups, states, identities])).not.toContain("nodejs");
});

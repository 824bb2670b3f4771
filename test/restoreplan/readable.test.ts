/** Whose backups a restore may read, by the cluster that their sealed part names. */
import { describe, expect, it } from "vitest";
import { mayRead, readableOf, UNKNOWN_IDENTITY } from "../../lib/restoreplan/copyrule.ts";
import { emptyState, type StateDocument } from "../../lib/state/document.ts";

const AT = "2026-01-01T00:00:00Z";
const state: StateDocument = {
  ...emptyState("prod", "prod", "https://prod"),
  identity: { key: "uid-new", uid: "new", caSha256: "ca" },
  predecessors: [{ key: "uid-old", document: "d", at: AT }],
};
const unknown = emptyState("prod", "prod", "https://prod");

describe("a backup may be read", () => {
  it.each([
    ["of the pinned cluster", "prod", "uid-new", true],
    ["of one that it succeeded", "prod", "uid-old", true],
    ["of another cluster", "prod", "uid-evil", false],
    ["of the same identity under another name", "other", "uid-new", false],
    ["imported before the cluster was known", "prod", UNKNOWN_IDENTITY, true],
    ["imported for another cluster before that was known", "other", UNKNOWN_IDENTITY, false],
    ["that names none", "prod", "", false],
  ])("%s: %s %s is %s", (_, cluster, clusterIdentity, expected) => {
    expect(mayRead({ cluster, clusterIdentity }, readableOf("prod", state))).toBe(expected);
  });

  it("of no cluster while nothing is pinned, unless a person vouches for the name", () => {
    for (const clusterIdentity of ["uid-new", "uid-old", UNKNOWN_IDENTITY]) {
      const backup = { cluster: "prod", clusterIdentity };
      expect(mayRead(backup, readableOf("prod", unknown))).toBe(false);
      expect(mayRead(backup, readableOf("prod", { ...state, identity: null }))).toBe(false);
      expect(mayRead(backup, readableOf("prod", unknown, true))).toBe(true);
      expect(mayRead({ ...backup, cluster: "other" }, readableOf("prod", unknown, true))).toBe(
        false,
      );
    }
  });

  it("whatever name the state itself has", () => {
    const forged = readableOf("prod", { ...state, cluster: "bank" });
    expect(mayRead({ cluster: "bank", clusterIdentity: "uid-new" }, forged)).toBe(false);
  });
});

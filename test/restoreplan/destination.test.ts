/** Where the deployed function may restore to: a table of who answers and what is recorded. */
import { describe, expect, it } from "vitest";
import { refusalParts } from "../../lib/report/pinning.ts";
import { refusalOf, type Destination } from "../../lib/restoreplan/successor.ts";

const [UID, OTHER_UID] = [
  "11111111-1111-1111-1111-111111111111",
  "22222222-2222-2222-2222-222222222222",
];
const [CA, OTHER_CA] = ["a".repeat(64), "b".repeat(64)];
const AT = "2026-01-01T00:00:00Z";

function pinned(
  choice: {
    uid?: string | null;
    caSha256?: string | null;
    pin?: { caSha256: string | null; by: string; at: string } | undefined;
  } = {},
): Destination["state"] {
  return {
    server: "https://prod:6443",
    identity: {
      key: `uid-${UID}`,
      uid: UID,
      caSha256: CA,
      pin: { caSha256: CA, by: "person", at: AT },
      ...choice,
    },
  };
}
const asked: Destination = {
  cluster: "prod",
  from: null,
  pairs: [],
  state: pinned(),
  seen: { uid: UID, caSha256: CA },
};
const byAudit = pinned({ pin: { caSha256: CA, by: "audit", at: AT } });
const pairs = [{ from: "old", to: "prod" }];

describe("a restore by the function", () => {
  it.each<[string, Partial<Destination>]>([
    ["to where the copies came from", {}],
    ["as an audit first met it", { state: byAudit }],
    ["of its own copies, by name", { from: "prod", state: byAudit }],
    ["to the second of a pair that a person pinned", { from: "old", pairs }],
    [
      "to one that is known by its CA alone",
      { state: pinned({ uid: null }), seen: { uid: null, caSha256: CA, host: "prod" } },
    ],
    [
      "to one whose uid can be seen since",
      { state: pinned({ uid: null }), seen: { uid: UID, caSha256: CA, host: "prod" } },
    ],
  ])("goes %s", (_, choice) => {
    expect(refusalOf({ ...asked, ...choice })).toBeNull();
  });

  it.each<[string, Partial<Destination>, string]>([
    ["a cluster without a state", { state: null }, "never recorded"],
    [
      "a state that never saw its cluster",
      { state: { identity: null, server: "" } },
      "never recorded",
    ],
    ["another uid", { seen: { uid: OTHER_UID, caSha256: CA } }, "another cluster answers"],
    [
      "a uid that can't be seen any more",
      { seen: { uid: null, caSha256: CA } },
      "the uid of kube-system can't be read",
    ],
    [
      "the same uid, said by a server of another CA",
      { seen: { uid: UID, caSha256: OTHER_CA } },
      "under another CA",
    ],
    [
      "the same, after an audit took the new CA over",
      { state: pinned({ caSha256: OTHER_CA }), seen: { uid: UID, caSha256: OTHER_CA } },
      "under another CA",
    ],
    ["any public authority", { seen: { uid: UID, caSha256: null } }, "any public authority"],
    [
      "a name that any public authority may vouch for, also as pinned",
      {
        state: pinned({ caSha256: null, pin: { caSha256: null, by: "person", at: AT } }),
        seen: { uid: UID, caSha256: null, host: "prod" },
      },
      "any public authority",
    ],
    [
      "a state of a version that pinned no CA",
      { state: pinned({ pin: undefined }) },
      "pinned no CA",
    ],
    [
      "another CA, where the CA is all that is known",
      {
        state: pinned({ uid: null, pin: { caSha256: CA, by: "person", at: AT } }),
        seen: { uid: null, caSha256: OTHER_CA },
      },
      "another cluster",
    ],
    ["copies of another cluster", { from: "old" }, "no restore of backups of old to prod"],
    [
      "a pair the other way round",
      { from: "old", pairs: [{ from: "prod", to: "old" }] },
      "backups of old",
    ],
    [
      "a pair with a third cluster",
      { from: "old", pairs: [{ from: "old", to: "other" }] },
      "backups of old",
    ],
    [
      "the second of a pair that nobody but an audit has met",
      { from: "old", pairs, state: byAudit },
      "only an audit pinned",
    ],
    [
      "the second of a pair, another uid",
      { from: "old", pairs, seen: { uid: OTHER_UID, caSha256: CA } },
      "another cluster",
    ],
  ])("is refused for %s", (_, choice, found) => {
    const refusal = refusalOf({ ...asked, ...choice });
    const parts = refusal === null ? null : refusalParts("prod", refusal);
    expect(parts?.found).toContain(found);
    expect(parts?.todo).toMatch(/certkeep (clusters add|restore) prod/);
    expect(parts?.todo).not.toContain("  ");
  });
});

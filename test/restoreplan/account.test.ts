/** Which ACME account key goes into a Secret: a table, and what holds for all. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { whyText } from "../../lib/report/phrases/plan.ts";
import { decideAccount } from "../../lib/restoreplan/account.ts";

type Use = Parameters<typeof decideAccount>[0][number];

const live = (account: string | null): Use => ({
  title: `live ${account ?? "unknown"}`,
  account,
  restored: false,
});
const restored = (account: string | null): Use => ({
  title: `restored ${account ?? "unknown"}`,
  account,
  restored: true,
});

describe("the account key of a Secret", () => {
  it.each<[string, readonly Use[], string | null, readonly string[], string]>([
    // what it is, certificates, the key that is there, keys that backups hold, what is done
    ["nothing there, nothing needs one", [], null, ["new"], "restore account_absent null"],
    ["nothing there", [restored("old")], null, ["new", "old"], "restore account_absent old"],
    [
      "nothing there, not known which",
      [restored(null)],
      null,
      ["new"],
      "restore account_absent null",
    ],
    ["nothing there, live", [live("old")], null, ["new", "old"], "restore account_absent old"],
    [
      "nothing there, no backup",
      [restored("old")],
      null,
      ["new"],
      "refuse account_not_backed_up old",
    ],
    ["the right one", [restored("old")], "old", ["new", "old"], "keep already_there old"],
    ["the right one, no backup", [live("old")], "old", [], "keep account_in_use old"],
    [
      "another one",
      [restored("old")],
      "new",
      ["new", "old"],
      "restore account_with_certificate old",
    ],
    [
      "lost and registered again",
      [live("old")],
      "new",
      ["new", "old"],
      "restore account_of_live old",
    ],
    ["lost, and no backup", [live("old")], "new", ["new"], "refuse account_not_backed_up old"],
    ["not known which", [restored(null)], "new", ["old"], "keep account_in_use new"],
    ["nothing needs it", [], "new", ["old"], "keep account_in_use new"],
    // A live one of an account that isn't known is taken to belong to the key beside it.
    [
      "live, not known which",
      [live(null), restored("old")],
      "new",
      ["old"],
      "refuse account_belongs_to_live new",
    ],
    [
      "live, of the key there",
      [live("new"), restored("old")],
      "new",
      ["old"],
      "refuse account_belongs_to_live new",
    ],
    [
      "two live ones",
      [live("old"), live("new")],
      "new",
      ["old"],
      "refuse account_belongs_to_live new",
    ],
    ["all of one", [live("new"), restored("new")], "new", ["new"], "keep already_there new"],
    ["two accounts", [live("a"), restored("b")], "c", ["a", "b", "c"], "restore account_of_live a"],
    [
      "two restored ones",
      [restored("a"), restored("b")],
      null,
      ["a", "b"],
      "restore account_absent a",
    ],
  ])("%s", (_what, uses, there, held, wanted) => {
    const { rule, code, account } = decideAccount(uses, there, new Set(held), null);
    expect(`${rule} ${code} ${account}`).toBe(wanted);
  });

  it.each<[string, readonly Use[], string | null, string]>([
    ["nothing known against it", [live(null)], "new", "restore account_with_certificate old"],
    ["nothing there", [], null, "restore account_absent old"],
    ["a live one of the key there", [live("new")], "new", "refuse account_belongs_to_live new"],
    ["one of a third account", [restored("third")], "new", "refuse account_of_another old"],
    ["the same", [live("old")], "old", "keep already_there old"],
  ])("that a person chose by its version: %s", (_what, uses, there, wanted) => {
    const { rule, code, account } = decideAccount(uses, there, new Set(["old"]), "old");
    expect(`${rule} ${code} ${account}`).toBe(wanted);
  });

  it("says which certificate can't be renewed", () => {
    const { detail } = decideAccount([live("new"), restored("old")], "new", new Set(), null);
    expect(detail).toEqual({
      kind: "account",
      user: { title: "live new", sure: true },
      lost: "restored old",
    });
    expect(whyText([{ code: "account_belongs_to_live", detail }])).toContain(
      "live new; restored old belongs to another account, so its renewal is rejected until it " +
        "expires",
    );
    const unsure = decideAccount([live(null), restored("old")], "new", new Set(), null);
    expect(unsure.detail).toMatchObject({ user: { title: "live unknown", sure: false } });
    expect(whyText([{ code: unsure.code, detail: unsure.detail }])).toContain(
      "live unknown, as far as is known",
    );
  });

  it(
    "is never written over one that a live certificate needs, nor one that no certificate needs " +
      "beside one that does",
    () => {
      const account = fc.constantFrom("a", "b", "c");
      const use = fc.record({
        title: fc.constant("x"),
        account: fc.option(account, { nil: null }),
        restored: fc.boolean(),
      });
      fc.assert(
        fc.property(
          fc.array(use, { maxLength: 4 }),
          fc.option(account, { nil: null }),
          fc.uniqueArray(account),
          fc.option(account, { nil: null }),
          (uses, there, held, chosen) => {
            const decision = decideAccount(uses, there, new Set(held), chosen);
            if (decision.rule !== "restore") return;
            expect(uses.some((one) => !one.restored && one.account === there)).toBe(
              there === null && uses.some((one) => !one.restored && one.account === null),
            );
            if (decision.account === null) {
              expect(there).toBeNull();
              expect(uses.every((one) => one.account === null)).toBe(true);
              return;
            }
            expect(held).toContain(decision.account);
            const known = uses.filter((one) => one.account !== null);
            if (known.length > 0)
              expect(known.map((one) => one.account)).toContain(decision.account);
          },
        ),
        { numRuns: 3000 },
      );
    },
  );
});

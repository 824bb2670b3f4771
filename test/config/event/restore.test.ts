/**
 * What the restoring function is asked for: strict, since a misspelt field would restore something
 * else.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRestoreEvent } from "../../../lib/config/event.ts";
import { isCertkeepError } from "../../../lib/error.ts";

const NOTHING = {
  names: [],
  namespace: null,
  all: false,
  asOf: null,
  version: null,
  apply: false,
  unrecorded: false,
  standby: false,
  force: [],
  replace: false,
  createNamespace: false,
  fromCluster: null,
};

describe("a restore event", () => {
  it("says what it says, and nothing else is on", () => {
    expect(parseRestoreEvent({ cluster: "prod", all: true })).toEqual({
      ...NOTHING,
      cluster: "prod",
      all: true,
    });
    const whole = {
      cluster: "prod",
      names: ["shop.*"],
      namespace: "shop",
      all: false,
      asOf: "2026-01-01T00:00:00Z",
      version: "0123456789ab",
      apply: true,
      unrecorded: true,
      standby: true,
      force: ["live_valid"],
      replace: true,
      createNamespace: true,
      fromCluster: "old",
    };
    expect(parseRestoreEvent(whole)).toEqual(whole);
  });

  it.each([
    [
      "a misspelt field",
      { cluster: "prod", all: true, aply: true },
      "restore event: aply isn't a field",
      'Did you mean "apply"?',
    ],
    [
      "another spelling",
      { cluster: "prod", namespaces: ["a"] },
      "namespaces",
      'Did you mean "namespace"?',
    ],
    [
      "rebuilt, which is for a person to say",
      { cluster: "prod", all: true, rebuilt: true },
      "rebuilt",
      "certkeep clusters add NAME --rebuilt",
    ],
    ["another place", { cluster: "prod", names: ["a"], as: "x/y" }, "as", "use the command line"],
    [
      "a field of the prototype",
      JSON.parse('{"cluster":"prod","all":true,"__proto__":1}'),
      "__proto__",
      "one of cluster",
    ],
    [
      "no cluster",
      { all: true },
      "restore event: cluster is missing",
      "It must be the name of a registered cluster",
    ],
    [
      "a cluster that is a path",
      { cluster: "../prod", all: true },
      "cluster",
      "the name of a registered cluster",
    ],
    ["apply in quotes", { cluster: "prod", all: true, apply: "true" }, "apply", "without quotes"],
    ["apply as a number", { cluster: "prod", all: true, apply: 1 }, "apply", "without quotes"],
    ["names as a text", { cluster: "prod", names: "a" }, "names", "a list"],
    ["an empty name", { cluster: "prod", names: [""] }, "names", "a list"],
    [
      "a day for an instant",
      { cluster: "prod", all: true, asOf: "2026-01-01" },
      "asOf",
      "an instant",
    ],
    [
      "what can't be overridden",
      { cluster: "prod", all: true, force: ["copy_revoked"] },
      "force",
      "live_valid",
    ],
    ["nothing to restore", { cluster: "prod", apply: true }, "names nothing to restore", "names"],
    ["a text", "prod", "restore event", "an object"],
    ["a list", [], "restore event", "an object"],
    ["nothing", undefined, "restore event", "an object"],
  ])("is refused with its place and the way on: %s", (_, event, place, todo) => {
    expect(() => parseRestoreEvent(event)).toThrow(
      expect.objectContaining({ code: "usage", message: expect.stringContaining(place) as string }),
    );
    expect(() => parseRestoreEvent(event)).toThrow(todo);
  });

  it("shows no value, which may be a key that was pasted into the wrong place", () => {
    for (const event of [
      { cluster: "prod", names: "AGE-SECRET-KEY-1CANARY" },
      { cluster: "AGE-SECRET-KEY-1CANARY" },
      { "AGE-SECRET-KEY-1CANARYCANARYCANARY": 1 },
    ]) {
      expect(() => parseRestoreEvent(event)).toThrow(/^(?!.*CANARY)/s);
    }
  });

  it("is total", () => {
    fc.assert(
      fc.property(fc.anything(), (event) => {
        try {
          return parseRestoreEvent(event).cluster !== "";
        } catch (error) {
          return isCertkeepError(error, "usage");
        }
      }),
    );
  });
});

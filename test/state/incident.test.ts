import { describe, expect, it } from "vitest";
import { formatMs } from "../../lib/certificate/time.ts";
import type { LostRecord } from "../../lib/state/document.ts";
import { isMassLoss, namespaceIncident } from "../../lib/state/incident.ts";
import type { Secrets } from "../../lib/state/secrets.ts";
import { markMassLoss } from "../../lib/usecases/audit/loss.ts";
import { certificate, NOW_MS, secret } from "../finding/fixture.ts";

const MINUTE_MS = 60_000;

describe("certificates lost within one hour are one incident", () => {
  it.each([
    // More than 10, in a cluster of any size.
    [10, 1000, false],
    [11, 1000, true],
    // Over a quarter, and at least 3.
    [1, 1, false],
    [2, 2, false],
    [3, 3, true],
    [3, 11, true],
    [3, 12, false],
    [4, 15, true],
    [4, 16, false],
    [10, 39, true],
    [10, 40, false],
    [0, 0, false],
  ])("%i of %i: %s", (lost, all, expected) => {
    expect(isMassLoss(lost, all)).toBe(expected);
  });
});

describe("a namespace", () => {
  it.each([
    [{ state: "absent" } as const, "deleted"],
    [{ state: "present", uid: "a", deleting: true } as const, "deleted"],
    [{ state: "present", uid: "b" } as const, "recreated"],
    [{ state: "present", uid: "a" } as const, null],
    [{ state: "unknown" } as const, null],
  ])("that is %o: %s", (there, expected) => {
    expect(namespaceIncident(there, "a")).toBe(expected);
  });

  it("of an unknown uid isn't taken for a recreated one", () => {
    expect(namespaceIncident({ state: "present", uid: "b" }, null)).toBeNull();
  });
});

describe("the losses of an audit", () => {
  const loss = (minutesAgo: number, over: Partial<LostRecord> = {}): LostRecord => ({
    ...{ how: "unknown", incident: null, lastSeenAt: formatMs(NOW_MS), record: secret() },
    lostAt: formatMs(NOW_MS - minutesAgo * MINUTE_MS),
    ...over,
  });
  const after = (standing: number, losses: readonly LostRecord[]): readonly (string | null)[] => {
    const secrets: Secrets = {
      secrets: Object.fromEntries(
        Array.from({ length: standing }, (_, index) => [`stands/${index}`, secret()]),
      ),
      lost: Object.fromEntries(losses.map((one, index) => [`lost/${index}`, one])),
    };
    markMassLoss(secrets, NOW_MS);
    return Object.values(secrets.lost).map(({ incident }) => incident);
  };
  const all = (text: string, count = 3): string[] => Array.from({ length: count }, () => text);
  const three = "3 of 11 certificates were lost within one hour";

  it.each<[string, number, readonly LostRecord[], readonly (string | null)[]]>([
    ["in one audit", 8, [loss(0), loss(0), loss(0)], all(three)],
    ["in several audits of one hour", 8, [loss(59), loss(30), loss(0)], all(three)],
    ["over more than an hour", 8, [loss(60), loss(30), loss(0)], [null, null, null]],
    ["too few of a larger cluster", 9, [loss(0), loss(0), loss(0)], [null, null, null]],
    [
      "one of them deleted because its parent names other hosts",
      8,
      [loss(0), loss(0), loss(0, { how: "replaced" })],
      [null, null, null],
    ],
    [
      "one of them with its namespace",
      8,
      [loss(0), loss(0), loss(0, { incident: "namespace shop was deleted" })],
      [null, null, "namespace shop was deleted"],
    ],
    [
      "another within an hour of what is an incident already",
      8,
      [
        loss(70, { incident: "earlier", massLoss: true }),
        loss(40, { incident: "earlier", massLoss: true }),
        ...[loss(0), loss(0)],
      ],
      all(three, 4),
    ],
  ])("%s", (_, standing, losses, expected) => {
    expect(after(standing, losses)).toEqual(expected);
  });

  it("count certificates, not Secrets", () => {
    const certificates = { a: certificate(), b: certificate(), c: certificate() };
    expect(after(8, [loss(0, { record: secret({ certificates }) })])).toEqual([three]);
  });

  it("are lost, whatever became of their parents", () => {
    const secrets: Secrets = {
      secrets: {},
      lost: { "a/a": loss(0), "a/b": loss(0, { how: "removed" }), "a/c": loss(0) },
    };
    markMassLoss(secrets, NOW_MS);
    expect(Object.values(secrets.lost).map(({ how }) => how)).toEqual(["lost", "lost", "lost"]);
  });
});

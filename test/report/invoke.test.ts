/** The line of the AWS command line beside a restore: what stands in it, and what never does. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRestoreEvent } from "../../lib/config/event.ts";
import { type RestoreAction, restoreAction, restoreFunctionOf } from "../../lib/finding/action.ts";
import { clusterFindings } from "../../lib/finding/cluster.ts";
import { commandOf, findingInvoke, invokeLine } from "../../lib/report/command.ts";
import { findingDocument } from "../../lib/report/phrases.ts";
import type { StateDocument } from "../../lib/state/document.ts";
import { copy, NOW, NOW_MS, secret, state } from "../finding/fixture.ts";

const by = { name: "certkeep-prod-restore", region: "eu-west-1" };

function invoke(restore: RestoreAction): string | null {
  return commandOf({ kind: "invoke", by, restore });
}
function payloadOf(line: string | null): unknown {
  return JSON.parse(/--payload '(.*)' \/dev\/stdout$/.exec(line ?? "")?.[1] ?? "null");
}
/** One Secret lost, as a report finds it. */
function lost(over: Partial<StateDocument["lost"][string]>): StateDocument {
  const loss = { how: "lost", incident: null, lostAt: NOW, lastSeenAt: NOW, record: secret() };
  const copies = { v1: copy({ secret: "shop" }) };
  return state({}, { lost: { "tailscale/shop": { ...loss, ...over } }, copies });
}

describe("beside a restore", () => {
  it.each([
    [restoreAction("prod", ["shop.example.com"]), { cluster: "prod", names: ["shop.example.com"] }],
    [restoreAction("prod", ["*.example.com"]), { cluster: "prod", names: ["*.example.com"] }],
    [restoreAction("prod", [], { all: true }), { cluster: "prod", all: true }],
    [
      restoreAction("prod", [], { all: true, namespace: "shop" }),
      { cluster: "prod", all: true, namespace: "shop" },
    ],
    [
      restoreAction("prod", ["a.example.com"], { replace: true, createNamespace: true }),
      { cluster: "prod", names: ["a.example.com"], replace: true, createNamespace: true },
    ],
  ])("of %j the function takes the same, as a plan", (restore, event) => {
    const line = invoke(restore);
    expect(payloadOf(line)).toEqual(event);
    expect(parseRestoreEvent(payloadOf(line))).toMatchObject({ ...event, apply: false });
    expect(line).toMatch(
      /^aws lambda invoke --function-name certkeep-prod-restore --region eu-west-1 --cli-read-timeout 900 --cli-binary-format raw-in-base64-out --payload '/,
    );
  });

  it("of every finding that is restored, and of nothing else", () => {
    const found = (of: StateDocument) =>
      clusterFindings(of, { atMs: NOW_MS, ignore: [], restore: by }).said[0];
    const restored = found(lost({ incident: "namespace tailscale is gone" }));
    expect(payloadOf(restored === undefined ? null : findingInvoke(restored))).toEqual({
      cluster: "prod",
      all: true,
      namespace: "tailscale",
    });
    const explained = found({ ...lost({}), copies: {} });
    expect(explained && findingDocument(explained).command).toMatch(/^certkeep explain /);
    expect(explained && findingDocument(explained)).not.toHaveProperty("invoke");
  });

  it("only where a function is configured", () => {
    const [finding] = clusterFindings(lost({ incident: "x" }), { atMs: NOW_MS, ignore: [] }).said;
    expect(finding && findingDocument(finding)).not.toHaveProperty("invoke");
    expect(
      restoreFunctionOf({ region: "eu-west-1", stage: null, topic: null, restoreFunction: null }),
    ).toBeNull();
    expect(restoreFunctionOf(null)).toBeNull();
  });

  it("a name that doesn't fit a command is in no line", () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        const line = invokeLine(by, { cluster: "prod", names: [name] });
        return line === null
          ? !/^[A-Za-z0-9._/*:=][A-Za-z0-9._/*:=@-]*$/.test(name)
          : /^aws [^'\\$`;&|<>\n]*'[^'\\$`;&|<>\n]*' \/dev\/stdout$/.test(line);
      }),
    );
  });
});

/** The line of the AWS command line beside a restore: what stands in it, and what never does. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commandLine, literal } from "../../lib/finding/command.ts";
import { createFinding } from "../../lib/finding/finding.ts";
import { invokeLine, offerInvoke, restoreFunctionOf } from "../../lib/finding/invoke.ts";
import { parseRestoreEvent } from "../../lib/config/event/restore.ts";

const restore = { name: "certkeep-prod-restore", region: "eu-west-1" };

function withCommand(command: string | null) {
  return {
    ...createFinding(
      {
        code: "secret_lost",
        subject: { cluster: "prod", namespace: "shop", secret: "web", name: "shop.example.com" },
        seen: "gone",
      },
      "2026-01-01T00:00:00Z",
    ),
    command,
  };
}
function payloadOf(line: string | undefined): unknown {
  return JSON.parse(/--payload '(.*)' \/dev\/stdout$/.exec(line ?? "")?.[1] ?? "null");
}

describe("beside a restore", () => {
  it.each([
    [["prod", "shop.example.com"], { cluster: "prod", names: ["shop.example.com"] }],
    [["prod", "*.example.com"], { cluster: "prod", names: ["*.example.com"] }],
    [["prod", literal("--all")], { cluster: "prod", all: true }],
    [
      ["prod", literal("--all --namespace"), "shop"],
      { cluster: "prod", all: true, namespace: "shop" },
    ],
  ])("of %j the function takes the same, as a plan", (words, event) => {
    const [finding] = offerInvoke(
      [withCommand(commandLine(literal("certkeep restore"), ...words))],
      restore,
    );
    expect(payloadOf(finding?.invoke)).toEqual(event);
    expect(parseRestoreEvent(payloadOf(finding?.invoke))).toMatchObject({ ...event, apply: false });
    expect(finding?.invoke).toMatch(
      /^aws lambda invoke --function-name certkeep-prod-restore --region eu-west-1 --cli-read-timeout 900 --cli-binary-format raw-in-base64-out --payload '/,
    );
  });

  it.each([
    ["certkeep explain shop.example.com"],
    ["certkeep restore prod --rebuilt --all"],
    [null],
  ])("of nothing else: %s", (command) => {
    expect(offerInvoke([withCommand(command)], restore)[0]).not.toHaveProperty("invoke");
  });

  it("only where a function is configured", () => {
    expect(
      offerInvoke([withCommand("certkeep restore prod a.example.com")], restoreFunctionOf(null))[0],
    ).not.toHaveProperty("invoke");
    expect(
      restoreFunctionOf({ region: "eu-west-1", stage: null, topic: null, restoreFunction: null }),
    ).toBeNull();
  });

  it("a name that doesn't fit a command is in no line", () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        const line = invokeLine(restore, { cluster: "prod", names: [name] });
        return line === null
          ? !/^[A-Za-z0-9._/*:=][A-Za-z0-9._/*:=-]*$/.test(name)
          : /^aws [^'\\$`;&|<>\n]*'[^'\\$`;&|<>\n]*' \/dev\/stdout$/.test(line);
      }),
    );
  });
});

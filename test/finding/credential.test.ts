/** The end of a credential: at each threshold, and a moment either side. */
import { describe, expect, it } from "vitest";
import { formatMs } from "../../lib/certificate/time.ts";
import { evaluateState } from "../../lib/finding/evaluate.ts";
import { findingCommand } from "../../lib/report/command.ts";
import { findingDocument } from "../../lib/report/phrases.ts";
import { emptyState } from "../../lib/state/document.ts";

const NOW = 1_800_000_000_000;
const DAY = 86_400_000;
const text = (ns: number): string => formatMs(ns);

function found(credential: { kind: string; endsAt: string | null; madeAt: string | null } | null) {
  const state = { ...emptyState("prod", "prod", "https://prod"), credential };
  return evaluateState(state, NOW, text(NOW))
    .filter(({ code }) => code === "credential_expiring")
    .map((finding) => ({ severity: finding.severity, command: findingCommand(finding) }));
}

describe("credential_expiring", () => {
  const command = "certkeep clusters add prod";
  it.each([
    ["more than 14 days left", NOW + 14 * DAY + 1, []],
    ["14 days left", NOW + 14 * DAY, [{ severity: "warning", command }]],
    ["more than 3 days left", NOW + 3 * DAY + 1, [{ severity: "warning", command }]],
    ["3 days left", NOW + 3 * DAY, [{ severity: "critical", command }]],
    ["ended", NOW - DAY, [{ severity: "critical", command }]],
  ])("%s", (_name, end, expected) => {
    expect(found({ kind: "token", endsAt: text(end), madeAt: null })).toEqual(expected);
  });

  it("tells the age of a token without an end after a year, and of nothing else", () => {
    expect(found({ kind: "token-secret", endsAt: null, madeAt: text(NOW - 365 * DAY) })).toEqual(
      [],
    );
    expect(
      found({ kind: "token-secret", endsAt: null, madeAt: text(NOW - 365 * DAY - 1) }),
    ).toEqual([{ severity: "warning", command }]);
    expect(found({ kind: "eks", endsAt: null, madeAt: text(NOW - 900 * DAY) })).toEqual([]);
  });

  it("watches the restoring credential as well, which no audit uses", () => {
    const ending = { kind: "token", endsAt: text(NOW + 2 * DAY), madeAt: null };
    const state = {
      ...emptyState("prod", "prod", "https://prod"),
      credential: { kind: "token", endsAt: text(NOW + 90 * DAY), madeAt: null },
      registered: { everybody: [], restore: ending },
    };
    const findings = evaluateState(state, NOW, text(NOW)).filter(
      ({ code }) => code === "credential_expiring",
    );
    expect(findings.map(({ severity, subject }) => [severity, subject.name])).toEqual([
      ["critical", "restore"],
    ]);
    expect(findings.map(findingCommand)).toEqual([command]);
    expect(findings[0] && findingDocument(findings[0]).seen).toMatch(/restoring credential/i);
  });

  it("says nothing of a credential that wasn't registered", () => {
    expect(found(null)).toEqual([]);
  });
});

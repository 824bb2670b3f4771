/** Reports as people read them: files beside this test, at 80 and 120 columns. */
import { describe, expect, it } from "vitest";
import { overviewText } from "../../lib/report/overview.ts";
import { PLAIN } from "../../lib/report/text.ts";
import { badDay, firstAudit, quietWeek, SCENARIOS, type Scenario } from "../support/scenarios.ts";

function text(day: Scenario, width: number, verbose = false): string {
  return overviewText({ ...day, unregistered: [], width, room: width, style: PLAIN, verbose });
}

describe("a report", () => {
  it.each(
    Object.entries(SCENARIOS).flatMap(([name, make]) =>
      [80, 120].map((width) => [name, width, make] as const),
    ),
  )("of %s at %i columns", async (name, width, make) => {
    await expect(`${text(make(), width)}\n`).toMatchFileSnapshot(
      `fixtures/report.${name}.${width}.txt`,
    );
  });

  it("names every certificate that an audit only counts", () => {
    const day = firstAudit();
    const told = text(day, 80);
    expect(told).not.toContain(" more");
    const named = new Set(told.split(/\s+/));
    for (const { subject } of day.findings)
      if (subject.name !== null) expect(named).toContain(subject.name.replace(".example.com", ""));
  });

  it("counts clusters that are OK, and lists them and every certificate with -v", () => {
    const day = quietWeek();
    expect(text(day, 80)).toContain("56 other clusters OK");
    expect(text(day, 80)).not.toContain("edge-60 ");
    const told = text(day, 120, true);
    expect(told).toMatch(/^ {2}edge-60 +13 +13 /m);
    expect(told.match(/^ {2}app\d+\.edge-/gm)).toHaveLength(809);
  });

  it("shows a running refusal as 0 with its end, and keeps the seconds", () => {
    expect(text(badDay(), 80)).toMatch(/shop\S+ +names +0 of 5 +2026-11-24T07:16:00Z$/m);
  });
});

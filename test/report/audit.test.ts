/** Audits as people read them: files beside this test, at 80 and 120 columns. */
import { describe, expect, it } from "vitest";
import { auditText } from "../../lib/report/audit.ts";
import { PLAIN } from "../../lib/report/text.ts";
import { badDay, firstAudit, healthy, SCENARIOS, type Scenario } from "../support/scenarios.ts";

function text({ audited, budgets, nowMs }: Scenario, width: number, verbose = false): string {
  return auditText(audited, { width, style: PLAIN, nowMs, stores: null, budgets, verbose });
}

describe("an audit", () => {
  it.each(
    Object.entries(SCENARIOS).flatMap(([name, make]) =>
      [80, 120].map((width) => [name, width, make] as const),
    ),
  )("of %s at %i columns", async (name, width, make) => {
    await expect(`${text(make(), width)}\n`).toMatchFileSnapshot(
      `fixtures/audit.${name}.${width}.txt`,
    );
  });

  it("of a healthy cluster is one line", () => {
    expect(text(healthy(), 80)).toBe("prod: 14 certificates OK, all 14 backed up");
  });

  it.each([
    [14, 14, "prod: 14 certificates OK, all 14 backed up (14 new backups)"],
    [
      14,
      16,
      "prod: 14 certificates OK, all 14 backed up (16 new backups, including ACME account keys)",
    ],
    [0, 2, "prod: 14 certificates OK, none backed up (2 new backups of ACME account keys)"],
  ])("that backed up %i certificates with %i new backups says of what", (backedUp, made, said) => {
    const day = healthy();
    const audited = day.audited.map((cluster) => ({
      ...cluster,
      tally: { ...cluster.tally, backedUp },
      copies: { made, present: 0 },
    }));
    expect(text({ ...day, audited }, 120)).toBe(said);
  });

  it.each([
    [
      1,
      "Skipped 1 TLS Secret from a private CA; to include it, list the CA under issuers: in " +
        "certkeep.yaml.",
    ],
    [
      2,
      "Skipped 2 TLS Secrets from private CAs; to include them, list the CA under issuers: in " +
        "certkeep.yaml.",
    ],
  ])("that skipped %i Secrets of private CAs ends with how to include them", (n, said) => {
    const day = healthy();
    const skipped = [
      ...Array.from({ length: n }, () => ({ reason: "private_ca" as const })),
      { reason: "selector" as const },
    ];
    const audited = day.audited.map((cluster) => ({ ...cluster, skipped }));
    expect(text({ ...day, audited }, 120).split("\n")).toEqual([
      "prod: 14 certificates OK, all 14 backed up",
      "",
      said,
    ]);
    const narrow = text({ ...day, audited }, 60).split("\n");
    expect(narrow.filter((line) => line.length > 60)).toEqual([]);
  });

  it("of 2,000 certificates has about 40 lines, and says what lists the rest", () => {
    const lines = text(firstAudit(), 80).split("\n");
    expect(lines.length).toBeLessThanOrEqual(40);
    expect(lines.at(-1)).toBe("All of them: certkeep report");
  });

  it.each([40, 80, 120])("never wraps a command at %i columns", (width) => {
    const restores = Object.values(SCENARIOS)
      .flatMap((make) => text(make(), width).split("\n"))
      .filter((line) => line.includes("--apply") || line.startsWith("    Restore"));
    expect(restores.length).toBeGreaterThan(3);
    expect(
      restores.filter((line) => !/^ {4}Restore {2}certkeep restore \S+ .*--apply$/.test(line)),
    ).toEqual([]);
  });

  it("keeps to the width in all but commands", () => {
    const lines = Object.values(SCENARIOS).flatMap((make) => text(make(), 80).split("\n"));
    expect(lines.filter((line) => line.length > 80 && !line.includes("certkeep "))).toEqual([]);
  });

  it("says with -v all that each finding says, and every certificate", () => {
    const day = badDay();
    const told = text(day, 120, true);
    for (const { code, subject } of day.findings) {
      expect(told).toContain(`${code} ${subject.namespace}/${subject.secret}`.replace("/null", ""));
    }
    expect(told).toContain("Looked through all namespaces");
  });
});

/** What a cluster had before it was rebuilt is told until it is there again. */
import { describe, expect, it } from "vitest";
import { evaluateState } from "../../lib/finding/evaluate.ts";
import { itemsOf } from "../../lib/report/items.ts";
import { itemLines } from "../../lib/report/items/lines.ts";
import { PLAIN } from "../../lib/report/text.ts";
import { findingDocument, type FindingDocument } from "../../lib/report/phrases.ts";
import { formatMs } from "../../lib/certificate/time.ts";
import { predecessorsOf, succeed } from "../../lib/restoreplan/successor.ts";
import type { StateDocument } from "../../lib/state/document.ts";
import { certificate, copy, NOW, NOW_MS, secret, state } from "./fixture.ts";

const DAY = 86_400_000;
const KEY = "tailscale/shop.tail1a2b3.ts.net";

/** The cluster was rebuilt an hour after the last audit of the one before. */
function rebuilt(
  over: Partial<StateDocument> = {},
  before: Partial<StateDocument> = {},
): StateDocument {
  const old = state(undefined, { copies: { v1: copy() }, ...before });
  const identity = { key: "uid-2", uid: "2", caSha256: null, server: "https://10.0.0.2" };
  return {
    ...succeed(old, identity as never, "predecessor-prod-uid-1", formatMs(NOW_MS + 3_600_000)),
    ...over,
  };
}
function told(of: StateDocument, atMs = NOW_MS + 2 * 3_600_000): readonly FindingDocument[] {
  return evaluateState(of, atMs, formatMs(atMs))
    .map(findingDocument)
    .filter(({ code }) => code === "rebuilt_not_restored");
}

describe("after a cluster was rebuilt", () => {
  it("names what the one before had, with the command that restores it", () => {
    const [document] = told(rebuilt());
    expect(document).toMatchObject({
      severity: "critical",
      seen:
        "The cluster was rebuilt at 2026-11-23T13:00:00Z, and 1 certificate of the one before it " +
        "isn't here: shop.tail1a2b3.ts.net.",
      advice: "Restore them before their services start.",
      command: "certkeep restore prod --all --create-namespace",
    });
  });

  it("needs no --create-namespace where something stands in its namespace", () => {
    const other = secret({ certificates: {} });
    expect(told(rebuilt({ secrets: { "tailscale/other": other } }))[0]?.command).toBe(
      "certkeep restore prod --all",
    );
  });

  it("ends once a certificate of these names is valid there, in whatever Secret", () => {
    expect(told(rebuilt({ secrets: { [KEY]: secret() } }))).toEqual([]);
    expect(told(rebuilt({ secrets: { "tailscale/ts-shop-x-0": secret() } }))).toEqual([]);
  });

  it("ends when a restore no longer takes it by itself, and when it has expired", () => {
    expect(told(rebuilt(), NOW_MS + 3_600_000 + 7 * DAY)).toHaveLength(1);
    expect(told(rebuilt(), NOW_MS + 3_600_001 + 7 * DAY)).toEqual([]);
    const expired = { v1: copy({ notAfter: NOW }) };
    expect(told(rebuilt({}, { copies: expired }))).toEqual([]);
  });

  it("counts what a restore brings back, valid there at the end or not", () => {
    const broken = { ...copy(), seenValid: false, sha256: "bb", serial: "0b" };
    const earlier = copy({ liveUntil: "2026-11-20T00:00:00Z" });
    const [document] = told(rebuilt({}, { copies: { v1: earlier, v2: broken } }));
    const restored = {
      seen: expect.stringContaining("1 certificate of the one before it") as string,
      advice: "Restore them before their services start.",
      command: "certkeep restore prod --all --create-namespace",
    };
    expect(document).toMatchObject(restored);
    expect(told(rebuilt({}, { copies: { v2: broken } }))).toEqual([]);
    const revoked = { at: NOW, reason: "leaked" };
    const [gone] = told(
      rebuilt({}, { copies: { v1: earlier, v2: { ...copy(), retired: revoked } } }),
    );
    expect(gone).toMatchObject(restored);
  });

  describe("of what the cluster before had lost", () => {
    const NAME = "old.tail1a2b3.ts.net";
    const copies = {
      v1: copy(),
      v0: copy({
        secret: NAME,
        names: [NAME],
        sha256: "cc",
        serial: "0c",
        liveUntil: "2026-11-20T00:00:00Z",
      }),
    };
    const held = { domain: NAME, names: [NAME], sha256: "cc", serial: "0c" };
    const record = secret({
      certificates: {
        tls: { ...certificate(held), copy: { version: "v0", digest: "d1", recipients: "r" } },
      },
    });
    const lost = (how: "lost" | "removed" | "unknown") => ({
      lost: {
        [`tailscale/${NAME}`]: { how, incident: null, lostAt: NOW, lastSeenAt: NOW, record },
      },
    });
    const emptied = {
      [`tailscale/${NAME}`]: secret({
        certificates: {},
        gaps: {
          tls: { domain: NAME, state: "empty", reasons: [], since: NOW, held: certificate(held) },
        },
      }),
    };

    it.each([
      ["a lost Secret", { copies, ...lost("lost") }],
      ["a lost Secret of an unknown parent", { copies, ...lost("unknown") }],
      ["an emptied Secret", { copies, secrets: { [KEY]: secret(), ...emptied } }],
    ])("names what a restore brings back: %s", (_, before) => {
      const [document] = told(rebuilt({}, before as never));
      expect(document?.seen).toMatch(/2 certificates .*shop\..*old\./);
      expect(document?.command).toBe("certkeep restore prod --all --create-namespace");
      const after = NOW_MS + 2 * 3_600_000;
      const [item] = itemsOf({
        findings: evaluateState(rebuilt({}, before as never), after, formatMs(after)),
        nameOf: (cluster) => cluster,
        nowMs: after,
      });
      const page = { nowMs: after, width: 100, style: PLAIN, several: false, verbose: false };
      expect(itemLines([item as never], { ...page, names: 5 }).lines).toEqual([
        "",
        "CRITICAL",
        "  prod  rebuilt; 2 certificates of the cluster before it aren't restored; all backed up",
        "    shop.tail1a2b3.ts.net old.tail1a2b3.ts.net",
        "    Restore  certkeep restore prod --all --create-namespace --apply",
      ]);
    });

    it("leaves out what it had deleted on purpose or replaced", () => {
      expect(told(rebuilt({}, { copies }))[0]?.seen).not.toContain("old.");
      expect(told(rebuilt({}, { copies, ...lost("removed") }))[0]?.seen).not.toContain("old.");
    });

    it("leaves out what has expired, and what is there by now", () => {
      const v0 = { ...copies.v0, notAfter: NOW };
      const before = { copies: { ...copies, v0 }, ...lost("lost") };
      expect(told(rebuilt({}, before))[0]?.seen).not.toContain("old.");
      const here = { [KEY]: secret(), [`tailscale/${NAME}`]: record };
      expect(told(rebuilt({ secrets: here }, { copies, ...lost("lost") }))).toEqual([]);
    });

    it("isn't known of a state that an earlier version succeeded", () => {
      const of = rebuilt({}, { copies, ...lost("lost") });
      const predecessors = predecessorsOf(of).map(({ key, document, at }) => ({
        key,
        document,
        at,
      }));
      const earlier: StateDocument = { ...of, ...{ predecessors } };
      expect(told(earlier)[0]?.seen).not.toContain("old.");
    });
  });

  it("says nothing of a cluster that was never rebuilt", () => {
    expect(told(state({}, { copies: { v1: copy() } }))).toEqual([]);
  });
});

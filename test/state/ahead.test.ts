import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { forgettingMs, withoutFuture } from "../../lib/state/ahead.ts";
import { formatState, parseState, type StateDocument } from "../../lib/state/document.ts";
import { observationsOf } from "../../lib/state/observations.ts";
import { certificate, NOW, secret, state } from "../finding/fixture.ts";

const NOW_MS = Date.parse(NOW);
const DAY_MS = 86_400_000;
const iso = (ms: number): string => new Date(ms).toISOString();

/** A state whose observed instants all are `at`. */
function seenAt(at: string): StateDocument {
  const record = secret({
    recordedAt: at,
    certificates: { tls: certificate({ firstSeenAt: at }) },
    gaps: {
      old: {
        domain: null,
        state: "empty",
        reasons: [],
        since: at,
        held: certificate({ firstSeenAt: at }),
      },
    },
    earlier: [{ at, uid: "u", base: "tls", state: "live", serial: null, reasons: [] }],
  });
  const base = state({ "shop/web": record });
  const copy = {
    namespace: "shop",
    secret: "web",
    shape: "tls",
    fieldBase: "tls",
    kind: "certificate",
    names: ["web.example"],
    issuer: null,
    serial: null,
    sha256: null,
    notBefore: null,
    notAfter: null,
    issuedAt: null,
    account: null,
    digest: "d",
    key: "k",
    recordedAt: at,
    seenValid: true,
    liveFrom: at,
    liveUntil: at,
  };
  const ms = Date.parse(at);
  return {
    ...base,
    audit: {
      startedAt: at,
      finishedAt: at,
      complete: false,
      lastCompleteAt: at,
      lastReachedAt: at,
      unread: [{ scope: "s", code: "c", message: "m", since: at }],
      secrets: 1,
      foreign: 0,
    },
    lost: {
      "shop/gone": { how: "lost", incident: null, lostAt: at, lastSeenAt: at, record },
    },
    copies: { v1: copy },
    findings: { f: { code: "c", since: at, lastAt: at } },
    observations: {
      looks: [
        {
          source: "logs",
          scope: "a",
          askedMs: ms,
          wholeMs: ms,
          code: null,
          sinceMs: null,
          unread: null,
          lineMs: ms,
        },
      ],
      access: [
        {
          secret: "shop/web",
          account: "system:serviceaccount:shop:a",
          verb: "get",
          allowed: true,
          reason: "",
          atMs: ms,
          sinceMs: ms,
        },
      ],
    },
  };
}

describe("a state of a clock that was ahead", () => {
  it("has no instant in the future, and no answer from there", () => {
    const at = iso(NOW_MS + 400 * DAY_MS);
    const before = seenAt(at);
    expect(parseState(formatState(before)).ok).toBe(true);
    const after = withoutFuture(before, NOW_MS);
    expect(formatState(after)).not.toContain("2027-12-28");
    expect(formatState(after)).not.toContain(String(NOW_MS + 400 * DAY_MS));
    expect(after.audit?.finishedAt).toBe(NOW);
    expect(after.copies["v1"]).toMatchObject({ liveFrom: NOW, liveUntil: NOW });
    expect(after.lost["shop/gone"]).toMatchObject({ lostAt: NOW, lastSeenAt: NOW });
    expect(observationsOf(after)).toMatchObject({ looks: [], access: [] });
    expect(observationsOf(before).access).toHaveLength(1);
    expect(observationsOf(before).looks).toHaveLength(1);
  });

  it("keeps what was seen in time, by whatever the clock was ahead", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1000 }), (days) => {
        const before = seenAt(iso(NOW_MS - days * DAY_MS));
        const { audit } = seenAt(iso(NOW_MS + (days + 1) * DAY_MS));
        expect({
          ...withoutFuture({ ...before, audit }, NOW_MS),
          audit: null,
          observations: null,
        }).toEqual({ ...before, audit: null, observations: null });
      }),
    );
  });

  it(
    "is left as it is where the last audit was not ahead, or within what honest clocks differ " +
      "by",
    () => {
      for (const at of [iso(NOW_MS), iso(NOW_MS - DAY_MS), iso(NOW_MS + 60_000)]) {
        const before = seenAt(at);
        expect(withoutFuture(before, NOW_MS)).toBe(before);
      }
    },
  );
});

describe("the instant by which an audit forgets", () => {
  it.each([
    ["is that of the audit before it", NOW_MS - DAY_MS, NOW_MS + 400 * DAY_MS, NOW_MS - DAY_MS],
    ["is now where the audit before it was ahead", NOW_MS + 400 * DAY_MS, NOW_MS, NOW_MS],
  ])("%s", (_name, beforeMs, nowMs, expected) => {
    expect(forgettingMs(seenAt(iso(beforeMs)), nowMs)).toBe(expected);
  });

  it("is now where there was none", () => {
    expect(forgettingMs({ audit: null }, NOW_MS)).toBe(NOW_MS);
  });
});

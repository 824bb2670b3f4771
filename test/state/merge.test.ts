import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatState,
  parseState,
  STATE_FORMAT,
  type CopyRecord,
  type StateDocument,
} from "../../lib/state/document.ts";
import { pinIdentity } from "../../lib/state/identity.ts";
import { mergeStates } from "../../lib/state/merge.ts";
import { certificate, secret, state } from "../finding/fixture.ts";

const T = (minute: number): string => `2026-11-23T12:${String(minute).padStart(2, "0")}:00Z`;

function audited(at: number, over: Partial<StateDocument>): StateDocument {
  const base = state({}, over);
  return {
    ...base,
    audit: {
      startedAt: T(at),
      finishedAt: T(at),
      complete: true,
      lastCompleteAt: T(at),
      lastReachedAt: T(at),
      unread: [],
      secrets: 0,
      foreign: 0,
    },
  };
}

const copy = (over: Partial<CopyRecord>): CopyRecord => ({
  namespace: "n",
  secret: "s",
  shape: "tls",
  fieldBase: "tls",
  kind: "certificate",
  names: ["a"],
  issuer: null,
  serial: "1",
  sha256: "a",
  notBefore: T(0),
  notAfter: T(59),
  issuedAt: T(0),
  account: null,
  digest: "d",
  key: "k",
  recordedAt: T(1),
  seenValid: false,
  liveFrom: T(1),
  liveUntil: T(1),
  ...over,
});

describe("merging two audits' states", () => {
  it("takes the later look at a Secret, whichever was written first", () => {
    const early = audited(5, {
      secrets: { "n/a": secret({ recordedAt: T(5), resourceVersion: "5" }) },
    });
    const late = audited(6, {
      secrets: { "n/a": secret({ recordedAt: T(6), resourceVersion: "6" }) },
    });
    expect(mergeStates(early, late).secrets["n/a"]?.resourceVersion).toBe("6");
    expect(mergeStates(late, early).secrets["n/a"]?.resourceVersion).toBe("6");
  });

  it("keeps what either alone saw", () => {
    const a = audited(5, { secrets: { "n/a": secret({ recordedAt: T(5) }) } });
    const b = audited(5, { secrets: { "n/b": secret({ recordedAt: T(5) }) } });
    expect(Object.keys(mergeStates(a, b).secrets).toSorted()).toEqual(["n/a", "n/b"]);
  });

  it("lets a Secret that was made again outlive its loss", () => {
    const gone = audited(5, {
      lost: {
        "n/a": {
          how: "lost",
          incident: null,
          lostAt: T(5),
          lastSeenAt: T(4),
          record: secret({ recordedAt: T(1), uid: "old" }),
        },
      },
    });
    const back = audited(6, { secrets: { "n/a": secret({ recordedAt: T(6), uid: "new" }) } });
    for (const merged of [mergeStates(gone, back), mergeStates(back, gone)]) {
      expect(merged.lost).toEqual({});
      expect(merged.secrets["n/a"]?.uid).toBe("new");
    }
  });

  it("keeps when a copy was last restored, whoever writes last", () => {
    const restored = (minute: number) =>
      audited(minute, { copies: { v: copy({ restoredAt: T(minute) }) } });
    const never = audited(9, { copies: { v: copy({}) } });
    for (const [a, b] of [
      [restored(4), restored(5)],
      [restored(5), never],
    ] as const)
      for (const merged of [mergeStates(a, b), mergeStates(b, a)])
        expect(merged.copies["v"]?.restoredAt).toBe(T(5));
    expect(mergeStates(never, never).copies["v"]).not.toHaveProperty("restoredAt");
  });

  it("unites the spans in which a copy was live, and never forgets a retirement", () => {
    const a = audited(5, {
      copies: {
        v: copy({ liveFrom: T(1), liveUntil: T(5), retired: { at: T(5), reason: "leaked" } }),
      },
    });
    const b = audited(6, {
      copies: { v: copy({ liveFrom: T(3), liveUntil: T(6), seenValid: true }), w: copy({}) },
    });
    for (const merged of [mergeStates(a, b), mergeStates(b, a)]) {
      expect(merged.copies["v"]).toMatchObject({
        liveFrom: T(1),
        liveUntil: T(6),
        seenValid: true,
        retired: { reason: "leaked" },
      });
      expect(merged.copies["w"]).toBeDefined();
    }
  });

  it("keeps a person's pin, whoever writes last", () => {
    const pinned = (by: "person" | "audit", caSha256: string, minute: number) =>
      pinIdentity(by, { uid: "1", caSha256 }, { server: "https://a", at: T(minute) });
    const { pin: _, ...unpinned } = pinned("audit", "first", 1);
    const person = audited(5, { identity: pinned("person", "new", 5) });
    for (const other of [
      audited(6, { identity: pinned("audit", "first", 1) }),
      audited(6, { identity: pinned("person", "older", 4) }),
      audited(5, { identity: unpinned }),
      audited(5, { identity: null }),
    ])
      for (const merged of [mergeStates(other, person), mergeStates(person, other)])
        expect(merged.identity).toEqual(person.identity);
    const [first, second] = [1, 2].map((minute) =>
      audited(5, { identity: pinned("audit", String(minute), minute) }),
    );
    if (first === undefined || second === undefined) throw new Error("two");
    expect(mergeStates(first, second).identity?.pin?.at).toBe(T(1));
    expect(mergeStates(second, first).identity?.pin?.at).toBe(T(1));
  });

  it("takes nothing of a cluster whose successor was pinned while it was audited", () => {
    const pinned = (uid: string) =>
      pinIdentity("person", { uid, caSha256: "c" }, { server: "https://a", at: T(1) });
    const successor = audited(5, { identity: pinned("new") });
    const late = audited(6, {
      identity: pinned("old"),
      secrets: { "n/a": secret({ recordedAt: T(6) }) },
    });
    expect(mergeStates(successor, late)).toEqual(successor);
  });

  it("keeps fields that it doesn't know, and never raises the format", () => {
    const theirs = { ...audited(5, {}), format: 3, future: { a: 1 } };
    const merged = mergeStates(theirs as StateDocument, audited(6, {}));
    expect(merged).toMatchObject({ format: 3, readableFrom: STATE_FORMAT, future: { a: 1 } });
  });

  it("is the same whoever comes first, for what matters", () => {
    const records = fc.dictionary(
      fc.constantFrom("n/a", "n/b", "n/c"),
      fc
        .integer({ min: 0, max: 3 })
        .map((at) => secret({ recordedAt: T(at), resourceVersion: String(at) })),
    );
    const copies = fc.dictionary(
      fc.constantFrom("v", "w"),
      fc
        .tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 }))
        .map(([from, until]) =>
          copy({ liveFrom: T(Math.min(from, until)), liveUntil: T(Math.max(from, until)) }),
        ),
    );
    fc.assert(
      fc.property(records, copies, records, copies, (recordsA, copiesA, recordsB, copiesB) => {
        const a = audited(7, { secrets: recordsA, copies: copiesA });
        const b = audited(8, { secrets: recordsB, copies: copiesB });
        const [ab, ba] = [mergeStates(a, b), mergeStates(b, a)];
        expect(ab.secrets).toEqual(ba.secrets);
        expect(ab.copies).toEqual(ba.copies);
        expect(mergeStates(ab, ab)).toEqual(ab);
      }),
    );
  });
});

describe("a state document", () => {
  it("survives writing and reading", () => {
    const document = state({ "n/a": secret({ certificates: { tls: certificate() } }) });
    expect(parseState(formatState(document))).toEqual({ ok: true, state: document });
  });

  it("is refused, with its place, wherever it is cut", () => {
    const text = formatState(state());
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: text.length - 3 }),
        (end) => !parseState(text.slice(0, end)).ok,
      ),
    );
    const wrong = formatState({
      ...state(),
      secrets: { "n/a": { ...secret(), uid: 7 as unknown as string } },
    });
    expect(parseState(wrong)).toMatchObject({ ok: false, newer: false, place: "secrets.n/a.uid" });
  });

  it("of a format that only a newer version reads is told as newer", () => {
    expect(parseState(formatState({ ...state(), readableFrom: STATE_FORMAT + 1 }))).toMatchObject({
      ok: false,
      newer: true,
    });
    expect(parseState(formatState({ ...state(), format: STATE_FORMAT + 1 })).ok).toBe(true);
  });

  it("never makes reading throw", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.json()),
        (text) => typeof parseState(text).ok === "boolean",
      ),
    );
  });
});

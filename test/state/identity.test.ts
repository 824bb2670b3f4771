/**
 * The one rule for whether a cluster is the pinned one, and what states of earlier versions are
 * held to.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mismatchText } from "../../lib/report/pinning.ts";
import { emptyState, formatState, parseState } from "../../lib/state/document.ts";
import {
  calledBy,
  identityKey,
  keepPin,
  mismatch,
  notPinned,
  pinIdentity,
  pinnedIn,
  sameCluster,
  type ClusterIdentity,
  type Mismatch,
  type StoredIdentity,
} from "../../lib/state/identity.ts";

const AT = "2026-11-23T12:00:00Z";
const SERVER = "https://prod.example.com:6443";
const seen = (change: Partial<ClusterIdentity> = {}): ClusterIdentity => ({
  uid: "u1",
  caSha256: "ca1",
  host: "prod.example.com",
  ...change,
});

describe("a cluster is the pinned one if uid and CA are both as pinned", () => {
  type Pin = Parameters<typeof mismatch>[0];
  const both: Pin = { uid: "u1", caSha256: "ca1", host: "prod.example.com" };
  const noUid = { ...both, uid: null };
  const noCa = { ...both, caSha256: null };
  it.each<[string, Pin, ClusterIdentity, Mismatch | null]>([
    ["both are", both, seen(), null],
    ["both are, at another address", both, seen({ host: "10.0.0.1" }), null],
    [
      "another certificate of the chain is pinned",
      both,
      seen({ caSha256: "r", alsoProvenBy: ["ca1"] }),
      null,
    ],
    [
      "the whole bundle is pinned, by an earlier version",
      both,
      seen({ caSha256: "x", bundleSha256: "ca1" }),
      null,
    ],
    ["another CA has the uid", both, seen({ caSha256: "ca2" }), "ca"],
    ["any public authority has the uid", both, seen({ caSha256: null }), "ca"],
    ["another uid has the CA", both, seen({ uid: "u2" }), "another"],
    ["the uid can't be read", both, seen({ uid: null }), "uid"],
    [
      "the uid can't be read, and the CA is another",
      both,
      seen({ uid: null, caSha256: "ca2" }),
      "another",
    ],
    ["neither is", both, seen({ uid: "u2", caSha256: "ca2" }), "another"],
    ["no uid is pinned", noUid, seen({ uid: null }), null],
    ["no uid is pinned and one can be read now", noUid, seen(), null],
    ["no uid is pinned, at another address", noUid, seen({ uid: null, host: "other" }), "address"],
    ["no uid is pinned, under another CA", noUid, seen({ uid: null, caSha256: "ca2" }), "another"],
    ["no CA is pinned", noCa, seen({ caSha256: null }), null],
    [
      "no CA is pinned, at another address",
      noCa,
      seen({ caSha256: null, host: "other" }),
      "address",
    ],
    ["no CA is pinned and a private one answers", noCa, seen(), "ca"],
    ["no address is known either", { ...noCa, host: null }, seen({ caSha256: null }), "address"],
  ])("%s", (_, pinned, one, expected) => {
    expect(mismatch(pinned, one)).toBe(expected);
  });

  it("is the pinned one only with the pinned CA and uid, whatever a server claims", () => {
    const text = fc.constantFrom("a", "b", "c");
    const identity = fc.record({
      uid: fc.option(text),
      caSha256: fc.option(text),
      alsoProvenBy: fc.array(text, { maxLength: 2 }),
      bundleSha256: fc.option(text),
      host: fc.option(text),
    });
    fc.assert(
      fc.property(text, text, text, identity, (uid, caSha256, host, one) => {
        const proven = [one.caSha256, ...one.alsoProvenBy, one.bundleSha256].includes(caSha256);
        const accepted = mismatch({ uid, caSha256, host }, one) === null;
        if (accepted) expect([one.uid, proven && one.caSha256 !== null]).toEqual([uid, true]);
        else expect(one.uid === uid && proven && one.caSha256 !== null).toBe(false);
      }),
    );
  });

  it.each<Mismatch>(["another", "ca", "uid", "address"])("says what differs: %s", (kind) => {
    const pinned = { uid: "u1", caSha256: "ca1", host: "prod", key: "uid-u1", by: "person" };
    const text = mismatchText({ kind, pinned, seen: seen({ host: "evil" }) });
    expect(text).toMatch(/another|CA|uid|evil/);
    expect(text).toMatch(kind === "address" ? /not as prod/ : kind === "ca" ? /ca1/ : /u1/);
  });

  it("two looks are at one cluster only if both show its uid under one CA", () => {
    expect(sameCluster(seen(), seen({ host: "10.0.0.1" }))).toBe(true);
    expect(sameCluster(seen(), seen({ caSha256: "ca2" }))).toBe(false);
    expect(sameCluster(seen({ uid: null }), seen({ uid: null }))).toBe(false);
  });
});

describe("a state of an earlier version", () => {
  const stored = (identity: object): { identity: StoredIdentity; server: string } => {
    const old = { ...emptyState("prod", "prod", SERVER), identity };
    const parsed = parseState(formatState(old as typeof old & { identity: StoredIdentity }));
    if (!parsed.ok || parsed.state.identity === null) throw new Error("no state");
    return { identity: parsed.state.identity, server: parsed.state.server };
  };
  const pinOf = (caSha256: string | null) => ({ caSha256, by: "audit", at: AT });

  it("without a pin is held to the CA that it recorded last, and the next audit pins that", () => {
    const state = stored({ uid: "u1", caSha256: "ca1", key: "uid-u1" });
    expect(pinnedIn(state)?.by).toBeNull();
    expect(notPinned(state, seen({ caSha256: "ca2" }))?.kind).toBe("ca");
    expect(notPinned(state, seen())).toBeNull();
    expect(keepPin(state.identity, SERVER, seen(), AT)).toEqual({
      uid: "u1",
      caSha256: "ca1",
      host: "prod.example.com",
      key: "uid-u1",
      pin: pinOf("ca1"),
    });
  });

  it("whose audits followed another CA is held to the one that was pinned", () => {
    const state = stored({ uid: "u1", caSha256: "ca2", key: "uid-u1", pin: pinOf("ca1") });
    expect(notPinned(state, seen({ caSha256: "ca2" }))?.kind).toBe("ca");
    expect(notPinned(state, seen())).toBeNull();
    expect(keepPin(state.identity, SERVER, seen(), AT).caSha256).toBe("ca1");
  });

  it("that pinned a whole bundle is held to the CA of it that proved the next connection", () => {
    const state = stored({ uid: "u1", caSha256: "ab", key: "uid-u1", pin: pinOf("ab") });
    const look = seen({ caSha256: "a", bundleSha256: "ab" });
    const kept = { ...state, identity: keepPin(state.identity, SERVER, look, AT) };
    expect(kept.identity.pin).toEqual(pinOf("a"));
    expect(notPinned(kept, look)).toBeNull();
    expect(notPinned(kept, seen({ caSha256: "b", bundleSha256: "ab" }))?.kind).toBe("ca");
  });

  it("without a name is held to that of its address where no CA is pinned", () => {
    const state = stored({ uid: "u1", caSha256: null, key: "uid-u1", pin: pinOf(null) });
    expect(notPinned(state, seen({ caSha256: null }))).toBeNull();
    expect(notPinned(state, seen({ caSha256: null, host: "evil" }))?.kind).toBe("address");
    const ipv6 = { ...state, server: "https://[::1]:6443" };
    expect(notPinned(ipv6, seen({ caSha256: null, host: "::1" }))).toBeNull();
  });

  it("whatever it pinned: an audit that it accepts moves no pin", () => {
    const digest = fc.constantFrom("a", "b", "ab");
    fc.assert(
      fc.property(digest, digest, fc.boolean(), fc.boolean(), (recorded, pin, hasPin, bundle) => {
        const state = stored({
          uid: "u1",
          caSha256: recorded,
          key: "uid-u1",
          ...(hasPin ? { pin: pinOf(pin) } : {}),
        });
        const look = seen({ caSha256: "a", bundleSha256: bundle ? "ab" : null });
        if (notPinned(state, look) !== null) return;
        const kept = keepPin(state.identity, SERVER, look, AT);
        expect(kept.pin?.caSha256).toBe("a");
        expect(kept.caSha256).toBe("a");
        expect(notPinned({ identity: kept, server: "https://elsewhere" }, look)).toBeNull();
      }),
    );
  });
});

describe("the identity of a cluster", () => {
  it("is called by its name, or by its context where it has none, reached or not", () => {
    const server = identityKey({ uid: null, caSha256: null }, "https://a");
    expect(calledBy({ cluster: "prod", title: "prod", identity: { key: "uid-u1" } })).toBe("prod");
    expect(calledBy({ cluster: "uid-u1", title: "here", identity: { key: "uid-u1" } })).toBe(
      "here",
    );
    expect(calledBy({ cluster: server, title: "here", identity: null })).toBe("here");
    expect(calledBy({ cluster: "prod", title: "prod", identity: null })).toBe("prod");
  });

  it("is named by uid, else CA, else address; pinned again it keeps that name", () => {
    expect(identityKey({ uid: "u1", caSha256: "c1" }, "https://a")).toBe("uid-u1");
    expect(identityKey({ uid: null, caSha256: "c1" }, "https://a")).toBe("ca-c1");
    expect(identityKey({ uid: null, caSha256: null }, "https://a")).toMatch(/^server-/);
    const before = pinIdentity("audit", seen(), { server: SERVER, at: AT });
    const after = pinIdentity("person", seen({ uid: null, caSha256: "ca2" }), {
      server: SERVER,
      at: AT,
      before: { ...before, future: 1 },
    });
    expect(after).toEqual({
      uid: null,
      caSha256: "ca2",
      host: "prod.example.com",
      key: "uid-u1",
      pin: { caSha256: "ca2", by: "person", at: AT },
      future: 1,
    });
  });
});

/** What a state alone says of a restore: the planner's own answer, with what the command needs. */
import { describe, expect, it } from "vitest";
import { evaluateState } from "../../lib/finding/evaluate.ts";
import { findingDocument } from "../../lib/report/phrases.ts";
import type { CertificateRecord, CopyRecord, StateDocument } from "../../lib/state/document.ts";
import { certificate, copy, NOW, NOW_MS, secret, state } from "../finding/fixture.ts";

const KEY = "tailscale/shop.tail1a2b3.ts.net";
const NAME = "shop.tail1a2b3.ts.net";
const RESTORE = `certkeep restore prod ${NAME}`;
const EXPLAIN = `certkeep explain ${NAME}`;

/** What stands there is rejected, and not backed up. */
const spoilt = (over: Partial<CertificateRecord> = {}): CertificateRecord =>
  certificate({ windows: [], reasons: ["key_mismatch"], keyFits: false, copy: null, ...over });

/** What was last seen there had other names, and has expired. */
const LATER = {
  v1: copy({ liveUntil: "2026-11-10T00:00:00Z" }),
  v2: copy({ names: ["a.example.com"], notAfter: "2026-11-20T00:00:00Z" }),
};

function offered(of: StateDocument): (string | null)[] {
  return evaluateState(of, NOW_MS, NOW).map((finding) => findingDocument(finding).command);
}
function standing(
  live: CertificateRecord,
  copies: Record<string, CopyRecord>,
  over: Partial<StateDocument> = {},
): StateDocument {
  return state({ [KEY]: secret({ certificates: { tls: live } }) }, { copies, ...over });
}
function lost(over: object = {}, more: Partial<StateDocument> = {}): StateDocument {
  const loss = { how: "lost", incident: null, lostAt: NOW, lastSeenAt: NOW, record: secret() };
  return state({}, { lost: { [KEY]: { ...loss, ...over } }, copies: { v1: copy() }, ...more });
}

describe("a certificate that is rejected", () => {
  it.each([
    ["another key was written under the same leaf", spoilt(), { v1: copy() }],
    [
      "the chain was cut under the same leaf, and that was backed up as well",
      spoilt({
        reasons: ["missing_intermediate"],
        keyFits: true,
        copy: { version: "v2", digest: "d2", recipients: "r" },
      }),
      { v1: copy(), v2: copy({ seenValid: false }) },
    ],
    ["an older one is valid", spoilt({ sha256: "bb", serial: "0b" }), { v1: copy() }],
    [
      "the newest backup has expired, another hasn't",
      spoilt(),
      { v2: copy({ notAfter: "2026-11-20T00:00:00Z" }), v1: copy() },
    ],
  ])("is restored where %s", (_, live, copies) => {
    expect(offered(standing(live, copies))).toEqual([RESTORE]);
  });

  it.each([
    ["no backup is there", {}],
    ["it was never seen valid", { v1: copy({ seenValid: false }) }],
    ["it has expired", { v1: copy({ notAfter: "2026-11-20T00:00:00Z" }) }],
    ["it isn't valid yet", { v1: copy({ notBefore: "2026-12-01T00:00:00Z" }) }],
    ["it was retired", { v1: copy({ retired: { at: NOW, reason: "key_compromise" } }) }],
    ["it is of other names than another that was seen valid later", LATER],
    ["it is of another Secret", { v1: copy({ secret: "other" }) }],
    ["it is of another field", { v1: copy({ fieldBase: "other" }) }],
    ["a restore replaced it", { v1: copy({ kind: "replaced" }) }],
    ["it is a kind that a newer version made up", { v1: copy({ kind: "later" }) }],
  ])("isn't restored where %s", (_, copies) => {
    expect(offered(standing(spoilt(), copies))).toEqual([EXPLAIN]);
  });

  it("isn't restored from the very content that is rejected", () => {
    const same = spoilt({
      keyFits: true,
      reasons: [],
      windows: [["2026-11-01T00:00:00Z", "2026-11-20T00:00:00Z"]],
      copy: { version: "v1", digest: "d1", recipients: "r" },
    });
    expect(offered(standing(same, { v1: copy() }))).toEqual([EXPLAIN]);
    expect(offered(standing(same, { v1: copy(), v2: copy() }))).toEqual([RESTORE]);
  });

  it("isn't restored from one that its issuer has revoked", () => {
    const revocation = {
      issuer: "letsencrypt",
      serial: "0A",
      revokedMs: Date.parse(NOW) - 3_600_000,
      reason: null,
      list: "http://crl.example/1",
      askedMs: Date.parse(NOW),
      nextMs: Date.parse(NOW),
    };
    const observations = { revocations: [revocation] };
    expect(offered(standing(spoilt({ serial: "0b" }), { v1: copy() }, { observations }))).toEqual([
      EXPLAIN,
    ]);
  });

  it("is unknown where the store could not be listed", () => {
    const of = standing(spoilt(), { v1: copy() });
    const unread = [{ scope: "backups", code: "store_timeout", message: "no answer", since: NOW }];
    const audit = of.audit === null ? null : { ...of.audit, unread };
    const [finding] = evaluateState({ ...of, audit }, NOW_MS, NOW).filter(
      ({ code }) => code === "certificate_invalid",
    );
    expect(finding?.params).toMatchObject({ backup: "unknown" });
  });
});

describe("what the command needs", () => {
  it(
    "is --replace for a Secret that can't be changed, whether what it holds is rejected or " +
      "valid",
    () => {
      for (const live of [spoilt(), certificate()]) {
        const fixed = secret({ immutable: true, certificates: { tls: live } });
        const found = evaluateState(
          state({ [KEY]: fixed }, { copies: { v1: copy() } }),
          NOW_MS,
          NOW,
        );
        expect(found.map(({ code }) => code)).toContain("storage_immutable");
        for (const finding of found)
          expect(findingDocument(finding).command).toBe(`${RESTORE} --replace`);
      }
      const alone = secret({ immutable: true, certificates: { tls: certificate() } });
      expect(offered(state({ [KEY]: alone }))).toEqual([EXPLAIN]);
    },
  );

  it("is --create-namespace where the namespace is gone, for one and for all", () => {
    expect(offered(lost())).toEqual([RESTORE]);
    expect(offered(lost({ namespaceGone: true }))).toEqual([`${RESTORE} --create-namespace`]);
    expect(offered(lost({ namespaceGone: true, incident: "namespace tailscale is gone" }))).toEqual(
      ["certkeep restore prod --all --namespace tailscale --create-namespace"],
    );
  });

  it("is --standby where only an imported certificate helps, which none of Tailscale's does", () => {
    const generic = { "shop/web": secret({ shape: "tls", certificates: { tls: spoilt() } }) };
    const standby = copy({
      kind: "standby",
      shape: "tls",
      namespace: "shop",
      secret: "web",
      issuer: null,
    });
    expect(offered(state(generic, { copies: { v1: standby } }))).toEqual([`${RESTORE} --standby`]);
    expect(offered(standing(spoilt(), { v1: copy({ kind: "standby" }) }))).toEqual([EXPLAIN]);
  });

  it("counts what comes back of several that are lost at once", () => {
    const incident = "3 of 4 went between two audits";
    const other = {
      ...lost({ incident }).lost[KEY],
      record: secret(),
    } as StateDocument["lost"][string];
    const both = lost({ incident }, {});
    const [finding] = evaluateState(
      { ...both, lost: { ...both.lost, "shop/none": other } },
      NOW_MS,
      NOW,
    );
    expect(finding?.params).toMatchObject({ count: 2, restorable: 1, backup: "restorable" });
    const none = { ...both, copies: {} };
    expect(offered(none)).toEqual(["certkeep explain prod"]);
  });
});

describe("a proxy's own Secret", () => {
  const parent = {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    namespace: "shop",
    name: "web",
  };
  const proxy = (over: object = {}) =>
    secret({ shape: "standalone", type: "Opaque", parent, ...over });
  const backup = copy({ secret: "ts-web-a1-0", shape: "standalone", fieldBase: NAME });

  it("is patched where it stands, and restored when the operator has made it again", () => {
    const rejected = proxy({ certificates: { [NAME]: spoilt() } });
    expect(
      offered(state({ "tailscale/ts-web-a1-0": rejected }, { copies: { v1: backup } })),
    ).toEqual([RESTORE]);
    const record = proxy({ certificates: { [NAME]: certificate() } });
    const loss = { how: "lost", incident: null, lostAt: NOW, lastSeenAt: NOW, record };
    expect(
      offered(state({}, { lost: { "tailscale/ts-web-a1-0": loss }, copies: { v1: backup } })),
    ).toEqual([RESTORE]);
  });
});

/** Revocation lists: what counts as an answer, and what is only “not known”. */
import { describe, expect, it } from "vitest";
import { parseCertificate } from "../../lib/certificate/parse.ts";
import {
  isHostOf,
  isRevokedBy,
  parseRevocationList,
  revocationHosts,
  revocationReason,
} from "../../lib/restoreplan/crl.ts";
import { explicit, implicit, sequence } from "../support/asn1.ts";
import { createAuthority } from "../support/pki.ts";
import { extensionDer } from "../support/x509.ts";

const now = new Date("2026-11-23T12:00:00Z");
const [before, after] = [new Date("2026-11-23T00:00:00Z"), new Date("2026-11-30T00:00:00Z")];
const URL = "http://te1.c.lencr.org/7.crl";
const ns = (date: Date): number => date.getTime();

function certificate(der: Uint8Array) {
  const parsed = parseCertificate(der);
  if (!parsed.ok) throw new Error("malformed");
  return parsed.certificate;
}

/**
 * issuingDistributionPoint, critical, with a full name and onlyContainsUserCerts, as Let's
 * Encrypt's lists have it.
 */
const point = (url: string, flag = 1): Buffer =>
  extensionDer({
    oid: "2.5.29.28",
    critical: true,
    value: sequence(
      explicit(0, explicit(0, implicit(6, Buffer.from(url)))),
      implicit(flag, Buffer.from([0xff])),
    ),
  });

describe.each(["P-256", "P-384", "RSA"] as const)("a list signed with %s", (curve) => {
  const authority = createAuthority({ name: "Test", curve });
  const issuer = certificate(authority.intermediates[0]?.der ?? Buffer.alloc(0));
  const leafOf = (serial?: string) =>
    certificate(
      authority.issue({
        names: ["a.test"],
        notBefore: before,
        notAfter: after,
        crlUrls: [URL],
        ...(serial === undefined ? {} : { serial }),
      }).leafDer,
    );
  const ask = (der: Uint8Array, leaf = leafOf(), at = now, url = URL, by = issuer) => {
    const list = parseRevocationList(der);
    if (list === null) throw new Error("no list");
    return isRevokedBy(list, { leaf, issuer: by, url, nowMs: ns(at) });
  };
  const listOf = (
    revoked: readonly { serial: string; revokedAt: Date }[],
    extensions: readonly Buffer[] = [],
    thisUpdate = before,
    nextUpdate = after,
  ): Buffer => authority.revocationList({ revoked, thisUpdate, nextUpdate, extensions });

  it("says revoked of what it names, with since when, and good of all else", () => {
    const leaf = leafOf("05aabbcc");
    expect(
      ask(
        listOf([
          { serial: "05aabbcc", revokedAt: before },
          { serial: "06", revokedAt: before },
        ]),
        leaf,
      ),
    ).toEqual({ state: "revoked", at: "2026-11-23T00:00:00Z" });
    expect(ask(listOf([{ serial: "05aabbcd", revokedAt: before }]), leaf)).toEqual({
      state: "good",
    });
    expect(ask(listOf([]), leaf)).toEqual({ state: "good" });
    expect(ask(listOf([], [point(URL)]), leaf)).toEqual({ state: "good" });
  });

  it.each([
    ["out of date", () => ask(listOf([]), leafOf(), new Date(after.getTime() + 1)), "outdated"],
    ["of tomorrow", () => ask(listOf([]), leafOf(), new Date(before.getTime() - 1)), "to_come"],
    [
      "of another address",
      () => ask(listOf([], [point("http://te1.c.lencr.org/8.crl")])),
      "other_address",
    ],
    ["of CA certificates alone", () => ask(listOf([], [point(URL, 2)])), "partial"],
    [
      "with an unknown critical extension",
      () => ask(listOf([], [extensionDer({ oid: "1.2.3.4", critical: true, value: sequence() })])),
      "unread_extension",
    ],
    [
      "a delta",
      () =>
        ask(listOf([], [extensionDer({ oid: "2.5.29.27", critical: true, value: sequence() })])),
      "unread_extension",
    ],
    [
      "of another issuer",
      () =>
        ask(
          createAuthority({ name: "Other" }).revocationList({
            revoked: [],
            thisUpdate: before,
            nextUpdate: after,
          }),
        ),
      "other_issuer",
    ],
    [
      "signed by another key under the same name",
      () =>
        ask(
          createAuthority({ name: "Test" }).revocationList({
            revoked: [],
            thisUpdate: before,
            nextUpdate: after,
          }),
        ),
      "bad_signature",
    ],
  ])("%s is not known", (_name, run, gap) => {
    expect(run()).toMatchObject({ state: "unknown", gap: { gap } });
  });

  it("at its very bounds still counts", () => {
    expect(ask(listOf([]), leafOf(), before).state).toBe("good");
    expect(ask(listOf([]), leafOf(), after).state).toBe("good");
  });
});

it("says why a certificate was revoked, where the list does", () => {
  const authority = createAuthority({ name: "Test" });
  const list = parseRevocationList(
    authority.revocationList({
      revoked: [
        { serial: "05aa", revokedAt: before, reason: 1 },
        { serial: "05ab", revokedAt: before, reason: 4 },
        { serial: "05ac", revokedAt: before, reason: 7 },
        { serial: "05ad", revokedAt: before, reason: 200 },
        { serial: "05ae", revokedAt: before },
      ],
      thisUpdate: before,
      nextUpdate: after,
    }),
  );
  if (list === null) throw new Error("no list");
  expect(
    ["05aa", "05ab", "05ac", "05ad", "05ae", "05af"].map((serial) =>
      revocationReason(list, Buffer.from(serial, "hex")),
    ),
  ).toEqual(["key_compromise", "superseded", null, null, null, null]);
});

it(
  "reads nothing but a whole list: every truncation and every flipped bit gives no list or no " +
    "answer of good",
  () => {
    const authority = createAuthority({ name: "Test" });
    const der = authority.revocationList({
      revoked: [{ serial: "05aabbcc", revokedAt: before }],
      thisUpdate: before,
      nextUpdate: after,
    });
    const leaf = certificate(
      authority.issue({ names: ["a.test"], notBefore: before, notAfter: after, serial: "05aabbcc" })
        .leafDer,
    );
    const issuer = certificate(authority.intermediates[0]?.der ?? Buffer.alloc(0));
    for (let length = 0; length < der.length; length += 1)
      expect(parseRevocationList(der.subarray(0, length))).toBeNull();
    for (let bit = 0; bit < der.length * 8; bit += 3) {
      const flipped = Buffer.from(der);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const list = parseRevocationList(flipped);
      if (list !== null)
        expect(isRevokedBy(list, { leaf, issuer, url: URL, nowMs: ns(now) }).state).not.toBe(
          "good",
        );
    }
  },
);

it("asks an issuer's own hosts alone", () => {
  const hosts = revocationHosts("letsencrypt");
  expect(isHostOf("ye1.c.lencr.org", hosts)).toBe(true);
  expect(isHostOf("YE1.C.LENCR.ORG", hosts)).toBe(true);
  for (const host of [
    "c.lencr.org",
    "a.b.c.lencr.org",
    "ye1.c.lencr.org.evil.com",
    "evilc.lencr.org",
    ".c.lencr.org",
    "169.254.169.254",
    "localhost",
  ])
    expect(isHostOf(host, hosts), `${host}`).toBe(false);
  expect(revocationHosts("corp")).toEqual([]);
  expect(revocationHosts("constructor")).toEqual([]);
});

/**
 * Entries of certificate logs: what counts as an issuance, and what is only unread or another's.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Verifier } from "../../../lib/certificate/verifier.ts";
import { mergeIssuances } from "../../../lib/ratelimit/issuance.ts";
import { readLogged } from "../../../lib/ratelimit/transparency.ts";
import { LETS_ENCRYPT } from "../../../lib/issuer/issuers.ts";
import { createAuthority } from "../../support/pki.ts";
import {
  BACKDATE_MS,
  certificateOf,
  HOUR_MS,
  loggingIssuer,
  precertificateOf,
} from "../../support/logged.ts";

const NAME = "shop.tail1a2b3.ts.net";
const DOMAIN = "tail1a2b3.ts.net";
const issuedMs = Date.parse("2026-11-20T10:00:00Z");
const seenMs = Date.parse("2026-11-23T12:00:00Z");
const authority = createAuthority({ name: "Test", curve: "P-384", intermediates: 2 });
const issuer = loggingIssuer(authority);
const read = (der: Uint8Array, issuers = [LETS_ENCRYPT, issuer], domain = DOMAIN) =>
  readLogged(der, { issuers, verifier: new Verifier(), domain, where: "logs.test", seenMs });
const flipped = (der: Uint8Array, at: number): Buffer =>
  Buffer.from(der).fill((der[at] ?? 0) ^ 1, at, at + 1);

describe("an entry of a certificate log", () => {
  it("is an issuance of nobody's cluster, issued at its earliest SCT", async () => {
    const { leafDer, serial } = certificateOf(authority, issuedMs, [NAME, "WWW.tail1a2b3.ts.net"], {
      scts: [{ timestampMs: issuedMs + 5 }, { timestampMs: issuedMs + 2 }],
    });
    expect(await read(leafDer)).toMatchObject({
      kind: "issuance",
      issuance: {
        issuer: "test",
        serial: serial.replace(/^0+/, ""),
        set: `${NAME},www.tail1a2b3.ts.net`,
        issuedAtMs: issuedMs + 2,
        basis: "sct",
        verified: true,
        claimedBy: null,
        sources: [{ kind: "ct", cluster: null, where: "logs.test", firstSeenMs: seenMs }],
      },
    });
  });

  it(
    "is one as a precertificate too, issued as its dating back says, and the same one as its " +
      "certificate",
    async () => {
      const [before, after] = [
        precertificateOf(authority, issuedMs, [NAME], { serial: "05aabb" }),
        certificateOf(authority, issuedMs + 700, [NAME], {
          serial: "05aabb",
          notBefore: new Date(issuedMs - BACKDATE_MS),
          notAfter: new Date(issuedMs - BACKDATE_MS + 90 * 24 * HOUR_MS),
        }),
      ];
      const [first, second] = [await read(before.leafDer), await read(after.leafDer)];
      expect(first).toMatchObject({
        kind: "issuance",
        issuance: { serial: "5aabb", issuedAtMs: issuedMs, basis: "not_before" },
      });
      if (first.kind !== "issuance" || second.kind !== "issuance")
        throw new Error("expected issuances");
      for (const merged of [
        mergeIssuances([first.issuance], [second.issuance]),
        mergeIssuances([second.issuance, first.issuance]),
      ]) {
        expect(merged).toMatchObject([{ issuedAtMs: issuedMs + 700, basis: "sct" }]);
      }
    },
  );

  it(
    "counts when it has expired, isn't for servers, or holds critical extensions that nobody " +
      "knows",
    async () => {
      for (const over of [
        { notAfter: new Date(issuedMs + HOUR_MS) },
        { extendedKeyUsages: ["1.2.3"] },
        { extensions: [{ oid: "1.2.3.4", critical: true, value: Buffer.from("0500", "hex") }] },
      ]) {
        expect((await read(certificateOf(authority, issuedMs, [NAME], over).leafDer)).kind).toBe(
          "issuance",
        );
      }
    },
  );

  const { leafDer } = precertificateOf(authority, issuedMs, [NAME]);
  const unknownSibling = createAuthority({ name: "Test" });
  const other = createAuthority({ name: "Other" });
  it.each([
    ["with a changed signature", flipped(leafDer, leafDer.length - 1), "unread"],
    ["with a changed name", flipped(leafDer, leafDer.indexOf("shop.tail")), "unread"],
    [
      "that says it is of the issuer and is signed by another key",
      certificateOf(unknownSibling, issuedMs, [NAME]).leafDer,
      "unread",
    ],
    ["cut off", leafDer.subarray(0, 200), "unread"],
    ["of nothing", Buffer.alloc(0), "unread"],
    ["with more behind it", Buffer.concat([leafDer, Buffer.from([0])]), "unread"],
    ["of another issuer", certificateOf(other, issuedMs, [NAME]).leafDer, "other"],
    [
      "of a name elsewhere",
      certificateOf(authority, issuedMs, ["tail1a2b3.ts.net.example.com"]).leafDer,
      "other",
    ],
    ["without a name", certificateOf(authority, issuedMs, []).leafDer, "other"],
  ])("%s is never an issuance", async (_name, der, kind) => {
    expect(await read(der)).toEqual({ kind });
  });

  it(
    "of a new intermediate of a counted issuer is unread, since it may be one that wasn't " +
      "counted",
    async () => {
      const intermediatesPem = authority.intermediates[1]?.pem ?? "";
      expect(await read(leafDer, [loggingIssuer(authority, { intermediatesPem })])).toEqual({
        kind: "unread",
      });
      // An issuer that doesn't log isn't told by its logs.
      expect(
        await read(leafDer, [loggingIssuer(authority, { intermediatesPem, logged: null })]),
      ).toEqual({ kind: "other" });
    },
  );

  it(
    "that says it is Let's Encrypt's and leads to none of its roots is unread, whatever its " +
      "intermediate is called",
    async () => {
      const forged = createAuthority({ name: "Let's Encrypt" });
      expect(await read(certificateOf(forged, issuedMs, [NAME]).leafDer, [LETS_ENCRYPT])).toEqual({
        kind: "unread",
      });
    },
  );

  it("is read whatever its bytes are", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc.nat({ max: leafDer.length * 8 - 1 }).map((bit) => flipped(leafDer, bit >> 3)),
        ),
        async (der) => {
          expect((await read(der)).kind).not.toBe("issuance");
        },
      ),
      { numRuns: 150 },
    );
  });
});

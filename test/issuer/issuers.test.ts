import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Anchors } from "../../lib/certificate/anchors.ts";
import { parseCertificate, type Certificate } from "../../lib/certificate/parse.ts";
import { parsePemBlocks } from "../../lib/certificate/pem.ts";
import { parseMs } from "../../lib/certificate/time.ts";
import { Verifier } from "../../lib/certificate/verifier.ts";
import {
  backdateMsOf,
  BUILT_IN_ISSUERS,
  createIssuer,
  issuerOf,
  leadsToIssuer,
  LETS_ENCRYPT,
  LETS_ENCRYPT_STAGING,
} from "../../lib/issuer/issuers.ts";
import { readVectors, type VectorCase } from "../certificate/vector.ts";

const { cases } = readVectors();
const vector = (name: string): VectorCase =>
  cases.find((entry) => entry.name === name) as VectorCase;

function certificates(pem: Buffer): [Certificate, ...Certificate[]] {
  return parsePemBlocks(pem).map(({ bytes }) => parsed(bytes)) as [Certificate, ...Certificate[]];
}

function parsed(der: Uint8Array): Certificate {
  const result = parseCertificate(der);
  if (!result.ok) throw new Error(result.detail);
  return result.certificate;
}

describe("Let's Encrypt as data", () => {
  test("has its four anchors, each self-signed and a CA", async () => {
    for (const issuer of BUILT_IN_ISSUERS) {
      const roots = issuer.anchors.ders.map(parsed);
      expect(roots).toHaveLength(4);
      for (const root of roots) {
        expect(root.isCa).toBe(true);
        expect(await new Verifier().check(root, root)).toBeNull();
      }
    }
    expect(
      LETS_ENCRYPT.anchors.ders.map((der) => parsed(der).subjectCommonName).toSorted(),
    ).toEqual(["ISRG Root X1", "ISRG Root X2", "Root YE", "Root YR"]);
  });

  test("trusts exactly the certificates that Let's Encrypt publishes", () => {
    const digest = (text: string | Uint8Array): string =>
      createHash("sha256").update(text).digest("hex");
    const digestOf = ({ ders }: Anchors): string => digest(ders.map(digest).join("\n"));
    expect(
      BUILT_IN_ISSUERS.map(({ id, anchors, intermediates }) => [
        id,
        digestOf(anchors),
        intermediates.ders.length,
        digestOf(intermediates),
      ]),
    ).toEqual([
      [
        "letsencrypt",
        "942e7fdfc58c15421ba6924ac6860cb789dd967fbfb3c69a38e7d9b0653282f7",
        25,
        "ccef28b82c62d5f1574ac6c129db5943972ca0998713426d631e099d3e72c9f6",
      ],
      [
        "letsencrypt-staging",
        "829c8c4ba248d77d25e33948a938375659f506ac862833d86ecc177e787b8fd5",
        18,
        "f60c7e82d39d120963a80600c5da187d73cdd3b39fb9076aa76dad90d488ddcc",
      ],
    ]);
  });

  test("every intermediate leads to an anchor of its own issuer and of no other", async () => {
    const verifier = new Verifier();
    for (const issuer of BUILT_IN_ISSUERS) {
      for (const der of issuer.intermediates.ders) {
        expect(await issuerOf(parsed(der), [], BUILT_IN_ISSUERS, verifier)).toBe(issuer);
      }
    }
    expect(
      await issuerOf(
        parsed(LETS_ENCRYPT_STAGING.anchors.ders[0] as Uint8Array),
        [],
        [LETS_ENCRYPT],
        verifier,
      ),
    ).toBeNull();
  });

  test("limits and back-dating are those of the documentation", () => {
    expect(LETS_ENCRYPT.limits).toMatchObject({
      perSet: { count: 5, periodMs: 604_800_000 },
      perDomain: { count: 50, periodMs: 604_800_000 },
    });
    expect(backdateMsOf(LETS_ENCRYPT, parseMs("2024-07-25T00:00:00Z"))).toBe(3_510_000);
    expect(backdateMsOf(LETS_ENCRYPT, parseMs("2024-07-24T23:59:59.999999999Z"))).toBe(3_600_000);
  });
});

describe("a configured issuer", () => {
  const full = vector("path le full chain, old anchor");
  const [leaf, e1, x2] = certificates(full.certificate) as [Certificate, Certificate, Certificate];
  const issuer = createIssuer({ id: "test", title: "Test", anchorsPem: full.roots });
  const pem = (which: Certificate): string =>
    `-----BEGIN CERTIFICATE-----\n${which.raw.toString("base64")}\n-----END CERTIFICATE-----\n`;

  test("is led to through the chain", async () => {
    const [anchor] = issuer.anchors.ders.map(parsed) as [Certificate];
    expect(await leadsToIssuer(leaf, [e1, x2], issuer, new Verifier())).toBe(anchor.sha256);
    expect(await leadsToIssuer(leaf, [x2, e1, e1], issuer, new Verifier())).toBe(anchor.sha256);
  });

  test("isn't led to across a gap, unless its known intermediates fill it", async () => {
    expect(await leadsToIssuer(leaf, [], issuer, new Verifier())).toBeNull();
    expect(await leadsToIssuer(leaf, [x2], issuer, new Verifier())).toBeNull();
    const knowing = createIssuer({
      id: "test",
      title: "Test",
      anchorsPem: full.roots,
      intermediatesPem: pem(e1),
    });
    expect(await leadsToIssuer(leaf, [x2], knowing, new Verifier())).not.toBeNull();
  });

  test("counts what has expired, and what is for clients: it was issued all the same", async () => {
    for (const name of [
      "path le expired cross-sign, old anchor",
      "usage leaf client, intermediate none, root none",
    ]) {
      const entry = vector(name);
      const [first, ...chain] = certificates(entry.certificate);
      const own = createIssuer({ id: "own", title: "Own", anchorsPem: entry.roots });
      expect(await leadsToIssuer(first, chain, own, new Verifier())).not.toBeNull();
    }
  });

  test.each([
    "signature P-256ca sha256 pss=false (flipped)",
    "signer without anything",
    "path cross-signed, first leads nowhere",
  ])("isn't led to by a signature that doesn't hold or by who may not sign: %s", async (name) => {
    const entry = vector(name);
    const [first, ...chain] = certificates(entry.certificate);
    const own = createIssuer({ id: "own", title: "Own", anchorsPem: entry.roots });
    expect(await leadsToIssuer(first, chain.slice(0, 1), own, new Verifier())).toBeNull();
  });

  test("ends on cycles and on ladders of doubled steps", async () => {
    for (const name of ["path cycle", "path ladder of 12 to nowhere"]) {
      const entry = vector(name);
      const [first, ...chain] = certificates(entry.certificate);
      const own = createIssuer({ id: "own", title: "Own", anchorsPem: entry.roots });
      expect(await leadsToIssuer(first, chain, own, new Verifier())).toBeNull();
    }
  });
});

import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  anchorsFromPem,
  createAnchors,
  createPool,
  uniteAnchors,
} from "../../lib/certificate/anchors.ts";
import { curveOf, keyObjectOf } from "../../lib/certificate/publickey.ts";
import { isSmallOrder, verifyEd25519 } from "../../lib/certificate/signature.ts";
import { matches, parsePrivateKey } from "../../lib/certificate/key.ts";
import { type Certificate, parseCertificate } from "../../lib/certificate/parse.ts";
import { parsePemBlocks } from "../../lib/certificate/pem.ts";
import { generateKeyPairSync, sign } from "node:crypto";
import { LETS_ENCRYPT } from "../../lib/issuer/issuers.ts";
import { pemBlock, readVectors } from "./vector.ts";

const { cases } = readVectors();
const first = (pem: Uint8Array): Uint8Array =>
  (parsePemBlocks(pem)[0] as { bytes: Uint8Array }).bytes;

function parsed(der: Uint8Array): Certificate {
  const result = parseCertificate(der);
  if (!result.ok) throw new Error(result.detail);
  return result.certificate;
}

describe("certificates", () => {
  test("every bundled anchor parses, and tells what OpenSSL tells", () => {
    for (const pem of rootCertificates) {
      const der = first(Buffer.from(pem));
      const ours = parsed(der);
      const theirs = new X509Certificate(pem);
      expect(ours.sha256).toBe(theirs.fingerprint256.replaceAll(":", "").toLowerCase());
      expect(ours.serial.replace(/^0+/, "")).toBe(
        theirs.serialNumber.toLowerCase().replace(/^0+/, ""),
      );
      expect(ours.notBeforeMs).toBe(Date.parse(theirs.validFrom));
      expect(ours.notAfterMs).toBe(Date.parse(theirs.validTo));
      expect(ours.isCa).toBe(theirs.ca);
      expect(keyObjectOf(ours.publicKey)?.equals(theirs.publicKey)).toBe(true);
    }
  });

  test("what a Let's Encrypt intermediate says of itself", () => {
    const ye1 = LETS_ENCRYPT.intermediates.ders
      .map(parsed)
      .find(({ subjectCommonName }) => subjectCommonName === "YE1");
    expect(ye1).toMatchObject({
      subjectText: "CN=YE1,O=Let's Encrypt,C=US",
      issuerText: "CN=Root YE,O=ISRG,C=US",
      issuerCommonName: "Root YE",
      isCa: true,
      maxPathLen: 0,
      sctList: null,
      version: 3,
    });
    expect(ye1?.crlDistributionPoints).toEqual([expect.stringMatching(/^http:\/\//)]);
    expect(ye1?.skid.length).toBe(20);
  });

  test("names of every kind, as found", () => {
    const leaf = parsed(
      first(
        (cases.find(({ name }) => name === "hostnames") as { certificate: Buffer }).certificate,
      ),
    );
    expect(leaf.dnsNames).toEqual(expect.arrayContaining(["plain.example", "UPPER.Example"]));
    expect(leaf.ipAddresses).toEqual(["192.0.2.1", "2001:db8::1", "::ffff:c000:209"]);
    expect(leaf.emailAddresses).toEqual(["mail@plain.example"]);
    expect(leaf.uris).toEqual(["https://uri.example/"]);
  });

  test("the SCT list is the contents of the inner octets", () => {
    const entry = cases.find(({ name }) => name === "ext sct list critical=false (leaf)");
    expect(parsed(first((entry as { certificate: Buffer }).certificate)).sctList).toEqual(
      Buffer.from([0, 0]),
    );
  });

  test("a serial number keeps its octets, and is told without a leading 00", () => {
    const entry = cases.find(({ name }) => name === "field serial of 20 octets (leaf)");
    const certificate = parsed(first((entry as { certificate: Buffer }).certificate));
    expect(certificate.serial).toMatch(/^40(00){19}$/);
    const root = parsed(LETS_ENCRYPT.anchors.ders[0] as Uint8Array);
    expect(root.serialDer.toString("hex").replace(/^00/, "")).toBe(root.serial);
  });

  test("never throws: on any bytes, nor on any single change of a certificate", () => {
    const der = LETS_ENCRYPT.intermediates.ders[0] as Uint8Array;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void parseCertificate(bytes)),
    );
    fc.assert(
      fc.property(
        fc.nat(der.length - 1),
        fc.nat(255),
        fc.constantFrom("set", "cut", "insert"),
        (at, value, how) => {
          const bytes = [...der];
          if (how === "set") bytes[at] = value;
          else bytes.splice(at, how === "cut" ? 1 : 0, ...(how === "cut" ? [] : [value]));
          const result = parseCertificate(Uint8Array.from(bytes));
          if (result.ok)
            void [
              result.certificate.subjectText,
              result.certificate.ipAddresses,
              result.certificate.sha256,
            ];
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("control characters in names are escaped", () => {
    const entry = cases.find(({ name }) => name === "name subject of utf8 NUL (leaf)");
    expect(parsed(first((entry as { certificate: Buffer }).certificate)).subjectText).toBe(
      "CN=a\\00b",
    );
  });
});

describe("anchors", () => {
  const [a, b] = LETS_ENCRYPT.anchors.ders as [Uint8Array, Uint8Array];
  test("are found by subject, once each, and malformed ones aren't", () => {
    const set = createAnchors([a, a, Buffer.from("nonsense"), b]);
    expect(set.bySubject(parsed(a).rawSubject).map(({ sha256 }) => sha256)).toEqual([
      parsed(a).sha256,
    ]);
    expect(set.bySubject(Buffer.from("other"))).toEqual([]);
    expect(set.has(parsed(b))).toBe(true);
    expect(createAnchors([a]).has(parsed(b))).toBe(false);
    expect(uniteAnchors(createAnchors([a]), createAnchors([b])).has(parsed(b))).toBe(true);
  });

  test("from PEM: certificates without headers", () => {
    const pem = pemBlock("CERTIFICATE", Buffer.from(a).toString("base64"));
    expect(anchorsFromPem(pem, Buffer.from(pem)).ders).toHaveLength(2);
    expect(anchorsFromPem(pem.replace("-----\n", "-----\nX: y\n\n")).ders).toHaveLength(0);
    expect(anchorsFromPem(pem.replaceAll("CERTIFICATE", "TRUSTED CERTIFICATE")).ders).toHaveLength(
      0,
    );
  });

  test("a pool leaves doubles out", () => {
    const [one, again] = [parsed(a), parsed(Buffer.from(a))];
    expect(createPool([one, again, parsed(b)]).bySubject(one.rawSubject)).toEqual([one]);
  });
});

describe("private keys", () => {
  const pem = (label: string, der: Buffer): Buffer =>
    Buffer.from(pemBlock(label, der.toString("base64")));
  const kinds = [
    ["rsa", generateKeyPairSync("rsa", { modulusLength: 2048 }), "pkcs1"],
    ["P-224", generateKeyPairSync("ec", { namedCurve: "secp224r1" }), "sec1"],
    ["P-256", generateKeyPairSync("ec", { namedCurve: "prime256v1" }), "sec1"],
    ["P-384", generateKeyPairSync("ec", { namedCurve: "secp384r1" }), "sec1"],
    ["P-521", generateKeyPairSync("ec", { namedCurve: "secp521r1" }), "sec1"],
    ["ed25519", generateKeyPairSync("ed25519"), "pkcs8"],
  ] as const;
  for (const [kind, keys, own] of kinds) {
    test(`${kind} as OpenSSL writes it gives its public key`, () => {
      for (const type of ["pkcs8", own] as const) {
        const der = keys.privateKey.export({ format: "der", type: type as "pkcs8" });
        const key = parsePrivateKey(pem("PRIVATE KEY", der));
        expect(key.ok && keyObjectOf(key.publicKey)?.equals(keys.publicKey)).toBe(true);
        expect(key.ok && matches(key, key.publicKey)).toBe(true);
      }
    });
  }

  test("curves OpenSSL knows and Go doesn't are refused", () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "secp256k1" });
    const der = privateKey.export({ format: "der", type: "pkcs8" });
    expect(parsePrivateKey(pem("PRIVATE KEY", der))).toEqual({
      ok: false,
      reason: "key_malformed",
    });
    expect(curveOf("2b8104000a")).toBeNull();
  });

  test("the result holds nothing of the private half", () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const secret = Buffer.from(privateKey.export({ format: "jwk" }).d as string, "base64url");
    const key = parsePrivateKey(
      pem("PRIVATE KEY", privateKey.export({ format: "der", type: "pkcs8" })),
    );
    const shown = JSON.stringify(key, (_, value: unknown) =>
      typeof value === "bigint"
        ? value.toString(16)
        : value instanceof Uint8Array
          ? Buffer.from(value).toString("hex")
          : value,
    );
    expect(shown).not.toContain(secret.toString("hex"));
  });
});

describe("Ed25519 by hand", () => {
  test("agrees with OpenSSL on ordinary keys", () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const bytes = Buffer.from(publicKey.export({ format: "jwk" }).x as string, "base64url");
    const message = Buffer.from("message");
    const signature = sign(null, message, privateKey);
    expect(verifyEd25519(bytes, message, signature)).toBe(true);
    expect(verifyEd25519(bytes, Buffer.from("massage"), signature)).toBe(false);
    expect(verifyEd25519(bytes, message, signature.subarray(1))).toBe(false);
    expect(isSmallOrder(bytes)).toBe(false);
    expect(isSmallOrder(Buffer.from(`01${"00".repeat(31)}`, "hex"))).toBe(true);
  });
});

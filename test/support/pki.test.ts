import "reflect-metadata";
import {
  BasicConstraintsExtension,
  X509Certificate as PeculiarCertificate,
  X509Crl,
} from "@peculiar/x509";
import { X509Certificate, createPrivateKey } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createAuthority } from "./pki.ts";
import { createKey } from "./x509.ts";

const notBefore = new Date("2026-10-01T00:00:00Z");
const notAfter = new Date("2026-12-30T00:00:00Z");

function blocks(pem: string): X509Certificate[] {
  return [...pem.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/gu)].map(
    ([block]) => new X509Certificate(block),
  );
}

describe("createAuthority", () => {
  it("issues a leaf whose chain leads to the root and whose key fits", () => {
    const authority = createAuthority({ name: "Sandbox", intermediates: 2 });
    const issued = authority.issue({
      names: ["grafana.tail1a2b3.ts.net", "10.0.0.1"],
      notBefore,
      notAfter,
    });
    const [leaf, first, second, ...rest] = blocks(issued.certificatePem);
    const root = new X509Certificate(authority.root.pem);
    expect(rest).toEqual([]);
    expect(leaf?.verify(first!.publicKey)).toBe(true);
    expect(leaf?.checkIssued(first!)).toBe(true);
    expect(first?.verify(second!.publicKey)).toBe(true);
    expect(second?.checkIssued(root)).toBe(true);
    expect(second?.verify(root.publicKey)).toBe(true);
    expect(leaf?.checkPrivateKey(createPrivateKey(issued.keyPem))).toBe(true);
    expect(leaf?.subject).toBe("CN=grafana.tail1a2b3.ts.net");
    expect(leaf?.issuer).toBe("C=US\nO=Sandbox\nCN=SE1");
    expect(leaf?.subjectAltName).toBe("DNS:grafana.tail1a2b3.ts.net, IP Address:10.0.0.1");
    expect(leaf?.validFromDate).toEqual(notBefore);
    expect(leaf?.validToDate).toEqual(notAfter);
    expect(leaf?.serialNumber.toLowerCase()).toBe(issued.serial);
    expect(leaf?.fingerprint256.replaceAll(":", "").toLowerCase()).toBe(issued.sha256);
  });

  it("writes EC keys in SEC 1, in the size that tailscaled stores", () => {
    const authority = createAuthority();
    const issued = authority.issue({ names: ["a.test"], notBefore, notAfter });
    expect(issued.keyPem.startsWith("-----BEGIN EC PRIVATE KEY-----\n")).toBe(true);
    expect(issued.keyPem).toHaveLength(227);
    const pkcs8 = authority.issue({ names: ["a.test"], notBefore, notAfter, keyFormat: "pkcs8" });
    expect(pkcs8.keyPem.startsWith("-----BEGIN PRIVATE KEY-----\n")).toBe(true);
  });

  it.each(["P-256", "P-384", "RSA", "Ed25519"] as const)("issues for a key of kind %s", (key) => {
    const issued = createAuthority().issue({ names: ["a.test"], notBefore, notAfter, key });
    const leaf = new X509Certificate(issued.leafPem);
    expect(leaf.checkPrivateKey(createPrivateKey(issued.keyPem))).toBe(true);
  });

  it("signs with an RSA and a P-384 authority", () => {
    for (const curve of ["RSA", "P-384"] as const) {
      const authority = createAuthority({ curve, intermediates: 0 });
      const issued = authority.issue({ names: ["a.test"], notBefore, notAfter });
      expect(blocks(issued.certificatePem)).toHaveLength(1);
      expect(
        new X509Certificate(issued.leafPem).verify(
          new X509Certificate(authority.root.pem).publicKey,
        ),
      ).toBe(true);
    }
  });

  it("adds the cross-sign of another authority to the chain", () => {
    const old = createAuthority({ name: "Old" });
    const authority = createAuthority({ name: "New", crossSignedBy: old });
    const chain = blocks(
      authority.issue({ names: ["a.test"], notBefore, notAfter }).certificatePem,
    );
    expect(chain).toHaveLength(3);
    expect(chain[2]?.verify(new X509Certificate(old.root.pem).publicKey)).toBe(true);
    expect(chain[1]?.checkIssued(chain[2]!)).toBe(true);
    expect(chain[2]?.publicKey.equals(new X509Certificate(authority.root.pem).publicKey)).toBe(
      true,
    );
  });

  it("embeds SCTs with the timestamps and extensions that were asked for", () => {
    const timestampMs = Date.UTC(2026, 9, 1, 0, 58, 30, 123);
    const issued = createAuthority().issue({
      names: ["a.test"],
      notBefore,
      notAfter,
      scts: [{ timestampMs, extensions: Uint8Array.of(7, 7) }, { timestampMs: timestampMs + 5 }],
    });
    const extension = new PeculiarCertificate(issued.leafDer).getExtension(
      "1.3.6.1.4.1.11129.2.4.2",
    );
    const list = Buffer.from(extension!.value);
    // OCTET STRING, u16 list length; then by entry: u16 length, version, log id, u64 time, u16
    // extensions.
    const inner = list.subarray(list[1] === 0x81 ? 3 : list[1] === 0x82 ? 4 : 2);
    expect(inner.readUInt16BE(0)).toBe(inner.length - 2);
    expect(inner[4]).toBe(0);
    expect(inner.readBigUInt64BE(5 + 32)).toBe(BigInt(timestampMs));
    expect(inner.readUInt16BE(5 + 40)).toBe(2);
    expect(inner.subarray(5 + 42, 5 + 44)).toEqual(Buffer.of(7, 7));
    const second = 4 + inner.readUInt16BE(2);
    expect(inner.readBigUInt64BE(second + 3 + 32)).toBe(BigInt(timestampMs + 5));
  });

  it("makes wrong leaves on request", () => {
    const authority = createAuthority();
    const bare = authority.issue({
      names: ["a.test"],
      notBefore,
      notAfter,
      noIntermediate: true,
      san: false,
      commonName: "x",
    });
    expect(blocks(bare.certificatePem)).toHaveLength(1);
    expect(new X509Certificate(bare.leafPem).subjectAltName).toBeUndefined();
    const negative = authority.issue({
      names: ["a.test"],
      notBefore,
      notAfter,
      serial: Uint8Array.of(0xff, 0x01),
    });
    expect(negative.serial).toBe("ff01");
    const claims = new PeculiarCertificate(
      authority.issue({ names: ["a.test"], notBefore, notAfter, ca: true }).leafDer,
    );
    expect(claims.getExtension(BasicConstraintsExtension)?.ca).toBe(true);
  });

  it("takes serials as given and repeats random ones with the same random", () => {
    let state = 1;
    const random = (sizeBytes: number): Uint8Array =>
      Uint8Array.from({ length: sizeBytes }, () => (state = (state * 7 + 3) % 256));
    const authority = createAuthority({ random });
    state = 9;
    const first = authority.issue({ names: ["a.test"], notBefore, notAfter });
    state = 9;
    expect(authority.issue({ names: ["a.test"], notBefore, notAfter }).serial).toBe(first.serial);
    expect(
      authority.issue({ names: ["a.test"], notBefore, notAfter, serial: "00FEED" }).serial,
    ).toBe("00feed");
  });

  it("signs revocation lists", async () => {
    const authority = createAuthority();
    const { serial } = authority.issue({
      names: ["a.test"],
      notBefore,
      notAfter,
      crlUrls: ["http://crl.test/1.crl"],
    });
    const der = authority.revocationList({
      revoked: [{ serial, revokedAt: notBefore }],
      thisUpdate: notBefore,
      nextUpdate: notAfter,
    });
    const crl = new X509Crl(der);
    expect(crl.findRevoked(serial)?.serialNumber).toBe(serial);
    expect(
      await crl.verify({ publicKey: new PeculiarCertificate(authority.intermediates[0]!.der) }),
    ).toBe(true);
  });

  it("writes years from 2050 on as GeneralizedTime", () => {
    const late = new Date("2051-06-01T12:00:00Z");
    const issued = createAuthority().issue({
      names: ["a.test"],
      notBefore: new Date("2049-12-31T23:59:59Z"),
      notAfter: late,
    });
    const leaf = new X509Certificate(issued.leafPem);
    expect(leaf.validToDate).toEqual(late);
    expect(issued.leafDer.includes(Buffer.from("20510601120000Z"))).toBe(true);
    expect(issued.leafDer.includes(Buffer.from("\x17\x0d491231235959Z", "latin1"))).toBe(true);
  });

  it("issues a thousand leaves over one key, each with a serial of its own", () => {
    const authority = createAuthority();
    const key = createKey();
    const serials = Array.from(
      { length: 1000 },
      (_, n) => authority.issue({ names: [`h${n}.test`], notBefore, notAfter, key }).serial,
    );
    expect(new Set(serials).size).toBe(1000);
  });
});

import { describe, expect, it } from "vitest";
import { parseMs } from "../../lib/certificate/time.ts";
import { createAuthority } from "../support/pki.ts";
import { certManagerVerdict, isCertManagers, renewalTimeMs } from "../../lib/secret/certmanager.ts";

const authority = createAuthority();
const validity = {
  notBefore: new Date("2026-10-01T00:00:00Z"),
  notAfter: new Date("2026-12-30T00:00:00Z"),
};
const issued = authority.issue({ names: ["a.example"], ...validity });
const other = authority.issue({ names: ["a.example"], ...validity });
const alone = authority.issue({ names: ["a.example"], ...validity, noIntermediate: true });
const bytes = (text: string): Uint8Array => Buffer.from(text);
// A third of 90 days before the end.
const renewal = "2026-11-30T00:00:00Z";

describe("certManagerVerdict", () => {
  const rows: readonly [string, string, string, string, string | null][] = [
    ["a good pair", issued.certificatePem, issued.keyPem, "2026-10-02T00:00:00Z", null],
    [
      "a chain that leads nowhere",
      alone.certificatePem,
      alone.keyPem,
      "2026-10-02T00:00:00Z",
      null,
    ],
    ["before it begins", issued.certificatePem, issued.keyPem, "2020-01-01T00:00:00Z", null],
    ["just before renewal", issued.certificatePem, issued.keyPem, "2026-11-29T23:59:59.999Z", null],
    ["at renewal", issued.certificatePem, issued.keyPem, renewal, "renewal_due"],
    ["expired", issued.certificatePem, issued.keyPem, "2027-01-01T00:00:00Z", "renewal_due"],
    ["no key", issued.certificatePem, "", renewal, "missing_data"],
    ["no certificate", "", issued.keyPem, renewal, "missing_data"],
    [
      "another's key",
      issued.certificatePem,
      other.keyPem,
      "2026-10-02T00:00:00Z",
      "public_keys_differ",
    ],
    [
      "a key that isn't one",
      issued.certificatePem,
      "key",
      "2026-10-02T00:00:00Z",
      "invalid_private_key",
    ],
    [
      "a key with a label it doesn't know",
      issued.certificatePem,
      issued.keyPem.replaceAll("EC PRIVATE", "OTHER PRIVATE"),
      "2026-10-02T00:00:00Z",
      "invalid_private_key",
    ],
    [
      "a certificate that isn't one",
      "certificate",
      issued.keyPem,
      "2026-10-02T00:00:00Z",
      "invalid_certificate",
    ],
    [
      "a block in the chain that isn't one",
      issued.certificatePem + other.keyPem,
      issued.keyPem,
      "2026-10-02T00:00:00Z",
      "invalid_certificate",
    ],
  ];
  it.each(rows)("%s", (_title, certificate, key, at, reason) => {
    const verdict = certManagerVerdict(bytes(certificate), bytes(key), parseMs(at));
    expect(verdict.reason).toBe(reason);
    expect(verdict.keeps).toBe(reason === null);
    const known = reason === null || reason === "renewal_due";
    expect(verdict.renewalAtMs).toBe(known ? parseMs(renewal) : null);
  });

  it("cuts the renewal time to the second", () => {
    expect(renewalTimeMs(0, 10_000)).toBe(6000);
    expect(renewalTimeMs(0, 1000)).toBe(0);
  });

  it("knows its Secrets by their annotation", () => {
    expect(isCertManagers({ "cert-manager.io/certificate-name": "a" })).toBe(true);
    expect(isCertManagers({ "cert-manager.io/certificate-name": "" })).toBe(false);
    expect(isCertManagers({ "cert-manager.io/issuer-name": "a" })).toBe(false);
  });
});

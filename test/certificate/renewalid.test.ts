import { describe, expect, it } from "vitest";
import { parseCertificate } from "../../lib/certificate/parse.ts";
import { renewalId } from "../../lib/certificate/renewalid.ts";
import { createAuthority } from "../support/pki.ts";

describe("the name of a certificate for renewal information", () => {
  it("is that of RFC 9773's own example, whose serial number has a leading 00", () => {
    const keyIdentifier = Buffer.from("aYhba4dGQEHhs3uEe6CuLN4ByNQ", "base64url").toString("hex");
    expect(keyIdentifier).toBe("69885b6b87464041e1b37b847ba0ae2cde01c8d4");
    expect(renewalId(keyIdentifier, "87654321")).toBe("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
  });

  it.each(["05aabb", "00aabb", "7f", "0080", "00ff00", "01"])(
    "has the number's octets as DER has them, for %s",
    (serial) => {
      const authority = createAuthority({ name: "Test" });
      const parsed = parseCertificate(
        authority.issue({
          names: ["a.test"],
          notBefore: new Date(0),
          notAfter: new Date(1e12),
          serial: Buffer.from(serial, "hex"),
        }).leafDer,
      );
      if (!parsed.ok) throw new Error(parsed.detail);
      const { certificate } = parsed;
      expect(renewalId(certificate.akid.toString("hex"), certificate.serial)).toBe(
        `${certificate.akid.toString("base64url")}.${certificate.serialDer.toString("base64url")}`,
      );
    },
  );

  it.each([
    ["", "01"],
    ["aa", ""],
    ["a", "01"],
    ["aa", "0"],
    ["zz", "01"],
    ["aa", "../x"],
  ])("is none for %j and %j", (keyIdentifier, serial) => {
    expect(renewalId(keyIdentifier, serial)).toBeNull();
  });
});

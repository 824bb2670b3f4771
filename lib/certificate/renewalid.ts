/**
 * The name under which an issuer tells when to renew a certificate (RFC 9773 §4.1): its signer's
 * key and its number.
 */

/**
 * `keyIdentifier`: of the authority key identifier, `serial`: of the certificate, both as hex; a
 * serial number without its leading 00 gets it back where DER has one. `null` where either isn't
 * there.
 */
export function renewalId(keyIdentifier: string, serial: string): string | null {
  if (!/^([0-9a-f]{2})+$/.test(keyIdentifier) || !/^([0-9a-f]{2})+$/.test(serial)) return null;
  const der = Buffer.from(
    Number.parseInt(serial.slice(0, 2), 16) >= 0x80 ? `00${serial}` : serial,
    "hex",
  );
  return `${Buffer.from(keyIdentifier, "hex").toString("base64url")}.${der.toString("base64url")}`;
}

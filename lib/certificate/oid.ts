/**
 * Object identifiers as hex of their DER contents, the form in which `Der.readOid` gives them.
 * Sources: crypto/x509 x509.go and parser.go of Go 1.26 unless said otherwise.
 */

export const OID = {
  rsaEncryption: "2a864886f70d010101",
  dsa: "2a8648ce380401",
  ecPublicKey: "2a8648ce3d0201",
  x25519: "2b656e",
  ed25519: "2b6570",

  p224: "2b81040021",
  p256: "2a8648ce3d030107",
  p384: "2b81040022",
  p521: "2b81040023",

  md5WithRsa: "2a864886f70d010104",
  sha1WithRsa: "2a864886f70d010105",
  isoSha1WithRsa: "2b0e03021d",
  sha256WithRsa: "2a864886f70d01010b",
  sha384WithRsa: "2a864886f70d01010c",
  sha512WithRsa: "2a864886f70d01010d",
  rsaPss: "2a864886f70d01010a",
  dsaWithSha1: "2a8648ce380403",
  dsaWithSha256: "608648016503040302",
  ecdsaWithSha1: "2a8648ce3d0401",
  ecdsaWithSha256: "2a8648ce3d040302",
  ecdsaWithSha384: "2a8648ce3d040303",
  ecdsaWithSha512: "2a8648ce3d040304",
  mgf1: "2a864886f70d010108",
  sha256: "608648016503040201",
  sha384: "608648016503040202",
  sha512: "608648016503040203",

  subjectKeyId: "551d0e",
  keyUsage: "551d0f",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  nameConstraints: "551d1e",
  crlDistributionPoints: "551d1f",
  certificatePolicies: "551d20",
  policyMappings: "551d21",
  authorityKeyId: "551d23",
  policyConstraints: "551d24",
  extKeyUsage: "551d25",
  inhibitAnyPolicy: "551d36",
  authorityInfoAccess: "2b06010505070101",
  /** RFC 6962 §3.3. */
  sctList: "2b06010401d679020402",
  anyPolicy: "551d2000",

  ekuAny: "551d2500",
  ekuServerAuth: "2b06010505070301",
} as const;

/** Dotted form, for people. */
export function dottedOid(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const octet of bytes) {
    arc = (arc << 7n) | BigInt(octet & 0x7f);
    if ((octet & 0x80) !== 0) continue;
    if (arcs.length > 0) {
      arcs.push(arc);
    } else {
      const first = arc < 80n ? arc / 40n : 2n;
      arcs.push(first, arc - first * 40n);
    }
    arc = 0n;
  }
  return arcs.join(".");
}

/**
 * Signature algorithms of certificates: which of them an AlgorithmIdentifier names (crypto/x509
 * x509.go, getSignatureAlgorithmFromAI and signatureAlgorithmDetails).
 */

import { Fields, orNull } from "./asn1.ts";
import { OID } from "./oid.ts";

export type Hash = "md5" | "sha1" | "sha256" | "sha384" | "sha512";

export interface SignatureAlgorithm {
  /** As Go names it; "unknown" where it doesn't know it. */
  name: string;
  key: "rsa" | "dsa" | "ecdsa" | "ed25519" | "unknown";
  hash: Hash | null;
  pss: boolean;
}

/**
 * AlgorithmIdentifier as parser.go, parseAI, leaves it: parameters with their header, null if
 * absent.
 */
export interface AlgorithmIdentifier {
  oid: string;
  parameters: Uint8Array | null;
}

function algorithm(
  name: string,
  key: SignatureAlgorithm["key"],
  hash: Hash | null,
  pss = false,
): SignatureAlgorithm {
  return { name, key, hash, pss };
}

const UNKNOWN = algorithm("unknown", "unknown", null);
const ED25519 = algorithm("Ed25519", "ed25519", null);

const BY_OID: Record<string, SignatureAlgorithm> = {
  [OID.md5WithRsa]: algorithm("MD5-RSA", "rsa", "md5"),
  [OID.sha1WithRsa]: algorithm("SHA1-RSA", "rsa", "sha1"),
  [OID.isoSha1WithRsa]: algorithm("SHA1-RSA", "rsa", "sha1"),
  [OID.sha256WithRsa]: algorithm("SHA256-RSA", "rsa", "sha256"),
  [OID.sha384WithRsa]: algorithm("SHA384-RSA", "rsa", "sha384"),
  [OID.sha512WithRsa]: algorithm("SHA512-RSA", "rsa", "sha512"),
  [OID.dsaWithSha1]: algorithm("DSA-SHA1", "dsa", "sha1"),
  [OID.dsaWithSha256]: algorithm("DSA-SHA256", "dsa", "sha256"),
  [OID.ecdsaWithSha1]: algorithm("ECDSA-SHA1", "ecdsa", "sha1"),
  [OID.ecdsaWithSha256]: algorithm("ECDSA-SHA256", "ecdsa", "sha256"),
  [OID.ecdsaWithSha384]: algorithm("ECDSA-SHA384", "ecdsa", "sha384"),
  [OID.ecdsaWithSha512]: algorithm("ECDSA-SHA512", "ecdsa", "sha512"),
};

const PSS: Record<string, { algorithm: SignatureAlgorithm; saltLength: bigint }> = {
  [OID.sha256]: { algorithm: algorithm("SHA256-RSAPSS", "rsa", "sha256", true), saltLength: 32n },
  [OID.sha384]: { algorithm: algorithm("SHA384-RSAPSS", "rsa", "sha384", true), saltLength: 48n },
  [OID.sha512]: { algorithm: algorithm("SHA512-RSAPSS", "rsa", "sha512", true), saltLength: 64n },
};

export function signatureAlgorithmOf(identifier: AlgorithmIdentifier): SignatureAlgorithm {
  if (identifier.oid === OID.ed25519) return identifier.parameters === null ? ED25519 : UNKNOWN;
  if (identifier.oid !== OID.rsaPss) return BY_OID[identifier.oid] ?? UNKNOWN;
  const { parameters } = identifier;
  return (parameters === null ? null : orNull(() => pssAlgorithm(parameters))) ?? UNKNOWN;
}

/** x509.go, pssParameters: only one hash for both uses, salt as long as the hash, trailer 1. */
function pssAlgorithm(parameters: Uint8Array): SignatureAlgorithm | null {
  const fields = new Fields(parameters).sequence();
  const hash = readIdentifier(fields.explicitSequence(0));
  const mgf = readIdentifier(fields.explicitSequence(1));
  const saltLength = fields.explicitInt(2, false);
  const trailer = fields.explicitInt(3, true) ?? 1n;
  const mgfHash = readIdentifier(new Fields(mgf.parameters ?? new Uint8Array(0)).sequence());
  if (!isNullOrAbsent(hash.parameters) || !isNullOrAbsent(mgfHash.parameters)) return null;
  if (mgf.oid !== OID.mgf1 || mgfHash.oid !== hash.oid || trailer !== 1n) return null;
  const found = PSS[hash.oid];
  return found !== undefined && found.saltLength === saltLength ? found.algorithm : null;
}

function readIdentifier(fields: Fields): AlgorithmIdentifier {
  const oid = fields.oid();
  return { oid, parameters: fields.optionalRaw() };
}

function isNullOrAbsent(parameters: Uint8Array | null): boolean {
  return (
    parameters === null || (parameters.length === 2 && parameters[0] === 5 && parameters[1] === 0)
  );
}

/**
 * Makes the certificate authority and the server certificates of test servers on the loopback.
 * Only for the connection to a server; certificates that are judged come from elsewhere.
 */
import "reflect-metadata";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const dayMs = 86_400_000;

/** A certificate with its key, both PEM. */
export interface ServerPair {
  readonly certPem: string;
  readonly keyPem: string;
}

/** An authority that makes certificates for 127.0.0.1 and localhost. */
export interface ServerAuthority {
  readonly caPem: string;
  issue(names?: readonly string[]): Promise<ServerPair>;
}

/** Makes an authority, valid from yesterday for ten days. */
export async function createServerAuthority(
  name = "certkeep test servers",
): Promise<ServerAuthority> {
  const notBefore = new Date(Date.now() - dayMs);
  const notAfter = new Date(Date.now() + 9 * dayMs);
  const caKeys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const ca = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: `CN=${name}`,
    notBefore,
    notAfter,
    keys: caKeys,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });
  let serial = 1;
  return {
    caPem: `${ca.toString("pem")}\n`,
    issue: async (names = []) => {
      const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
      serial += 1;
      const certificate = await X509CertificateGenerator.create({
        serialNumber: serial.toString(16).padStart(4, "0"),
        subject: "CN=test server",
        issuer: ca.subject,
        notBefore,
        notAfter,
        publicKey: keys.publicKey,
        signingKey: caKeys.privateKey,
        signingAlgorithm: algorithm,
        extensions: [
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
          new SubjectAlternativeNameExtension([
            { type: "ip", value: "127.0.0.1" },
            { type: "dns", value: "localhost" },
            ...names.map((value) => ({ type: "dns" as const, value })),
          ]),
          await AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
        ],
      });
      const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
      return {
        certPem: `${certificate.toString("pem")}\n`,
        keyPem: `${PemConverter.encode(key, "PRIVATE KEY")}\n`,
      };
    },
  };
}

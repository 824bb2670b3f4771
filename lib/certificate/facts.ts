/**
 * What reports and states say of a certificate: plain JSON, no bytes, nothing derived from a key
 * but digests.
 */

import { formatMs } from "./time.ts";
import { lowerAscii } from "./domain.ts";
import type { Certificate } from "./parse.ts";

export interface CertificateFacts {
  /** RFC 4514 text. */
  subject: string;
  issuer: string;
  subjectCommonName: string | null;
  issuerCommonName: string | null;
  /** dNSNames in lower case as found, then IP addresses. */
  names: string[];
  /** Lower-case hex without a leading 00. */
  serial: string;
  /** RFC 3339, UTC. */
  notBefore: string;
  notAfter: string;
  notBeforeMs: number;
  notAfterMs: number;
  /** Lower-case hex of the whole certificate's SHA-256. */
  sha256: string;
  isCa: boolean;
}

export function factsOf(certificate: Certificate): CertificateFacts {
  return {
    subject: certificate.subjectText,
    issuer: certificate.issuerText,
    subjectCommonName: certificate.subjectCommonName,
    issuerCommonName: certificate.issuerCommonName,
    names: [...certificate.dnsNames.map(lowerAscii), ...certificate.ipAddresses],
    serial: certificate.serial,
    notBefore: formatMs(certificate.notBeforeMs),
    notAfter: formatMs(certificate.notAfterMs),
    notBeforeMs: certificate.notBeforeMs,
    notAfterMs: certificate.notAfterMs,
    sha256: certificate.sha256,
    isCa: certificate.isCa,
  };
}

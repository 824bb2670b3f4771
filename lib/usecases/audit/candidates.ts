/** What of a Secret can be backed up, and why something must not be. It holds key bytes. */
import { type BackupRecord, type CopyFacts, NO_LEAF } from "../../backup/record.ts";
import { parseMs } from "../../certificate/time.ts";
import type { ExtractedAccountKey, ExtractedPair, Extraction } from "../../secret/extract.ts";
import type { Secret } from "../../secret/secret.ts";
import type { CertificateRecord } from "../../state/document.ts";

export interface Candidate {
  readonly kind: "certificate" | "account-key";
  readonly base: string;
  /** Without the cluster: the run adds it. */
  readonly record: Omit<BackupRecord, "header"> & {
    readonly header: Omit<CopyFacts, "cluster" | "clusterIdentity">;
  };
  /** Why it must not be backed up, and until when; `null`: it may. */
  readonly skipped: { readonly reason: string; readonly from?: string } | null;
  readonly valid: boolean;
}

export interface CandidateSource {
  readonly secret: Secret;
  readonly extraction: Extraction;
  readonly nowMs: number;
}

/** `isForeign`: leads to no anchor. `isUnnamedCa`: a CA's key, in a Secret that nobody named. */
export function certificateCandidate(
  { secret, extraction, nowMs }: CandidateSource,
  pair: ExtractedPair,
  certificate: CertificateRecord,
  { isForeign, isUnnamedCa }: { readonly isForeign: boolean; readonly isUnnamedCa: boolean },
): Candidate {
  const { names, issuer, issuerName, serial, notBefore, notAfter, issuedAt } = certificate;
  return {
    kind: "certificate",
    base: pair.fieldBase,
    record: {
      ...metadataOf(extraction),
      header: {
        ...placeOf(secret, extraction, pair.fieldBase),
        ...{ names, issuer, issuerName, serial, notBefore, notAfter, issuedAt },
        kind: "certificate",
        leafSha256: certificate.sha256,
        accountThumbprint: certificate.account,
      },
      data: pair.data,
    },
    skipped: !certificate.keyFits
      ? { reason: "key_mismatch" }
      : isForeign
        ? { reason: "unknown_issuer" }
        : isUnnamedCa
          ? { reason: "ca_key" }
          : nowMs > parseMs(notAfter)
            ? { reason: "expired" }
            : nowMs < parseMs(notBefore)
              ? { reason: "not_yet_valid", from: notBefore }
              : null,
    valid: certificate.windows.some(
      ([from, until]) => parseMs(from) <= nowMs && nowMs <= parseMs(until),
    ),
  };
}

export function accountCandidate(
  { secret, extraction }: CandidateSource,
  { field, fieldBase, base64, thumbprint }: ExtractedAccountKey,
): Candidate {
  return {
    kind: "account-key",
    base: field,
    record: {
      ...metadataOf(extraction),
      header: {
        ...NO_LEAF,
        ...placeOf(secret, extraction, fieldBase),
        kind: "account-key",
        accountThumbprint: thumbprint,
      },
      data: { [field]: base64 },
    },
    skipped: null,
    valid: true,
  };
}

function placeOf(
  { namespace, name }: Secret,
  { shape }: Extraction,
  fieldBase: string,
): Pick<CopyFacts, "namespace" | "secret" | "shape" | "fieldBase"> {
  return { namespace, secret: name, shape: shape ?? "tls", fieldBase };
}

/** What a controller goes by when it adopts a Secret. */
function metadataOf({
  adoption: { type, labels, annotations },
}: Extraction): Pick<BackupRecord, "type" | "labels" | "annotations"> {
  return { type, labels, annotations };
}

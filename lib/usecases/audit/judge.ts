/** A pair as its record keeps it: which names and issuer, valid when, and if not, why. */
import { judge, parseChain } from "../../certificate/judge.ts";
import type { Certificate } from "../../certificate/parse.ts";
import { backdateMsOf, issuerOf } from "../../issuer/issuers.ts";
import type { ExtractedPair } from "../../secret/extract.ts";
import type { CertificateRecord } from "../../state/document.ts";
import type { JudgeKit } from "./context.ts";

interface Judgement {
  readonly reasons: readonly string[];
  readonly windows: readonly { readonly fromMs: number; readonly untilMs: number }[];
  readonly keyFits: boolean;
}

export interface JudgedLeaf extends Judgement {
  readonly leaf: NonNullable<Awaited<ReturnType<typeof judge>>["leaf"]>;
  /** Leads to an anchor, public or configured. */
  readonly known: boolean;
  readonly issuer: string | null;
  readonly staging: boolean;
  readonly backdateMs: number;
  readonly sctList: Uint8Array | null;
  /** By which its issuer can be asked about it. */
  readonly pointers: Pick<CertificateRecord, "keyIdentifier" | "revocationList">;
}

/** `leaf` `null`: no certificate can be read. */
export type JudgedPair = JudgedLeaf | (Judgement & { readonly leaf: null });

export async function judgePair(
  { certificate, key, domain }: ExtractedPair,
  { anchors, verifier, intermediates, issuers }: JudgeKit,
): Promise<JudgedPair> {
  const parsed = parseChain(certificate);
  const { leaf, reasons, windows, keyFits, anchor } = await judge(
    { certificate, key },
    { dnsName: domain, anchors, verifier, knownIntermediates: intermediates },
    parsed,
  );
  if (leaf === null || parsed.leaf === null) return { leaf: null, reasons, windows, keyFits };
  const issuer = await issuerOf(parsed.leaf, parsed.further, issuers, verifier);
  return {
    leaf,
    reasons,
    windows,
    keyFits,
    known: issuer !== null || anchor !== null,
    issuer: issuer?.id ?? null,
    staging: issuer?.environment === "staging",
    backdateMs: issuer === null ? 0 : backdateMsOf(issuer, parsed.leaf.notBeforeMs),
    sctList: parsed.leaf.sctList,
    pointers: issuer === null ? {} : pointersOf(parsed.leaf),
  };
}

/** An issuer's own are short. */
const MAX_POINTER = 512;

function pointersOf({
  akid,
  crlDistributionPoints: [list = ""],
}: Certificate): JudgedLeaf["pointers"] {
  return {
    keyIdentifier: akid.length > MAX_POINTER ? "" : akid.toString("hex"),
    revocationList: list.length > MAX_POINTER ? "" : list,
  };
}

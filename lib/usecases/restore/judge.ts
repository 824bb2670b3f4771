/** A pair's bytes to what a plan looks at: the owner's verdict as of now, and the leaf's facts. */
import { judge, parseChain, verdictAt } from "../../certificate/judge.ts";
import { issuerOf } from "../../issuer/issuers.ts";
import type { JudgedPair } from "../../restoreplan/view.ts";
import { decodeBase64 } from "../../secret/base64.ts";
import { pairFields } from "../../secret/allowlist.ts";
import { pairForm, type Shape } from "../../secret/shapes.ts";
import type { JudgeKit } from "../audit/context.ts";

/**
 * The name that the owner checks: C and D the Secret's, host forms the fields'; `null`: the leaf's
 * own.
 */
export function domainOf(shape: Shape, secret: string, fieldBase: string): string | null {
  if (shape === "tls") return null;
  return pairForm(shape) === "tls" ? secret : fieldBase;
}

/**
 * Certificate and key of `fieldBase`, base64 in `data`; `null` where either is missing, empty or no
 * base64.
 */
export function pairBytes(
  shape: Shape,
  fieldBase: string,
  data: Readonly<Record<string, string>>,
): { readonly certificate: Uint8Array; readonly key: Uint8Array } | null {
  const fields = pairFields(shape, fieldBase);
  if (fields === null) return null;
  const [certificate, key] = [
    decodeBase64(data[fields.certificate] ?? ""),
    decodeBase64(data[fields.key] ?? ""),
  ];
  if (certificate === null || key === null || certificate.length === 0 || key.length === 0)
    return null;
  return { certificate, key };
}

export async function judgeBytes(
  pair: { readonly certificate: Uint8Array; readonly key: Uint8Array },
  dnsName: string | null,
  kit: JudgeKit,
  nowMs: number,
): Promise<JudgedPair> {
  const judgement = await judge(pair, {
    dnsName,
    anchors: kit.anchors,
    verifier: kit.verifier,
    knownIntermediates: kit.intermediates,
  });
  const { leaf } = judgement;
  const parsed = parseChain(pair.certificate);
  const issuer =
    parsed.leaf === null
      ? null
      : await issuerOf(parsed.leaf, parsed.further, kit.issuers, kit.verifier);
  return {
    verdict: verdictAt(judgement, nowMs),
    everHolds: judgement.windows.length > 0,
    keyFits: judgement.keyFits,
    names: leaf?.names ?? [],
    sha256: leaf?.sha256 ?? null,
    serial: leaf?.serial ?? null,
    notBeforeMs: leaf?.notBeforeMs ?? null,
    notAfterMs: leaf?.notAfterMs ?? null,
    staging: issuer?.environment === "staging",
    issuer: issuer?.id ?? null,
  };
}

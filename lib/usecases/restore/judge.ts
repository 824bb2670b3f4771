/**
 * A pair's bytes to what a plan looks at: the owner's verdict as of now, and the leaf's facts.
 *
 * A Secret of the cluster as planning looks at it.
 */
import { judge, parseChain, verdictAt } from "../../certificate/judge.ts";
import { issuerOf } from "../../issuer/issuers.ts";
import type { JudgedPair, LiveSecret } from "../../restoreplan/view.ts";
import { accountThumbprint } from "../../secret/account.ts";
import { accountFieldBase, allowedFields, pairFields } from "../../secret/allowlist.ts";
import { decodeBase64 } from "../../encoding.ts";
import { extract } from "../../secret/extract.ts";
import type { Secret } from "../../secret/secret.ts";
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

/** What may be looked at in a Secret: the shape and field bases of what could go there. */
export interface Interest {
  readonly shape: Shape;
  readonly fieldBase: string;
}

export interface LiveContext {
  readonly kit: JudgeKit;
  readonly nowMs: number;
  readonly operatorNamespace: string;
  readonly operatorSecret: string;
  /** ACME account by the leaf that was issued under it. */
  readonly accountOfLeaf: ReadonlyMap<string, string>;
}

function textOf(secret: Secret, field: string): string | null {
  const bytes = decodeBase64(Object.hasOwn(secret.data, field) ? (secret.data[field] ?? "") : "");
  return bytes === null || bytes.length === 0 ? null : Buffer.from(bytes).toString("utf8");
}

/** `Hostname` of the newest `cap-N.hujson`: read for that alone. */
function hostNameOf(secret: Secret): string | null {
  const newest = secret.dataKeys
    .map((field) => ({ field, version: Number(/^cap-(\d{1,6})\.hujson$/.exec(field)?.[1] ?? -1) }))
    .filter(({ version }) => version >= 0)
    .toSorted((a, b) => b.version - a.version)[0];
  const text = newest === undefined ? null : textOf(secret, newest.field);
  return text === null ? null : (/"Hostname"\s*:\s*"([A-Za-z0-9-]{1,63})"/.exec(text)?.[1] ?? null);
}

/** Its allowlisted fields alone, judged, and the name of the machine that uses it. */
export async function liveSecretOf(
  secret: Secret,
  interests: readonly Interest[],
  context: LiveContext,
): Promise<LiveSecret> {
  const extraction = extract(secret, {
    operatorNamespace: context.operatorNamespace,
    operatorNames: [context.operatorSecret],
    named: new Set(),
  });
  const all = [
    ...interests,
    ...(extraction.shape === null
      ? []
      : extraction.pairs.map(({ fieldBase }) => ({ shape: extraction.shape as Shape, fieldBase }))),
  ];
  const data: Record<string, string> = {};
  const pairs: Record<string, JudgedPair> = {};
  const accounts: Record<string, string | null> = {};
  for (const { shape, fieldBase } of all) {
    for (const field of allowedFields(shape, fieldBase, "replaced")) {
      const value = Object.hasOwn(secret.data, field) ? secret.data[field] : undefined;
      if (value === undefined || value === "") continue;
      data[field] = value;
      if (accountFieldBase(shape, field) === null) continue;
      const pem = decodeBase64(value);
      accounts[field] = pem === null ? null : accountThumbprint(pem);
    }
    if (Object.hasOwn(pairs, fieldBase)) continue;
    const bytes = pairBytes(shape, fieldBase, data);
    if (bytes !== null)
      pairs[fieldBase] = await judgeBytes(
        bytes,
        domainOf(shape, secret.name, fieldBase),
        context.kit,
        context.nowMs,
      );
  }
  return {
    namespace: secret.namespace,
    name: secret.name,
    uid: secret.uid,
    resourceVersion: secret.resourceVersion,
    type: secret.type,
    immutable: secret.immutable,
    deleting: secret.deletedAt !== null,
    finalizers: secret.finalizers,
    labels: secret.labels,
    annotations: secret.annotations,
    fields: [...secret.dataKeys].toSorted(),
    data,
    pairs,
    accounts,
    deviceName: textOf(secret, "device_fqdn")?.replace(/\.$/, "") ?? null,
    hostName: hostNameOf(secret),
  };
}

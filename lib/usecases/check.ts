/**
 * Judges pairs that a person holds in hand: files, standard input, Secret manifests. Bytes come in,
 * results go out; nothing is read, written or kept here, and no result holds anything of a private
 * key.
 */
import { type Anchors, anchorsFromPem } from "../certificate/anchors.ts";
import { judge, type Judgement, parseChain, verdictAt } from "../certificate/judge.ts";
import { type Hint, hintsOf } from "../certificate/hint.ts";
import { parsePemBlocks } from "../certificate/pem.ts";
import type { Reason } from "../certificate/reason.ts";
import type { Verifier } from "../certificate/verifier.ts";
import { issuerOf, type Issuer } from "../issuer/issuers.ts";
import type { CheckResult } from "../report/check.ts";
import { pick } from "../pick.ts";
import { decodeBase64 } from "../encoding.ts";
import { certManagerVerdict, isCertManagers } from "../secret/certmanager.ts";
import { DEFAULT_CLASSIFY_OPTIONS, own, type Shape } from "../secret/shapes.ts";
import { type DocumentReading, parseSecrets } from "../secret/document.ts";
import { extract } from "../secret/extract.ts";
import { type Secret, secretKey } from "../secret/secret.ts";

export interface CheckKit {
  /** Those that count, and no others. */
  readonly anchors: Anchors;
  readonly issuers: readonly Issuer[];
  readonly verifier: Verifier;
}

export interface CheckOptions {
  readonly kit: CheckKit;
  /** `--domain`: goes before the name that a Secret is for. */
  readonly domain: string | null;
  readonly atMs: number;
}

export interface FilePair {
  readonly subject: string;
  readonly certificate: Uint8Array;
  /** `null`: none was given, and none is checked. */
  readonly key: Uint8Array | null;
}

export type Input =
  | { readonly kind: "secrets"; readonly secrets: readonly Secret[]; readonly others: number }
  /** Chain and key together. */
  | { readonly kind: "combined" }
  | { readonly kind: "certificate_only" }
  | Extract<DocumentReading, { kind: "broken" }>
  | { readonly kind: "unknown" };

/** Tells a manifest from PEM by its content. */
export function recognise(bytes: Uint8Array): Input {
  const types = parsePemBlocks(bytes).map((block) => block.type);
  if (types.some((type) => type.endsWith("PRIVATE KEY"))) return { kind: "combined" };
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  const reading = parseSecrets(text);
  if (reading.kind !== "none") return reading;
  // What Go doesn't see is judged all the same: the verdict has hints at what is wrong with it.
  if (text.includes("PRIVATE KEY-----")) return { kind: "combined" };
  const isCertificate =
    types.includes("CERTIFICATE") ||
    hintsOf({ certificate: bytes, key: null }, ["certificate_not_pem"]).length > 0;
  return { kind: isCertificate ? "certificate_only" : "unknown" };
}

export function anchorsOf(pem: Uint8Array): Anchors {
  return anchorsFromPem(pem);
}

/** Names of the files in a folder that belong together, certificate first. */
export function pairFiles(
  names: readonly string[],
): readonly (readonly [certificate: string, key: string])[] {
  const all = new Set(names);
  const pairs: [string, string][] = [];
  for (const name of names.toSorted()) {
    if (!name.endsWith(".crt")) continue;
    const key = `${name.slice(0, -4)}.key`;
    if (all.has(key)) pairs.push([name, key]);
  }
  if (all.has("privkey.pem")) {
    // certbot lays both: fullchain.pem is what servers are given.
    const certificate = ["fullchain.pem", "cert.pem"].find((name) => all.has(name));
    if (certificate !== undefined) pairs.push([certificate, "privkey.pem"]);
  }
  return pairs;
}

export async function checkPair(pair: FilePair, options: CheckOptions): Promise<CheckResult> {
  return result(pair, { domain: options.domain, shape: null }, options);
}

/**
 * Judges every pair in `secrets`. A Secret without any is left out of a list of several, and a
 * result with reasons where it stands alone.
 */
export async function checkSecrets(
  secrets: readonly Secret[],
  options: CheckOptions,
): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  for (const secret of secrets)
    results.push(...(await checkSecret(secret, secrets.length === 1, options)));
  return results;
}

async function checkSecret(
  secret: Secret,
  alone: boolean,
  options: CheckOptions,
): Promise<readonly CheckResult[]> {
  const place =
    secret.name === ""
      ? "a Secret without a name"
      : secret.namespace === ""
        ? secret.name
        : secretKey(secret);
  const { shape, pairs, gaps } = extract(secret, {
    ...DEFAULT_CLASSIFY_OPTIONS,
    // A person who hands over a Secret has named it, and knows which one is the operator's.
    operatorNamespace: secret.namespace,
    named: new Set([secretKey(secret)]),
  });
  const bases = [...pairs, ...gaps].toSorted((a, b) => (a.fieldBase < b.fieldBase ? -1 : 1));
  const results: CheckResult[] = [];
  for (const { fieldBase, domain } of bases) {
    const pair = {
      subject: `${place} ${fieldBase}`,
      certificate: bytesOf(secret, `${fieldBase}.crt`),
      key: bytesOf(secret, `${fieldBase}.key`),
    };
    const found = await result(pair, { domain: options.domain ?? domain, shape }, options);
    const owned = shape === "tls" && isCertManagers(secret.annotations);
    results.push({
      ...found,
      hints: [...undecodedHints(secret, fieldBase), ...found.hints],
      certManager: owned ? certManagerVerdict(pair.certificate, pair.key, options.atMs) : null,
    });
  }
  if (results.length === 0 && alone) {
    const nothing = new Uint8Array(0);
    results.push(
      await result(
        { subject: place, certificate: nothing, key: nothing },
        { domain: options.domain, shape },
        options,
      ),
    );
  }
  return results;
}

function undecodedHints(secret: Secret, fieldBase: string): readonly Hint[] {
  const fields = [
    ["certificate", "crt"],
    ["key", "key"],
  ] as const;
  return fields.flatMap(([field, extension]) => {
    const text = own(secret.data, `${fieldBase}.${extension}`);
    return text === null || decodeBase64(text) !== null
      ? []
      : [{ field, kind: "not_base64", at: null }];
  });
}

/** What isn't base64 is no PEM either: one byte stands for it. */
function bytesOf(secret: Secret, field: string): Uint8Array {
  const text = own(secret.data, field);
  return text === null ? new Uint8Array(0) : (decodeBase64(text) ?? new Uint8Array(1));
}

async function result(
  pair: FilePair,
  { domain, shape }: { readonly domain: string | null; readonly shape: Shape | null },
  { kit, atMs }: CheckOptions,
): Promise<CheckResult> {
  const judgement = await judge(pair, {
    dnsName: domain,
    anchors: kit.anchors,
    verifier: kit.verifier,
  });
  const verdict = verdictAt(judgement, atMs);
  const { leaf } = judgement;
  const staging = verdict.valid ? null : await stagingOf(pair, kit);
  const reasons: string[] = await withMissing(pair, judgement, verdict.reasons, kit);
  if (staging !== null) reasons.push("staging");
  return {
    subject: pair.subject,
    names: leaf?.names ?? [],
    valid: verdict.valid,
    reasons,
    notBefore: leaf?.notBefore ?? null,
    notAfter: leaf?.notAfter ?? null,
    issuer: leaf?.issuer ?? null,
    serial: leaf?.serial ?? null,
    sha256: leaf?.sha256 ?? null,
    domain,
    shape,
    staging,
    keyChecked: pair.key !== null,
    hints: verdict.valid ? [] : hintsOf(pair, reasons),
    certManager: null,
  };
}

/** Title of the staging issuer that the leaf's signatures lead to. */
async function stagingOf(pair: FilePair, { issuers, verifier }: CheckKit): Promise<string | null> {
  const { leaf, further } = parseChain(pair.certificate);
  if (leaf === null) return null;
  const staging = issuers.filter((issuer) => issuer.environment === "staging");
  return (await issuerOf(leaf, further, staging, verifier))?.title ?? null;
}

/**
 * An issuer is unknown, or only an intermediate is missing: the latter where a known intermediate,
 * put into the chain, makes a path to one of the anchors that count here.
 */
async function withMissing(
  pair: FilePair,
  judgement: Judgement,
  reasons: readonly Reason[],
  kit: CheckKit,
): Promise<Reason[]> {
  if (!reasons.includes("unknown_issuer") || judgement.leaf === null) return [...reasons];
  const known = kit.issuers.flatMap((issuer) => issuer.intermediates.ders.map(pemOf)).join("");
  const certificate = Buffer.concat([pair.certificate, Buffer.from(`\n${known}`)]);
  const again = await judge(
    { certificate, key: pair.key },
    { dnsName: null, anchors: kit.anchors, verifier: kit.verifier },
  );
  return again.anchor === null
    ? [...reasons]
    : reasons.map((reason) => (reason === "unknown_issuer" ? "missing_intermediate" : reason));
}

function pemOf(der: Uint8Array): string {
  return (
    "-----BEGIN CERTIFICATE-----\n" +
    `${Buffer.from(der).toString("base64")}\n` +
    "-----END CERTIFICATE-----\n"
  );
}

export function checkDocument(results: readonly CheckResult[]): object {
  return {
    results: results.map((one) => ({
      ...pick(one, "subject", "names", "valid", "reasons", "notBefore", "notAfter"),
      ...pick(one, "issuer", "serial", "sha256"),
    })),
  };
}

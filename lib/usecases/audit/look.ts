/**
 * One Secret: extracted, judged, and turned into its record, with what is to be backed up. Key
 * bytes stay in the candidates and go no further than the sealing.
 */
import { judge, parseChain } from "../../certificate/judge.ts";
import type { Certificate } from "../../certificate/parse.ts";
import { formatMs, parseMs } from "../../certificate/time.ts";
import { backdateMsOf, issuerOf } from "../../issuer/issuers.ts";
import { issuedAt } from "../../ratelimit/sct.ts";
import { type BackupRecord, type CopyFacts, NO_LEAF } from "../../backup/record.ts";
import { accountSecrets } from "../../secret/account.ts";
import {
  extract,
  type ExtractedAccountKey,
  type ExtractedPair,
  type Extraction,
} from "../../secret/extract.ts";
import { parentObject } from "../../secret/parent.ts";
import { secretKey, type Secret } from "../../secret/secret.ts";
import { heldIn } from "../../state/secrets.ts";
import { verdictAt } from "../../state/certificates.ts";
import type {
  CertificateRecord,
  EarlierContent,
  GapRecord,
  SecretRecord,
} from "../../state/document.ts";
import type { AuditSettings, JudgeKit } from "./context.ts";

/** Something that could be kept; `notKept` where it must not be, with the reason. */
export interface Candidate {
  readonly place: "certificate" | "account";
  readonly base: string;
  /** Without the cluster: the run adds it. */
  readonly record: Omit<BackupRecord, "header"> & {
    readonly header: Omit<CopyFacts, "cluster" | "clusterIdentity">;
  };
  readonly notKept: { readonly reason: string; readonly from?: string } | null;
  readonly valid: boolean;
}

export interface Look {
  readonly record: SecretRecord;
  readonly candidates: readonly Candidate[];
}

export interface LookContext {
  readonly kit: JudgeKit;
  readonly settings: AuditSettings;
  readonly judgedWith: string;
  readonly nowMs: number;
  /** By which what is old is forgotten; see lib/state/ahead.ts. */
  readonly forgetMs: number;
  readonly now: string;
  /** The time it really is; `now` may be another that is asked about. */
  readonly seenAt: string;
  /** What was recorded before is of a Secret that was gone meanwhile. */
  readonly lost: boolean;
  /** ACME accounts of the Secret `namespace/name`, as far as it was read in this run or before. */
  accountsAt(key: string): readonly string[];
}

export async function lookAt(
  secret: Secret,
  previous: SecretRecord | null,
  context: LookContext,
): Promise<Look> {
  const { settings, now } = context;
  const extraction = extract(secret, {
    operatorNamespace: settings.operatorNamespace,
    operatorNames: [settings.operatorSecret],
    named: new Set(settings.secrets),
  });
  const certificates: Record<string, CertificateRecord> = {};
  const gaps: Record<string, GapRecord> = {};
  const candidates: Candidate[] = [];
  const named = settings.secrets.includes(secretKey(secret));
  let foreign = false;

  const accountNow = accountOf(secret, extraction, context);

  for (const pair of extraction.pairs) {
    const judged = await judgePair(pair, context);
    const before =
      previous?.certificates[pair.fieldBase] ?? previous?.gaps[pair.fieldBase]?.held ?? null;
    if (judged.leaf === null) {
      gaps[pair.fieldBase] = gap(
        pair.domain,
        "unreadable",
        judged.reasons,
        previous,
        pair.fieldBase,
        before,
        now,
      );
      continue;
    }
    if (extraction.shape === "tls" && !judged.known && before === null && !named) {
      foreign = true;
      continue;
    }
    const { leaf } = judged;
    const same = before !== null && before.sha256 === leaf.sha256 ? before : null;
    const firstSeenAt = same?.firstSeenAt ?? context.seenAt;
    // The key that was there when the certificate was first seen: the account may have been lost
    // since.
    const account =
      same === null || (same.account === null && previous?.unkept === undefined)
        ? accountNow
        : same.account;
    const issued = issuedAt({
      sctList: judged.sctList,
      notBeforeMs: parseMs(leaf.notBefore),
      firstSeenMs: parseMs(firstSeenAt),
      backdateMs: judged.backdateMs,
    });
    const record: CertificateRecord = {
      domain: pair.domain,
      names: [...leaf.names],
      issuer: judged.issuer,
      issuerName: leaf.issuer,
      staging: judged.staging,
      serial: leaf.serial,
      sha256: leaf.sha256,
      notBefore: leaf.notBefore,
      notAfter: leaf.notAfter,
      issuedAt: formatMs(issued.issuedAtMs),
      issuedBy: issued.basis,
      keyFits: judged.keyFits,
      windows: judged.windows.map(({ fromMs, untilMs }) => [formatMs(fromMs), formatMs(untilMs)]),
      reasons: [...judged.reasons],
      firstSeenAt,
      copy: null,
      notKept: null,
      account,
      ...judged.pointers,
    };
    certificates[pair.fieldBase] = record;
    candidates.push({
      place: "certificate",
      base: pair.fieldBase,
      record: backupOf(secret, extraction, record, pair),
      notKept: keptNot(record, judged.known, leaf.isCa && !named, context),
      valid: judged.windows.some(
        ({ fromMs, untilMs }) => fromMs <= context.nowMs && context.nowMs <= untilMs,
      ),
    });
  }

  for (const hole of extraction.gaps) {
    const before =
      previous?.certificates[hole.fieldBase] ?? previous?.gaps[hole.fieldBase]?.held ?? null;
    gaps[hole.fieldBase] = gap(
      hole.domain,
      hole.state,
      [hole.state === "key_missing" ? "key_empty" : "certificate_empty"],
      previous,
      hole.fieldBase,
      before,
      now,
    );
  }
  // What this Secret held before and doesn't name any more was emptied, whatever its shape is now.
  for (const [base, before] of heldIn(previous ?? undefined)) {
    if (
      certificates[base] !== undefined ||
      gaps[base] !== undefined ||
      parseMs(before.notAfter) < context.forgetMs
    )
      continue;
    gaps[base] = gap(before.domain, "empty", ["certificate_empty"], previous, base, before, now);
  }

  const accounts: SecretRecord["accounts"] = {};
  for (const key of extraction.accountKeys) {
    const { field, thumbprint } = key;
    accounts[field] = { thumbprint, copy: null, notKept: null };
    candidates.push({
      place: "account",
      base: field,
      record: accountBackup(secret, extraction, key),
      notKept: null,
      valid: true,
    });
  }
  for (const field of extraction.unreadableAccountFields)
    accounts[field] = { thumbprint: null, copy: null, notKept: { reason: "unreadable_key" } };

  const shape = extraction.shape ?? previous?.shape ?? null;
  const earlier = earlierOf(previous, certificates, context);
  return {
    record: {
      uid: secret.uid,
      resourceVersion: secret.resourceVersion,
      judgedWith: context.judgedWith,
      recordedAt: now,
      shape,
      type: secret.type,
      foreign: foreign && Object.keys(certificates).length === 0 && Object.keys(gaps).length === 0,
      immutable: secret.immutable,
      parent: parentOf(secret, extraction),
      certificates,
      gaps,
      accounts,
      ...(earlier.length === 0 ? {} : { earlier }),
      ...(candidates.length === 0 ? {} : { unkept: [...extraction.unkept] }),
    },
    candidates,
  };
}

/**
 * The one account whose key lies where the node that issued the Secret's certificates keeps it;
 * `null`: none, or several.
 */
function accountOf(
  secret: Secret,
  { shape, accountKeys }: Extraction,
  { accountsAt }: LookContext,
): string | null {
  if (shape === null) return null;
  for (const name of accountSecrets(shape, secret.name, secret.labels)) {
    const accounts =
      name === secret.name
        ? accountKeys.map(({ thumbprint }) => thumbprint)
        : accountsAt(`${secret.namespace}/${name}`);
    if (accounts.length > 0) return accounts.length === 1 ? (accounts[0] ?? null) : null;
  }
  return null;
}

/** Changes of one Secret that are remembered, and for how long: reissues are told for a week. */
const MAX_EARLIER = 10;
const EARLIER_MS = 30 * 86_400_000;

/**
 * What stood here before that something else stands for now, before what was remembered already.
 */
function earlierOf(
  previous: SecretRecord | null,
  certificates: Readonly<Record<string, CertificateRecord>>,
  { nowMs, forgetMs, now, lost }: LookContext,
): EarlierContent[] {
  if (previous === null) return [];
  const { uid } = previous;
  const found: EarlierContent[] = [];
  for (const [base, certificate] of Object.entries(certificates)) {
    const [held, hole] = [previous.certificates[base], previous.gaps[base]];
    if (held !== undefined && held.sha256 !== certificate.sha256) {
      // As its owner judged it when it asked for this one.
      const issuedMs = parseMs(certificate.issuedAt);
      found.push({
        at: now,
        uid,
        base,
        state: lost ? "gone" : "live",
        serial: held.serial,
        reasons: [...verdictAt(held, Math.min(issuedMs, nowMs)).reasons],
      });
    } else if (
      hole !== undefined &&
      hole.held?.sha256 !== certificate.sha256 &&
      (hole.held !== null || hole.state !== "empty")
    ) {
      found.push({
        at: now,
        uid,
        base,
        state: lost ? "gone" : hole.state,
        serial: hole.held?.serial ?? null,
        reasons: [...hole.reasons],
      });
    }
  }
  return [...found, ...(previous.earlier ?? [])]
    .filter(({ at }) => parseMs(at) + EARLIER_MS > forgetMs)
    .slice(0, MAX_EARLIER);
}

function gap(
  domain: string | null,
  state: string,
  reasons: readonly string[],
  previous: SecretRecord | null,
  base: string,
  held: CertificateRecord | null,
  now: string,
): GapRecord {
  const before = previous?.gaps[base];
  return {
    domain,
    state,
    reasons: [...reasons],
    since: before !== undefined && before.state === state ? before.since : now,
    held,
  };
}

interface Judged {
  readonly leaf: NonNullable<Awaited<ReturnType<typeof judge>>["leaf"]> | null;
  readonly reasons: readonly string[];
  readonly windows: readonly { readonly fromMs: number; readonly untilMs: number }[];
  readonly keyFits: boolean;
  /** Leads to an anchor, public or configured. */
  readonly known: boolean;
  readonly issuer: string | null;
  readonly staging: boolean;
  readonly backdateMs: number;
  readonly sctList: Uint8Array | null;
  /** By which its issuer can be asked about it. */
  readonly pointers: Pick<CertificateRecord, "keyIdentifier" | "revocationList">;
}

async function judgePair(pair: ExtractedPair, { kit }: LookContext): Promise<Judged> {
  const parsed = parseChain(pair.certificate);
  const { leaf, reasons, windows, keyFits, anchor } = await judge(
    { certificate: pair.certificate, key: pair.key },
    {
      dnsName: pair.domain,
      anchors: kit.anchors,
      verifier: kit.verifier,
      knownIntermediates: kit.intermediates,
    },
    parsed,
  );
  if (leaf === null || parsed.leaf === null)
    return {
      leaf: null,
      reasons,
      windows,
      keyFits,
      known: false,
      issuer: null,
      staging: false,
      backdateMs: 0,
      sctList: null,
      pointers: {},
    };
  const issuer = await issuerOf(parsed.leaf, parsed.further, kit.issuers, kit.verifier);
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

function pointersOf({ akid, crlDistributionPoints: [list = ""] }: Certificate): Judged["pointers"] {
  return {
    keyIdentifier: akid.length > MAX_POINTER ? "" : akid.toString("hex"),
    revocationList: list.length > MAX_POINTER ? "" : list,
  };
}

/**
 * Kept are pairs whose key fits, within validity, whose leaf leads to an anchor; a CA's key only if
 * its Secret is named.
 */
function keptNot(
  record: CertificateRecord,
  known: boolean,
  unnamedCa: boolean,
  { nowMs }: LookContext,
): Candidate["notKept"] {
  if (!record.keyFits) return { reason: "key_mismatch" };
  if (!known) return { reason: "unknown_issuer" };
  if (unnamedCa) return { reason: "ca_key" };
  if (nowMs > parseMs(record.notAfter)) return { reason: "expired" };
  if (nowMs < parseMs(record.notBefore)) return { reason: "not_yet_valid", from: record.notBefore };
  return null;
}

function backupOf(
  secret: Secret,
  extraction: Extraction,
  record: CertificateRecord,
  pair: ExtractedPair,
): Candidate["record"] {
  const { names, issuer, issuerName, serial, notBefore, notAfter } = record;
  return {
    ...adoptedBy(extraction),
    header: {
      ...placeOf(secret, extraction, pair.fieldBase),
      ...{ names, issuer, issuerName, serial, notBefore, notAfter },
      issuedAt: record.issuedAt,
      kind: "certificate",
      leafSha256: record.sha256,
      accountThumbprint: record.account,
    },
    data: pair.data,
  };
}

function accountBackup(
  secret: Secret,
  extraction: Extraction,
  { field, fieldBase, base64, thumbprint }: ExtractedAccountKey,
): Candidate["record"] {
  return {
    ...adoptedBy(extraction),
    header: {
      ...NO_LEAF,
      ...placeOf(secret, extraction, fieldBase),
      kind: "account-key",
      accountThumbprint: thumbprint,
    },
    data: { [field]: base64 },
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
function adoptedBy({
  adoption: { type, labels, annotations },
}: Extraction): Pick<BackupRecord, "type" | "labels" | "annotations"> {
  return { type, labels, annotations };
}

function parentOf(secret: Secret, extraction: Extraction): SecretRecord["parent"] {
  const owner = secret.owners[0];
  if (owner !== undefined)
    return {
      apiVersion: owner.apiVersion,
      kind: owner.kind,
      namespace: secret.namespace,
      name: owner.name,
    };
  if (extraction.parent !== null) return parentObject(extraction.parent);
  const certificate = secret.annotations["cert-manager.io/certificate-name"];
  return certificate === undefined
    ? null
    : {
        apiVersion: "cert-manager.io/v1",
        kind: "Certificate",
        namespace: secret.namespace,
        name: certificate,
      };
}

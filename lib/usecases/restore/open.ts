/**
 * Opening copies: read, compared with what an audit recorded, opened, passed through the allowlist,
 * judged. What is wrong with one is data; key bytes stay in what is returned.
 *
 * Whoever may write to a store can seal for its recipients, so nothing of a copy is believed: its
 * two headers have to agree with each other, with the place it lies at, and with what is really in
 * it.
 *
 * Whether a copy's certificate was revoked, as far as its issuer's own list says; else that it
 * isn't known, and why.
 */
import { clusterPrefix, parseCopyKey } from "../../backup/keys.ts";
import { parseManifest } from "../../backup/manifest.ts";
import type { BackupHeader, BackupRecord } from "../../backup/record.ts";
import { createPool } from "../../certificate/anchors.ts";
import { parseChain } from "../../certificate/judge.ts";
import type { Certificate } from "../../certificate/parse.ts";
import { isCertkeepError } from "../../error.ts";
import type { Opener } from "../../ports/stores.ts";
import { isRevokedBy, revocationHosts } from "../../restoreplan/crl.ts";
import type { Detail, PlanCode } from "../../restoreplan/objection.ts";
import type {
  JudgedPair,
  KnownCopy,
  OpenedCopy,
  Revocation,
  RevocationGap,
  UnusableCopy,
} from "../../restoreplan/view.ts";
import { accountThumbprint } from "../../secret/account.ts";
import { decodeBase64 } from "../../encoding.ts";
import { isShape } from "../../secret/shapes.ts";
import type { JudgeKit } from "../audit/context.ts";
import { type CopyReader, planCodeOf } from "../copies.ts";
import { createRevocationLists } from "../revocation.ts";
import type { RestorePorts } from "./context.ts";
import { domainOf, judgeBytes, pairBytes } from "./judge.ts";

interface OpenPorts {
  readonly backups: CopyReader;
  readonly opener: Opener;
  readonly kit: JudgeKit;
}

type Opened =
  | { readonly ok: true; readonly copy: OpenedCopy; readonly header: BackupHeader }
  | { readonly ok: false; readonly unusable: UnusableCopy; readonly header: BackupHeader | null };

/** Asks about the revocation of a copy that is otherwise good. */
export type AskRevocation = (record: BackupRecord, pair: JudgedPair) => Promise<Revocation>;

type Fail = (code: PlanCode, detail: Detail | null) => Opened & { ok: false };

export async function openCopy(
  version: string,
  key: string,
  known: KnownCopy | null,
  ports: OpenPorts,
  nowMs: number,
  ask: AskRevocation,
): Promise<Opened> {
  let header: BackupHeader | null = null;
  const fail: Fail = (code, detail) => ({ ok: false, unusable: { version, code, detail }, header });
  const stored = await ports.backups.read(key);
  if (stored === null) return fail("no_copy", { kind: "not_in_store", url: ports.backups.url });
  const { parsed } = stored;
  if (!parsed.ok)
    return fail(planCodeOf(parsed.problem), { kind: "problems", problems: [parsed.problem] });
  ({ header } = parsed.document);
  if (!liesWhereItSays(key, version, header)) {
    const { cluster, namespace, secret } = header;
    return fail("copy_forged", { kind: "elsewhere", says: { cluster, namespace, secret } });
  }
  const { shape } = header;
  if (!isShape(shape)) return fail("copy_format_newer", { kind: "shape", shape });
  const swapped = swappedFrom(known, header);
  const plaintext = await decrypt(
    ports.opener,
    parsed.document.sealed,
    swapped ? () => fail("copy_swapped", swapped) : fail,
  );
  if (!(plaintext instanceof Uint8Array)) return plaintext;
  try {
    const manifest = parseManifest(plaintext, header, version);
    if (swapped !== null && (!manifest.ok || !isRecordedPlace(header, known)))
      return fail("copy_swapped", swapped);
    if (!manifest.ok)
      return fail("copy_forged", { kind: "problems", problems: manifest.problems.slice(0, 3) });
    const { record } = manifest;
    const pair = await factsOfContent(record, shape, ports.kit, nowMs);
    if (typeof pair === "string") return fail("copy_forged", { kind: "content", what: pair });
    const revocation: Revocation =
      pair === null || !pair.keyFits
        ? { state: "unknown", gap: { gap: "not_asked" } }
        : await ask(record, pair);
    const recorded = known?.recorded === true;
    const retired = known?.retired?.reason ?? null;
    const copy = { version, record, shape, pair, recorded, retired, revocation };
    return { ok: true, header, copy };
  } finally {
    plaintext.fill(0);
  }
}

/**
 * Where an audit recorded another digest: the same content encrypted again, as after the store was
 * changed, or something else. Once it is opened its version tells, a digest of the content and of
 * whom it is for.
 */
function swappedFrom(known: KnownCopy | null, header: BackupHeader): Detail | null {
  return known?.recorded === true && known.digest !== header.digest
    ? { kind: "digest", found: header.digest, recorded: known.digest }
    : null;
}

/** What the version doesn't cover, and decides what a restore does with it. */
function isRecordedPlace(header: BackupHeader, known: KnownCopy | null): boolean {
  return (
    header.kind === known?.kind &&
    header.shape === known.shape &&
    header.fieldBase === known.fieldBase
  );
}

function liesWhereItSays(key: string, version: string, header: BackupHeader): boolean {
  const place = parseCopyKey(key);
  return (
    place !== null &&
    place.version === version &&
    clusterPrefix(place.cluster) === clusterPrefix(header.cluster) &&
    place.namespace === header.namespace &&
    place.secret === header.secret
  );
}

async function decrypt(
  opener: Opener,
  sealed: string,
  fail: Fail,
): Promise<Uint8Array | ReturnType<Fail>> {
  try {
    return await opener.open(sealed);
  } catch (error) {
    if (!isCertkeepError(error, "open_failed", "sealed_for_others")) throw error;
    return fail(error.code === "sealed_for_others" ? "copy_sealed_for_others" : "copy_damaged", {
      kind: "error",
      found: error.parts.found,
    });
  }
}

type ForgedContent = Extract<Detail, { kind: "content" }>["what"];

/** What is really in a copy, `null` for an account key; or where its header says something else. */
async function factsOfContent(
  record: BackupRecord,
  shape: OpenedCopy["shape"],
  kit: JudgeKit,
  nowMs: number,
): Promise<JudgedPair | null | ForgedContent> {
  if (record.header.kind === "account-key") {
    const value = Object.values(record.data)[0];
    const pem = value === undefined ? null : decodeBase64(value);
    const thumbprint = pem === null ? null : accountThumbprint(pem);
    if (thumbprint === null) return "no_private_key";
    return thumbprint === record.header.accountThumbprint ? null : "other_account";
  }
  const bytes = pairBytes(shape, record.header.fieldBase, record.data);
  if (bytes === null) return record.header.kind === "replaced" ? null : "half_a_pair";
  const pair = await judgeBytes(
    bytes,
    domainOf(shape, record.header.secret, record.header.fieldBase),
    kit,
    nowMs,
  );
  // What a restore replaced is kept whatever it was, and may be no certificate at all.
  if (pair.sha256 === null) return record.header.kind === "replaced" ? pair : "no_certificate";
  if (pair.sha256 !== record.header.leafSha256) return "other_certificate";
  const names = (all: readonly string[]): string => JSON.stringify([...new Set(all)].toSorted());
  return names(pair.names) === names(record.header.names) ? pair : "other_names";
}

function unknown(gap: RevocationGap): Revocation {
  return { state: "unknown", gap };
}

export function createRevocationAsker(
  ports: Pick<RestorePorts, "revocation" | "kit" | "clock">,
): AskRevocation {
  const { revocation, kit } = ports;
  if (revocation === null) return async () => unknown({ gap: "not_asked" });
  const lists = createRevocationLists(revocation);
  return async (record, pair) => {
    const bytes = isShape(record.header.shape)
      ? pairBytes(record.header.shape, record.header.fieldBase, record.data)
      : null;
    if (bytes === null || pair.issuer === null) return unknown({ gap: "issuer_not_asked" });
    const hosts = revocationHosts(pair.issuer);
    if (hosts.length === 0) return unknown({ gap: "issuer_not_asked" });
    const { leaf, further } = parseChain(bytes.certificate);
    const [url] = leaf?.crlDistributionPoints ?? [];
    if (leaf === null || url === undefined) return unknown({ gap: "no_list" });
    const issuer = await signerOf(leaf, further, kit);
    if (issuer === null) return unknown({ gap: "no_issuer" });
    const answer = await lists.list(url, hosts);
    if (!answer.ok) return unknown(answer.gap);
    return isRevokedBy(answer.list, { leaf, issuer, url, nowMs: ports.clock.nowMs() });
  };
}

/** The certificate that signed the leaf: of its chain, or of the issuer's known ones. */
async function signerOf(
  leaf: Certificate,
  further: readonly Certificate[],
  kit: RestorePorts["kit"],
): Promise<Certificate | null> {
  for (const set of [createPool(further), kit.intermediates, kit.anchors]) {
    for (const parent of set.parentsOf(leaf))
      if ((await kit.verifier.check(leaf, parent)) === null) return parent;
  }
  return null;
}

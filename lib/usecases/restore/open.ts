/**
 * Opening copies: read, compared with what an audit recorded, opened, passed through the allowlist, judged. What
 * is wrong with one is data; key bytes stay in what is returned.
 *
 * Whoever may write to a store can seal for its recipients, so nothing of a copy is believed: its two headers have
 * to agree with each other, with the place it lies at, and with what is really in it.
 */
import { clusterPrefix, parseCopyKey } from "../../backup/keys.ts";
import { parseManifest } from "../../backup/manifest.ts";
import type { BackupHeader, BackupRecord } from "../../backup/record.ts";
import { isCertkeepError } from "../../error.ts";
import type { Opener } from "../../ports/stores.ts";
import type { PlanCode } from "../../restoreplan/code.ts";
import type { KnownCopy } from "../../restoreplan/select.ts";
import type { JudgedPair, OpenedCopy, Revocation, UnusableCopy } from "../../restoreplan/view.ts";
import { accountThumbprint } from "../../secret/account.ts";
import { decodeBase64 } from "../../secret/base64.ts";
import { isShape } from "../../secret/shapes.ts";
import type { JudgeKit } from "../audit/context.ts";
import { planCodeOf, problemText, type CopyReader } from "../copies.ts";
import { domainOf, judgeBytes, pairBytes } from "./judge.ts";

export interface OpenPorts {
  readonly backups: CopyReader;
  readonly opener: Opener;
  readonly kit: JudgeKit;
}

export type Opened =
  | { readonly ok: true; readonly copy: OpenedCopy; readonly header: BackupHeader }
  | { readonly ok: false; readonly unusable: UnusableCopy; readonly header: BackupHeader | null };

/** Asks about the revocation of a copy that is otherwise good. */
export type AskRevocation = (record: BackupRecord, pair: JudgedPair) => Promise<Revocation>;

export async function openCopy(
  version: string,
  key: string,
  known: KnownCopy | null,
  ports: OpenPorts,
  nowMs: number,
  ask: AskRevocation,
): Promise<Opened> {
  let header: BackupHeader | null = null;
  const fail = (code: PlanCode, detail: string): Opened => ({
    ok: false,
    unusable: { version, code, detail },
    header,
  });
  const stored = await ports.backups.read(key);
  if (stored === null) return fail("no_copy", `it isn't in ${ports.backups.url} any more`);
  const { parsed } = stored;
  if (!parsed.ok) return fail(planCodeOf(parsed.problem), problemText(parsed.problem));
  ({ header } = parsed.document);
  const place = parseCopyKey(key);
  if (
    place === null ||
    place.version !== version ||
    clusterPrefix(place.cluster) !== clusterPrefix(header.cluster) ||
    place.namespace !== header.namespace ||
    place.secret !== header.secret
  ) {
    return fail(
      "copy_forged",
      `it says to be of ${header.cluster}/${header.namespace}/${header.secret}, and lies elsewhere`,
    );
  }
  if (known !== null && known.recorded && known.digest !== header.digest)
    return fail(
      "copy_swapped",
      `${header.digest.slice(0, 12)} in place of ${known.digest.slice(0, 12)}`,
    );
  if (!isShape(header.shape))
    return fail(
      "copy_format_newer",
      `a shape that this version doesn't know, ${header.shape.slice(0, 40)}`,
    );
  let plaintext: Uint8Array;
  try {
    plaintext = await ports.opener.open(parsed.document.sealed);
  } catch (error) {
    if (!isCertkeepError(error, "open_failed", "sealed_for_others")) throw error;
    return fail(
      error.code === "sealed_for_others" ? "copy_sealed_for_others" : "copy_damaged",
      error.parts.found,
    );
  }
  try {
    const manifest = parseManifest(plaintext, header, version);
    if (!manifest.ok)
      return fail("copy_forged", manifest.problems.slice(0, 3).map(problemText).join("; "));
    const { record } = manifest;
    const untrue = await factsOfContent(record, header.shape, ports.kit, nowMs);
    if (typeof untrue === "string") return fail("copy_forged", untrue);
    const pair = untrue;
    const revocation: Revocation =
      pair === null || !pair.keyFits
        ? { state: "unknown", why: "it was not asked for" }
        : await ask(record, pair);
    return {
      ok: true,
      header,
      copy: {
        version,
        record,
        shape: header.shape,
        pair,
        recorded: known?.recorded === true,
        retired: known?.retired?.reason ?? null,
        revocation,
      },
    };
  } finally {
    plaintext.fill(0);
  }
}

/** What is really in a copy, `null` for an account key; or where its header says something else. */
async function factsOfContent(
  record: BackupRecord,
  shape: OpenedCopy["shape"],
  kit: JudgeKit,
  nowMs: number,
): Promise<JudgedPair | null | string> {
  if (record.header.kind === "account-key") {
    const value = Object.values(record.data)[0];
    const pem = value === undefined ? null : decodeBase64(value);
    const thumbprint = pem === null ? null : accountThumbprint(pem);
    if (thumbprint === null) return "an account key that is no private key";
    return thumbprint === record.header.accountThumbprint
      ? null
      : "another account's key than its header says";
  }
  const bytes = pairBytes(shape, record.header.fieldBase, record.data);
  if (bytes === null)
    return record.header.kind === "replaced"
      ? null
      : "a certificate without its key, or a key without its certificate";
  const pair = await judgeBytes(
    bytes,
    domainOf(shape, record.header.secret, record.header.fieldBase),
    kit,
    nowMs,
  );
  // What a restore replaced is kept whatever it was, and may be no certificate at all.
  if (pair.sha256 === null)
    return record.header.kind === "replaced" ? pair : "no readable certificate";
  if (pair.sha256 !== record.header.leafSha256) return "another certificate than its header says";
  const names = (all: readonly string[]): string => JSON.stringify([...new Set(all)].toSorted());
  return names(pair.names) === names(record.header.names)
    ? pair
    : "a certificate for other names than its header says";
}

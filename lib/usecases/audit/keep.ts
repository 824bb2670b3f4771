/**
 * Keeping a copy: sealed before it leaves the process, created and never overwritten, read back,
 * and its digest compared, before it counts. What exists already counts once it verifies.
 */
import { createHash } from "node:crypto";
import { composeDocument, parseDocument } from "../../backup/document.ts";
import { copyKey } from "../../backup/keys.ts";
import { buildDocument } from "../../backup/manifest.ts";
import type { BackupRecord, DraftHeader } from "../../backup/record.ts";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import type { CopyRecord } from "../../state/document.ts";
import type { AuditPorts } from "./context.ts";

export interface Kept {
  readonly version: string;
  readonly key: string;
  readonly digest: string;
  readonly made: boolean;
}

export interface KeepContext {
  readonly ports: AuditPorts;
  readonly recipients: readonly string[];
  /** Keys of this run's one listing. */
  readonly listed: ReadonlySet<string>;
  readonly copies: Readonly<Record<string, CopyRecord>>;
  /** Takes one of the day's new copies; `false` where the cap is reached. */
  takeQuota(): boolean;
}

/** A name for the recipients that a copy was sealed for, so that a change of them is seen. */
export function recipientsKey(recipients: readonly string[]): string {
  return createHash("sha256")
    .update([...new Set(recipients)].toSorted().join("\n"))
    .digest("hex")
    .slice(0, 16);
}

/**
 * @returns the copy that counts, or `null` where the day's cap is reached. @throws CertkeepError
 * where the store or the sealing failed
 */
export async function keep(record: BackupRecord, context: KeepContext): Promise<Kept | null> {
  const { ports, recipients, listed, copies } = context;
  const { version, header, plaintext } = buildDocument(record, recipients);
  try {
    const key = copyKey(record.header, version);
    const known = copies[version];
    if (known !== undefined && listed.has(key))
      return { version, key, digest: known.digest, made: false };
    // A listing may lag behind what was made: a copy that a state knows is asked for by its name as
    // well.
    if (listed.has(key) || (known !== undefined && (await ports.backups.read(key)) !== null))
      return { version, key, digest: await verify(key, header, ports), made: false };
    if (!context.takeQuota()) return null;
    const { text } = composeDocument(header, await ports.sealer.seal(plaintext, recipients));
    const outcome = await ports.backups.create(key, new TextEncoder().encode(text));
    return { version, key, digest: await verify(key, header, ports), made: outcome === "created" };
  } finally {
    plaintext.fill(0);
  }
}

/**
 * What the content alone decides; derived facts may be told otherwise by another version of
 * certkeep.
 */
const COMPARED = [
  "cluster",
  "clusterIdentity",
  "namespace",
  "secret",
  "fieldBase",
  "serial",
  "leafSha256",
  "recipients",
] as const satisfies readonly (keyof DraftHeader)[];

/**
 * Reads a copy back. What lies under the key must say of itself what was to be kept: whoever may
 * write to the store could have put another copy there before. @returns the digest of what is
 * stored
 */
async function verify(key: string, wanted: DraftHeader, { backups }: AuditPorts): Promise<string> {
  const bytes = await backups.read(key);
  const where = `${backups.url}/${key}`;
  if (bytes === null)
    throw new CertkeepError("store_damaged", {
      where,
      found: "nothing, right after it was written",
      expected: "the copy",
    });
  const parsed = parseDocument(new TextDecoder().decode(bytes));
  const todo = "Move it away; the next audit makes it anew";
  if (!parsed.ok) {
    const { place, found, expected } = parsed.problem;
    throw new CertkeepError("store_damaged", {
      where: `${where}, ${place}`,
      found,
      expected,
      todo,
    });
  }
  const { digest, ...stored } = parsed.document.header;
  for (const field of COMPARED) {
    if (JSON.stringify(stored[field]) === JSON.stringify(wanted[field])) continue;
    throw new CertkeepError("store_damaged", {
      where: `${where}, header.${field}`,
      found: "another copy",
      expected: "the one that this Secret has",
      todo,
    });
  }
  return digest;
}

export function isStoreTrouble(error: unknown): error is CertkeepError {
  return isCertkeepError(
    error,
    "store_unavailable",
    "store_full",
    "store_damaged",
    "file_unreadable",
    "seal_failed",
  );
}

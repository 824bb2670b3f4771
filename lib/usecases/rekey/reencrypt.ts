/**
 * Encrypts one backup for the recipients that are configured now, as a new version. It counts only
 * once it was read back and, where an identity of this run can open it, opened.
 */
import { composeDocument } from "../../backup/document.ts";
import { copyKey, parseCopyKey } from "../../backup/keys.ts";
import { buildDocument } from "../../backup/draft.ts";
import { sortedSet, type BackupRecord } from "../../backup/record.ts";
import { formatMs } from "../../certificate/time.ts";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import { detailText, problemText } from "../../report/phrases/plan.ts";
import type { CopyRecord } from "../../state/document.ts";
import { recipientsKey } from "../audit/backup.ts";
import type { CopyReader } from "../copies.ts";
import type { RekeyedCopy, RekeyPorts } from "../rekey.ts";
import { openCopy } from "../restore/open.ts";

export interface Move {
  readonly from: string;
  readonly to: string;
  readonly copy: CopyRecord;
  readonly recipients: string;
}

export interface RekeyContext {
  readonly ports: RekeyPorts;
  readonly backups: CopyReader;
  readonly listed: ReadonlySet<string>;
  readonly recipients: readonly string[];
}

interface Rekeyed {
  readonly copy: RekeyedCopy;
  /** `null`: no new version counts. */
  readonly move: Move | null;
}

export async function rekeyBackup(
  key: string,
  version: string,
  known: CopyRecord | null,
  context: RekeyContext,
): Promise<Rekeyed> {
  const { ports, backups, recipients } = context;
  const cluster = parseCopyKey(key)?.cluster ?? "";
  const parsed = (await backups.read(key))?.parsed ?? null;
  const encryptedFor = parsed?.ok === true ? sortedSet(parsed.document.header.recipients) : null;
  const base: RekeyedCopy = {
    key,
    cluster,
    outcome: "failed",
    replacedBy: null,
    proven: false,
    exposed: encryptedFor?.every((recipient) => recipients.includes(recipient)) !== true,
    old: "left",
    message: null,
  };
  const end = (outcome: RekeyedCopy["outcome"], message: string | null): Rekeyed => ({
    copy: { ...base, outcome, message },
    move: null,
  });
  if (parsed === null) return end("failed", "it was removed while it was looked at");
  if (!parsed.ok) return end("failed", `${parsed.problem.place}: ${parsed.problem.found}`);
  if (JSON.stringify(encryptedFor) === JSON.stringify(recipients)) return end("current", null);
  if (known === null) return end("unrecorded", "no audit recorded it");
  if (known.retired !== undefined) return end("retired", null);
  const opened = await open(key, version, { ...known, recorded: true }, context);
  if (!opened.ok) {
    const { code, detail } = opened.unusable;
    return end("failed", detail === null ? code : `${code}: ${detailText(detail)}`);
  }
  try {
    const { to, toVersion, digest, proven } = await reencrypt(opened.copy.record, context);
    const recordedAt = formatMs(ports.clock.nowMs());
    const copy: CopyRecord = { ...known, key: to, digest, recordedAt };
    return {
      copy: { ...base, outcome: "sealed", replacedBy: to, proven },
      move: { from: version, to: toVersion, copy, recipients: recipientsKey(recipients) },
    };
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return end("failed", error.message);
  }
}

function open(
  key: string,
  version: string,
  known: (CopyRecord & { readonly recorded: true }) | null,
  { ports, backups }: RekeyContext,
): ReturnType<typeof openCopy> {
  const { opener, kit } = ports;
  return openCopy(version, key, known, { opener, kit, backups }, ports.clock.nowMs(), async () => ({
    state: "unknown",
    gap: { gap: "not_asked" },
  }));
}

async function reencrypt(
  record: BackupRecord,
  context: RekeyContext,
): Promise<Verified & { readonly to: string; readonly toVersion: string }> {
  const { ports, listed, recipients } = context;
  const draft = buildDocument(record, recipients);
  try {
    const to = copyKey(record.header, draft.version);
    let made: string | null = null;
    if (!listed.has(to)) {
      const sealed = await ports.sealer.seal(draft.plaintext, recipients);
      const { text, header } = composeDocument(draft.header, sealed);
      if ((await ports.backups.create(to, new TextEncoder().encode(text))) === "created")
        made = header.digest;
    }
    return { to, toVersion: draft.version, ...(await verify(to, draft.version, made, context)) };
  } finally {
    draft.plaintext.fill(0);
  }
}

interface Verified {
  readonly digest: string;
  /** It was opened, and not only read back. */
  readonly proven: boolean;
}

/** `made`: its digest, where this run made it. @throws CertkeepError where it doesn't count */
async function verify(
  key: string,
  version: string,
  made: string | null,
  context: RekeyContext,
): Promise<Verified> {
  const { ports, backups, recipients } = context;
  const refuse = (found: string): CertkeepError =>
    new CertkeepError("store_damaged", {
      where: `${ports.backups.url}/${key}`,
      found,
      todo: "Move it away and run this again; the old version stays",
    });
  const parsed = (await backups.read(key))?.parsed ?? null;
  if (parsed === null) throw refuse("the new version is missing right after it was written");
  if (!parsed.ok) throw refuse(`the new version is damaged (${problemText(parsed.problem)})`);
  const { digest } = parsed.document.header;
  if (made !== null && digest !== made) throw refuse("it isn't the version that was written");
  const proven = recipients.some((recipient) => ports.opener.recipients.includes(recipient));
  if (!proven && made === null)
    throw refuse("it is an earlier version that this identity can't decrypt");
  const opened = proven ? await open(key, version, null, context) : null;
  if (opened?.ok === false) throw refuse(`the new version can't be used (${opened.unusable.code})`);
  return { digest, proven };
}

/**
 * Backing up: encrypted before it leaves the process, created and never overwritten, read back, and
 * its digest compared, before it counts. What exists already counts once it verifies.
 */
import { createHash } from "node:crypto";
import { composeDocument, parseDocument } from "../../backup/document.ts";
import { clusterPrefix, copyKey } from "../../backup/keys.ts";
import { buildDocument } from "../../backup/draft.ts";
import type { BackupRecord, DraftHeader } from "../../backup/record.ts";
import { parseMs } from "../../certificate/time.ts";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import { recordedFacts } from "../../state/backups.ts";
import type {
  CertificateRecord,
  CopyRecord,
  SecretRecord,
  StateDocument,
} from "../../state/document.ts";
import type { Candidate } from "./candidates.ts";
import type { AuditPorts, AuditRun } from "./context.ts";

/** A backup that counts. */
export interface MadeBackup {
  readonly version: string;
  readonly key: string;
  readonly digest: string;
  readonly made: boolean;
}

export interface BackupContext {
  readonly ports: AuditPorts;
  readonly recipients: readonly string[];
  /** Keys of this run's one listing. */
  readonly listed?: ReadonlySet<string>;
  readonly copies?: Readonly<Record<string, CopyRecord>>;
  /** Takes one of the day's new backups; `false` where the cap is reached. */
  readonly takeQuota?: () => boolean;
}

/** A name for the recipients of a backup, so that a change of them is seen. */
export function recipientsKey(recipients: readonly string[]): string {
  return createHash("sha256")
    .update([...new Set(recipients)].toSorted().join("\n"))
    .digest("hex")
    .slice(0, 16);
}

/**
 * @returns the backup that counts, or `null` where the day's cap is reached.
 * @throws CertkeepError where the store or the encryption failed
 */
export async function backUp(
  record: BackupRecord,
  context: BackupContext,
): Promise<MadeBackup | null> {
  const { ports, recipients, listed = new Set(), copies = {} } = context;
  const { version, header, plaintext } = buildDocument(record, recipients);
  try {
    const key = copyKey(record.header, version);
    const known = copies[version];
    if (known !== undefined && listed.has(key))
      return { version, key, digest: known.digest, made: false };
    // A listing may lag behind: a backup that a state knows is asked for by its name as well.
    if (listed.has(key) || (known !== undefined && (await ports.backups.read(key)) !== null))
      return { version, key, digest: await verify(key, header, ports), made: false };
    if (context.takeQuota?.() === false) return null;
    const { text } = composeDocument(header, await ports.sealer.seal(plaintext, recipients));
    const outcome = await ports.backups.create(key, new TextEncoder().encode(text));
    return { version, key, digest: await verify(key, header, ports), made: outcome === "created" };
  } finally {
    plaintext.fill(0);
  }
}

/** What the content alone decides; another version of certkeep may derive other facts. */
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
 * Reads a backup back. What lies under the key must be what was to be backed up: whoever may write
 * to the store could have put another backup there before. @returns the digest of what is stored
 */
async function verify(key: string, wanted: DraftHeader, { backups }: AuditPorts): Promise<string> {
  const bytes = await backups.read(key);
  const where = `${backups.url}/${key}`;
  if (bytes === null)
    throw new CertkeepError("store_damaged", {
      where,
      found: "the backup is missing right after it was written",
      todo: "Check the store; the next audit writes it again",
    });
  const parsed = parseDocument(new TextDecoder().decode(bytes));
  const todo = "Move it away; the next audit recreates it";
  if (!parsed.ok) {
    const { place, found, expected } = parsed.problem;
    throw new CertkeepError("store_damaged", {
      where: `${where}, ${place}`,
      found: `it holds ${found} instead of ${expected}`,
      todo,
    });
  }
  const { digest, ...stored } = parsed.document.header;
  for (const field of COMPARED) {
    if (JSON.stringify(stored[field]) === JSON.stringify(wanted[field])) continue;
    throw new CertkeepError("store_damaged", {
      where: `${where}, header.${field}`,
      found: "it is another backup than the one of this Secret",
      todo,
    });
  }
  return digest;
}

function isStoreTrouble(error: unknown): error is CertkeepError {
  return isCertkeepError(
    error,
    "store_unavailable",
    "store_full",
    "store_damaged",
    "file_unreadable",
    "seal_failed",
    "deadline",
  );
}

function outOfTime(title: string): CertkeepError {
  return new CertkeepError("deadline", {
    where: `cluster ${title}`,
    found: "timed out before everything was backed up",
    todo: "The next audit backs up the rest",
  });
}

export function noteBackup(
  state: StateDocument,
  { header }: BackupRecord,
  { version, digest, key }: MadeBackup,
  valid: boolean,
  now: string,
): void {
  const known = state.copies[version];
  state.copies[version] = {
    ...known,
    ...recordedFacts(header),
    // As its header says: another key may lie beside the certificate since.
    account: known === undefined ? header.accountThumbprint : known.account,
    digest,
    key,
    recordedAt: known?.recordedAt ?? now,
    seenValid: (known?.seenValid ?? false) || valid,
    liveFrom: known?.liveFrom ?? now,
    liveUntil: now,
  };
}

export class BackupRun {
  readonly counts = { made: 0, present: 0 };
  readonly #run: AuditRun;
  readonly #failures = new Set<string>();
  /** Key of the recipients; `null`: nothing is backed up. */
  readonly #recipients: string | null;
  #listed: ReadonlySet<string> | null = null;

  constructor(run: AuditRun) {
    const { recipients } = run.target.settings;
    this.#run = run;
    this.#recipients = recipients.length === 0 ? null : recipientsKey(recipients);
  }

  /** The one listing of the store that an audit makes. */
  async list(): Promise<void> {
    if (this.#recipients === null) return;
    const { ports, before } = this.#run;
    const listing = async (): Promise<ReadonlySet<string>> => {
      const listed = new Set<string>();
      // What can't be read there doesn't count as a backup: it is reported when it is needed.
      const entries = ports.backups.list(clusterPrefix(before.cluster));
      for await (const { key, trouble } of entries) if (trouble === undefined) listed.add(key);
      return listed;
    };
    try {
      this.#listed = await this.#inTime(listing);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Each way in which the store or the encryption fails is said once. */
  #failed(error: unknown): void {
    if (!isStoreTrouble(error)) throw error;
    const { code, message } = error;
    if (!this.#failures.has(code)) this.#run.shortfall({ scope: "backups", code, message });
    this.#failures.add(code);
  }

  /**
   * A store that doesn't answer must not keep the state from being saved: what it does afterwards,
   * the next audit finds there. @throws CertkeepError deadline, once the audit's time is over
   */
  async #inTime<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this.#run.ports;
    if (signal === undefined) return work();
    const end = Promise.withResolvers<never>();
    const over = (): void => end.reject(outOfTime(this.#run.target.title));
    signal.addEventListener("abort", over);
    try {
      if (signal.aborted) throw outOfTime(this.#run.target.title);
      return await Promise.race([work(), end.promise]);
    } finally {
      signal.removeEventListener("abort", over);
    }
  }

  /** Whether everything of a Secret is backed up as is wanted now; if not, it is read again. */
  isBackedUp(record: SecretRecord): boolean {
    if (this.#recipients === null) return true;
    const { before, nowMs } = this.#run;
    return [...Object.values(record.certificates), ...Object.values(record.accounts)].every(
      (one) => {
        if (one.copy === null) return one.notKept !== null && !isOver(one.notKept, one, nowMs);
        const copy = before.copies[one.copy.version];
        return (
          copy !== undefined &&
          one.copy.recipients === this.#recipients &&
          this.#listed?.has(copy.key) === true
        );
      },
    );
  }

  /** Backs up what may be, and notes in `record` what came of it. */
  async add(
    record: SecretRecord,
    previous: SecretRecord | null,
    candidates: readonly Candidate[],
  ): Promise<void> {
    for (const candidate of candidates) {
      const of = candidate.kind === "certificate" ? "certificates" : "accounts";
      const entry = record[of][candidate.base];
      if (entry !== undefined)
        await this.#addOne(entry, previous?.[of][candidate.base]?.copy ?? null, candidate);
    }
  }

  async #addOne(
    entry: Pick<CertificateRecord, "copy" | "notKept">,
    before: CertificateRecord["copy"],
    candidate: Candidate,
  ): Promise<void> {
    const { ports, state, now } = this.#run;
    if (candidate.skipped !== null) entry.notKept = candidate.skipped;
    else if (this.#recipients === null) entry.notKept = { reason: "no_recipients" };
    else if (ports.dryRun) {
      entry.copy = before;
      entry.notKept = before === null ? { reason: "dry_run" } : null;
    } else if (this.#listed === null) {
      entry.copy = before;
      entry.notKept = { reason: "store_failed" };
    } else {
      const record = this.#recordOf(candidate);
      try {
        const context = this.#contextFor(this.#listed);
        const backup = await this.#inTime(() => backUp(record, context));
        if (backup === null) {
          entry.notKept = { reason: "quota" };
          return;
        }
        const { version, digest, made } = backup;
        entry.copy = { version, digest, recipients: this.#recipients };
        this.counts[made ? "made" : "present"] += 1;
        noteBackup(state, record, backup, candidate.valid, now);
      } catch (error) {
        this.#failed(error);
        const isSealing = isCertkeepError(error, "seal_failed");
        entry.notKept = { reason: isSealing ? "seal_failed" : "store_failed" };
      }
    }
  }

  #recordOf({ record }: Candidate): BackupRecord {
    const { before, state } = this.#run;
    return {
      ...record,
      header: {
        ...record.header,
        cluster: before.cluster,
        clusterIdentity: state.identity?.key ?? "",
      },
    };
  }

  #contextFor(listed: ReadonlySet<string>): BackupContext {
    const { ports, target, state } = this.#run;
    const { recipients, copiesPerDay } = target.settings;
    return {
      ports,
      recipients,
      listed,
      copies: state.copies,
      takeQuota: () => {
        if (state.quota.made >= copiesPerDay) return false;
        state.quota.made += 1;
        return true;
      },
    };
  }
}

/** Reasons that something else than time has changed by the next run, perhaps. */
const CHANGES_WITHOUT_TIME: ReadonlySet<string> = new Set([
  "no_recipients",
  "dry_run",
  "quota",
  "store_failed",
  "seal_failed",
]);

/** Whether the reason for which something wasn't backed up may hold no longer. */
function isOver(
  { reason, from }: { readonly reason: string; readonly from?: string | undefined },
  one: object,
  nowMs: number,
): boolean {
  if (CHANGES_WITHOUT_TIME.has(reason)) return true;
  if (from !== undefined && nowMs >= parseMs(from)) return true;
  // An audit whose clock was ahead took it for expired: by the right time it isn't.
  const notAfter = "notAfter" in one ? one.notAfter : null;
  return reason === "expired" && !(typeof notAfter === "string" && nowMs > parseMs(notAfter));
}

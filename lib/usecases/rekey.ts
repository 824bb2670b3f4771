/**
 * Seals every recorded copy again for the recipients that are configured now, as new versions:
 * after a recipient was added, or an identity leaked or was lost.
 *
 * Write-once holds: nothing is changed in place. A new version counts only once it was read back
 * and, where an identity of this run can open it, opened and found to hold the very same; only then
 * may the old one go (`purgeOld`). Interrupted, it goes on where it ended: what has its new version
 * already is verified and left. Copies that no audit recorded are left as they are: sealing them
 * again would make them look as if one had.
 */
import pLimit from "p-limit";
import { composeDocument } from "../backup/document.ts";
import { copyKey, parseCopyKey } from "../backup/keys.ts";
import { buildDocument } from "../backup/manifest.ts";
import { sortedSet } from "../backup/record.ts";
import { formatMs } from "../certificate/time.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
import { matchesPattern } from "../finding/pattern.ts";
import type { BlobStore, Opener, Sealer, StateStore } from "../ports/stores.ts";
import type { Clock, Progress } from "../ports/runtime.ts";
import type { CopyRecord, SecretRecord, StateDocument } from "../state/document.ts";
import { mapRecords } from "../state/secrets.ts";
import type { JudgeKit } from "./audit/context.ts";
import { recipientsKey } from "./audit/backup.ts";
import { createCopyReader, listCopies, type CopyReader } from "./copies.ts";
import { openCopy } from "./restore/open.ts";
import { changeState, loadState } from "./states.ts";

export interface RekeyPorts {
  readonly backups: BlobStore;
  readonly states: StateStore;
  readonly opener: Opener;
  readonly sealer: Sealer;
  readonly kit: JudgeKit;
  readonly clock: Clock;
  readonly progress: Progress;
  recipientsFor(cluster: string): readonly string[];
}

/**
 * `current`: sealed for these recipients already. `sealed`: a new version was made, or one was
 * there, and it counts. `unrecorded`, `retired`: left as it is. `failed`: could not be opened,
 * sealed or verified.
 */
export type RekeyOutcome = "current" | "sealed" | "unrecorded" | "retired" | "failed";

export interface RekeyedCopy {
  readonly key: string;
  readonly cluster: string;
  readonly outcome: RekeyOutcome;
  /** Key of the version that takes its place. */
  readonly replacedBy: string | null;
  /** Whether the new version was opened as well as read back: only then may the old one go. */
  readonly proven: boolean;
  /** Whether somebody who isn't configured any more can open what lies under `key`. */
  readonly exposed: boolean;
  /**
   * `hidden`: gone under its key, and the store keeps older versions. `kept`: the store didn't let
   * it go. `message` says why.
   */
  readonly old: "left" | "removed" | "hidden" | "kept";
  readonly message: string | null;
}

export interface RekeyReport {
  readonly copies: readonly RekeyedCopy[];
  readonly problems: readonly CertkeepError[];
}

const AT_ONCE = 8;

interface Move {
  readonly from: string;
  readonly to: string;
  readonly copy: CopyRecord;
  readonly recipients: string;
}

/**
 * `patterns` fit cluster, Secret or version; none: all. @throws CertkeepError where the store can't
 * be listed
 */
export async function runRekey(
  ports: RekeyPorts,
  patterns: readonly string[],
  purgeOld: boolean,
): Promise<RekeyReport> {
  const byCluster = new Map<string, { key: string; version: string }[]>();
  const listed = new Set<string>();
  const listing = await listCopies(ports.backups);
  const problems: CertkeepError[] = [...listing.problems];
  const backups = createCopyReader(ports.backups);
  for (const place of listing.places) {
    const { key } = place;
    listed.add(key);
    if (
      patterns.length > 0 &&
      !patterns.some((pattern) =>
        [place.cluster, place.secret, `${place.namespace}/${place.secret}`, place.version].some(
          (text) => matchesPattern(pattern, text),
        ),
      )
    )
      continue;
    byCluster.set(place.cluster, [
      ...(byCluster.get(place.cluster) ?? []),
      { key, version: place.version },
    ]);
  }
  const copies: RekeyedCopy[] = [];
  const total = [...byCluster.values()].reduce((sum, keys) => sum + keys.length, 0);
  for (const [cluster, keys] of [...byCluster].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    try {
      copies.push(
        ...(await rekeyCluster(cluster, keys, {
          ports,
          backups,
          listed,
          purgeOld,
          done: copies.length,
          total,
        })),
      );
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      problems.push(error);
    }
  }
  return { copies, problems };
}

interface Run {
  readonly ports: RekeyPorts;
  readonly backups: CopyReader;
  readonly listed: ReadonlySet<string>;
  readonly purgeOld: boolean;
  readonly done: number;
  readonly total: number;
}

async function rekeyCluster(
  cluster: string,
  keys: readonly { readonly key: string; readonly version: string }[],
  run: Run,
): Promise<RekeyedCopy[]> {
  const { ports } = run;
  const recipients = sortedSet(ports.recipientsFor(cluster));
  if (recipients.length === 0)
    throw new CertkeepError("usage", {
      where: `cluster ${cluster}`,
      found: "no recipients in the configuration",
      expected: "whom its copies are to be sealed for",
      todo: "Name them under recipients: in certkeep.yaml",
    });
  const state = (await loadState(ports.states, cluster))?.state ?? null;
  const moves: Move[] = [];
  const limit = pLimit(AT_ONCE);
  let done = run.done;
  const results = await Promise.all(
    keys.map(({ key, version }) =>
      limit(async () => {
        const one = await rekeyOne(key, version, state?.copies[version] ?? null, recipients, run);
        if (one.move !== null) moves.push(one.move);
        ports.progress.step("sealing copies", (done += 1), run.total);
        return one.copy;
      }),
    ),
  );
  // What takes a copy's place is recorded before the old one may go: a crash between the two loses
  // nothing.
  if (state !== null && moves.length > 0)
    await changeState(ports.states, cluster, state.title, state.server, (now) => moved(now, moves));
  if (!run.purgeOld) return results;
  const purged = await Promise.all(results.map((copy) => limit(() => purge(copy, ports))));
  const gone = purged
    .filter(({ old }) => old === "removed" || old === "hidden")
    .map(({ key }) => parseCopyKey(key)?.version ?? "");
  if (state !== null && gone.length > 0)
    await changeState(ports.states, cluster, state.title, state.server, (now) => ({
      ...now,
      copies: Object.fromEntries(
        Object.entries(now.copies).filter(([version]) => !gone.includes(version)),
      ),
    }));
  return purged;
}

async function rekeyOne(
  key: string,
  version: string,
  known: CopyRecord | null,
  recipients: readonly string[],
  run: Run,
): Promise<{ readonly copy: RekeyedCopy; readonly move: Move | null }> {
  const { ports, backups, listed } = run;
  const cluster = parseCopyKey(key)?.cluster ?? "";
  const parsed = (await backups.read(key))?.parsed ?? null;
  const exposed =
    parsed?.ok !== true ||
    parsed.document.header.recipients.some((recipient) => !recipients.includes(recipient));
  const end = (
    outcome: RekeyOutcome,
    message: string | null,
    replacedBy: string | null = null,
  ): { copy: RekeyedCopy; move: null } => ({
    copy: { key, cluster, outcome, replacedBy, proven: false, exposed, old: "left", message },
    move: null,
  });
  if (parsed === null) return end("failed", "it was removed while it was looked at");
  if (!parsed.ok) return end("failed", `${parsed.problem.place}: ${parsed.problem.found}`);
  if (JSON.stringify(sortedSet(parsed.document.header.recipients)) === JSON.stringify(recipients))
    return end("current", null);
  if (known === null) return end("unrecorded", "no audit recorded it");
  if (known.retired !== undefined) return end("retired", null);
  const nowMs = ports.clock.nowMs();
  const opened = await openCopy(
    version,
    key,
    { ...known, recorded: true },
    { ...ports, backups },
    nowMs,
    async () => ({ state: "unknown", gap: { gap: "not_asked" } }),
  );
  if (!opened.ok) return end("failed", `${opened.unusable.code}: ${opened.unusable.detail}`);
  try {
    const draft = buildDocument(opened.copy.record, recipients);
    try {
      const to = copyKey(opened.copy.record.header, draft.version);
      let made: string | null = null;
      if (!listed.has(to)) {
        const document = composeDocument(
          draft.header,
          await ports.sealer.seal(draft.plaintext, recipients),
        );
        if ((await ports.backups.create(to, new TextEncoder().encode(document.text))) === "created")
          made = document.header.digest;
      }
      const { digest, proven } = await verified(to, draft.version, made, recipients, run, nowMs);
      const copy: CopyRecord = { ...known, key: to, digest, recordedAt: formatMs(nowMs) };
      return {
        copy: {
          key,
          cluster,
          outcome: "sealed",
          replacedBy: to,
          proven,
          exposed,
          old: "left",
          message: null,
        },
        move: { from: version, to: draft.version, copy, recipients: recipientsKey(recipients) },
      };
    } finally {
      draft.plaintext.fill(0);
    }
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return end("failed", error.message);
  }
}

/**
 * Reads a new version back. `made`: its digest, where this run made it. @throws CertkeepError where
 * it doesn't count
 */
async function verified(
  key: string,
  version: string,
  made: string | null,
  recipients: readonly string[],
  { ports, backups }: Run,
  nowMs: number,
): Promise<{ readonly digest: string; readonly proven: boolean }> {
  const refuse = (found: string): CertkeepError =>
    new CertkeepError("store_damaged", {
      where: `${ports.backups.url}/${key}`,
      found,
      expected: "the copy that takes the old one's place",
      todo: "Move it away and run this again; the old copy stays",
    });
  const parsed = (await backups.read(key))?.parsed ?? null;
  if (parsed === null || !parsed.ok)
    throw refuse(parsed === null ? "nothing, right after it was written" : parsed.problem.found);
  const { digest } = parsed.document.header;
  if (made !== null && digest !== made) throw refuse("another copy than was written");
  const proven = recipients.some((recipient) => ports.opener.recipients.includes(recipient));
  if (proven) {
    const opened = await openCopy(version, key, null, { ...ports, backups }, nowMs, async () => ({
      state: "unknown",
      gap: { gap: "not_asked" },
    }));
    if (!opened.ok) throw refuse(`a copy that doesn't open as it should (${opened.unusable.code})`);
  } else if (made === null)
    throw refuse("a copy that was there before, which no identity of this run can open");
  return { digest, proven };
}

/** The state with new versions beside the old, and what Secrets hold pointing at the new. */
function moved(state: StateDocument, moves: readonly Move[]): StateDocument {
  const to = new Map(moves.map((move) => [move.from, move]));
  const pointed = <
    T extends { copy: { version: string; digest: string; recipients: string } | null },
  >(
    records: Record<string, T>,
  ): Record<string, T> =>
    Object.fromEntries(
      Object.entries(records).map(([base, record]) => {
        const move = record.copy === null ? undefined : to.get(record.copy.version);
        return [
          base,
          move === undefined
            ? record
            : {
                ...record,
                copy: {
                  ...record.copy,
                  version: move.to,
                  digest: move.copy.digest,
                  recipients: move.recipients,
                },
              },
        ];
      }),
    );
  const held = (record: SecretRecord): SecretRecord => ({
    ...record,
    certificates: pointed(record.certificates),
    accounts: pointed(record.accounts),
  });
  return {
    ...state,
    copies: {
      ...state.copies,
      ...Object.fromEntries(
        moves.map((move) => [move.to, { ...state.copies[move.to], ...move.copy }]),
      ),
    },
    ...mapRecords(state, held),
  };
}

/**
 * Removes what a recipient no longer configured could open, once its successor counts, or it is
 * never to be used again.
 */
async function purge(copy: RekeyedCopy, { backups }: RekeyPorts): Promise<RekeyedCopy> {
  if (!copy.exposed || (copy.outcome !== "sealed" && copy.outcome !== "retired")) return copy;
  if (copy.outcome === "sealed" && !copy.proven)
    return {
      ...copy,
      old: "kept",
      message:
        "no identity of this run opens its new version, so the old one stays: name both, one " +
        "after the other in one file, by --identity",
    };
  try {
    const kept = await backups.remove(copy.key);
    const left = await backups.read(copy.key);
    if (left !== null) return { ...copy, old: "kept", message: "the store still has it" };
    return kept === null ? { ...copy, old: "removed" } : { ...copy, old: "hidden", message: kept };
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return { ...copy, old: "kept", message: error.message };
  }
}

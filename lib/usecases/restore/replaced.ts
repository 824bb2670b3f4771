/**
 * Sealing what a restore is about to replace: kept as a copy of kind `replaced` and recorded in the
 * state before the cluster is touched. Recordings that come together are written together.
 */
import { formatMs } from "../../certificate/time.ts";
import { isCertkeepError } from "../../error.ts";
import { type BackupRecord, type CopyFacts, NO_LEAF } from "../../backup/record.ts";
import { leafFacts, type LiveSecret, type OpenedCopy } from "../../restoreplan/view.ts";
import {
  accountFieldBase,
  keptAnnotations,
  keptLabels,
  pairFields,
} from "../../secret/allowlist.ts";
import { decodeBase64 } from "../../encoding.ts";
import { OPAQUE_TYPE, TLS_TYPE, type Shape } from "../../secret/shapes.ts";
import type { StateDocument } from "../../state/document.ts";
import { backUp, type MadeBackup, noteBackup } from "../audit/backup.ts";
import type { RestoredItem, RestorePorts, RestoreTarget } from "./context.ts";
import type { Source } from "./source.ts";
import { changeState } from "../states.ts";

interface Entry {
  readonly record: BackupRecord;
  readonly kept: MadeBackup;
  readonly valid: boolean;
}

function recordOf(
  source: Source,
  live: LiveSecret,
  shape: Shape,
  fieldBase: string,
  data: Readonly<Record<string, string>>,
): BackupRecord {
  const pair = live.pairs[fieldBase] ?? null;
  const account = Object.keys(data).find((field) => accountFieldBase(shape, field) !== null);
  const header: CopyFacts = {
    ...NO_LEAF,
    cluster: source.target,
    clusterIdentity: source.targetIdentity,
    namespace: live.namespace,
    secret: live.name,
    shape,
    fieldBase,
    kind: "replaced",
    ...(pair === null ? {} : leafFacts(pair)),
    accountThumbprint: account === undefined ? null : (live.accounts[account] ?? null),
  };
  return {
    header,
    type: live.type === TLS_TYPE ? TLS_TYPE : OPAQUE_TYPE,
    labels: keptLabels(shape, live.labels),
    annotations: keptAnnotations(shape, live.annotations),
    data,
  };
}

function isContent(value: string | undefined): value is string {
  return value !== undefined && value !== "" && decodeBase64(value)?.length !== 0;
}

/** What of `live` would be gone once `copy` is written there; `null` for nothing. */
export function replacedBy(
  source: Source,
  live: LiveSecret,
  copy: OpenedCopy,
  whole: boolean,
): BackupRecord | null {
  const { shape, record } = copy;
  const fields = pairFields(shape, record.header.fieldBase);
  const own =
    record.header.kind === "account-key" || fields === null
      ? Object.keys(record.data)
      : [fields.certificate, fields.key, ...(shape === "tls" ? ["ca.crt"] : [])];
  const data = Object.fromEntries(
    own.flatMap((field) =>
      isContent(live.data[field]) ? [[field, live.data[field] ?? ""] as const] : [],
    ),
  );
  const changes = Object.entries(data).some(([field, value]) =>
    Object.hasOwn(record.data, field) ? record.data[field] !== value : whole,
  );
  return changes ? recordOf(source, live, shape, record.header.fieldBase, data) : null;
}

export interface ReplacedKeeper {
  /** Returns once the copy counts and the state knows it. @throws CertkeepError */
  keep(record: BackupRecord, valid: boolean): Promise<void>;
}

/** For whom a restore seals what it takes the place of. */
export function recipientsOf(
  { settings: { recipients } }: RestoreTarget,
  { opener }: RestorePorts,
): readonly string[] {
  return recipients.length > 0 ? recipients : opener.recipients;
}

export function createReplacedKeeper(
  source: Source,
  target: RestoreTarget,
  ports: RestorePorts,
): ReplacedKeeper {
  const recipients = recipientsOf(target, ports);
  let pending: Entry[] = [];
  let writing: Promise<void> | null = null;

  const flush = async (): Promise<void> => {
    // Those that come while one is being written wait for the next.
    while (pending.length > 0) {
      const entries = pending;
      pending = [];
      const now = formatMs(ports.clock.nowMs());
      await changeState(
        ports.states,
        source.target,
        target.title,
        target.server,
        (state: StateDocument) => {
          const next = { ...state, copies: { ...state.copies } };
          for (const { record, kept, valid } of entries) {
            // The same bytes may be a usable backup already: that it is.
            if (next.copies[kept.version] === undefined) noteBackup(next, record, kept, valid, now);
          }
          return next;
        },
      );
    }
  };

  return {
    keep: async (record, valid) => {
      const kept = await backUp(record, {
        ports: { ...ports, dryRun: false },
        recipients,
      });
      if (kept === null) return;
      pending.push({ record, kept, valid });
      const before = writing;
      const mine = (async () => {
        if (before !== null) await before.catch(() => {});
        await flush();
      })();
      writing = mine;
      await mine;
    },
  };
}

/** What was written, so that `explain` says it before an audit has seen it. */
export async function recordRestores(
  source: Source,
  { title, server }: RestoreTarget,
  items: readonly RestoredItem[],
  { states, clock, progress }: RestorePorts,
): Promise<void> {
  const restored = items.flatMap(({ outcome, item: { version } }) =>
    outcome === "done" && version !== null ? [version] : [],
  );
  if (restored.length === 0) return;
  const restoredAt = formatMs(clock.nowMs());
  try {
    await changeState(states, source.target, title, server, (state) => {
      const copies = { ...state.copies };
      for (const version of restored) {
        const copy = copies[version];
        if (copy !== undefined) copies[version] = { ...copy, restoredAt };
      }
      return { ...state, copies };
    });
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    // What was restored is restored: the next audit sees it.
    progress.note(error.message);
  }
}

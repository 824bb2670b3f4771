/** Opens one backup and judges it as of now; and finds recorded backups that the store has lost. */
import pLimit from "p-limit";
import type { BackupHeader } from "../../backup/record.ts";
import { parseMs } from "../../certificate/time.ts";
import type { CertkeepError } from "../../error.ts";
import type { Opener } from "../../ports/stores.ts";
import type { DrilledCopy } from "../../report/drill.ts";
import { detailText, problemText } from "../../report/phrases/plan.ts";
import type { PlanCode } from "../../restoreplan/objection.ts";
import { mayRead, readableOf } from "../../restoreplan/copyrule.ts";
import type { OpenedCopy } from "../../restoreplan/view.ts";
import type { StateDocument } from "../../state/document.ts";
import type { JudgeKit } from "../audit/context.ts";
import {
  isUnreached,
  planCodeOf,
  type CopyReader,
  type ListedPlace,
  type StoredCopy,
} from "../copies.ts";
import { openCopy } from "../restore/open.ts";

export const OPENS_AT_ONCE = 8;

export interface Examined {
  readonly copy: DrilledCopy;
  readonly opened: OpenedCopy | null;
}

interface Context {
  readonly url: string;
  /** `null`: no identity, so only headers are read. */
  readonly opener: Opener | null;
  readonly kit: JudgeKit;
  readonly nowMs: number;
}

export async function examineBackup(
  place: ListedPlace,
  stored: StoredCopy | null,
  state: StateDocument | undefined,
  { url, opener, kit, nowMs }: Context,
): Promise<Examined> {
  const { key, version } = place;
  const known = state?.copies[version];
  const base = {
    key,
    version,
    cluster: place.cluster,
    recorded: known !== undefined,
    retired: known?.retired !== undefined,
    recordedAt: known?.recordedAt ?? null,
    removed: null,
  };
  const unreadable = (header: BackupHeader | null, code: PlanCode, detail: string): Examined => ({
    copy: { ...base, header, verdict: "unreadable", code, detail },
    opened: null,
  });
  if (opener === null) {
    const problem = headerProblem(stored, known?.digest);
    const header = stored?.parsed.ok === true ? stored.parsed.document.header : null;
    if (problem !== null) return unreadable(header, problem.code, problem.detail);
    return {
      copy: { ...base, header, verdict: "not_opened", code: null, detail: "" },
      opened: null,
    };
  }
  const opened = await openCopy(
    version,
    key,
    known === undefined ? null : { ...known, recorded: true },
    { backups: { url, read: async () => stored }, opener, kit },
    nowMs,
    async () => ({ state: "unknown", gap: { gap: "not_asked" } }),
  );
  if (!opened.ok) {
    const { code, detail } = opened.unusable;
    return unreadable(opened.header, code, detail === null ? "" : detailText(detail));
  }
  const { copy, header } = opened;
  const { cluster, clusterIdentity } = copy.record.header;
  const readable =
    state?.identity == null ? null : readableOf(place.cluster, state, false, state.identity.key);
  if (readable !== null && !mayRead(copy.record.header, readable))
    return unreadable(
      header,
      "copy_of_another",
      detailText({ kind: "origin", cluster, identity: clusterIdentity }),
    );
  return { copy: { ...base, header, ...verdictOf(copy, nowMs) }, opened: copy };
}

function headerProblem(
  stored: StoredCopy | null,
  recordedDigest: string | undefined,
): { readonly code: PlanCode; readonly detail: string } | null {
  if (stored === null) return { code: "no_copy", detail: "it was removed while it was looked at" };
  const { parsed } = stored;
  if (!parsed.ok) return { code: planCodeOf(parsed.problem), detail: problemText(parsed.problem) };
  return recordedDigest === undefined || recordedDigest === parsed.document.header.digest
    ? null
    : { code: "copy_swapped", detail: "" };
}

function verdictOf(
  { pair }: OpenedCopy,
  nowMs: number,
): Pick<DrilledCopy, "verdict" | "code" | "detail"> {
  if (pair === null || pair.verdict.valid) return { verdict: "good", code: null, detail: "" };
  if (pair.notAfterMs !== null && nowMs > pair.notAfterMs)
    return { verdict: "expired", code: null, detail: "" };
  return { verdict: "not_good", code: null, detail: pair.verdict.reasons.join(", ") };
}

/**
 * Recorded backups that the store lacks before their time. A listing may lag behind what was
 * created, so each is asked for by its name.
 */
export async function missingBackups(
  states: ReadonlyMap<string, StateDocument>,
  listed: ReadonlySet<string>,
  backups: CopyReader,
  context: {
    readonly nowMs: number;
    readonly isOver: () => boolean;
    readonly unreached: CertkeepError[];
  },
): Promise<DrilledCopy[]> {
  const limit = pLimit(OPENS_AT_ONCE);
  const askFor = async (copy: DrilledCopy): Promise<DrilledCopy[]> => {
    if (context.isOver()) return [];
    const stored = await backups.read(copy.key);
    if (stored === null) return [copy];
    if (stored.trouble === null) return [];
    if (isUnreached(stored)) {
      context.unreached.push(stored.trouble);
      return [];
    }
    return [{ ...copy, code: "copy_unreadable", detail: stored.trouble.message }];
  };
  const unlisted = [...states].flatMap(([cluster, state]) =>
    Object.entries(state.copies)
      .filter(
        ([, copy]) =>
          !listed.has(copy.key) &&
          copy.retired === undefined &&
          copy.kind !== "replaced" &&
          (copy.notAfter === null || parseMs(copy.notAfter) > context.nowMs),
      )
      .map(([version, copy]): DrilledCopy => ({
        key: copy.key,
        version,
        cluster,
        header: null,
        verdict: "unreadable",
        code: "no_copy",
        detail:
          `an audit recorded it for ${copy.namespace}/${copy.secret}, ` +
          "and it isn't in the store any more",
        recorded: true,
        retired: false,
        recordedAt: copy.recordedAt,
        removed: null,
      })),
  );
  return (await Promise.all(unlisted.map((copy) => limit(() => askFor(copy))))).flat();
}

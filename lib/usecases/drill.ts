/**
 * A drill: every copy is opened for real and judged as of now, so that it is known before it is
 * needed that a restore would work. It says which certificate has no good copy, and does the
 * retention, which only what was opened and judged allows: without an identity nothing is deleted.
 */
import pLimit from "p-limit";
import { clusterPrefix, parseCopyKey } from "../backup/keys.ts";
import type { BackupHeader } from "../backup/record.ts";
import { planRetention, type RetentionCopy } from "../backup/retention.ts";
import { formatMs, parseMs } from "../certificate/time.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
import { createFinding, findingId, type Finding } from "../finding/finding.ts";
import { matchesPattern } from "../finding/pattern.ts";
import { unreadableDraft, type UnreadableCopy } from "../finding/unreadable.ts";
import type { BlobStore, Opener, StateStore } from "../ports/stores.ts";
import type { Clock, Progress } from "../ports/runtime.ts";
import { detailText, problemText } from "../report/phrases/plan.ts";
import type { PlanCode } from "../restoreplan/code.ts";
import { mayRead, readableOf } from "../restoreplan/readable.ts";
import type { KnownCopy } from "../restoreplan/select.ts";
import type { OpenedCopy } from "../restoreplan/view.ts";
import { certificates, type CertificateEntry, titleOf } from "../state/certificates.ts";
import type { CertificateRecord, StateDocument } from "../state/document.ts";
import type { JudgeKit } from "./audit/context.ts";
import { DRILL_NAME, formatDrill, recordDrill, type ClusterDrill } from "./drill/record.ts";
import {
  createCopyReader,
  isUnreached,
  listCopies,
  planCodeOf,
  type CopyReader,
  type ListedPlace,
  type StoredCopy,
} from "./copies.ts";
import { openCopy } from "./restore/open.ts";
import { changeState, loadState } from "./states.ts";

export interface DrillPorts {
  readonly backups: BlobStore;
  readonly states: StateStore;
  /** `null`: no identity is at hand; headers alone are looked at. */
  readonly opener: Opener | null;
  readonly kit: JudgeKit;
  readonly clock: Clock;
  readonly progress: Progress;
  /** Those configured for a cluster; empty: none is. */
  readonly recipientsFor: (cluster: string) => readonly string[];
  /** `false`: what retention would remove is said, and nothing is removed. */
  readonly remove: boolean;
  /**
   * Aborted while there still is time to write what was found: what isn't looked at by then is left
   * to another drill.
   */
  readonly signal?: AbortSignal;
}

export type DrillVerdict = "good" | "expired" | "not_good" | "unreadable" | "not_opened";

export interface DrilledCopy {
  readonly key: string;
  readonly version: string;
  readonly cluster: string;
  readonly header: BackupHeader | null;
  readonly verdict: DrillVerdict;
  /** Why it is unreadable; `null` where it isn't. */
  readonly code: PlanCode | null;
  readonly detail: string;
  readonly recorded: boolean;
  readonly retired: boolean;
  /** RFC 3339; `null` where nobody recorded it. */
  readonly recordedAt: string | null;
  readonly removed: "expired" | "replaced" | null;
}

/** How a certificate that audits know would fare. */
export interface DrilledCertificate {
  readonly cluster: string;
  readonly namespace: string;
  readonly secret: string;
  readonly title: string;
  /** Whether an audit last saw it valid, or it is lost. */
  readonly live: "valid" | "not_valid" | "lost";
  /** The newest copy that opened and is good. */
  readonly good: {
    readonly version: string;
    readonly recordedAt: string | null;
    readonly notAfter: string | null;
  } | null;
}

export interface DrillReport {
  readonly opened: boolean;
  readonly copies: readonly DrilledCopy[];
  readonly certificates: readonly DrilledCertificate[];
  readonly findings: readonly Finding[];
  /** States that could not be read, copies that could not be removed. */
  readonly problems: readonly CertkeepError[];
  /** Whether anything was removed in this run, or would have been. */
  readonly retention: "done" | "shown" | "needs_identity";
  /** Whether the time was over before everything was looked at, and what has to go was removed. */
  readonly interrupted: boolean;
}

const OPENS_AT_ONCE = 8;

interface Looked {
  readonly copy: DrilledCopy;
  readonly opened: OpenedCopy | null;
}

/**
 * `patterns` fit a cluster, a Secret or a name; none: all. Retention looks at all copies of the
 * clusters that are looked at.
 */
export async function runDrill(
  ports: DrillPorts,
  patterns: readonly string[],
): Promise<DrillReport> {
  const nowMs = ports.clock.nowMs();
  const { places, problems: unlisted } = await listCopies(ports.backups);
  const problems: CertkeepError[] = [...unlisted];
  const clusters = new Set([
    ...places.map(({ cluster }) => cluster),
    ...(await ports.states.names())
      .filter((name) => name.startsWith("cluster-"))
      .map((name) => name.slice("cluster-".length)),
  ]);
  const states = new Map<string, StateDocument>();
  for (const cluster of clusters) {
    try {
      const loaded = await loadState(ports.states, cluster);
      if (loaded !== null) states.set(cluster, loaded.state);
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      problems.push(error);
    }
  }
  const limit = pLimit(OPENS_AT_ONCE);
  const backups = createCopyReader(ports.backups);
  const unreached: CertkeepError[] = [];
  let done = 0;
  const looks = await Promise.all(
    places.map((place) =>
      limit(async () => {
        if (isOver(ports)) return null;
        const stored = await backups.read(place.key);
        ports.progress.step("opening copies", (done += 1), places.length);
        if (!isUnreached(stored))
          return look(place, stored, states.get(place.cluster), { ports, nowMs });
        if (stored?.trouble != null) unreached.push(stored.trouble);
        return null;
      }),
    ),
  );
  const looked = looks.filter((one) => one !== null);
  const keys = new Set(places.map(({ key }) => key));
  const missing = missingCopies(states, keys, nowMs);
  const lost = await trulyMissing(missing, backups, unreached, () => isOver(ports));
  problems.push(...unreached);
  const kept = await retain(looked, states, ports, nowMs, problems);
  const interrupted = isOver(ports);
  if (interrupted) problems.push(overtime(looked.length, places.length));
  const whole =
    patterns.length === 0 && !interrupted && unreached.length === 0 && unlisted.length === 0;
  const copies = [...kept, ...lost].filter((copy) => fits(copy, patterns));
  // Only a drill of everything, with an identity, says that a restore would work.
  if (ports.opener !== null && ports.remove && whole)
    await remember(
      ports.states,
      formatDrill({
        at: formatMs(nowMs),
        copies: copies.length,
        unreadable: copies.filter(({ verdict }) => verdict === "unreadable").length,
      }),
    );
  // A rehearsal writes nothing; headers alone don't tell that what was unreadable opens again.
  if (ports.opener !== null && ports.remove)
    problems.push(
      ...(await recordDrill(
        ports.states,
        states,
        byCluster(copies, states.keys(), whole),
        formatMs(nowMs),
      )),
    );
  const drilled = [...states]
    .flatMap(([cluster, state]) => certificatesOf(cluster, state, looked, nowMs))
    .filter(
      (one) =>
        patterns.length === 0 ||
        patterns.some((pattern) =>
          [one.cluster, one.secret, `${one.namespace}/${one.secret}`, one.title].some((text) =>
            matchesPattern(pattern, text),
          ),
        ),
    );
  return {
    opened: ports.opener !== null,
    copies: copies.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    certificates: drilled,
    findings: copies
      .filter(({ verdict }) => verdict === "unreadable")
      .map((copy) => findingOf(copy, states.get(copy.cluster), formatMs(nowMs))),
    problems,
    retention: ports.opener === null ? "needs_identity" : ports.remove ? "done" : "shown",
    interrupted,
  };
}

function isOver({ signal }: DrillPorts): boolean {
  return signal?.aborted === true;
}

function overtime(looked: number, all: number): CertkeepError {
  return new CertkeepError("deadline", {
    where: "drill",
    found: `the time was over with ${looked} of ${all} copies looked at`,
    expected: "all of them, and what is past its time removed",
    todo:
      "Give the functions more time or memory (timeoutSeconds, memoryMb in serverless.yml), or " +
      "run from a machine of yours: certkeep drill",
  });
}

/** Of two drills at once, one is remembered. */
async function remember(states: StateStore, text: string): Promise<void> {
  await states.write(DRILL_NAME, text, (await states.read(DRILL_NAME))?.revision ?? null);
}

async function look(
  place: ListedPlace,
  stored: StoredCopy | null,
  state: StateDocument | undefined,
  { ports, nowMs }: { readonly ports: DrillPorts; readonly nowMs: number },
): Promise<Looked> {
  const { key } = place;
  const record = state?.copies[place.version];
  const known: KnownCopy | null =
    record === undefined ? null : ({ ...record, recorded: true } as KnownCopy);
  const base = {
    key,
    version: place.version,
    cluster: place.cluster,
    recorded: known !== null,
    retired: known?.retired !== undefined,
    recordedAt: known?.recordedAt ?? null,
    removed: null,
  };
  const unreadable = (header: BackupHeader | null, code: PlanCode, detail: string): Looked => ({
    copy: { ...base, header, verdict: "unreadable", code, detail },
    opened: null,
  });
  if (ports.opener === null) {
    if (stored === null)
      return unreadable(null, "no_copy", "it was removed while it was looked at");
    const { parsed } = stored;
    if (!parsed.ok)
      return unreadable(null, planCodeOf(parsed.problem), problemText(parsed.problem));
    const { header } = parsed.document;
    if (known !== null && known.digest !== header.digest)
      return unreadable(header, "copy_swapped", "");
    return {
      copy: { ...base, header, verdict: "not_opened", code: null, detail: "" },
      opened: null,
    };
  }
  const opened = await openCopy(
    place.version,
    key,
    known,
    {
      backups: { url: ports.backups.url, read: async () => stored },
      opener: ports.opener,
      kit: ports.kit,
    },
    nowMs,
    async () => ({ state: "unknown", gap: { gap: "not_asked" } }),
  );
  if (!opened.ok)
    return unreadable(
      opened.header,
      opened.unusable.code,
      opened.unusable.detail === null ? "" : detailText(opened.unusable.detail),
    );
  const { copy, header } = opened;
  const { cluster, clusterIdentity } = copy.record.header;
  if (state?.identity != null && !mayRead(copy.record.header, readableOf(cluster, state)))
    return unreadable(
      header,
      "copy_of_another",
      detailText({ kind: "origin", cluster, identity: clusterIdentity }),
    );
  return { copy: { ...base, header, ...judged(copy, nowMs) }, opened: copy };
}

function judged(copy: OpenedCopy, nowMs: number): Pick<DrilledCopy, "verdict" | "code" | "detail"> {
  const { pair } = copy;
  if (pair === null || pair.verdict.valid) return { verdict: "good", code: null, detail: "" };
  if (pair.notAfterMs !== null && nowMs > pair.notAfterMs)
    return { verdict: "expired", code: null, detail: "" };
  return { verdict: "not_good", code: null, detail: pair.verdict.reasons.join(", ") };
}

/** Copies that an audit recorded and that aren't in the store, though their time hasn't come. */
function missingCopies(
  states: ReadonlyMap<string, StateDocument>,
  keys: ReadonlySet<string>,
  nowMs: number,
): DrilledCopy[] {
  return [...states].flatMap(([cluster, state]) =>
    Object.entries(state.copies)
      .filter(
        ([, copy]) =>
          !keys.has(copy.key) &&
          copy.retired === undefined &&
          copy.kind !== "replaced" &&
          (copy.notAfter === null || parseMs(copy.notAfter) > nowMs),
      )
      .map(([version, copy]): DrilledCopy => ({
        key: copy.key,
        version,
        cluster,
        header: null,
        verdict: "unreadable",
        code: "no_copy",
        detail:
          `an audit recorded it for ${copy.namespace}/${copy.secret}, and it isn't in the store ` +
          "any more",
        recorded: true,
        retired: false,
        recordedAt: copy.recordedAt,
        removed: null,
      })),
  );
}

/**
 * A listing may lag behind what was made, or have been made before it: what it lacks is asked for
 * by its name.
 */
async function trulyMissing(
  copies: readonly DrilledCopy[],
  backups: CopyReader,
  unreached: CertkeepError[],
  over: () => boolean,
): Promise<DrilledCopy[]> {
  const limit = pLimit(OPENS_AT_ONCE);
  const askFor = async (copy: DrilledCopy): Promise<DrilledCopy[]> => {
    if (over()) return [];
    const stored = await backups.read(copy.key);
    if (stored === null) return [copy];
    if (stored.trouble === null) return [];
    if (isUnreached(stored)) {
      unreached.push(stored.trouble);
      return [];
    }
    return [{ ...copy, code: "copy_unreadable", detail: stored.trouble.message }];
  };
  return (await Promise.all(copies.map((copy) => limit(() => askFor(copy))))).flat();
}

interface Retained extends RetentionCopy {
  readonly at: number;
}

async function retain(
  looked: readonly Looked[],
  states: ReadonlyMap<string, StateDocument>,
  ports: DrillPorts,
  nowMs: number,
  problems: CertkeepError[],
): Promise<DrilledCopy[]> {
  const candidates = looked.flatMap(({ copy, opened }, at): Retained[] => {
    const { header } = copy;
    if (header === null) return [];
    const configured = ports.recipientsFor(copy.cluster);
    return [
      {
        at,
        key: copy.key,
        kind: header.kind,
        clusterIdentity: header.clusterIdentity,
        namespace: header.namespace,
        secret: header.secret,
        fieldBase: header.fieldBase,
        names: opened?.pair?.names ?? header.names,
        judged: opened !== null,
        valid: opened?.pair?.everHolds === true,
        notBeforeMs: opened?.pair?.notBeforeMs ?? null,
        notAfterMs: opened?.pair?.notAfterMs ?? null,
        recordedAtMs: copy.recordedAt === null ? null : parseMs(copy.recordedAt),
        // Where nobody is configured it isn't known who still can open it: then everybody counts.
        recipientsConfigured:
          configured.length === 0 ||
          header.recipients.some((recipient) => configured.includes(recipient)),
        retired: copy.retired,
      },
    ];
  });
  const plan = planRetention(candidates, nowMs);
  const result = looked.map(({ copy }) => copy);
  const gone = new Map<string, string[]>();
  for (const { copy, reason } of plan.remove) {
    const drilled = result[copy.at];
    if (drilled === undefined || isOver(ports)) continue;
    try {
      if (ports.remove) await ports.backups.remove(copy.key);
      result[copy.at] = { ...drilled, removed: reason };
      gone.set(drilled.cluster, [...(gone.get(drilled.cluster) ?? []), drilled.version]);
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      problems.push(error);
    }
  }
  if (ports.remove)
    for (const [cluster, versions] of gone)
      await forget(cluster, versions, states, ports, problems);
  return result;
}

async function forget(
  cluster: string,
  versions: readonly string[],
  states: ReadonlyMap<string, StateDocument>,
  ports: DrillPorts,
  problems: CertkeepError[],
): Promise<void> {
  const state = states.get(cluster);
  if (state === undefined || !versions.some((version) => state.copies[version] !== undefined))
    return;
  try {
    await changeState(ports.states, cluster, state.title, state.server, (now) => ({
      ...now,
      copies: Object.fromEntries(
        Object.entries(now.copies).filter(([version]) => !versions.includes(version)),
      ),
    }));
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    problems.push(error);
  }
}

function certificatesOf(
  cluster: string,
  state: StateDocument,
  looked: readonly Looked[],
  nowMs: number,
): DrilledCertificate[] {
  const prefix = clusterPrefix(cluster);
  const good = looked.filter(
    ({ copy, opened }) =>
      copy.key.startsWith(prefix) &&
      copy.verdict === "good" &&
      !copy.retired &&
      opened !== null &&
      opened.record.header.kind === "certificate",
  );
  const goodFor = ({
    namespace,
    secret,
    fieldBase,
    record: { names },
  }: CertificateEntry & { readonly record: CertificateRecord }): DrilledCertificate["good"] => {
    const set = (all: readonly string[]): string => [...all].toSorted().join(",");
    const [newest] = good
      .filter(
        ({ opened }) =>
          opened !== null &&
          opened.record.header.namespace === namespace &&
          opened.record.header.secret === secret &&
          opened.record.header.fieldBase === fieldBase &&
          set(opened.record.header.names) === set(names),
      )
      .toSorted((a, b) =>
        (a.opened?.pair?.notAfterMs ?? 0) > (b.opened?.pair?.notAfterMs ?? 0) ? -1 : 1,
      );
    return newest === undefined
      ? null
      : {
          version: newest.copy.version,
          recordedAt: newest.copy.recordedAt,
          notAfter:
            newest.opened?.pair?.notAfterMs == null
              ? null
              : formatMs(newest.opened.pair.notAfterMs),
        };
  };
  return [...certificates(state, nowMs)].flatMap((entry): DrilledCertificate[] => {
    const { condition, namespace, secret, record, verdict } = entry;
    if (condition === "pending" || record.staging) return [];
    const live = condition === "lost" ? "lost" : verdict.valid ? "valid" : "not_valid";
    return [{ cluster, namespace, secret, title: titleOf(entry), live, good: goodFor(entry) }];
  });
}

function fits(copy: DrilledCopy, patterns: readonly string[]): boolean {
  if (patterns.length === 0) return true;
  const { header } = copy;
  const texts = [
    copy.cluster,
    copy.version,
    ...(header === null
      ? [copy.key]
      : [header.secret, `${header.namespace}/${header.secret}`, ...header.names]),
  ];
  return patterns.some((pattern) => texts.some((text) => matchesPattern(pattern, text)));
}

function findingOf(copy: DrilledCopy, state: StateDocument | undefined, now: string): Finding {
  const draft = unreadableDraft(copy.cluster, tellOf(copy), copy.key);
  return createFinding(draft, state?.findings[findingId(draft.code, draft.subject)]?.since ?? now);
}

function tellOf({ key, version, code, detail }: DrilledCopy): UnreadableCopy {
  const place = parseCopyKey(key);
  return {
    version,
    namespace: place?.namespace ?? null,
    secret: place?.secret ?? null,
    code,
    detail,
  };
}

/**
 * What was found, by cluster: every one that has a state, also where nothing of it is left to look
 * at.
 */
function byCluster(
  copies: readonly DrilledCopy[],
  clusters: Iterable<string>,
  whole: boolean,
): Map<string, ClusterDrill> {
  const found = new Map<
    string,
    { looked: Set<string>; unreadable: UnreadableCopy[]; whole: boolean }
  >([...clusters].map((cluster) => [cluster, { looked: new Set(), unreadable: [], whole }]));
  for (const copy of copies) {
    const one = found.get(copy.cluster);
    one?.looked.add(copy.version);
    if (copy.verdict === "unreadable" && !copy.retired && copy.removed === null)
      one?.unreadable.push(tellOf(copy));
  }
  return found;
}

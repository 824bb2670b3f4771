/**
 * One cluster, audited: list, read what is new, extract, judge, back up, conclude, record.
 *
 * Invariants: nothing is written to the cluster; a Secret is recorded as seen only after its backup
 * counts, so that a crash at any point leads to another look; an incomplete listing concludes
 * nothing about what is missing; one bad Secret never hides another.
 */
import { clusterPrefix } from "../../backup/keys.ts";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import { evaluateState } from "../../finding/evaluate.ts";
import type { Finding } from "../../finding/finding.ts";
import { formatMs } from "../../certificate/time.ts";
import { type Evidence, NO_EVIDENCE } from "../../ratelimit/evidence.ts";
import type { ReaderStats } from "../../ports/cluster.ts";
import type { Secret, SecretMeta } from "../../secret/secret.ts";
import { emptyState, type StateDocument, type Unread } from "../../state/document.ts";
import { forgettingMs, withoutFuture } from "../../state/ahead.ts";
import { carryEvidence } from "../../state/evidence.ts";
import {
  copyOfSecrets,
  foreignCount,
  forgetSecret,
  lastRecord,
  putLost,
  putStanding,
  standingRecord,
  standingSecrets,
} from "../../state/secrets.ts";
import { storedObservations } from "../../state/observations.ts";
import { keepPin, pinIdentity, type ClusterIdentity } from "../../state/identity.ts";
import { saveState } from "../states.ts";
import { identify } from "./identify.ts";
import type { AuditPorts, AuditTarget } from "./context.ts";
import { discover, type Discovery, type Shortfall } from "./discover.ts";
import { isKeptAsWanted } from "./kept.ts";
import { isStoreTrouble, keep, recipientsKey, type KeepContext } from "./keep.ts";
import { lookAt, type LookContext } from "./look.ts";
import { classifyLosses } from "./loss.ts";
import { learnNamespaces } from "./namespaces.ts";
import { observe } from "./observe.ts";
import { askIssuers, asksIssuers, lacksPointers } from "./outside.ts";
import { readWanted } from "./read.ts";
import { noteCopy, settleState } from "./settle.ts";

export interface ClusterAudit {
  readonly cluster: string;
  readonly title: string;
  readonly server: string;
  readonly complete: boolean;
  readonly state: StateDocument;
  /** Before `ignore:` entries are applied. */
  readonly findings: readonly Finding[];
  readonly scopes: readonly string[];
  readonly copies: { readonly made: number; readonly present: number };
  readonly stats: ReaderStats;
  /** What could not be written at the end, told plainly; `null` where all was. */
  readonly unsaved: CertkeepError | null;
}

/** Time for what is asked besides Secrets, where nothing else bounds it. */
export const OBSERVE_MS = 20_000;

/**
 * Never throws for what a cluster does: that becomes part of the result.
 * @throws CertkeepError where the state can't be read, or a context without a registration leads to
 * another cluster than its state's
 */
export async function auditCluster(target: AuditTarget, ports: AuditPorts): Promise<ClusterAudit> {
  const nowMs = ports.clock.nowMs();
  const now = formatMs(nowMs);
  const { key, look, stored, revision } = await identify(target, ports.states);
  const replaced = look.ok && !look.isPinned;
  // Where another cluster answers, what is stored isn't corrected either.
  const before = replaced ? stored : withoutFuture(stored, (ports.wall ?? ports.clock).nowMs());
  if (before !== stored)
    ports.progress.note(
      `Cluster ${target.title}: the last audit's clock was ahead ` +
        `(${stored.audit?.finishedAt}). Its times are corrected.`,
    );
  const run = new ClusterRun(target, ports, before, nowMs, now);
  if (!look.ok) {
    const { code, message } = ports.signal?.aborted === true ? outOfTime(target) : look.error;
    run.shortfall({ scope: "cluster", code, message });
  } else if (replaced) run.replaced(look.seen);
  else await run.audit(look.seen);
  const state = run.finish();
  // A context that never led to a cluster leaves nothing behind.
  if (ports.dryRun || (!look.ok && target.name === null && stored.identity === null))
    return run.result(state, null);
  try {
    return run.result(await saveState(ports.states, key, state, revision), null);
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return run.result(state, error);
  }
}

function outOfTime({ title }: AuditTarget): CertkeepError {
  return new CertkeepError("deadline", {
    where: `cluster ${title}`,
    found: "the time for this audit was over before everything was read",
    todo: "The next audit reads the rest",
  });
}

class ClusterRun {
  readonly #target: AuditTarget;
  readonly #ports: AuditPorts;
  readonly #before: StateDocument;
  readonly #state: StateDocument;
  readonly #nowMs: number;
  readonly #forgetMs: number;
  readonly #now: string;
  readonly #shortfalls: Shortfall[] = [];
  readonly #judgedWith: string;
  readonly #recipients: string;
  readonly #copies = { made: 0, present: 0 };
  #listed: Set<string> | null = null;
  /** Without the maps of what was to be read: they aren't held while the state is written. */
  #discovery: Pick<Discovery, "seen" | "scopes" | "writers"> | null = null;
  #settled: ReturnType<typeof settleState> | null = null;
  #told: Evidence = NO_EVIDENCE;
  #replaced: ClusterIdentity | null = null;
  #reached = false;

  constructor(
    target: AuditTarget,
    ports: AuditPorts,
    before: StateDocument,
    nowMs: number,
    now: string,
  ) {
    this.#target = target;
    this.#ports = ports;
    this.#before = before;
    this.#nowMs = nowMs;
    this.#forgetMs = forgettingMs(before, nowMs);
    this.#now = now;
    const { removedAt: _, ...known } = before;
    this.#state = {
      ...known,
      title: target.title,
      // A recorded address is that of what was proven to be the cluster, and never of what was
      // merely asked.
      server: before.identity === null ? target.server : before.server,
      ...(target.credential === undefined
        ? {}
        : {
            credential:
              target.credential === null ? null : { ...before.credential, ...target.credential },
          }),
      ...copyOfSecrets(before),
      copies: { ...before.copies },
      namespaces: { ...before.namespaces },
      quota:
        before.quota.day === now.slice(0, 10)
          ? { ...before.quota }
          : { ...before.quota, day: now.slice(0, 10), made: 0 },
    };
    const { operatorNamespace, operatorSecret, secrets } = target.settings;
    this.#judgedWith = [
      ports.kit.version,
      operatorNamespace,
      operatorSecret,
      ...secrets.toSorted(),
    ].join(" ");
    this.#recipients = recipientsKey(target.settings.recipients);
  }

  shortfall(shortfall: Shortfall): void {
    this.#shortfalls.push(shortfall);
  }

  replaced(seen: ClusterIdentity): void {
    this.#replaced = seen;
  }

  async audit(seen: ClusterIdentity): Promise<void> {
    const { reader, server } = this.#target;
    this.#reached = true;
    const { identity, server: recorded } = this.#before;
    this.#state.identity =
      identity === null
        ? pinIdentity("audit", seen, { server, at: this.#now })
        : keepPin(identity, recorded, seen, this.#now);
    this.#state.server = server;
    this.#state.replacedBy = null;
    await this.#listCopies();
    try {
      const discovery = await discover(
        this.#target,
        this.#before,
        (key, meta) => this.#unchanged(key, meta),
        this.#ports.signal,
      );
      await this.#read(discovery);
      this.#discovery = {
        seen: discovery.seen,
        scopes: discovery.scopes,
        writers: discovery.writers,
      };
      for (const shortfall of discovery.shortfalls) this.shortfall(shortfall);
      for (const message of reader.stats().unreadable)
        this.shortfall({
          scope: message,
          code: "cluster_answer_invalid",
          message: `cluster ${this.#target.title}: ${message}`,
        });
      await this.#conclude(discovery);
    } catch (error) {
      if (this.#ports.signal?.aborted === true) {
        const { code, message } = outOfTime(this.#target);
        this.shortfall({ scope: "rest", code, message });
      } else if (isCertkeepError(error))
        this.shortfall({ scope: "cluster", code: error.code, message: error.message });
      else throw error;
    }
    if (this.#ports.signal?.aborted !== true) await learnNamespaces(this.#state, reader);
    await this.#observe();
    // Last: what was read of the cluster is whole by then, whoever doesn't answer.
    const observations = await askIssuers(this.#state, this.#ports);
    if (observations !== undefined) this.#state.observations = observations;
  }

  /**
   * What else the cluster tells of why certificates are issued. It never makes an audit incomplete.
   */
  async #observe(): Promise<void> {
    const { diagnosis } = this.#target;
    if (diagnosis === undefined || this.#ports.dryRun || this.#discovery === null) return;
    const { timer = null, observeMs = OBSERVE_MS, signal, clock, wall = clock } = this.#ports;
    const { observations, evidence } = await observe(this.#state, this.#discovery.writers, {
      diagnosis,
      nowMs: wall.nowMs(),
      budgetMs: observeMs,
      timer,
      signal,
    });
    const stored = storedObservations(this.#state.observations, observations);
    if (stored !== undefined) this.#state.observations = stored;
    this.#told = evidence;
  }

  async #listCopies(): Promise<void> {
    if (this.#target.settings.recipients.length === 0) return;
    const listed = new Set<string>();
    try {
      // What is no document there doesn't count as a backup: it is looked at, and reported, when it
      // is needed.
      const entries = this.#ports.backups.list(clusterPrefix(this.#before.cluster));
      for await (const { key, trouble } of entries) if (trouble === undefined) listed.add(key);
      this.#listed = listed;
    } catch (error) {
      if (!isStoreTrouble(error)) throw error;
      this.shortfall({ scope: "backups", code: error.code, message: error.message });
    }
  }

  #unchanged(key: string, meta: Pick<SecretMeta, "uid" | "resourceVersion">): boolean {
    const record = standingRecord(this.#before, key);
    if (
      record === undefined ||
      record.uid !== meta.uid ||
      record.resourceVersion !== meta.resourceVersion ||
      record.judgedWith !== this.#judgedWith
    )
      return false;
    const wanted = {
      copies: this.#before.copies,
      listed: this.#listed,
      recipients: this.#target.settings.recipients.length === 0 ? null : this.#recipients,
      nowMs: this.#nowMs,
    };
    return isKeptAsWanted(record, wanted) && !(asksIssuers(this.#ports) && lacksPointers(record));
  }

  #read(discovery: Discovery): Promise<void> {
    return readWanted(this.#target.reader, discovery, {
      look: (key, secret) => this.#look(key, secret),
      unchanged: (key, stamp) => this.#unchanged(key, stamp),
      absent: (key) => this.#absent(key, discovery),
      unread: (shortfall) => this.shortfall(shortfall),
      step: (done, total) =>
        this.#ports.progress.step(`reading ${this.#target.title}`, done, total),
      signal: this.#ports.signal,
    });
  }

  readonly #gone: string[] = [];

  #absent(key: string, discovery: Discovery): void {
    const slash = key.indexOf("/");
    if (discovery.toRead.has(key) || !discovery.covered(key.slice(0, slash))) this.#gone.push(key);
    const { operatorNamespace, operatorSecret, secrets } = this.#target.settings;
    if (
      standingRecord(this.#before, key) === undefined &&
      secrets.includes(key) &&
      key !== `${operatorNamespace}/${operatorSecret}`
    ) {
      this.shortfall({
        scope: `Secret ${key}`,
        code: "cluster_not_found",
        message:
          `cluster ${this.#target.title}: there is no Secret ${key}; expected one, as secrets: ` +
          "in certkeep.yaml names it",
      });
    }
  }

  async #look(key: string, secret: Secret): Promise<void> {
    const { kit } = this.#ports;
    const context: LookContext = {
      kit,
      settings: this.#target.settings,
      judgedWith: this.#judgedWith,
      nowMs: this.#nowMs,
      forgetMs: this.#forgetMs,
      now: this.#now,
      seenAt: this.#ports.wall === undefined ? this.#now : formatMs(this.#ports.wall.nowMs()),
      lost: standingRecord(this.#before, key) === undefined,
      accountsAt: (other) =>
        Object.values(standingRecord(this.#state, other)?.accounts ?? {}).flatMap(
          ({ thumbprint }) => thumbprint ?? [],
        ),
    };
    const previous = lastRecord(this.#before, key) ?? null;
    const { record, candidates } = await lookAt(secret, previous, context);
    for (const candidate of candidates) {
      const entry =
        candidate.place === "certificate"
          ? record.certificates[candidate.base]
          : record.accounts[candidate.base];
      if (entry === undefined) continue;
      const before =
        candidate.place === "certificate"
          ? previous?.certificates[candidate.base]
          : previous?.accounts[candidate.base];
      if (candidate.notKept !== null) entry.notKept = candidate.notKept;
      else if (this.#target.settings.recipients.length === 0)
        entry.notKept = { reason: "no_recipients" };
      else if (this.#ports.dryRun) {
        entry.copy = before?.copy ?? null;
        entry.notKept = entry.copy === null ? { reason: "dry_run" } : null;
      } else if (this.#listed === null) {
        entry.copy = before?.copy ?? null;
        entry.notKept = { reason: "store_failed" };
      } else {
        const full = {
          ...candidate.record,
          header: {
            ...candidate.record.header,
            cluster: this.#before.cluster,
            clusterIdentity: this.#state.identity?.key ?? "",
          },
        };
        try {
          const kept = await keep(full, this.#keepContext(this.#listed));
          if (kept === null) entry.notKept = { reason: "quota" };
          else {
            entry.copy = {
              version: kept.version,
              digest: kept.digest,
              recipients: this.#recipients,
            };
            this.#copies[kept.made ? "made" : "present"] += 1;
            noteCopy(this.#state, full, kept, candidate.valid, this.#now);
          }
        } catch (error) {
          if (!isStoreTrouble(error)) throw error;
          entry.notKept = { reason: error.code === "seal_failed" ? "seal_failed" : "store_failed" };
          if (
            !this.#shortfalls.some(
              (known) => known.scope === "backups" && known.code === error.code,
            )
          )
            this.shortfall({ scope: "backups", code: error.code, message: error.message });
        }
      }
    }
    // A Secret made anew may stand in a namespace made anew: its uid is asked for once more.
    if (previous !== null && previous.uid !== secret.uid)
      delete this.#state.namespaces[secret.namespace];
    putStanding(this.#state, key, record);
  }

  #keepContext(listed: ReadonlySet<string>): KeepContext {
    return {
      ports: this.#ports,
      recipients: this.#target.settings.recipients,
      listed,
      copies: this.#state.copies,
      takeQuota: () => {
        if (this.#state.quota.made >= this.#target.settings.copiesPerDay) return false;
        this.#state.quota.made += 1;
        return true;
      },
    };
  }

  async #conclude(discovery: Discovery): Promise<void> {
    for (const key of discovery.outOfScope) forgetSecret(this.#state, key);
    const gone = new Set(this.#gone);
    for (const { key, namespace, record } of standingSecrets(this.#before)) {
      if (discovery.present.has(key) || discovery.toRead.has(key) || discovery.outOfScope.has(key))
        continue;
      if (!discovery.covered(namespace)) continue;
      if (record.shape === null || record.foreign) forgetSecret(this.#state, key);
      else gone.add(key);
    }
    const { lost, namespaces } = await classifyLosses(
      [...gone],
      this.#before,
      this.#target.reader,
      this.#now,
    );
    for (const key of gone) forgetSecret(this.#state, key);
    for (const [key, one] of Object.entries(lost)) putLost(this.#state, key, one);
    Object.assign(this.#state.namespaces, namespaces);
  }

  finish(): StateDocument {
    if (this.#replaced !== null) {
      const { uid, caSha256, host = null } = this.#replaced;
      const since = this.#before.replacedBy?.since ?? this.#now;
      return { ...this.#before, replacedBy: { uid, caSha256, host, since } };
    }
    const before = this.#before.audit;
    const complete = this.#shortfalls.length === 0 && this.#discovery !== null;
    const unread: Unread[] = this.#shortfalls.map((one) => ({
      ...one,
      since:
        before?.unread.find((old) => old.scope === one.scope && old.code === one.code)?.since ??
        this.#now,
    }));
    this.#state.audit = {
      ...before,
      startedAt: this.#now,
      finishedAt: formatMs(this.#ports.clock.nowMs()),
      complete,
      lastCompleteAt: complete ? this.#now : (before?.lastCompleteAt ?? null),
      lastReachedAt: this.#reached ? this.#now : (before?.lastReachedAt ?? null),
      unread,
      secrets: this.#discovery?.seen ?? this.#before.audit?.secrets ?? 0,
      foreign: foreignCount(this.#state),
    };
    // A refusal that this audit was told of is among what is found now, not with the next one.
    if (this.#told.refusals.length > 0)
      this.#state.evidence = carryEvidence([this.#before], this.#state, this.#nowMs, [this.#told]);
    const { state: settled, found } = settleState(
      this.#state,
      this.#nowMs,
      this.#now,
      this.#forgetMs,
    );
    const evidence = carryEvidence([this.#before], settled, this.#nowMs, [this.#told]);
    const state = evidence === undefined ? settled : { ...settled, evidence };
    this.#settled = { state, found };
    return state;
  }

  result(saved: StateDocument, unsaved: CertkeepError | null): ClusterAudit {
    const state = this.#replaced === null ? saved : withoutContent(saved);
    return {
      cluster: state.cluster,
      title: this.#target.title,
      server: this.#target.server,
      complete: state.audit?.complete === true && unsaved === null && this.#replaced === null,
      state,
      // Where another run wrote meanwhile, its state was merged in, and there may be more to say.
      findings:
        this.#settled?.state === state
          ? this.#settled.found
          : evaluateState(state, this.#nowMs, this.#now),
      scopes: this.#discovery?.scopes ?? [],
      copies: this.#copies,
      stats: statsOf(this.#target),
      unsaved,
    };
  }
}

/**
 * What may be shown where another cluster answers: nothing of what the recorded one held or lost.
 */
function withoutContent(state: StateDocument): StateDocument {
  const { cluster, title, server, identity, replacedBy, credential, findings } = state;
  const shown = { ...emptyState(cluster, title, server), identity, replacedBy, findings };
  return credential === undefined ? shown : { ...shown, credential };
}

function statsOf({ reader, diagnosis }: AuditTarget): ReaderStats {
  const stats = reader.stats();
  return { ...stats, requests: { ...stats.requests, ...diagnosis?.requests() } };
}

/**
 * One cluster, audited: list, read what is new, extract, judge, back up, conclude, record.
 *
 * Invariants: nothing is written to the cluster; a Secret is recorded as seen only after its backup
 * counts, so that a crash at any point leads to another look; an incomplete listing concludes
 * nothing about what is missing; one bad Secret never hides another.
 */
import { formatMs } from "../../certificate/time.ts";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import { evaluateState } from "../../finding/evaluate.ts";
import type { Finding } from "../../finding/finding.ts";
import type { ReaderStats } from "../../ports/cluster.ts";
import { type Evidence, NO_EVIDENCE } from "../../ratelimit/evidence.ts";
import { forgettingMs, withoutFuture } from "../../state/ahead.ts";
import { emptyState, type StateDocument, type Unread } from "../../state/document.ts";
import { carryEvidence } from "../../state/evidence.ts";
import { type ClusterIdentity, keepPin, pinIdentity } from "../../state/identity.ts";
import { carryObservations, storedObservations } from "../../state/observations.ts";
import { copyOfSecrets, foreignCount, foreignKeys, ofNamespace } from "../../state/secrets.ts";
import { endEarlier } from "../pin.ts";
import { saveState } from "../states.ts";
import type { AuditPorts, AuditRun, AuditTarget, Shortfall } from "./context.ts";
import type { Discovery } from "./discover.ts";
import { finishState } from "./finish.ts";
import { identify } from "./identify.ts";
import { learnNamespaces } from "./loss.ts";
import { observe } from "./observe.ts";
import { askIssuers } from "./outside.ts";
import { SecretPass } from "./secretpass.ts";

export interface ClusterAudit {
  readonly cluster: string;
  readonly title: string;
  readonly server: string;
  readonly complete: boolean;
  readonly state: StateDocument;
  /** What is reported where one namespace alone was looked at; `null`: the whole state. */
  readonly confined: StateDocument | null;
  /** Before `ignore:` entries are applied. */
  readonly findings: readonly Finding[];
  readonly scopes: readonly string[];
  /** Secrets that hold certificates, or seem to, and aren't judged. */
  readonly skipped: readonly SkippedSecret[];
  readonly copies: { readonly made: number; readonly present: number };
  readonly stats: ReaderStats;
  /** What could not be written at the end, told plainly; `null` where all was. */
  readonly unsaved: CertkeepError | null;
}

export interface SkippedSecret {
  /** `NAMESPACE/SECRET` */
  readonly key: string;
  /**
   * `private_ca`: a TLS Secret of no known issuer; `selector`: left out by the configured selector;
   * `layout`: fields of no layout that certkeep knows.
   */
  readonly reason: "private_ca" | "selector" | "layout";
}

export const OBSERVE_MS = 20_000;

/**
 * Never throws for what a cluster does: that becomes part of the result.
 * @throws CertkeepError where the state can't be read, or a context without a registration leads to
 * another cluster than its state's
 */
export async function auditCluster(given: AuditTarget, ports: AuditPorts): Promise<ClusterAudit> {
  const nowMs = ports.clock.nowMs();
  const identified = await identify(given, ports.states);
  const { target, key, look, stored, revision, earlier } = identified;
  const replaced = look.ok && !look.isPinned;
  // Where another cluster answers, what is stored isn't corrected either.
  const before = replaced ? stored : withoutFuture(stored, (ports.wall ?? ports.clock).nowMs());
  if (before !== stored)
    ports.progress.note(
      `Cluster ${target.title}: the last audit's clock was ahead ` +
        `(${stored.audit?.finishedAt}). Its times are corrected.`,
    );
  const run = new ClusterRun(target, ports, before, nowMs);
  if (!look.ok) {
    const { code, message } = ports.signal?.aborted === true ? outOfTime(target) : look.error;
    run.shortfall({ scope: "cluster", code, message });
  } else if (replaced) run.replaced(look.seen);
  else await run.audit(look.seen);
  const state = run.finish();
  // A context that never led to a cluster leaves nothing behind.
  if (ports.dryRun || (!look.ok && target.name === null && stored.identity === null))
    return run.result(state, null);
  const borrowed = given.name === null && target.name !== null;
  if (borrowed && target.only == null && state.audit?.complete !== true) {
    ports.progress.note(
      `Cluster ${target.title}: what this context sees isn't recorded, since it can't read ` +
        "everything that is audited.",
    );
    return run.result(state, null);
  }
  try {
    // A person's own context isn't where the cluster's audits lead.
    const kept = borrowed && stored.identity !== null ? { ...state, server: stored.server } : state;
    const saved = await saveState(ports.states, key, kept, revision);
    if (earlier !== null) await endEarlier(ports.states, earlier, nowMs);
    return run.result(saved, null);
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return run.result(state, error);
  }
}

function outOfTime({ title }: AuditTarget): CertkeepError {
  return new CertkeepError("deadline", {
    where: `cluster ${title}`,
    found: "timed out before everything was read",
    todo: "The next audit reads the rest",
  });
}

class ClusterRun {
  readonly #run: AuditRun;
  readonly #only: string | null;
  readonly #shortfalls: Shortfall[] = [];
  readonly #secretPass: SecretPass;
  /** Without the maps of what was to be read: they aren't held while the state is written. */
  #discovery: Pick<Discovery, "seen" | "scopes" | "writers" | "skipped"> | null = null;
  #finished: ReturnType<typeof finishState> | null = null;
  #reported: Evidence = NO_EVIDENCE;
  #replaced: ClusterIdentity | null = null;
  #reached = false;

  constructor(target: AuditTarget, ports: AuditPorts, before: StateDocument, nowMs: number) {
    const now = formatMs(nowMs);
    this.#only = target.only ?? null;
    this.#run = {
      ...{ target, ports, before, state: workingCopy(before, target, now), nowMs, now },
      shortfall: (shortfall) => this.shortfall(shortfall),
    };
    this.#secretPass = new SecretPass(this.#run);
  }

  shortfall(shortfall: Shortfall): void {
    this.#shortfalls.push(shortfall);
  }

  replaced(seen: ClusterIdentity): void {
    this.#replaced = seen;
  }

  async audit(seen: ClusterIdentity): Promise<void> {
    const { reader, server } = this.#run.target;
    this.#reached = true;
    const { identity, server: recorded } = this.#run.before;
    this.#run.state.identity =
      identity === null
        ? pinIdentity("audit", seen, { server, at: this.#run.now })
        : keepPin(identity, recorded, seen, this.#run.now);
    this.#run.state.server = server;
    this.#run.state.replacedBy = null;
    await this.#secretPass.backups.list();
    try {
      await this.#readSecrets();
    } catch (error) {
      if (isCertkeepError(error, "usage")) throw error;
      if (!isCertkeepError(error) && this.#run.ports.signal?.aborted !== true) throw error;
      const cut = this.#run.ports.signal?.aborted === true;
      const { code, message } = cut ? outOfTime(this.#run.target) : (error as CertkeepError);
      this.shortfall({ scope: cut ? "rest" : "cluster", code, message });
    }
    if (this.#run.ports.signal?.aborted !== true) await learnNamespaces(this.#lookedAt(), reader);
    await this.#observe();
    // Last: what was read of the cluster is complete by then, whoever doesn't answer.
    const observations = await askIssuers(this.#run.state, this.#run.ports);
    if (observations !== undefined) this.#run.state.observations = observations;
  }

  async #readSecrets(): Promise<void> {
    const { reader, title } = this.#run.target;
    const discovery = await this.#secretPass.run();
    const { seen, scopes, writers, skipped, shortfalls } = discovery;
    this.#discovery = { seen, scopes, writers, skipped };
    this.#shortfalls.push(
      ...shortfalls,
      ...reader.stats().unreadable.map((message) => ({
        scope: message,
        code: "cluster_answer_invalid",
        message: `cluster ${title}: ${message}`,
      })),
    );
    await this.#secretPass.conclude(discovery);
  }

  /** Why certificates are issued, asked of the cluster. It never makes an audit incomplete. */
  async #observe(): Promise<void> {
    const { diagnosis } = this.#run.target;
    if (diagnosis === undefined || this.#run.ports.dryRun || this.#discovery === null) return;
    const { timer = null, observeMs = OBSERVE_MS, signal, clock, wall = clock } = this.#run.ports;
    const { observations, evidence } = await observe(this.#lookedAt(), this.#discovery.writers, {
      diagnosis,
      issuers: this.#run.ports.kit.issuers,
      nowMs: wall.nowMs(),
      budgetMs: observeMs,
      timer,
      signal,
    });
    const before = this.#run.state.observations;
    const seen = storedObservations(before, observations);
    // What was reported of other namespaces stays.
    const stored =
      this.#only === null
        ? seen
        : carryObservations({ observations: before }, { observations: seen }, wall.nowMs());
    if (stored !== undefined) this.#run.state.observations = stored;
    this.#reported = evidence;
  }

  #lookedAt(): StateDocument {
    return this.#only === null ? this.#run.state : ofNamespace(this.#run.state, this.#only);
  }

  finish(): StateDocument {
    if (this.#replaced !== null) {
      const { uid, caSha256, host = null } = this.#replaced;
      const since = this.#run.before.replacedBy?.since ?? this.#run.now;
      return { ...this.#run.before, replacedBy: { uid, caSha256, host, since } };
    }
    // A look at one namespace is no audit of the cluster: when that was last done stays as it was.
    if (this.#only === null) this.#run.state.audit = this.#auditPart();
    const carry = (state: StateDocument): StateDocument["evidence"] =>
      carryEvidence([this.#run.before], state, this.#run.nowMs, [this.#reported]);
    // A refusal that this audit was told of is among what is found now, not with the next one.
    if (this.#reported.refusals.length > 0) this.#run.state.evidence = carry(this.#run.state);
    const { state: finished, found } = finishState(this.#run.state, {
      nowMs: this.#run.nowMs,
      now: this.#run.now,
      forgetMs: forgettingMs(this.#run.before, this.#run.nowMs),
      reached: this.#reached,
      only: this.#only,
    });
    const evidence = carry(finished);
    const state = evidence === undefined ? finished : { ...finished, evidence };
    this.#finished = { state, found };
    return state;
  }

  #auditPart(): StateDocument["audit"] {
    const before = this.#run.before.audit;
    const complete = this.#shortfalls.length === 0 && this.#discovery !== null;
    const unread: Unread[] = this.#shortfalls.map((one) => ({
      ...one,
      since:
        before?.unread.find((old) => old.scope === one.scope && old.code === one.code)?.since ??
        this.#run.now,
    }));
    return {
      ...before,
      startedAt: this.#run.now,
      finishedAt: formatMs(this.#run.ports.clock.nowMs()),
      complete,
      lastCompleteAt: complete ? this.#run.now : (before?.lastCompleteAt ?? null),
      lastReachedAt: this.#reached ? this.#run.now : (before?.lastReachedAt ?? null),
      unread,
      secrets: this.#discovery?.seen ?? this.#run.before.audit?.secrets ?? 0,
      foreign: foreignCount(this.#run.state),
      recipients: [...this.#run.target.settings.recipients],
    };
  }

  result(saved: StateDocument, unsaved: CertkeepError | null): ClusterAudit {
    const state = this.#replaced === null ? saved : withoutContent(saved);
    const confined =
      this.#only === null ? null : { ...ofNamespace(state, this.#only), audit: this.#auditPart() };
    return {
      cluster: state.cluster,
      title: this.#run.target.title,
      server: this.#run.target.server,
      complete:
        (confined ?? state).audit?.complete === true && unsaved === null && this.#replaced === null,
      state,
      confined,
      // Where another run wrote meanwhile, its state was merged in, and there may be more to say.
      findings:
        confined !== null
          ? evaluateState(confined, this.#run.nowMs, this.#run.now)
          : this.#finished?.state === state
            ? this.#finished.found
            : evaluateState(state, this.#run.nowMs, this.#run.now),
      scopes: this.#discovery?.scopes ?? [],
      skipped: [
        ...foreignKeys(confined ?? state).map((key) => ({ key, reason: "private_ca" as const })),
        ...[...(this.#discovery?.skipped ?? [])].map(([key, reason]) => ({ key, reason })),
      ].toSorted((a, b) => (a.key < b.key ? -1 : 1)),
      copies: this.#secretPass.backups.counts,
      stats: statsOf(this.#run.target),
      unsaved,
    };
  }
}

function workingCopy(
  stored: StateDocument,
  { title, server, credential }: AuditTarget,
  now: string,
): StateDocument {
  const { removedAt: _, ...before } = stored;
  const day = now.slice(0, 10);
  return {
    ...before,
    title,
    // A recorded address is that of what was proven to be the cluster, never of what was merely
    // asked.
    server: before.identity === null ? server : before.server,
    ...(credential === undefined
      ? {}
      : { credential: credential === null ? null : { ...before.credential, ...credential } }),
    ...copyOfSecrets(before),
    copies: { ...before.copies },
    namespaces: { ...before.namespaces },
    quota: before.quota.day === day ? { ...before.quota } : { ...before.quota, day, made: 0 },
  };
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

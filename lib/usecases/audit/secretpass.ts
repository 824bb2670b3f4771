/**
 * An audit's way through the Secrets of one cluster: which changed, what they hold now, what is
 * backed up of them, and which are missing.
 */
import { formatMs } from "../../certificate/time.ts";
import type { Secret, SecretMeta } from "../../secret/secret.ts";
import { forgettingMs } from "../../state/ahead.ts";
import {
  forgetSecret,
  lastRecord,
  putLost,
  putStanding,
  standingRecord,
  standingSecrets,
} from "../../state/secrets.ts";
import { BackupRun } from "./backup.ts";
import type { AuditRun } from "./context.ts";
import { discover, type Discovery } from "./discover.ts";
import { classifyLosses, markMassLoss } from "./loss.ts";
import { asksIssuers, lacksPointers } from "./outside.ts";
import { readWanted } from "./read.ts";
import { recordSecret, type RecordContext } from "./record.ts";

export class SecretPass {
  readonly backups: BackupRun;
  readonly #run: AuditRun;
  readonly #recording: Omit<RecordContext, "lost">;
  readonly #absentKeys = new Set<string>();

  constructor(run: AuditRun) {
    const { target, ports, before, state, nowMs, now } = run;
    const { operatorNamespace, operatorSecret, secrets } = target.settings;
    this.#run = run;
    this.backups = new BackupRun(run);
    this.#recording = {
      kit: ports.kit,
      settings: target.settings,
      judgedWith: [
        ports.kit.version,
        operatorNamespace,
        operatorSecret,
        ...secrets.toSorted(),
      ].join(" "),
      nowMs,
      forgetMs: forgettingMs(before, nowMs),
      now,
      seenAt: ports.wall === undefined ? now : formatMs(ports.wall.nowMs()),
      accountsAt: (key) =>
        Object.values(standingRecord(state, key)?.accounts ?? {}).flatMap(
          ({ thumbprint }) => thumbprint ?? [],
        ),
    };
  }

  async run(): Promise<Discovery> {
    const { target, ports, before } = this.#run;
    const discovery = await discover(
      target,
      before,
      (key, meta) => this.#isUnchanged(key, meta),
      ports.signal,
    );
    await readWanted(target.reader, discovery, {
      take: (key, secret) => this.#take(key, secret),
      unchanged: (key, stamp) => this.#isUnchanged(key, stamp),
      absent: (key) => this.#absent(key, discovery),
      unread: (shortfall) => this.#run.shortfall(shortfall),
      step: (done, total) => ports.progress.step(`reading ${target.title}`, done, total),
      signal: ports.signal,
    });
    return discovery;
  }

  #isUnchanged(key: string, meta: Pick<SecretMeta, "uid" | "resourceVersion">): boolean {
    const record = standingRecord(this.#run.before, key);
    return (
      record !== undefined &&
      record.uid === meta.uid &&
      record.resourceVersion === meta.resourceVersion &&
      record.judgedWith === this.#recording.judgedWith &&
      this.backups.isBackedUp(record) &&
      !(asksIssuers(this.#run.ports) && lacksPointers(record))
    );
  }

  #absent(key: string, discovery: Discovery): void {
    const { target, before } = this.#run;
    const { operatorNamespace, operatorSecret, secrets } = target.settings;
    if (discovery.toRead.has(key) || !discovery.covered(key.slice(0, key.indexOf("/"))))
      this.#absentKeys.add(key);
    if (
      standingRecord(before, key) === undefined &&
      secrets.includes(key) &&
      key !== `${operatorNamespace}/${operatorSecret}`
    )
      this.#run.shortfall({
        scope: `Secret ${key}`,
        code: "cluster_not_found",
        message:
          `cluster ${target.title}: there is no Secret ${key}. Correct secrets: in ` +
          "certkeep.yaml, which names it",
      });
  }

  async #take(key: string, secret: Secret): Promise<void> {
    const { before, state } = this.#run;
    const previous = lastRecord(before, key) ?? null;
    const { record, candidates } = await recordSecret(secret, previous, {
      ...this.#recording,
      lost: standingRecord(before, key) === undefined,
    });
    await this.backups.add(record, previous, candidates);
    // A recreated Secret may stand in a recreated namespace: its uid is asked for once more.
    if (previous !== null && previous.uid !== secret.uid) delete state.namespaces[secret.namespace];
    putStanding(state, key, record);
  }

  /** What is missing by now, and why; only of what was listed whole or asked for by name. */
  async conclude(discovery: Discovery): Promise<void> {
    const { target, before, state, now, nowMs } = this.#run;
    for (const key of discovery.outOfScope) forgetSecret(state, key);
    const missing = new Set(this.#absentKeys);
    for (const { key, namespace, record } of standingSecrets(before)) {
      if (discovery.present.has(key) || discovery.toRead.has(key) || discovery.outOfScope.has(key))
        continue;
      if (!discovery.covered(namespace)) continue;
      if (record.shape === null || record.foreign) forgetSecret(state, key);
      else missing.add(key);
    }
    const { lost, namespaces } = await classifyLosses([...missing], before, target.reader, now);
    for (const key of missing) forgetSecret(state, key);
    for (const [key, one] of Object.entries(lost)) putLost(state, key, one);
    markMassLoss(state, nowMs);
    Object.assign(state.namespaces, namespaces);
  }
}

/**
 * Findings from what logs, Events, access reviews and the issuer reported, as a state keeps it.
 * Pure and total; what a line says is quoted, never followed.
 *
 * Signals go stale, so each finding has an end:
 * - a log's signal ends with a later success for the same name (a certificate stored, or for an
 *   order one issued), and by age: failures that pass by themselves after a day, lost certificates
 *   and a paused account after a week (as long as they count against the rate limit), a lost
 *   account key after 30 days;
 * - an Event, which a cluster keeps for an hour: two hours after its last time;
 * - an access review: when the server answers otherwise, or seven days after it was last asked;
 * - a refusal: at the time that it names, or with a later certificate for the same names;
 * - renewal windows and revocations: when the certificate that they are about is live no more.
 */
import { parseMs } from "../certificate/time.ts";
import { restoreAction } from "../finding/action.ts";
import { type Draft, explainAction, subjectOf } from "../finding/finding.ts";
import { allowedRestore } from "../finding/losses.ts";
import { instantOf } from "../certificate/time.ts";
import { SKEW_MS } from "../ratelimit/evidence.ts";
import { serialKey } from "../ratelimit/issuance.ts";
import type { CertificateEntry } from "../state/certificates.ts";
import type { AccessAnswer } from "../state/signals.ts";
import type { StateDocument } from "../state/document.ts";
import { storedRefusals } from "../state/evidence.ts";
import { calledBy } from "../state/identity.ts";
import { standingSecrets } from "../state/secrets.ts";
import { ClusterIndex } from "./clusterindex.ts";
import { refusalDrafts, signalDrafts } from "./logfindings.ts";
import { isForced } from "./renewal.ts";
import { isExpected, storedMsOf } from "./subject.ts";

/** `seenAt`: the cluster can't be seen now; as last seen then. */
export function observedDrafts(state: StateDocument, atMs: number, seenAt: string | null): Draft[] {
  // Most clusters have nothing of the kind, and ten thousand certificates needn't be looked at for
  // it.
  if (
    state.observations === undefined &&
    storedRefusals(state).length === 0 &&
    ![...standingSecrets(state)].some(({ record }) => record.immutable)
  )
    return [];
  const index = new ClusterIndex(state, atMs);
  const logged = [...signalDrafts(index)];
  const reportedKeys = new Set(
    logged.map(({ code, subject }) => `${code} ${JSON.stringify(subject)}`),
  );
  const access = [...accessDrafts(index)];
  // A Secret that can't be read or written is reported once, by what is surest of it.
  const surer = new Set(
    [...access, ...logged.filter(({ code }) => code === "issued_not_stored")].map(({ subject }) =>
      JSON.stringify(subject),
    ),
  );
  const events = [...eventDrafts(index)].filter(
    ({ code, subject }) => !reportedKeys.has(`${code} ${JSON.stringify(subject)}`),
  );
  const drafts = [
    ...immutableDrafts(index),
    ...access,
    ...logged,
    ...events,
    ...refusalDrafts(index),
    ...issuerDrafts(index),
  ];
  return drafts
    .filter(
      ({ code, subject }) => code !== "storage_failing" || !surer.has(JSON.stringify(subject)),
    )
    .map((draft) => ({ ...draft, asLastSeen: seenAt }));
}

const MAX_ANSWERS = 8;
/** An older answer says nothing of now. */
const ANSWER_AGE_MS = 7 * 86_400_000;

function* immutableDrafts(index: ClusterIndex): Generator<Draft> {
  for (const entry of index.entries.filter(isExpected)) {
    const { holder, owner, loss } = entry;
    if (!holder.immutable || owner === "nobody" || loss !== null) continue;
    const subject = subjectOf(entry);
    const { recreates, standby } = index.planner().helpFor(entry);
    const name = subject.name ?? entry.secret;
    yield {
      code: "storage_immutable",
      subject,
      params: { readMs: parseMs(holder.recordedAt), recreates },
      actions: recreates
        ? allowedRestore(
            index.state,
            restoreAction(calledBy(index.state), [name], { replace: true, standby }),
          )
        : explainAction(subject),
    };
  }
}

function* accessDrafts(index: ClusterIndex): Generator<Draft> {
  const { observations, atMs } = index;
  const denied = observations.access.filter(
    ({ allowed, atMs: askedMs }) =>
      !allowed && askedMs <= atMs + SKEW_MS && askedMs > atMs - ANSWER_AGE_MS,
  );
  const bySecret = [...Map.groupBy(denied, ({ secret }) => secret)].flatMap(
    ([secret, answers]): Denied[] => {
      const entry = index.inSecret(secret).find(isExpected);
      const assumed = answers.every((answer) => answer.assumed === true);
      return entry === undefined ? [] : [{ entry, answers, assumed }];
    },
  );
  const seen = bySecret.filter(({ assumed }) => !assumed);
  // Nothing writes these as far as was seen: the account that would is reported once.
  const assumed = Map.groupBy(
    bySecret.filter((one) => one.assumed),
    ({ entry, answers }) => `${entry.namespace} ${answers[0]?.account}`,
  );
  for (const group of [...seen.map((one) => [one]), ...assumed.values()]) yield* accessDraft(group);
}

interface Denied {
  readonly entry: CertificateEntry;
  readonly answers: readonly AccessAnswer[];
  readonly assumed: boolean;
}

/** Of one Secret, or of several whose account was only assumed. */
function* accessDraft(group: readonly Denied[]): Generator<Draft> {
  const [first] = group;
  if (first === undefined) return;
  const answers = group.flatMap((one) => one.answers);
  const { entry, assumed } = first;
  const { cluster, namespace } = entry;
  const subject =
    group.length === 1 ? subjectOf(entry) : { cluster, namespace, secret: null, name: null };
  yield {
    code: "storage_forbidden",
    ...(assumed ? { severity: "warning" as const } : {}),
    subject,
    params: {
      secrets: group.length,
      accounts: [...new Set(answers.map(({ account }) => account))],
      verbs: [...new Set(answers.map(({ verb }) => verb))].toSorted(),
      sinceMs: Math.min(...answers.map((answer) => answer.sinceMs)),
      assumed,
      answers: answers
        .slice(0, MAX_ANSWERS)
        .map(({ account, verb, reason, atMs: askedMs }) => ({ account, verb, reason, askedMs })),
    },
    actions: explainAction(subjectOf(entry)),
  };
}

const EVENT_AGE_MS = 2 * 3_600_000;

const EVENT_CODES: ReadonlyMap<string, "storage_failing" | "dns_failing"> = new Map([
  ["TailscaleStateUpdateFailed", "storage_failing"],
  ["TailscaleStateLoadFailed", "storage_failing"],
  ["HTTPSNotEnabled", "dns_failing"],
]);

function* eventDrafts(index: ClusterIndex): Generator<Draft> {
  const {
    atMs,
    observations: { events },
  } = index;
  // Of all Events of one kind about the same Secrets the newest one counts.
  const reported = new Map<string, Set<readonly CertificateEntry[]>>(
    [...new Set(EVENT_CODES.values())].map((code) => [code, new Set()]),
  );
  const yielded = new Set<string>();
  for (const event of events.toSorted((a, b) => b.lastMs - a.lastMs)) {
    const code = EVENT_CODES.get(event.reason);
    if (code === undefined || event.lastMs <= atMs - EVENT_AGE_MS || event.firstMs > atMs + SKEW_MS)
      continue;
    const entries = index.ofEvent(event);
    if (reported.get(code)?.has(entries) === true) continue;
    reported.get(code)?.add(entries);
    for (const entry of entries.filter(isExpected)) {
      const subject = subjectOf(entry);
      const key = `${code} ${JSON.stringify(subject)}`;
      if ((storedMsOf(entry) ?? Number.NEGATIVE_INFINITY) > event.lastMs || yielded.has(key))
        continue;
      yielded.add(key);
      yield {
        code,
        subject,
        params: { by: "event", event },
        actions: explainAction(subject),
        cause: ["event"],
      };
    }
  }
}

function* issuerDrafts(index: ClusterIndex): Generator<Draft> {
  const {
    atMs,
    observations: { windows, revocations },
  } = index;
  if (windows.length === 0 && revocations.length === 0) return;
  const keyOf = (issuer: string | null, serial: string): string =>
    JSON.stringify([issuer, serialKey(serial)]);
  const windowOf = new Map(windows.map((window) => [keyOf(window.issuer, window.serial), window]));
  const revokedOf = new Map(
    revocations.map((answer) => [keyOf(answer.issuer, answer.serial), answer]),
  );
  for (const entry of index.entries) {
    if (entry.condition !== "live") continue;
    const { record: live } = entry;
    const subject = subjectOf(entry);
    const key = keyOf(live.issuer, live.serial);
    const answer = revokedOf.get(key);
    if (answer != null && answer.revokedMs !== null && answer.revokedMs <= atMs + SKEW_MS) {
      yield {
        code: "certificate_revoked",
        subject,
        params: {
          serial: live.serial,
          revokedMs: answer.revokedMs,
          reason: answer.reason,
          list: answer.list,
          askedMs: answer.askedMs,
        },
        actions: explainAction(subject),
      };
      continue;
    }
    const window = windowOf.get(key);
    if (
      window === undefined ||
      window.askedMs > atMs + SKEW_MS ||
      !isForced(window, parseMs(live.notBefore), parseMs(live.notAfter))
    )
      continue;
    yield {
      code: "renewal_window_forced",
      subject,
      params: {
        serial: live.serial,
        startMs: window.startMs,
        endMs: window.endMs,
        askedMs: window.askedMs,
        explanationUrl: window.explanationUrl,
      },
      actions: explainAction(subject),
      due: instantOf(window.endMs),
    };
  }
}

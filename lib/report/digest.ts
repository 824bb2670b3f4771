/**
 * Whether a digest is due, what it says, and what is remembered of it: a pure function of what is
 * seen now, what was said before, the time and the settings.
 *
 * Rules: something critical is told at once, and again each day until it is gone; everything else
 * once a day; without anything new there is silence, but for one message a week, so that silence
 * means something. What goes and comes back is gone only after a while, which doubles each time: it
 * is told once. What can't be seen now is neither new nor over. A clock that went back makes
 * nothing wait.
 */
import { SEVERITIES, type Severity } from "../finding/codes.ts";
import { type Finding, labelOf } from "../finding/finding.ts";
import { matchesPattern } from "../finding/pattern.ts";
import { saidKey, type RouteRecord, type SaidEntry } from "../state/digest.ts";
import type { BudgetLevel } from "./budget.ts";
import { sortFindings } from "./findings.ts";
import { composeMessage, type Message, type MessageKind, type Resolved } from "./message.ts";
import { middle, type Part } from "./part.ts";
import type { ClusterSummary } from "./summary.ts";
import { count, span } from "./text.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/**
 * Gone for so long before it counts as resolved; doubled each time that it comes back, up to a day.
 */
const SETTLE_MS = HOUR_MS;
/** How long is remembered that something was resolved. */
const REMEMBER_MS = 7 * DAY_MS;
/** Clocks of two machines may differ by this much. */
const SKEW_MS = 5 * MINUTE_MS;
/** Findings remembered one by one, the most severe first; more are counted. */
const MAX_SAID = 20_000;
const LABEL_LENGTH = 80;

export interface RouteSettings {
  readonly name: string;
  /** Names or patterns; `null`: all. */
  readonly clusters: readonly string[] | null;
  /** Findings below it are left out. */
  readonly severity: Severity;
}

export interface DigestSettings {
  /** Minute of the day, UTC, from which on the day's digest goes out. */
  readonly atMinute: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

export interface DigestInput {
  readonly summaries: readonly ClusterSummary[];
  readonly budgets: readonly BudgetLevel[];
  /** Clusters that have a state and aren't registered any more. */
  readonly unregistered: readonly string[];
  readonly record: RouteRecord | null;
  readonly nowMs: number;
  readonly settings: DigestSettings;
  readonly route: RouteSettings;
  /** Whether a message is made even if none is due: what a dry run shows. */
  readonly anyway?: boolean;
}

export interface DigestPlan {
  /** `null`: nothing is due. */
  readonly message: Message | null;
  /** What to remember, the outbox untouched. */
  readonly record: RouteRecord;
  /** What the message would be if one were due. */
  readonly pending: number;
}

const EMPTY: RouteRecord = {
  postMs: 0,
  dailyMs: 0,
  clockMs: 0,
  said: {},
  outbox: [],
  failure: null,
};

export function planDigest(input: DigestInput): DigestPlan {
  const { route, nowMs, settings, unregistered } = input;
  const first = input.record === null;
  const before = input.record ?? EMPTY;
  const setBack = !first && before.clockMs > nowMs + SKEW_MS;
  const summaries = input.summaries
    .filter(({ cluster }) => ofRoute(route, cluster))
    .map((summary) => withSeverity(summary, route.severity));
  const current = sortFindings(summaries.flatMap(({ findings }) => findings));
  const said = reconcile({ before, summaries, current, nowMs });

  const slotMs = dailySlot(nowMs, settings);
  const dailyDue = first || setBack || before.dailyMs < slotMs;
  const weeklyDue = dailyDue && (setBack || before.postMs < weeklySlot(nowMs, settings));
  const urgent = said.fresh.some(({ severity }) => severity === "critical");
  const critical = current.some(({ severity }) => severity === "critical");
  const changes = said.fresh.length > 0 || said.resolved.length > 0;
  const due = first || urgent || (dailyDue && (changes || critical || weeklyDue));

  let message: Message | null = null;
  if (due || input.anyway === true) {
    const kind: MessageKind = first
      ? "first"
      : dailyDue || !urgent
        ? changes || critical || !weeklyDue
          ? "news"
          : "heartbeat"
        : "urgent";
    const freshIds = new Set(said.fresh.map(({ id }) => id));
    // What was told before is told again where it is critical and a day has passed, and all of it
    // once a week.
    const told =
      first || weeklyDue
        ? current
        : current.filter(
            (finding) => freshIds.has(finding.id) || (finding.severity === "critical" && dailyDue),
          );
    const notes: (readonly Part[])[] = [
      ...(setBack
        ? [
            [
              `The clock went back by ${span(before.clockMs - nowMs)} since the last run: ` +
                "what is told of time may be off.",
            ],
          ]
        : []),
      ...(unregistered.length === 0 ? [] : [unregisteredNote(unregistered)]),
      ...(said.left === 0
        ? []
        : [
            [
              `${count(said.left, "finding")} more than can be followed one by one: changes ` +
                "among them are not told.",
            ],
          ]),
    ];
    message = composeMessage({
      kind,
      nowMs,
      summaries,
      told,
      repeated: first
        ? new Set()
        : new Set(told.filter(({ id }) => !freshIds.has(id)).map(({ id }) => id)),
      resolved: said.resolved,
      budgets: input.budgets,
      notes,
    });
  }
  const record: RouteRecord = {
    ...before,
    said: due ? said.afterPost : said.afterSilence,
    dailyMs: dailyDue ? slotMs : before.dailyMs,
    ...(due ? { postMs: nowMs } : {}),
    clockMs: due || dailyDue ? nowMs : before.clockMs,
  };
  return { message, record, pending: said.fresh.length + said.resolved.length };
}

function ofRoute({ clusters }: RouteSettings, cluster: string): boolean {
  return clusters === null || clusters.some((pattern) => matchesPattern(pattern, cluster));
}

function withSeverity(summary: ClusterSummary, least: Severity): ClusterSummary {
  const limit = SEVERITIES.indexOf(least);
  return {
    ...summary,
    findings: summary.findings.filter(({ severity }) => SEVERITIES.indexOf(severity) <= limit),
  };
}

/** The latest instant, not after now, at which a day's digest is due. */
function dailySlot(nowMs: number, { atMinute }: DigestSettings): number {
  const today = Math.floor(nowMs / DAY_MS) * DAY_MS + atMinute * MINUTE_MS;
  return today <= nowMs ? today : today - DAY_MS;
}

function weeklySlot(nowMs: number, settings: DigestSettings): number {
  const slot = dailySlot(nowMs, settings);
  const weekday = (Math.floor(slot / DAY_MS) + 4) % 7;
  return slot - ((weekday - settings.weekday + 7) % 7) * DAY_MS;
}

function unregisteredNote(clusters: readonly string[]): Part[] {
  const names = clusters
    .slice(0, 3)
    .flatMap((name, index): Part[] => [index === 0 ? "" : ", ", { name }]);
  return [
    "Left out, since no longer registered: ",
    ...names,
    clusters.length > 3 ? ` and ${clusters.length - 3} more.` : ".",
  ];
}

interface Reconciled {
  /** Never told, or told as less severe. */
  readonly fresh: readonly Finding[];
  readonly resolved: readonly Resolved[];
  /** What is remembered if all of it is told now. */
  readonly afterPost: Record<string, SaidEntry>;
  /** What is remembered if nothing is told. */
  readonly afterSilence: Record<string, SaidEntry>;
  /** Findings beyond those that are followed one by one. */
  readonly left: number;
}

function reconcile({
  before,
  summaries,
  current,
  nowMs,
}: {
  before: RouteRecord;
  summaries: readonly ClusterSummary[];
  current: readonly Finding[];
  nowMs: number;
}): Reconciled {
  const followed = current.slice(0, MAX_SAID);
  const fresh: Finding[] = [];
  const resolved: Resolved[] = [];
  const afterPost: Record<string, SaidEntry> = {};
  const afterSilence: Record<string, SaidEntry> = {};
  const present = new Set<string>();
  for (const finding of followed) {
    const key = saidKey(finding.id);
    if (present.has(key)) continue;
    present.add(key);
    const known = before.said[key];
    const back = known !== undefined && (known.goneMs !== null || known.resolvedMs !== null);
    const flaps = (known?.flaps ?? 0) + (back ? 1 : 0);
    const isNew =
      known === undefined ||
      known.resolvedMs !== null ||
      rankOf(finding.severity) < rankOf(known.severity);
    if (isNew) fresh.push(finding);
    const entry = {
      severity: finding.severity,
      code: finding.code,
      cluster: finding.subject.cluster,
      label: middle(labelOf(finding.subject), LABEL_LENGTH),
      goneMs: null,
      resolvedMs: null,
      flaps,
    };
    afterPost[key] = { ...entry, saidMs: isNew || known === undefined ? nowMs : known.saidMs };
    if (known !== undefined)
      afterSilence[key] = isNew ? { ...known } : { ...entry, saidMs: known.saidMs };
  }
  // Of a cluster whose state can't be read, nothing that was said is over; one that isn't asked for
  // any more is forgotten.
  const held = new Set(
    summaries.filter(({ sight }) => sight === "unreadable").map(({ cluster }) => cluster),
  );
  const known = new Set(summaries.map(({ cluster }) => cluster));
  for (const [key, entry] of Object.entries(before.said)) {
    if (present.has(key) || !known.has(entry.cluster)) continue;
    if (held.has(entry.cluster)) {
      afterPost[key] = afterSilence[key] = entry;
      continue;
    }
    if (entry.resolvedMs !== null) {
      const since = Math.min(entry.resolvedMs, nowMs);
      if (nowMs - since < REMEMBER_MS)
        afterPost[key] = afterSilence[key] = { ...entry, resolvedMs: since };
      continue;
    }
    const goneMs = Math.min(entry.goneMs ?? nowMs, nowMs);
    const settleMs = Math.min(DAY_MS, SETTLE_MS * 2 ** Math.min(entry.flaps, 10));
    const gone = { ...entry, goneMs };
    afterSilence[key] = gone;
    if (nowMs - goneMs < settleMs) afterPost[key] = gone;
    else {
      // An information needs no end: it is forgotten quietly.
      if (entry.severity !== "information")
        resolved.push({ code: entry.code, cluster: entry.cluster, label: entry.label });
      afterPost[key] = { ...gone, resolvedMs: nowMs };
    }
  }
  return { fresh, resolved, afterPost, afterSilence, left: current.length - followed.length };
}

function rankOf(severity: string): number {
  const rank = (SEVERITIES as readonly string[]).indexOf(severity);
  return rank === -1 ? SEVERITIES.length : rank;
}

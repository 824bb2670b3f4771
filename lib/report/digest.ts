/**
 * Whether a digest is due, what it says, and what is remembered of it: a pure function of what is
 * seen now, what was reported before, the time and the settings.
 *
 * Rules: a critical finding is reported at once, and again each day until it is over; all others
 * once a day. Without news there is no digest, except one a week, so that silence means something.
 * The first one waits for the first audit of each cluster, but not for long. A clock that was set
 * back delays nothing.
 */
import { SEVERITIES, type Severity } from "../finding/codes.ts";
import { type Finding, sortFindings } from "../finding/finding.ts";
import { matchesPattern } from "../finding/place.ts";
import type { RouteRecord } from "../state/digest.ts";
import { type Changes, changesSince, MAX_REMEMBERED } from "./digest/changes.ts";
import { composeMessage } from "./digest/compose.ts";
import type { IssuedNow, Message, MessageKind, Resolved } from "./digest/message.ts";
import type { Text } from "./part.ts";
import { type ClusterSummary, unregisteredNotes } from "./summary.ts";
import { count, span } from "./text.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Clocks of two machines may differ by this much. */
const SKEW_MS = 5 * MINUTE_MS;
/** The longest that the first digest waits for clusters that no audit has seen. */
const FIRST_WAIT_MS = 60 * MINUTE_MS;

export interface RouteSettings {
  readonly name: string;
  /** Names or patterns; `null`: all. */
  readonly clusters: readonly string[] | null;
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
  /** Clusters that have a state and aren't registered any more. */
  readonly unregistered: readonly string[];
  readonly record: RouteRecord | null;
  readonly nowMs: number;
  readonly settings: DigestSettings;
  readonly route: RouteSettings;
  /** Of findings that are over; absent: nothing is known of them. */
  readonly issuedNow?: IssuedNow;
  /** Whether a message is made even if none is due: what a dry run shows. */
  readonly anyway?: boolean;
}

export interface DigestPlan {
  /** `null`: nothing is due. */
  readonly message: Message | null;
  /** What to remember, the outbox untouched. */
  readonly record: RouteRecord;
  readonly resolved: readonly Resolved[];
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
  const { route, nowMs } = input;
  const before = input.record ?? EMPTY;
  const summaries = input.summaries
    .filter(({ cluster }) => isOfRoute(route, cluster))
    .map((summary) => withSeverity(summary, route.severity));
  const current = sortFindings(summaries.flatMap(({ findings }) => findings));
  const changes = changesSince(before, summaries, current, nowMs);
  const schedule = scheduleOf(input, current, changes);
  const { due, dailyDue } = schedule;
  const { resolved } = changes;
  if (isAwaited(input, summaries, current) && input.anyway !== true)
    return { message: null, record: { ...before, clockMs: before.clockMs || nowMs }, resolved };
  const record: RouteRecord = {
    ...before,
    said: due ? changes.afterPost : changes.afterSilence,
    dailyMs: dailyDue ? dailySlot(nowMs, input.settings) : before.dailyMs,
    ...(due ? { postMs: nowMs } : {}),
    clockMs: due || dailyDue ? nowMs : before.clockMs,
  };
  if (!due && input.anyway !== true) return { message: null, record, resolved };
  const message = composeMessage({
    kind: schedule.kind,
    nowMs,
    summaries,
    ...reportedOf(current, changes, schedule),
    resolved,
    issuedNow: input.issuedNow ?? (() => null),
    weekly: schedule.weeklyDue,
    notes: notesOf(input, changes, schedule.setBackMs),
  });
  return { message, record, resolved };
}

/** Nothing was posted on the route yet: such a record only tells since when an audit is awaited. */
function isFirst(record: RouteRecord | null): boolean {
  return record === null || record.postMs === 0;
}

/** Whether the first digest waits for the first audit of a cluster; nothing critical waits. */
function isAwaited(
  { record, nowMs }: DigestInput,
  summaries: readonly ClusterSummary[],
  current: readonly Finding[],
): boolean {
  const sinceMs = record?.clockMs || nowMs;
  return (
    isFirst(record) &&
    Math.abs(nowMs - sinceMs) < FIRST_WAIT_MS &&
    summaries.some(({ sight }) => sight === "never") &&
    !current.some(({ severity }) => severity === "critical")
  );
}

interface Schedule {
  readonly kind: MessageKind;
  readonly due: boolean;
  /** Whether the day's digest isn't out yet, and the week's. */
  readonly dailyDue: boolean;
  readonly weeklyDue: boolean;
  /** How far the clock went back since the last run; 0: it didn't. */
  readonly setBackMs: number;
}

function scheduleOf(
  { record, nowMs, settings }: DigestInput,
  current: readonly Finding[],
  { fresh, resolved }: Changes,
): Schedule {
  const first = isFirst(record);
  const { clockMs, dailyMs, postMs } = record ?? EMPTY;
  const setBackMs = clockMs > nowMs + SKEW_MS ? clockMs - nowMs : 0;
  const setBack = setBackMs > 0;
  const dailyDue = first || setBack || dailyMs < dailySlot(nowMs, settings);
  const weeklyDue = dailyDue && (setBack || postMs < weeklySlot(nowMs, settings));
  const urgent = fresh.some(({ severity }) => severity === "critical");
  const news =
    fresh.length > 0 ||
    resolved.length > 0 ||
    current.some(({ severity }) => severity === "critical");
  let kind: MessageKind = "news";
  if (first) kind = "first";
  else if (urgent && !dailyDue) kind = "urgent";
  else if (weeklyDue && !news) kind = "heartbeat";
  const due = first || urgent || (dailyDue && (news || weeklyDue));
  return { kind, due, dailyDue, weeklyDue, setBackMs };
}

/** A critical finding is repeated each day; what else is still so is counted once a week. */
function reportedOf(
  current: readonly Finding[],
  { fresh }: Changes,
  { kind, dailyDue }: Schedule,
): { readonly reported: readonly Finding[]; readonly repeated: ReadonlySet<string> } {
  const freshIds = new Set(fresh.map(({ id }) => id));
  const reported =
    kind === "first"
      ? current
      : current.filter(
          ({ id, severity }) => freshIds.has(id) || (severity === "critical" && dailyDue),
        );
  const repeated = reported.map(({ id }) => id).filter((id) => !freshIds.has(id));
  return { reported, repeated: new Set(kind === "first" ? [] : repeated) };
}

function notesOf({ unregistered }: DigestInput, { left }: Changes, setBackMs: number): Text[] {
  const clock = `The clock went back by ${span(setBackMs)} since the last run. Times may be wrong.`;
  const more =
    `${count(left, "finding")} beyond the ${MAX_REMEMBERED.toLocaleString("en-US")} that are ` +
    "followed one by one. Changes among them aren't reported.";
  return [
    ...(setBackMs === 0 ? [] : [[clock]]),
    ...unregisteredNotes(unregistered, 3),
    ...(left === 0 ? [] : [[more]]),
  ];
}

function isOfRoute({ clusters }: RouteSettings, cluster: string): boolean {
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

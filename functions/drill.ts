/**
 * Lambda, weekly: tests the backups. With an identity it opens each one and prunes old ones;
 * without, it compares digests, prunes by what audits recorded, and reports when a person last
 * opened them, since only that shows that a restore would work. What can't be used is counted for
 * an alarm.
 */
import { parseMs, parseMsOrNull } from "../lib/certificate/time.ts";
import type { StateStore } from "../lib/ports/stores.ts";
import { DRILL_NAME, parseDrill } from "../lib/usecases/drill/record.ts";
import { type DrillPorts, runDrill } from "../lib/usecases/drill.ts";
import type { DrilledCopy, DrillReport } from "../lib/report/drill.ts";
import {
  type Telemetry,
  hasIdentity,
  runFunction,
  type Invocation,
  type FunctionRun,
} from "./shared/run.ts";
import { composeDrill } from "../lib/wiring/backups.ts";
import { composeSettings } from "../lib/wiring/settings.ts";

export function handler(_event: unknown, context?: Invocation): Promise<object> {
  return runFunction("drill", context, (run) => drillAll(run, () => composeDrillFunction(run)));
}

/** @throws CertkeepError config_invalid, identity_invalid, store_unavailable */
async function composeDrillFunction(run: FunctionRun): Promise<DrillPorts> {
  const opens = await hasIdentity(run, await composeSettings({ ...run, reach: [] }));
  const env = opens ? run.env : { ...run.env, CERTKEEP_IDENTITY: "" };
  return { ...(await composeDrill({ ...run, env }, false)), prunesUnopened: true };
}

const DRILL_SCHEMA = "certkeep.drill/v1";

/** Older than this, a drill by a person is asked for. */
const PERSON_DAYS = 90;
const DAY_MS = 86_400_000;
/** Copies that are told one by one. */
const TOLD = 20;

export interface DrillAnswer {
  readonly schema: typeof DRILL_SCHEMA;
  readonly identity: "present" | "absent";
  readonly copies: number;
  readonly unreadable: number;
  /**
   * Certificates that audits know and without a usable backup; `null` without an identity, or
   * where the time was over: not known.
   */
  readonly withoutGood: number | null;
  readonly removed: number;
  readonly retention: DrillReport["retention"];
  /** The time was over before all was done: the drill counts as failed. */
  readonly interrupted: boolean;
  readonly problems: readonly { readonly code: string; readonly message: string }[];
  /** The last drill of everything with an identity, by a person where none is here. */
  readonly lastWhole: {
    readonly at: string;
    readonly daysAgo: number;
    readonly unreadable: number;
  } | null;
  readonly failed: boolean;
}

function isTrouble({ verdict, retired, removed }: DrilledCopy): boolean {
  return verdict === "unreadable" && !retired && removed === null;
}

/**
 * @throws CertkeepError where the stores can't be listed, or `compose` can't, counted as a failed
 * drill
 */
export async function drillAll(
  { log, metrics }: Telemetry,
  compose: () => Promise<DrillPorts>,
): Promise<DrillAnswer> {
  try {
    const drill = await compose();
    const before = await lastWhole(drill.states, drill.clock.nowMs());
    const answer = await drillOnce(drill, before, log);
    metrics.put("DrillFailed", answer.failed ? 1 : 0);
    return answer;
  } catch (error) {
    metrics.put("DrillFailed", 1);
    throw error;
  }
}

async function drillOnce(
  drill: DrillPorts,
  before: DrillAnswer["lastWhole"],
  log: Telemetry["log"],
): Promise<DrillAnswer> {
  const report = await runDrill(drill, []);
  const unreadable = report.copies.filter(isTrouble);
  for (const { cluster, key, code, detail } of unreadable.slice(0, TOLD))
    log.error("a copy can't be used", { cluster, key, code, detail: detail.slice(0, 200) });
  for (const { code, message } of report.problems)
    log.error("not done", { code, problem: message });
  if (!report.opened) {
    const fields = { lastDrill: before?.at ?? null, daysAgo: before?.daysAgo ?? null };
    const step = "no identity is here: digests are compared, nothing is opened";
    if (before === null || before.daysAgo > PERSON_DAYS)
      log.warn(
        `${step}. Nobody has opened the copies ` +
          `${before === null ? "yet" : `for ${PERSON_DAYS} days`}: run certkeep drill with the ` +
          "identity",
        fields,
      );
    else log.info(step, fields);
  }
  const removed = report.copies.filter((copy) => copy.removed !== null).length;
  const failed = unreadable.length > 0 || report.problems.length > 0;
  log.info("drill finished", {
    copies: report.copies.length,
    opened: report.opened,
    unreadable: unreadable.length,
    removed,
    problems: report.problems.length,
  });
  return {
    schema: DRILL_SCHEMA,
    identity: report.opened ? "present" : "absent",
    copies: report.copies.length,
    unreadable: unreadable.length,
    withoutGood:
      report.opened && !report.interrupted
        ? report.certificates.filter(({ good }) => good === null).length
        : null,
    removed,
    retention: report.retention,
    interrupted: report.interrupted,
    problems: report.problems.map(({ code, message }) => ({ code, message })),
    lastWhole: before,
    failed,
  };
}

async function lastWhole(states: StateStore, nowMs: number): Promise<DrillAnswer["lastWhole"]> {
  const note = parseDrill((await states.read(DRILL_NAME))?.text ?? "");
  if (note === null || parseMsOrNull(note.at) === null) return null;
  return {
    at: note.at,
    daysAgo: Math.max(0, Math.floor((nowMs - parseMs(note.at)) / DAY_MS)),
    unreadable: note.unreadable,
  };
}

/**
 * A restore as the function does it: the plan and the rules of the command line, to where the copies came from and
 * nowhere else. It stops before its own time is over, so that running it again does what is left.
 */
import { instantNs } from "../../finding/verdict.ts";
import { commandLine, literal } from "../../finding/command.ts";
import { invokeLine, type InvokePayload, type RestoreFunction } from "../../finding/invoke.ts";
import { restoreWords, type RestoreEvent } from "../../config/event/restore.ts";
import type { RestorePair } from "../../config/config.ts";
import { runRestore } from "../restore.ts";
import { confine } from "../restore/confine.ts";
import type {
  RestorePorts,
  RestoreReport,
  RestoreRequest,
  RestoreTarget,
} from "../restore/context.ts";
import { restoreDocument, RESTORE_SCHEMA } from "../restore/document.ts";
import type { Telemetry } from "./guard.ts";

export interface RestoreFunctionPorts extends Telemetry {
  readonly restore: RestorePorts;
  readonly target: RestoreTarget;
  /** `restores:` of the deployed certkeep.yaml. */
  readonly pairs: readonly RestorePair[];
  /** This function, for the line that carries a plan out; `null`: it isn't known. */
  readonly self: RestoreFunction | null;
}

/** @throws CertkeepError usage, lease_held, and whatever keeps stores or cluster from being read */
export async function restoreByEvent(
  event: RestoreEvent,
  { log, restore, target, pairs, self }: RestoreFunctionPorts,
): Promise<object> {
  const { cluster, fromCluster: from } = event;
  try {
    const seen = await target.reader.identity();
    await confine({ cluster, from, seen }, pairs, restore.states);
    // The cluster that was looked at is the one that is written to: its answer is not asked for a second time.
    const held: RestoreTarget = {
      ...target,
      reader: { ...target.reader, identity: async () => seen },
    };
    log.info("restore begins", { cluster, from, apply: event.apply });
    const report = await runRestore(held, requestOf(event), { ...restore, confined: true });
    tell(report, log);
    return answer(event, report, self);
  } finally {
    await target.reader.close();
    await target.writer.close();
  }
}

function requestOf(event: RestoreEvent): RestoreRequest {
  const {
    names,
    namespace,
    all,
    version,
    unrecorded,
    standby,
    replace,
    createNamespace,
    fromCluster,
  } = event;
  return {
    names,
    namespace,
    all,
    version,
    unrecorded,
    standby,
    replace,
    createNamespace,
    fromCluster,
    asOfNs: event.asOf === null ? null : instantNs(event.asOf),
    as: null,
    rebuilt: false,
    force: new Set(event.force),
    mode: event.apply ? "apply" : "plan",
    followMs: null,
  };
}

function tell({ cluster, items, interrupted }: RestoreReport, log: Telemetry["log"]): void {
  for (const { item, outcome, message, code } of items) {
    const fields = {
      cluster,
      namespace: item.to?.namespace ?? item.from.namespace,
      secret: item.to?.name ?? item.from.secret,
      outcome,
      why: item.codes.join(" "),
      code,
      problem: message,
    };
    if (outcome === "failed" || outcome === "not_tried") log.error("restore", fields);
    else log.info("restore", fields);
  }
  if (interrupted)
    log.warn("the time was over before everything was restored: run it again", { cluster });
}

function answer(event: RestoreEvent, report: RestoreReport, self: RestoreFunction | null): object {
  const left = report.interrupted || report.items.some(({ outcome }) => outcome === "not_tried");
  const planned = report.items.some(({ outcome }) => outcome === "planned");
  const apply =
    planned && self !== null ? invokeLine(self, payloadOf({ ...event, apply: true })) : null;
  return {
    schema: RESTORE_SCHEMA,
    identity: "present",
    ...restoreDocument(report),
    continue: left,
    ...(left
      ? { next: "Invoke it again with the same event: it does what is left" }
      : planned
        ? {
            next: 'Nothing was written: this is a plan. Invoke it again with "apply": true',
            ...(apply === null ? {} : { apply }),
          }
        : {}),
  };
}

/** The event with what it says alone. */
function payloadOf(event: RestoreEvent): InvokePayload {
  const said = Object.entries(event).filter(
    ([, value]) =>
      value !== null && value !== false && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(said) as InvokePayload;
}

/** The answer where no identity is in the cloud: a person's own opens the copies. `config`: where the deployment's configuration is published, or `null`. */
export function withoutIdentity(event: RestoreEvent, config: string | null): object {
  const words = restoreWords(event).map((word) => (word.startsWith("--") ? literal(word) : word));
  const run = commandLine(
    literal("certkeep restore"),
    ...words,
    ...(config === null ? [] : [literal("--config"), config]),
  );
  return {
    schema: RESTORE_SCHEMA,
    identity: "absent",
    cluster: event.cluster,
    continue: false,
    run:
      run ??
      commandLine(
        literal("certkeep restore"),
        event.cluster,
        literal("--all"),
        ...(config === null ? [] : [literal("--config"), config]),
      ),
    next: "No identity that opens copies is in the cloud. Run this where yours is, with access to this account",
  };
}

/**
 * Lambda, by hand: `{"cluster": "prod", "names": ["shop.example.com"], "apply": true}` restores;
 * without `apply`, a plan. It follows the plan and the rules of the command line, restores nowhere
 * but to where the backups came from, and stops before its own time is over: running it again does
 * what is left.
 */
import { CertkeepError } from "../lib/error.ts";
import { parseMs } from "../lib/certificate/time.ts";
import type { RestorePair } from "../lib/config/schema.ts";
import { parseRestoreEvent, type RestoreEvent } from "../lib/config/event.ts";
import { whyText } from "../lib/report/phrases/plan.ts";
import { restoreAction, restoreFunctionOf, type RestoreFunction } from "../lib/finding/action.ts";
import { invokeLine, type InvokePayload, restoreCommand } from "../lib/report/command.ts";
import {
  type Telemetry,
  hasIdentity,
  runFunction,
  type Invocation,
  type FunctionRun,
} from "./shared/run.ts";
import { codesOf } from "../lib/restoreplan/item.ts";
import { runRestore } from "../lib/usecases/restore.ts";
import { confine } from "../lib/usecases/restore/permissions.ts";
import {
  RESTORE_SCHEMA,
  restoreDocument,
  restoreExit,
  type RestorePorts,
  type RestoreReport,
  type RestoreRequest,
  type RestoreTarget,
} from "../lib/usecases/restore/context.ts";
import { composeRestore } from "../lib/wiring/restore.ts";
import { composeSettings, unknownCluster } from "../lib/wiring/settings.ts";
import { publishedAt } from "../lib/wiring/world.ts";

export function handler(event: unknown, context?: Invocation): Promise<object> {
  return runFunction("restore", context, async (run) => {
    const asked = parseRestoreEvent(event);
    const composed = await composeRestoreFunction(run, asked);
    return composed.identity === "absent"
      ? withoutIdentity(asked, composed.config)
      : restoreByEvent(asked, composed.ports);
  });
}

type ComposedRestoreFunction =
  | { readonly identity: "present"; readonly ports: RestoreFunctionPorts }
  /** `config`: where the deployment's configuration is published, or `null`. */
  | { readonly identity: "absent"; readonly config: string | null };

/**
 * @throws CertkeepError usage for a cluster that isn't registered, naming those that are;
 * config_invalid, identity_invalid, store_unavailable
 */
async function composeRestoreFunction(
  run: FunctionRun,
  { cluster }: RestoreEvent,
): Promise<ComposedRestoreFunction> {
  const settings = await composeSettings({ ...run, reach: "none" });
  const { config, names } = settings;
  // A context of a kubeconfig, which a person may name in place of a cluster, is nothing to a
  // function.
  if (!names.includes(cluster)) throw unknownCluster(cluster, names, config.stores.registry, false);
  if (!(await hasIdentity(run, settings)))
    return { identity: "absent", config: publishedAt(run.env, config.stores.state) };
  const { target, ports } = await composeRestore(run, { cluster, offline: null });
  return {
    identity: "present",
    ports: {
      log: run.log,
      metrics: run.metrics,
      restore: ports,
      target,
      pairs: config.restores,
      self: restoreFunctionOf(config.aws),
    },
  };
}

interface RestoreFunctionPorts extends Telemetry {
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
    // The cluster that was looked at is the one that is written to: its answer is not asked for a
    // second time.
    const held: RestoreTarget = {
      ...target,
      reader: { ...target.reader, identity: async () => seen },
    };
    log.info("restore begins", { cluster, from, apply: event.apply });
    const report = await runRestore(held, requestOf(event), restore);
    tell(report, log);
    refuseFailed(report);
    return answer(event, report, self);
  } finally {
    await target.reader.close();
    await target.writer.close();
    await target.access?.self.close();
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
    asOfMs: event.asOf === null ? null : parseMs(event.asOf),
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
      why: codesOf(item).join(" "),
      code,
      problem: message,
    };
    if (outcome === "failed" || outcome === "not_tried") log.error("restore", fields);
    else log.info("restore", fields);
  }
  if (interrupted)
    log.warn("the time was over before everything was restored: run it again", { cluster });
}

/**
 * Whoever invoked it may look at nothing but whether it failed.
 *
 * @throws CertkeepError where something that was to be written isn't
 */
function refuseFailed(report: RestoreReport): void {
  const { cluster, items, mode, interrupted } = report;
  if (mode !== "apply" || interrupted || restoreExit(report, true) === 0) return;
  const failed = items.filter(({ outcome }) => outcome === "failed" || outcome === "refused");
  if (failed.length === 0)
    throw new CertkeepError("restore_failed", {
      where: `cluster ${cluster}`,
      found: "neither an audit nor a backup says anything of what was asked for",
      todo: "Check the names: certkeep backups lists what there is",
    });
  throw new CertkeepError("restore_failed", {
    where: `cluster ${cluster}`,
    found: `${failed.length} of ${items.length} certificates couldn't be restored`,
    todo:
      "Fix what the lines below say, then invoke it again with the same event: it does what is " +
      "left",
    lines: failed.map(
      ({ item, message }) => `${item.title}: ${message ?? (whyText(item.why) || "refused")}`,
    ),
  });
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

/**
 * The answer where no identity is in the cloud: a person's own opens the copies. `config`: where
 * the deployment's configuration is published, or `null`.
 */
export function withoutIdentity(event: RestoreEvent, config: string | null): object {
  const { asOf, version, fromCluster, unrecorded, force, apply } = event;
  const asked = { version, fromCluster, unrecorded, force, apply, config };
  const run = restoreCommand(event, { ...asked, asOfMs: asOf === null ? null : parseMs(asOf) });
  return {
    schema: RESTORE_SCHEMA,
    identity: "absent",
    cluster: event.cluster,
    continue: false,
    run: run ?? restoreCommand(restoreAction(event.cluster, [], { all: true }), { config }),
    next:
      "No identity that opens copies is in the cloud. Run this where yours is, with access to " +
      "this account",
  };
}

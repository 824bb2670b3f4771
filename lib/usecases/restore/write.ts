/**
 * One Secret, restored: what it replaces is sealed first, the write names the version that it was
 * planned from, and what the server then holds is read and judged. Where somebody wrote in between,
 * the plan is made again from what is there then, and that is said.
 */
import { CertkeepError, isCertkeepError } from "../../error.ts";
import { holdsCopy, type PlanOptions } from "../../restoreplan/decide.ts";
import type { PlanItem, RestorePlan, SecretWrite } from "../../restoreplan/item.ts";
import { metadataToAdd } from "../../restoreplan/metadata.ts";
import { planRestore } from "../../restoreplan/plan.ts";
import type { LiveSecret, OpenedCopy, Wanted } from "../../restoreplan/view.ts";
import type { ClusterWriter, WriteOutcome } from "../../ports/cluster.ts";
import type { Outcome, RestorePorts, RestoredItem } from "./context.ts";
import type { LiveCluster } from "./live.ts";
import { recreateSecret, type RecreateContext } from "./recreate.ts";
import { replacedBy, type ReplacedKeeper } from "./replaced.ts";
import type { Source } from "./source.ts";

/** How often a write is planned again because another writer was first. */
const PLANS = 4;

export interface WriteContext {
  readonly writer: ClusterWriter;
  readonly live: LiveCluster;
  readonly options: PlanOptions;
  readonly source: Source;
  readonly keeper: ReplacedKeeper;
  readonly recreate: RecreateContext;
  readonly ports: RestorePorts;
  /** The server checks and stores nothing. */
  readonly rehearse: boolean;
  /** Makes a namespace once, however many ask. */
  readonly makeNamespace: (name: string) => Promise<void>;
}

const OUTCOME_OF_RULE: Readonly<Record<PlanItem["rule"], Outcome>> = {
  restore: "not_tried",
  keep: "kept",
  refuse: "refused",
  later: "later",
};

export function settled(item: PlanItem, message: string | null = null): RestoredItem {
  return { item, outcome: OUTCOME_OF_RULE[item.rule], message, code: null };
}

/** What was asked for, and what is planned for it. */
interface Task {
  readonly wanted: Wanted;
  readonly item: PlanItem;
}

/** What became of what was asked for. */
export type Results = Map<Wanted, RestoredItem>;

/** What each item of a plan was asked as. */
export function tasksOf(wanted: readonly Wanted[], { items }: RestorePlan): Task[] {
  return wanted.flatMap((one, index) => {
    const item = items[index];
    return item === undefined ? [] : [{ wanted: one, item }];
  });
}

function copyOf({ wanted, item }: Task): OpenedCopy | null {
  return wanted.copies.find(({ version }) => version === item.version) ?? null;
}

/** Carries out one write of the plan for `planned`. */
export async function restoreSecret(
  planned: readonly Task[],
  write: SecretWrite,
  context: WriteContext,
): Promise<Results> {
  let tasks = planned.filter((_, index) => write.items.includes(index));
  let now: SecretWrite | null = write;
  let note: string | null = null;
  for (let attempt = 1; ; attempt += 1) {
    if (now === null) return results(tasks, note, null);
    const attempted: Attempt = { write: now, tasks, note, before: presentAt(now, context) };
    try {
      if ((await carryOut(attempted, context)) === "done") return await confirm(attempted, context);
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      // Whether it took effect is found out by looking; what can't be looked at has failed.
      if (MAYBE.has(error.code) && !context.rehearse && (await tookEffect(now, context)))
        return await confirm(attempted, context);
      return results(tasks, error.message, error.code);
    }
    if (attempt >= PLANS)
      return results(
        tasks,
        `Another writer changed the Secret first, ${PLANS} times in a row. Run this again`,
        "cluster_conflict",
      );
    note =
      "Another writer changed the Secret in between, so this was planned again from what is there";
    [tasks, now] = await replan(now, tasks, context);
  }
}

function presentAt({ namespace, name }: SecretWrite, { live }: WriteContext): LiveSecret | null {
  const there = live.at(namespace, name);
  return there.state === "present" ? there.secret : null;
}

const MAYBE: ReadonlySet<string> = new Set([
  "cluster_unreachable",
  "cluster_timeout",
  "cluster_answer_invalid",
]);

async function replan(
  place: SecretWrite,
  tasks: readonly Task[],
  { live, options }: WriteContext,
): Promise<[Task[], SecretWrite | null]> {
  await live.refresh(place);
  const wanted = tasks.map((task) => task.wanted);
  const plan = planRestore(wanted, live, options);
  const [write = null, ...others] = plan.writes;
  return [tasksOf(wanted, plan), others.length > 0 ? null : write];
}

async function carryOut(attempt: Attempt, context: WriteContext): Promise<WriteOutcome> {
  const { write, before: secret } = attempt;
  const { writer, rehearse } = context;
  const dryRun = { dryRun: rehearse };
  if (write.action === "create") {
    if (write.createNamespace) await context.makeNamespace(write.namespace);
    return createIn(write, context);
  }
  if (secret === null || secret.resourceVersion !== write.resourceVersion) return "conflict";
  if (!rehearse) await sealReplaced(attempt, secret, context);
  if (write.action === "patch") {
    return writer.patchSecret(
      {
        namespace: write.namespace,
        name: write.name,
        resourceVersion: secret.resourceVersion,
        data: write.data,
        ...metadataToAdd(write, secret),
      },
      dryRun,
    );
  }
  return recreateSecret(write, secret, context.recreate);
}

/**
 * A namespace that is gone is made where that was asked for, also where the plan could not see that
 * it is.
 */
async function createIn(
  write: SecretWrite,
  { writer, rehearse, options, makeNamespace }: WriteContext,
): Promise<WriteOutcome> {
  const create = (): Promise<WriteOutcome> =>
    writer.createSecret(
      {
        namespace: write.namespace,
        name: write.name,
        type: write.type,
        labels: write.labels,
        annotations: write.annotations,
        data: write.data,
      },
      { dryRun: rehearse },
    );
  try {
    return await create();
  } catch (error) {
    if (!isCertkeepError(error, "cluster_not_found")) throw error;
    // A rehearsal makes no namespace, so what would be in it can't be rehearsed.
    if (rehearse && options.createNamespace) return "done";
    if (!options.createNamespace) {
      throw new CertkeepError("cluster_not_found", {
        where: error.parts.where,
        found: `namespace ${write.namespace} is missing`,
        todo: "Use --create-namespace to create it",
      });
    }
    await makeNamespace(write.namespace);
    return create();
  }
}

async function sealReplaced(
  { write, tasks }: Attempt,
  secret: LiveSecret,
  { source, keeper }: WriteContext,
): Promise<void> {
  for (const task of tasks) {
    const copy = task.item.rule === "restore" ? copyOf(task) : null;
    const record =
      copy === null ? null : replacedBy(source, secret, copy, write.action === "replace");
    if (record !== null)
      await keeper.keep(record, secret.pairs[record.header.fieldBase]?.verdict.valid === true);
  }
}

async function tookEffect(write: SecretWrite, { live }: WriteContext): Promise<boolean> {
  try {
    const there = await live.refresh(write);
    return (
      there.state === "present" &&
      (write.action !== "replace" || !there.secret.immutable) &&
      Object.entries(write.data).every(([field, value]) => there.secret.data[field] === value)
    );
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return false;
  }
}

interface Attempt {
  readonly write: SecretWrite;
  readonly tasks: readonly Task[];
  readonly note: string | null;
  /** What the Secret was; `null`: there was none. */
  readonly before: LiveSecret | null;
}

async function confirm(
  { write, tasks, note, before }: Attempt,
  context: WriteContext,
): Promise<Results> {
  if (context.rehearse) return results(tasks, note, null, "done");
  let there: Awaited<ReturnType<LiveCluster["refresh"]>>;
  try {
    there = await context.live.refresh(write);
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return results(tasks, `Written, but it couldn't be read back: ${error.message}`, error.code);
  }
  const after = there.state === "present" ? there.secret : null;
  return new Map(
    tasks.map((task): [Wanted, RestoredItem] => {
      const { wanted, item } = task;
      if (item.rule !== "restore") return [wanted, settled(item, note)];
      const copy = copyOf(task);
      if (after === null || copy === null)
        return [wanted, failed(item, "Written, but missing again when it was read back")];
      const took =
        item.fields.length === 0 ? isRecreated(before, write, after) : holdsCopy(copy, after);
      return [
        wanted,
        took ? { item, outcome: "done", message: note, code: null } : overwritten(item, after),
      ];
    }),
  );
}

function failed(item: PlanItem, message: string): RestoredItem {
  return { item, outcome: "failed", message, code: "cluster_conflict" };
}

/** Its controller may have written at once: what it holds now counts. */
function overwritten(item: PlanItem, after: LiveSecret): RestoredItem {
  const message = "Written, but another writer overwrote it at once";
  const pair = after.pairs[item.from.fieldBase] ?? null;
  return item.kind !== "account-key" && pair?.verdict.valid === true
    ? { item, outcome: "kept", message: `${message}; what is there now is valid`, code: null }
    : failed(item, message);
}

/** Whether a Secret was recreated with what it held, but for what the write brought. */
function isRecreated(before: LiveSecret | null, write: SecretWrite, after: LiveSecret): boolean {
  return (
    !after.immutable &&
    Object.entries({ ...before?.data, ...write.data }).every(
      ([field, value]) => after.data[field] === value,
    ) &&
    (before?.fields ?? []).every((field) => after.fields.includes(field))
  );
}

function results(
  tasks: readonly Task[],
  message: string | null,
  code: string | null,
  outcome: Outcome = "failed",
): Results {
  return new Map(
    tasks.map(({ wanted, item }) => [
      wanted,
      item.rule === "restore"
        ? { item, outcome, message, code }
        : settled(item, code === null ? message : null),
    ]),
  );
}

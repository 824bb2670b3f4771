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
  readonly wanted: readonly Wanted[];
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

function copyOf(wanted: Wanted | undefined, item: PlanItem): OpenedCopy | null {
  return wanted?.copies.find(({ version }) => version === item.version) ?? null;
}

/**
 * Carries out one write of `plan`. @returns what became of its items, by their index in
 * `context.wanted`
 */
export async function restoreSecret(
  plan: RestorePlan,
  write: SecretWrite,
  context: WriteContext,
): Promise<Map<number, RestoredItem>> {
  const indexes = write.items;
  let current: { readonly items: readonly PlanItem[]; readonly write: SecretWrite | null } = {
    items: indexes.map((index) => plan.items[index] as PlanItem),
    write,
  };
  let note: string | null = null;
  for (let attempt = 1; ; attempt += 1) {
    const { items, write: now } = current;
    if (now === null) return results(indexes, items, note, null);
    const there = context.live.at(now.namespace, now.name);
    const before = there.state === "present" ? there.secret : null;
    const confirmed = (): Promise<Map<number, RestoredItem>> =>
      confirm(now, { items, indexes, note, before }, context);
    try {
      if ((await carryOut(now, items, indexes, context)) === "done") return await confirmed();
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      // Whether it took effect is found out by looking; what can't be looked at has failed.
      if (MAYBE.has(error.code) && !context.rehearse && (await tookEffect(now, context)))
        return await confirmed();
      return results(indexes, items, error.message, error.code);
    }
    if (attempt >= PLANS)
      return results(
        indexes,
        items,
        `Another writer changed the Secret first, ${PLANS} times in a row. Run this again`,
        "cluster_conflict",
      );
    note =
      "Another writer changed the Secret in between, so this was planned again from what is there";
    current = await replan(now, indexes, context);
  }
}

const MAYBE: ReadonlySet<string> = new Set([
  "cluster_unreachable",
  "cluster_timeout",
  "cluster_answer_invalid",
]);

async function replan(
  place: { readonly namespace: string; readonly name: string },
  indexes: readonly number[],
  { live, wanted, options }: Pick<WriteContext, "live" | "wanted" | "options">,
): Promise<{ items: readonly PlanItem[]; write: SecretWrite | null }> {
  await live.refresh(place);
  const plan = planRestore(
    indexes.map((index) => wanted[index] as Wanted),
    live,
    options,
  );
  const [write, ...others] = plan.writes;
  return {
    items: plan.items,
    write: write === undefined || others.length > 0 ? null : { ...write, items: indexes },
  };
}

async function carryOut(
  write: SecretWrite,
  items: readonly PlanItem[],
  indexes: readonly number[],
  context: WriteContext,
): Promise<WriteOutcome> {
  const { writer, live, rehearse } = context;
  const dryRun = { dryRun: rehearse };
  const there = live.at(write.namespace, write.name);
  const secret = there.state === "present" ? there.secret : null;
  if (write.action === "create") {
    if (write.createNamespace) await context.makeNamespace(write.namespace);
    return createIn(write, context);
  }
  if (secret === null || secret.resourceVersion !== write.resourceVersion) return "conflict";
  if (!rehearse) await sealReplaced(write, secret, items, indexes, context);
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
  write: SecretWrite,
  secret: LiveSecret,
  items: readonly PlanItem[],
  indexes: readonly number[],
  context: WriteContext,
): Promise<void> {
  for (const [at, item] of items.entries()) {
    const copy = item.rule === "restore" ? copyOf(context.wanted[indexes[at] ?? -1], item) : null;
    const record =
      copy === null ? null : replacedBy(context.source, secret, copy, write.action === "replace");
    if (record !== null)
      await context.keeper.keep(
        record,
        secret.pairs[record.header.fieldBase]?.verdict.valid === true,
      );
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
  readonly items: readonly PlanItem[];
  readonly indexes: readonly number[];
  readonly note: string | null;
  readonly before: LiveSecret | null;
}

async function confirm(
  write: SecretWrite,
  { items, indexes, note, before }: Attempt,
  context: WriteContext,
): Promise<Map<number, RestoredItem>> {
  if (context.rehearse) return results(indexes, items, note, null, "done");
  let there: Awaited<ReturnType<LiveCluster["refresh"]>>;
  try {
    there = await context.live.refresh(write);
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return results(
      indexes,
      items,
      `Written, but it couldn't be read back: ${error.message}`,
      error.code,
    );
  }
  const after = there.state === "present" ? there.secret : null;
  return new Map(
    items.map((item, at): [number, RestoredItem] => {
      const index = indexes[at] ?? -1;
      if (item.rule !== "restore") return [index, settled(item, note)];
      const copy = copyOf(context.wanted[index], item);
      if (after === null || copy === null)
        return [index, failed(item, "Written, but missing again when it was read back")];
      const took =
        item.fields.length === 0 ? isRecreated(before, write, after) : holdsCopy(copy, after);
      return [
        index,
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
  indexes: readonly number[],
  items: readonly PlanItem[],
  message: string | null,
  code: string | null,
  done: Outcome | null = null,
): Map<number, RestoredItem> {
  return new Map(
    items.map((item, at): [number, RestoredItem] => {
      if (item.rule !== "restore")
        return [indexes[at] ?? -1, settled(item, code === null ? message : null)];
      return [indexes[at] ?? -1, { item, outcome: done ?? "failed", message, code }];
    }),
  );
}

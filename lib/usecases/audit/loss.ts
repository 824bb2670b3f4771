/**
 * What became of Secrets that an earlier audit saw and this one didn't: lost, removed with its
 * parent, or not known. Only covered namespaces are concluded on.
 */
import pLimit from "p-limit";
import { isCertkeepError } from "../../error.ts";
import type { ClusterReader, Presence } from "../../ports/cluster.ts";
import type { LostRecord, SecretRecord, StateDocument } from "../../state/document.ts";
import { heldIn, standingRecord, standingSecrets } from "../../state/secrets.ts";

/**
 * More than this many, and more than this share of a cluster's certificates, gone in one interval
 * is one incident.
 */
const MASS_COUNT = 3;
const MASS_SHARE = 1 / 5;

export interface Losses {
  readonly lost: Readonly<Record<string, LostRecord>>;
  /** uid by namespace, as far as it was asked. */
  readonly namespaces: Readonly<Record<string, string>>;
}

/** `gone`: keys of records with a shape that aren't present any more. */
export async function classifyLosses(
  gone: readonly string[],
  state: StateDocument,
  reader: ClusterReader,
  now: string,
): Promise<Losses> {
  const lost: Record<string, LostRecord> = {};
  const namespaces: Record<string, string> = {};
  const holding = gone.filter((key) => heldIn(standingRecord(state, key)).length > 0);
  if (holding.length === 0) return { lost, namespaces };
  const all = [...standingSecrets(state)].filter(({ record }) => heldIn(record).length > 0).length;
  const mass = holding.length > MASS_COUNT && holding.length > all * MASS_SHARE;
  const asked = new Map<string, Promise<Presence>>();
  const presence = (ref: Parameters<ClusterReader["presence"]>[0]): Promise<Presence> => {
    const id = JSON.stringify([ref.apiVersion, ref.kind, ref.namespace, ref.name]);
    const known = asked.get(id) ?? reader.presence(ref);
    asked.set(id, known);
    return known;
  };
  const lastSeenAt = state.audit?.lastCompleteAt ?? state.audit?.finishedAt ?? now;
  for (const key of holding) {
    const record = standingRecord(state, key);
    if (record === undefined) continue;
    const namespace = key.slice(0, key.indexOf("/"));
    const there = await presence({
      apiVersion: "v1",
      kind: "Namespace",
      namespace: null,
      name: namespace,
    });
    if (there.state === "present") namespaces[namespace] = there.uid;
    const before = Object.hasOwn(state.namespaces, namespace)
      ? state.namespaces[namespace]
      : undefined;
    const base = { lostAt: now, lastSeenAt, record };
    if (there.state === "absent")
      lost[key] = {
        ...base,
        how: "lost",
        incident: `namespace ${namespace} is gone`,
        namespaceGone: true,
      };
    else if (there.state === "present" && before !== undefined && before !== there.uid)
      lost[key] = {
        ...base,
        how: "lost",
        incident: `namespace ${namespace} was deleted and made anew`,
      };
    else if (mass)
      lost[key] = {
        ...base,
        how: "lost",
        incident: `${holding.length} of ${all} went between two audits`,
      };
    else lost[key] = { ...base, how: await singleLoss(record, presence), incident: null };
  }
  return { lost, namespaces };
}

async function singleLoss(
  record: SecretRecord,
  presence: (ref: NonNullable<SecretRecord["parent"]>) => Promise<Presence>,
): Promise<"lost" | "removed" | "unknown"> {
  // The operator's own Secret belongs to nothing that could have been removed with it.
  if (record.shape === "operator") return "lost";
  if (record.parent === null) return "unknown";
  const parent = await presence(record.parent);
  return parent.state === "present" ? "lost" : parent.state === "absent" ? "removed" : "unknown";
}

const ASKS_AT_ONCE = 16;

/**
 * Those that `state` lacks, asked of the cluster and recorded there. What isn't answered is asked
 * next time.
 */
export async function learnNamespaces(
  state: StateDocument,
  reader: Pick<ClusterReader, "presence">,
): Promise<void> {
  const { namespaces } = state;
  const names = new Set(
    [...standingSecrets(state)]
      .filter(({ record }) => Object.keys(record.certificates).length > 0)
      .map(({ namespace }) => namespace),
  );
  const limit = pLimit(ASKS_AT_ONCE);
  await Promise.all(
    [...names]
      .filter((name) => !Object.hasOwn(namespaces, name))
      .map((name) =>
        limit(async () => {
          try {
            const there = await reader.presence({
              apiVersion: "v1",
              kind: "Namespace",
              namespace: null,
              name,
            });
            if (there.state === "present") namespaces[name] = there.uid;
          } catch (error) {
            if (!isCertkeepError(error)) throw error;
          }
        }),
      ),
  );
}

/**
 * What became of Secrets that an earlier audit saw and this one didn't: lost, removed with its
 * parent, or not known. Only covered namespaces are concluded on.
 */
import pLimit from "p-limit";
import { isCertkeepError } from "../../error.ts";
import type { ClusterReader, ParentWants, Presence } from "../../ports/cluster.ts";
import { own } from "../../secret/shapes.ts";
import type { LostRecord, SecretRecord, StateDocument } from "../../state/document.ts";
import { massLossOf, namespaceIncident } from "../../state/incident.ts";
import {
  heldIn,
  type Loss,
  putIncident,
  type Secrets,
  standingRecord,
  standingSecrets,
} from "../../state/secrets.ts";

const PARENTS_AT_MOST = 500;
const ASKS_AT_ONCE = 16;

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
  const presence = presenceCache(reader);
  const lastSeenAt = state.audit?.lastCompleteAt ?? state.audit?.finishedAt ?? now;
  const single: (readonly [key: string, record: SecretRecord])[] = [];
  for (const key of holding) {
    const record = standingRecord(state, key);
    if (record === undefined) continue;
    const namespace = key.slice(0, key.indexOf("/"));
    const ref = { apiVersion: "v1", kind: "Namespace", namespace: null, name: namespace };
    const there = await presence(ref);
    if (there.state === "present" && there.deleting !== true) namespaces[namespace] = there.uid;
    const incident = namespaceIncident(there, own(state.namespaces, namespace));
    if (incident === null) single.push([key, record]);
    else
      lost[key] = {
        ...NAMESPACE_INCIDENTS[incident](namespace),
        ...{ how: "lost", lostAt: now, lastSeenAt, record },
      };
  }
  const hows = await pLimit(ASKS_AT_ONCE).map(single, async ([key, record], index) =>
    index < PARENTS_AT_MOST ? singleLoss(key, record, presence) : "unknown",
  );
  for (const [index, [key, record]] of single.entries())
    lost[key] = {
      ...{ how: hows[index] ?? "unknown", incident: null },
      ...{ lostAt: now, lastSeenAt, record },
    };
  return { lost, namespaces };
}

const NAMESPACE_INCIDENTS = {
  deleted: (namespace: string) => ({
    incident: `namespace ${namespace} was deleted`,
    namespaceGone: true,
  }),
  recreated: (namespace: string) => ({
    incident: `namespace ${namespace} was deleted and recreated`,
  }),
} as const;

export function markMassLoss(state: Secrets, nowMs: number): void {
  const incident = massLossOf(state, nowMs);
  if (incident === null) return;
  const { keys, count, all } = incident;
  putIncident(state, keys, `${count} of ${all} certificates were lost within one hour`);
}

type AskPresence = ClusterReader["presence"];

/** Asks about each object once. */
function presenceCache(reader: ClusterReader): AskPresence {
  const asked = new Map<string, Promise<Presence>>();
  return (ref) => {
    const id = JSON.stringify([ref.apiVersion, ref.kind, ref.namespace, ref.name]);
    const known = asked.get(id) ?? reader.presence(ref);
    asked.set(id, known);
    return known;
  };
}

async function singleLoss(
  key: string,
  record: SecretRecord,
  presence: AskPresence,
): Promise<Loss["how"]> {
  // The operator's own Secret belongs to nothing that could have been removed with it.
  if (record.shape === "operator") return "lost";
  if (record.parent === null) return "unknown";
  const parent = await presence(record.parent);
  if (parent.state !== "present") return parent.state === "absent" ? "removed" : "unknown";
  const { wants } = parent;
  return wants === undefined || isStillWanted(key, record, wants) ? "lost" : "replaced";
}

function isStillWanted(
  key: string,
  record: SecretRecord,
  { hosts, published, secret }: ParentWants,
): boolean {
  if (secret !== null && !key.endsWith(`/${secret}`)) return false;
  const names = heldIn(record).flatMap(([, { domain, names: all }]) =>
    (domain === null ? all : [domain]).map((name) => name.toLowerCase()),
  );
  if (record.shape === "tls")
    return hosts.length === 0 || names.some((name) => hosts.includes(name));
  // Tailscale appends the tailnet, which its status alone names.
  if (published.length > 0) return names.some((name) => published.includes(name));
  const label = (name: string): string => name.split(".", 1)[0] ?? "";
  return hosts.length === 0 || names.some((name) => hosts.map(label).includes(label(name)));
}

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

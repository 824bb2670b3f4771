/**
 * Reading what is wanted: TLS Secrets by pages, the next one taken while the one before is worked
 * on, all else by name. What is under way has ended when this ends, also by a failure: nothing
 * changes a state behind its run's back.
 */
import pLimit from "p-limit";
import { isCertkeepError } from "../../error.ts";
import type { ClusterReader, Scope } from "../../ports/cluster.ts";
import { secretKey, type Secret, type SecretMeta } from "../../secret/secret.ts";
import type { Shortfall } from "./context.ts";
import type { Discovery, Wanted } from "./discover.ts";

export interface ReadTasks {
  take(key: string, secret: Secret): Promise<void>;
  /** Whether a Secret that no listing told of is as it was recorded. */
  unchanged(key: string, stamp: Pick<SecretMeta, "uid" | "resourceVersion">): boolean;
  absent(key: string): void;
  /** A single Secret that could not be read: the others are. */
  unread(shortfall: Shortfall): void;
  step(done: number, total: number): void;
  readonly signal: AbortSignal | undefined;
}

const READS_AT_ONCE = 16;
/**
 * Enough to keep the threads that verify busy while a page is parsed; what each holds meanwhile
 * grows old in memory.
 */
const TAKEN_AT_ONCE = 32;
/** A server that lets this many single reads time out is given up for this run. */
const TIMEOUTS_AT_MOST = 3;

/** @throws CertkeepError where the cluster can't be read on; what was read by then counts */
export async function readWanted(
  reader: ClusterReader,
  discovery: Discovery,
  tasks: ReadTasks,
): Promise<void> {
  const { toRead, byName } = discovery;
  const named = new Set(byName.map(secretKey));
  const taken = new Set<string>();
  const [takes, reads] = [pLimit(TAKEN_AT_ONCE), pLimit(READS_AT_ONCE)];
  const failures: unknown[] = [];
  let timeouts = 0;
  const take = async (secret: Secret): Promise<void> => {
    const key = secretKey(secret);
    if (taken.has(key)) return;
    taken.add(key);
    await takes(() => tasks.take(key, secret));
    tasks.step(taken.size, toRead.size + byName.length);
  };
  const readOne = async ([key, { namespace, name }]: [string, Wanted]): Promise<void> => {
    if (failures.length > 0) return;
    try {
      tasks.signal?.throwIfAborted();
      const stamp = named.has(key) ? await reader.getStamp(namespace, name) : null;
      if (stamp !== null && tasks.unchanged(key, stamp)) return;
      const secret = await reader.getSecret(namespace, name);
      if (secret !== null) await take(secret);
      else tasks.absent(key);
    } catch (error) {
      const isTimeout = isCertkeepError(error, "cluster_timeout");
      if (isTimeout) timeouts += 1;
      if (
        isCertkeepError(error, "cluster_forbidden", "cluster_answer_invalid") ||
        (isTimeout && timeouts < TIMEOUTS_AT_MOST)
      )
        tasks.unread({ scope: `Secret ${key}`, code: error.code, message: error.message });
      else failures.push(error);
    }
  };
  const readEach = async (all: readonly Wanted[]): Promise<void> => {
    await reads.map(new Map(all.map((wanted) => [secretKey(wanted), wanted])), readOne);
    if (failures.length > 0) throw failures[0];
  };
  const { pages, single } = planReading(discovery);
  // A certificate's record names the account it was issued under, by the key that lies there.
  await readEach(single.filter(({ holdsAccounts }) => holdsAccounts));
  for (const scope of pages)
    await workThrough(reader.listSecrets(scope), async (secret) => {
      tasks.signal?.throwIfAborted();
      if (toRead.has(secretKey(secret))) await take(secret);
    });
  // What a page should have held and didn't may have changed its type, or be missing.
  const missed = [...toRead.values()].filter(
    (wanted) => wanted.type === "kubernetes.io/tls" && !taken.has(secretKey(wanted)),
  );
  const others = single.filter(({ holdsAccounts }) => !holdsAccounts);
  await readEach([...others, ...(pages.length === 0 ? [] : missed)]);
}

/** A page of TLS Secrets is worth reading where at least this share of it is wanted. */
const PAGE_SHARE = 1 / 3;
const PAGE_LEAST = 20;

/** How the wanted are best read: TLS Secrets by pages narrowed to their type, all else by name. */
function planReading(discovery: Discovery): {
  readonly pages: readonly Scope[];
  readonly single: readonly Wanted[];
} {
  const byScope = new Map<string, Wanted[]>();
  for (const wanted of discovery.toRead.values()) {
    if (wanted.type !== "kubernetes.io/tls") continue;
    const scope = discovery.tlsSeen.has(wanted.namespace) ? wanted.namespace : "";
    const list = byScope.get(scope);
    if (list === undefined) byScope.set(scope, [wanted]);
    else list.push(wanted);
  }
  const pages: Scope[] = [];
  const paged = new Set<Wanted>();
  for (const [scope, wanted] of byScope) {
    if (
      wanted.length < PAGE_LEAST ||
      wanted.length < PAGE_SHARE * (discovery.tlsSeen.get(scope) ?? 0)
    )
      continue;
    pages.push({ namespace: scope === "" ? null : scope, fieldSelector: "type=kubernetes.io/tls" });
    for (const one of wanted) paged.add(one);
  }
  return {
    pages,
    single: [...discovery.toRead.values(), ...discovery.byName].filter(
      (wanted) => !paged.has(wanted),
    ),
  };
}

/**
 * Works on two pages at a time: the next one is taken while the one before it is under way, so that
 * signatures keep all cores busy while a page is received and parsed. No more than two are held.
 * @throws what the pages or the work throw, the first of it, once nothing is under way any more
 */
export async function workThrough<T>(
  pages: AsyncIterable<readonly T[]>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let before: readonly Promise<void>[] = [];
  try {
    for await (const page of pages) {
      const earlier = before;
      before = page.map(work);
      // What fails is told when its page's turn comes.
      for (const one of before) one.catch(() => undefined);
      await settled(earlier);
    }
  } finally {
    await Promise.allSettled(before);
  }
  await settled(before);
}

async function settled(works: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(works);
  await Promise.all(works);
}

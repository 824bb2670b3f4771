/**
 * Reading what is wanted: TLS Secrets by pages, the next one taken while the one before is worked
 * on, all else by name. What is under way has ended when this ends, also by a failure: nothing
 * changes a state behind its run's back.
 */
import pLimit from "p-limit";
import { isCertkeepError } from "../../error.ts";
import type { ClusterReader } from "../../ports/cluster.ts";
import { secretKey, type Secret, type SecretMeta } from "../../secret/secret.ts";
import { planReading, type Discovery, type Shortfall, type Wanted } from "./discover.ts";
import { workThrough } from "./pages.ts";

export interface ReadTasks {
  /** Called once for each Secret that was read. */
  look(key: string, secret: Secret): Promise<void>;
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
const LOOKS_AT_ONCE = 32;
/** A server that lets this many single reads time out is given up for this run. */
const TIMEOUTS_AT_MOST = 3;

/** @throws CertkeepError where the cluster can't be read on; what was looked at by then counts */
export async function readWanted(
  reader: ClusterReader,
  discovery: Discovery,
  tasks: ReadTasks,
): Promise<void> {
  const { pages, single } = planReading(discovery);
  const total = discovery.toRead.size + discovery.byName.length;
  const met = new Set<string>();
  const looks = pLimit(LOOKS_AT_ONCE);
  const take = async (secret: Secret): Promise<void> => {
    const key = secretKey(secret);
    if (met.has(key)) return;
    met.add(key);
    await looks(() => tasks.look(key, secret));
    tasks.step(met.size, total);
  };
  const byName = new Set(discovery.byName.map(secretKey));
  const reads = pLimit(READS_AT_ONCE);
  const failures: unknown[] = [];
  let timeouts = 0;
  const readOne = async (key: string, wanted: Wanted): Promise<void> => {
    if (failures.length > 0) return;
    try {
      tasks.signal?.throwIfAborted();
      if (byName.has(key)) {
        const stamp = await reader.getStamp(wanted.namespace, wanted.name);
        if (stamp !== null && tasks.unchanged(key, stamp)) return;
      }
      const secret = await reader.getSecret(wanted.namespace, wanted.name);
      if (secret !== null) await take(secret);
      else tasks.absent(key);
    } catch (error) {
      if (isCertkeepError(error, "cluster_timeout")) timeouts += 1;
      const own =
        isCertkeepError(error, "cluster_forbidden", "cluster_answer_invalid") ||
        (isCertkeepError(error, "cluster_timeout") && timeouts < TIMEOUTS_AT_MOST);
      if (own) tasks.unread({ scope: `Secret ${key}`, code: error.code, message: error.message });
      else failures.push(error);
    }
  };
  const readSingle = async (all: readonly Wanted[]): Promise<void> => {
    const once = new Map(all.map((wanted) => [secretKey(wanted), wanted]));
    await Promise.all([...once].map(([key, wanted]) => reads(() => readOne(key, wanted))));
    if (failures.length > 0) throw failures[0];
  };
  // A certificate's record tells which account it was issued under, by the key that lies there.
  await readSingle(single.filter(({ holdsAccounts }) => holdsAccounts));
  for (const scope of pages) {
    await workThrough(reader.listSecrets(scope), async (secret) => {
      tasks.signal?.throwIfAborted();
      if (discovery.toRead.has(secretKey(secret))) await take(secret);
    });
  }
  // What a page was to hold and didn't is asked for by name: it may have changed its type, or be
  // gone.
  const missed =
    pages.length === 0
      ? []
      : [...discovery.toRead.values()].filter(
          (wanted) => wanted.type === "kubernetes.io/tls" && !met.has(secretKey(wanted)),
        );
  await readSingle([...single.filter(({ holdsAccounts }) => !holdsAccounts), ...missed]);
}

/**
 * Carries copies from one store into another as they are: after `stores.backups` was changed, from
 * Secrets Manager to S3 for instance. Nothing is opened or sealed, so no identity is needed, and
 * keys and digests stay what states say.
 *
 * A copy has arrived once it was read back and is the same, byte for byte, or is what a state
 * records; only then may the one in the old store go (`removeOld`). One that isn't what a state
 * recorded, or under whose key something else lies, is told and left. What was retired stays
 * behind: it is never to be used again. Interrupted, it goes on where it ended.
 */
import pLimit from "p-limit";
import { parseDocument } from "../backup/document.ts";
import { parseCopyKey } from "../backup/keys.ts";
import { CertkeepError, isCertkeepError, orError } from "../error.ts";
import type { BlobStore, StateStore } from "../ports/stores.ts";
import type { Progress } from "../ports/runtime.ts";
import type { StateDocument } from "../state/document.ts";
import { isMeantBy, listCopies } from "./copies.ts";
import { readState } from "./states.ts";

export interface MovePorts {
  readonly from: BlobStore;
  readonly to: BlobStore;
  readonly states: StateStore;
  readonly progress: Progress;
}

/**
 * `moved`: it was brought over. `current`: it was there already. `retired`, `failed`: left where it
 * is.
 */
export type MoveOutcome = "moved" | "current" | "retired" | "failed";

export interface MovedCopy {
  readonly key: string;
  readonly cluster: string;
  readonly outcome: MoveOutcome;
  /** What became of it in the old store. `kept`: it was to go and didn't, as `message` says. */
  readonly old: "left" | "removed" | "kept";
  readonly message: string | null;
}

const AT_ONCE = 8;

/**
 * `patterns` fit cluster, Secret or version; none: all. @throws CertkeepError where the old store
 * can't be listed
 */
export async function moveCopies(
  ports: MovePorts,
  patterns: readonly string[],
  removeOld: boolean,
): Promise<readonly MovedCopy[]> {
  const { from, to, states, progress } = ports;
  if (from.url === to.url)
    throw new CertkeepError("usage", {
      where: "--from",
      found: `backups are stored in ${from.url} already`,
      todo:
        "First name the new store under stores.backups in certkeep.yaml; --from names the store " +
        "to move them from",
    });
  const listing = await listCopies(from);
  const keys = listing.places.filter((place) => isMeantBy(patterns, place)).map(({ key }) => key);
  const known = new Map<string, StateDocument | CertkeepError | null>();
  for (const cluster of new Set(keys.map((key) => parseCopyKey(key)?.cluster ?? "")))
    known.set(cluster, await orError(readState(states, cluster)));
  const limit = pLimit(AT_ONCE);
  let done = 0;
  const unlisted = listing.problems.map(({ parts, message }): MovedCopy => ({
    key: parts.where,
    cluster: "",
    outcome: "failed",
    old: "left",
    message,
  }));
  const moved = await Promise.all(
    keys.toSorted().map((key) =>
      limit(async () => {
        const one = await moveOne(key, known, ports, removeOld);
        progress.step("moving copies", (done += 1), keys.length);
        return one;
      }),
    ),
  );
  return [...unlisted, ...moved];
}

async function moveOne(
  key: string,
  known: ReadonlyMap<string, StateDocument | CertkeepError | null>,
  { from, to }: MovePorts,
  removeOld: boolean,
): Promise<MovedCopy> {
  const { cluster = "", version = "" } = parseCopyKey(key) ?? {};
  const left = (outcome: MoveOutcome, message: string | null): MovedCopy => ({
    key,
    cluster,
    outcome,
    old: "left",
    message,
  });
  const state = known.get(cluster);
  // Without its state it isn't known what was retired.
  if (isCertkeepError(state)) return left("failed", state.message);
  const record = state?.copies[version];
  if (record?.retired !== undefined) return left("retired", null);
  try {
    // An audit may have sealed the same version again for the new store meanwhile: then that is the
    // one that is recorded.
    const arrived = record !== undefined && digestOf(await to.read(key)) === record.digest;
    const outcome = arrived ? "current" : await bring(key, record?.digest ?? null, from, to);
    if (outcome !== "moved" && outcome !== "current") return left("failed", outcome.problem);
    const copy = left(outcome, null);
    if (!removeOld) return copy;
    const kept = await orError(from.remove(key));
    if (kept === null) return { ...copy, old: "removed" };
    return { ...copy, old: "kept", message: isCertkeepError(kept) ? kept.message : kept };
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return left("failed", error.message);
  }
}

/** `recorded`: the digest that the state knows. @throws CertkeepError where a store failed */
async function bring(
  key: string,
  recorded: string | null,
  from: BlobStore,
  to: BlobStore,
): Promise<"moved" | "current" | { readonly problem: string }> {
  const bytes = await from.read(key);
  if (bytes === null) return { problem: "it was removed while it was looked at" };
  const parsed = parseDocument(new TextDecoder().decode(bytes));
  if (!parsed.ok) return { problem: `${parsed.problem.place}: ${parsed.problem.found}` };
  if (recorded !== null && recorded !== parsed.document.header.digest)
    return { problem: "it isn't the copy that an audit recorded" };
  const made = await to.create(key, bytes);
  const there = await to.read(key);
  if (there === null || Buffer.compare(there, bytes) !== 0)
    return { problem: `something else lies under its key in ${to.url}` };
  return made === "created" ? "moved" : "current";
}

/** Of a whole document; `null` for anything else. */
function digestOf(bytes: Uint8Array | null): string | null {
  const parsed = bytes === null ? null : parseDocument(new TextDecoder().decode(bytes));
  return parsed?.ok === true ? parsed.document.header.digest : null;
}

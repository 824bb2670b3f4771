/**
 * Whether a copy may be restored at all, and whether it is better than what is there: the rules
 * that keep a restore from making things worse. They don't depend on the shape.
 *
 * Whose backups a restore may read. A state says where backups lie, and whoever can write states
 * could let one cluster's entry point at another's backup; so what counts is the cluster that the
 * sealed part of the backup names. Pure.
 */
import type { CopyFacts } from "../backup/record.ts";
import type { StateDocument } from "../state/document.ts";
import { type Detail, type Objection, objection, type PlanCode } from "./objection.ts";
import { predecessorsOf } from "./successor.ts";
import type { JudgedPair, OpenedCopy, Wanted } from "./view.ts";

interface CopyOptions {
  readonly unrecorded: boolean;
  readonly standby: boolean;
  readonly nowMs: number;
}

export function sameNames(a: readonly string[], b: readonly string[]): boolean {
  const set = (names: readonly string[]): string =>
    JSON.stringify([...new Set(names.map((name) => name.toLowerCase()))].toSorted());
  return set(a) === set(b);
}

/** All that rules out a backup by itself, the worst first. */
export function copyObjections(
  copy: OpenedCopy,
  wanted: Wanted,
  options: CopyOptions,
): readonly Objection[] {
  const found: Objection[] = [];
  const say = (code: PlanCode, detail?: Detail | null): number =>
    found.push(objection(code, detail));
  if (copy.retired !== null) say("copy_retired", { kind: "retired", reason: copy.retired });
  if (!copy.recorded && !options.unrecorded) say("copy_unrecorded");
  const { pair, record } = copy;
  if (record.header.kind === "account-key") {
    if (
      record.header.accountThumbprint === null ||
      (wanted.knownAccounts.length > 0 &&
        !wanted.knownAccounts.includes(record.header.accountThumbprint))
    )
      say("account_unknown");
    return found;
  }
  if (pair === null) return found;
  if (copy.revocation.state === "revoked")
    say(
      "copy_revoked",
      copy.revocation.at === null ? null : { kind: "revoked", at: copy.revocation.at },
    );
  if (record.header.kind === "standby") {
    if (!options.standby) say("standby_not_asked");
    if (copy.shape !== "tls" || (wanted.lastShape !== null && wanted.lastShape !== "tls"))
      say("standby_for_tailscale");
  }
  if (!pair.keyFits) say("copy_key_mismatch");
  else if (!pair.verdict.valid)
    found.push(
      invalidObjection(pair, record.header.kind === "standby", options.nowMs) ??
        objection("copy_invalid", { kind: "reasons", reasons: pair.verdict.reasons }),
    );
  // A standby certificate is of another origin by design: whether it is trusted is its user's
  // business.
  const standbyFine =
    record.header.kind === "standby" &&
    found.at(-1)?.code === "copy_invalid" &&
    pair.verdict.reasons.every((reason) => ORIGIN_REASONS.has(reason));
  if (standbyFine) found.pop();
  if (wanted.lastNames !== null && !sameNames(wanted.lastNames, pair.names)) {
    say("names_differ", { kind: "names", copy: pair.names, lastSeen: wanted.lastNames });
  }
  return found;
}

const ORIGIN_REASONS: ReadonlySet<string> = new Set(["unknown_issuer", "missing_intermediate"]);

function invalidObjection(pair: JudgedPair, standby: boolean, nowMs: number): Objection | null {
  if (pair.notAfterMs !== null && nowMs > pair.notAfterMs)
    return objection("copy_expired", { kind: "expired", atMs: pair.notAfterMs });
  if (pair.notBeforeMs !== null && nowMs < pair.notBeforeMs)
    return objection("copy_not_yet_valid", { kind: "not_before", atMs: pair.notBeforeMs });
  return pair.staging && !standby ? objection("copy_staging") : null;
}

/**
 * Whether the copy is better than a live pair: that one is invalid, or the copy has all of its
 * names and ends later.
 */
export function isBetter(copy: JudgedPair, live: JudgedPair): boolean {
  if (!live.verdict.valid) return true;
  if (!copy.verdict.valid || !coversNames(copy.names, live.names)) return false;
  return copy.notAfterMs !== null && live.notAfterMs !== null && copy.notAfterMs > live.notAfterMs;
}

/** To the letter: a wildcard isn't taken for the names that it fits. */
function coversNames(wider: readonly string[], names: readonly string[]): boolean {
  const known = new Set(wider.map((name) => name.toLowerCase()));
  return names.every((name) => known.has(name.toLowerCase()));
}

export interface Readable {
  /**
   * Name that a person gave, as the state is stored under it: what the state itself says isn't
   * believed.
   */
  readonly cluster: string;
  /**
   * Keys of the identities that they came from; `null`: nothing recorded one, and a person vouches
   * for the name.
   */
  readonly identities: readonly string[] | null;
  /** Key of the cluster that is there: it had that for a name before it was given one. */
  readonly unnamed?: string;
}

/** As a standby has it that was imported before anything recorded which cluster it is for. */
export const UNKNOWN_IDENTITY = "unknown";

/**
 * The cluster of this state, and those that it succeeded. `anyIdentity`: whatever identity lies
 * under its name.
 */
export function readableOf(
  key: string,
  state: StateDocument,
  anyIdentity = false,
  unnamed: string | null = null,
): Readable {
  if (anyIdentity) return { cluster: key, identities: null };
  // Without a pin whoever answers isn't known to be the successor either.
  if (state.identity === null) return { cluster: key, identities: [] };
  const earlier = predecessorsOf(state).map((one) => one.key);
  const identities = [state.identity.key, ...earlier];
  return unnamed !== null && unnamed === state.identity.key
    ? { cluster: key, identities, unnamed }
    : { cluster: key, identities };
}

export function mayRead(
  { cluster, clusterIdentity }: Pick<CopyFacts, "cluster" | "clusterIdentity">,
  readable: Readable,
): boolean {
  const { identities, unnamed } = readable;
  if (cluster === unnamed && clusterIdentity === unnamed) return true;
  if (cluster !== readable.cluster || identities?.length === 0) return false;
  return (
    identities === null ||
    clusterIdentity === UNKNOWN_IDENTITY ||
    identities.includes(clusterIdentity)
  );
}

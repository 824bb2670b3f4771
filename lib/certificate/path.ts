/**
 * Paths from a leaf to an anchor: crypto/x509 verify.go of Go 1.26, Certificate.Verify and
 * buildChains, at one instant. Its order of candidates and its limit of 100 signature checks are
 * kept, because with many certificates of one name they decide the answer. The limit counts
 * candidates looked at at that instant, so a search is cheap whatever the chain holds, and the
 * windows of a pair are found by searching again after each instant at which something that was
 * looked at begins or ends (`findWindows`).
 */
import { type Anchors, createPool, type Pool } from "./anchors.ts";
import { checkConstraints } from "./constraint.ts";
import type { Certificate } from "./parse.ts";
import { policiesValid } from "./policy.ts";
import { OID } from "./asn1.ts";
import type { Reason } from "./reason.ts";
import type { Verifier } from "./verifier.ts";

/** verify.go, maxChainSignatureChecks. */
const MAX_SIGNATURE_CHECKS = 100;

/** A span of instants, both ends included, in ns since 1970. */
export interface Window {
  fromMs: number;
  untilMs: number;
}

export interface PathSearch {
  leaf: Certificate;
  intermediates: readonly Certificate[];
  anchors: Anchors;
  verifier: Verifier;
}

export interface PathResult {
  windows: Window[];
  /** What stood in the way of candidates and paths, at any instant. */
  obstacles: ReadonlySet<Reason>;
  /**
   * The anchor of the first path found, whether or not the path is good for servers; null for none.
   */
  anchor: Certificate | null;
}

/**
 * Instants looked at for one leaf at most; it takes thousands of certificates in one chain to need
 * as many.
 */
const MAX_STEPS = 5_000;

/** The windows in which Verify (without a name) accepts the leaf; adjacent ones are joined. */
export async function findWindows(search: PathSearch): Promise<PathResult> {
  const { leaf, anchors } = search;
  const pool = createPool(search.intermediates);
  const obstacles = new Set<Reason>();
  const windows: Window[] = [];
  let anchor: Certificate | null = null;

  if (leaf.known.unhandledCritical.length > 0) obstacles.add("unhandled_critical_extension");
  const isAnchor = anchors.has(leaf);
  let at = leaf.notBeforeMs;
  for (let step = 0; at <= leaf.notAfterMs; step++) {
    if (step === MAX_STEPS) {
      obstacles.add("too_many_paths");
      break;
    }
    const state: State = {
      ...search,
      pool,
      at,
      checks: 0,
      obstacles,
      nextMs: leaf.notAfterMs + 1,
    };
    const chains: Certificate[][] = isAnchor ? [[leaf]] : await buildChains([leaf], state);
    let holds = false;
    for (const chain of chains) {
      anchor ??= chain[chain.length - 1] as Certificate;
      const obstacle = refuseChain(chain);
      if (obstacle === null) holds = true;
      else obstacles.add(obstacle);
    }
    if (holds && leaf.known.unhandledCritical.length === 0) {
      const last = windows[windows.length - 1];
      if (last !== undefined && last.untilMs === at - 1) last.untilMs = state.nextMs - 1;
      else windows.push({ fromMs: at, untilMs: state.nextMs - 1 });
    }
    at = state.nextMs;
  }
  if (windows.length === 0 && anchor === null) await dropIdleTimes(search, pool, obstacles);
  return { windows, obstacles, anchor };
}

const TIMES: readonly Reason[] = ["intermediate_expired", "intermediate_not_yet_valid"];

/** A time stands in the way only of a path that leads to an anchor but for it. */
async function dropIdleTimes(
  search: PathSearch,
  pool: Pool,
  obstacles: Set<Reason>,
): Promise<void> {
  if (!TIMES.some((reason) => obstacles.has(reason))) return;
  const met = new Set<Reason>();
  const state: State = { ...search, pool, at: null, checks: 0, obstacles: met, nextMs: 0 };
  const chains = await buildChains([search.leaf], state);
  if (chains.length > 0 || met.has("too_many_paths")) return;
  for (const reason of TIMES) obstacles.delete(reason);
  for (const reason of met) obstacles.add(reason);
}

interface State extends PathSearch {
  pool: Pool;
  /** Milliseconds since 1970; `null`: times don't count. */
  at: number | null;
  checks: number;
  obstacles: Set<Reason>;
  /** First later instant at which the search could go another way. */
  nextMs: number;
}

/** verify.go, buildChains. */
async function buildChains(chain: readonly Certificate[], state: State): Promise<Certificate[][]> {
  const child = chain[chain.length - 1] as Certificate;
  const chains: Certificate[][] = [];
  for (const isAnchor of [true, false]) {
    for (const candidate of potentialParents(isAnchor ? state.anchors : state.pool, child)) {
      state.checks++;
      if (state.checks > MAX_SIGNATURE_CHECKS) {
        state.obstacles.add("too_many_paths");
        return chains;
      }
      if (candidate.publicKey.kind === "unknown" || isInChain(candidate, chain)) continue;
      const check = state.verifier.check(child, candidate);
      const refused = check === null || typeof check === "string" ? check : await check;
      const obstacle = refused ?? refuseIssuer(candidate, isAnchor, chain.length, state);
      if (obstacle !== null) {
        state.obstacles.add(obstacle);
        continue;
      }
      const longer = [...chain, candidate];
      if (isAnchor) chains.push(longer);
      else chains.push(...(await buildChains(longer, state)));
    }
  }
  return chains;
}

/**
 * verify.go, isValid for an intermediate or root; names match already, as candidates are found by
 * them.
 */
function refuseIssuer(
  candidate: Certificate,
  isAnchor: boolean,
  chainLength: number,
  state: State,
): Reason | null {
  const { known } = candidate;
  if (known.unhandledCritical.length > 0) return "unhandled_critical_extension";
  const untimely = state.at === null ? null : refuseTime(candidate, state.at, state);
  if (untimely !== null) return untimely;
  if (!isAnchor && (!known.basicConstraintsValid || !known.isCa)) return "not_a_ca";
  if (known.basicConstraintsValid && known.maxPathLen >= 0 && chainLength - 1 > known.maxPathLen)
    return "path_too_long";
  return null;
}

function refuseTime(candidate: Certificate, at: number, state: State): Reason | null {
  if (at < candidate.notBeforeMs) {
    if (candidate.notBeforeMs < state.nextMs) state.nextMs = candidate.notBeforeMs;
    return "intermediate_not_yet_valid";
  }
  if (at > candidate.notAfterMs) return "intermediate_expired";
  if (candidate.notAfterMs < state.nextMs) state.nextMs = candidate.notAfterMs + 1;
  return null;
}

/** cert_pool.go, findPotentialParents: key identifiers order the candidates and exclude none. */
function potentialParents(pool: Pool, child: Certificate): readonly Certificate[] {
  const all = pool.parentsOf(child);
  if (all.length < 2) return all;
  const matching: Certificate[] = [];
  const oneSided: Certificate[] = [];
  const mismatched: Certificate[] = [];
  for (const candidate of all) {
    if (Buffer.compare(candidate.skid, child.akid) === 0) matching.push(candidate);
    else if ((candidate.skid.length === 0) !== (child.akid.length === 0)) oneSided.push(candidate);
    else mismatched.push(candidate);
  }
  return [...matching, ...oneSided, ...mismatched];
}

/** verify.go, alreadyInChain: same subject, key and alternative names. */
function isInChain(candidate: Certificate, chain: readonly Certificate[]): boolean {
  const san = candidate.known.subjectAltName;
  for (const certificate of chain) {
    if (Buffer.compare(candidate.rawSubject, certificate.rawSubject) !== 0) continue;
    if (Buffer.compare(candidate.rawSpki, certificate.rawSpki) !== 0) continue;
    const other = certificate.known.subjectAltName;
    if (san === null && other === null) return true;
    // Go stops looking here rather than going on with the rest of the chain.
    if (san === null || other === null) return false;
    if (Buffer.compare(san, other) === 0) return true;
  }
  return false;
}

/**
 * What Verify does with each candidate chain: policies, key usages, name constraints, in this
 * order.
 */
function refuseChain(chain: readonly Certificate[]): Reason | null {
  if (!policiesValid(chain)) return "policy_invalid";
  if (!chain.every(({ known }) => isServerAuth(known.extKeyUsages))) return "not_server_auth";
  return checkConstraints(chain.map(({ known }) => known)) ? null : "name_constraint";
}

/** verify.go, checkChainForKeyUsage with serverAuth alone asked for. */
function isServerAuth(usages: readonly string[]): boolean {
  return usages.length === 0 || usages.includes(OID.ekuAny) || usages.includes(OID.ekuServerAuth);
}

/**
 * Certificate policies along a path: RFC 5280 §6.1 as RFC 9618 updates it, in the form of
 * crypto/x509 verify.go, policiesValid, for a caller that accepts any policy. It fails only where a
 * certificate asks for an explicit policy that no chain of policies gives, or maps anyPolicy.
 */
import type { Extensions } from "./extension.ts";
import { OID } from "./asn1.ts";

export interface PolicySubject {
  rawIssuer: Buffer;
  rawSubject: Buffer;
  known: Pick<
    Extensions,
    | "policies"
    | "policyMappings"
    | "requireExplicitPolicy"
    | "inhibitPolicyMapping"
    | "inhibitAnyPolicy"
  >;
}

interface Node {
  policy: string;
  expected: string[];
  parents: Set<Node>;
  children: Set<Node>;
}

function createNode(policy: string, parents: Iterable<Node>): Node {
  const node: Node = { policy, expected: [policy], parents: new Set(parents), children: new Set() };
  for (const parent of node.parents) parent.children.add(node);
  return node;
}

/** verify.go, policyGraph. */
class Graph {
  strata: Map<string, Node>[] = [new Map([[OID.anyPolicy, createNode(OID.anyPolicy, [])]])];
  #parentIndex = new Map<string, Node[]>();

  get leaves(): Map<string, Node> {
    return this.strata[this.strata.length - 1] as Map<string, Node>;
  }

  get parents(): Map<string, Node> {
    return this.strata[this.strata.length - 2] as Map<string, Node>;
  }

  parentsExpecting(policy: string): Node[] {
    return this.#parentIndex.get(policy) ?? [];
  }

  insert(node: Node): void {
    this.leaves.set(node.policy, node);
  }

  deleteLeaf(policy: string): void {
    const node = this.leaves.get(policy);
    if (node === undefined) return;
    for (const parent of node.parents) parent.children.delete(node);
    for (const child of node.children) child.parents.delete(node);
    this.leaves.delete(policy);
  }

  deepen(): void {
    this.#parentIndex = new Map();
    for (const node of this.leaves.values()) {
      for (const expected of node.expected) {
        const nodes = this.#parentIndex.get(expected);
        if (nodes === undefined) this.#parentIndex.set(expected, [node]);
        else nodes.push(node);
      }
    }
    this.strata.push(new Map());
  }

  /** Drops childless nodes above the leaves; the root stays. */
  prune(): void {
    for (let depth = this.strata.length - 2; depth > 0; depth--) {
      const stratum = this.strata[depth] as Map<string, Node>;
      for (const node of [...stratum.values()]) {
        if (node.children.size > 0) continue;
        for (const parent of node.parents) parent.children.delete(node);
        stratum.delete(node.policy);
      }
    }
  }

  /** Whether the valid policy node set, RFC 9618 §5.6, holds anything. */
  hasValidPolicy(): boolean {
    if (this.leaves.has(OID.anyPolicy)) return true;
    for (const stratum of this.strata) {
      for (const node of stratum.values()) {
        if (node.policy === OID.anyPolicy || node.parents.size !== 1) continue;
        for (const parent of node.parents) if (parent.policy === OID.anyPolicy) return true;
      }
    }
    return false;
  }
}

/** `chain` is leaf first, anchor last. */
export function policiesValid(chain: readonly PolicySubject[]): boolean {
  if (chain.length === 1) return true;
  const n = chain.length - 1;
  const path = chain.slice(0, n);
  if (
    path.every(
      ({ known }) => known.requireExplicitPolicy === null && known.policyMappings.length === 0,
    )
  )
    return true;

  let graph: Graph | null = new Graph();
  let inhibitAnyPolicy = n + 1;
  let explicitPolicy = n + 1;
  let policyMapping = n + 1;

  for (let i = n - 1; i >= 0; i--) {
    const { known, rawIssuer, rawSubject } = path[i] as PolicySubject;
    const selfIssued = Buffer.compare(rawIssuer, rawSubject) === 0;

    if (known.policies.length === 0) graph = null;
    if (explicitPolicy === 0 && graph === null) return false;

    if (graph !== null) {
      graph.deepen();
      addPolicies(graph, known.policies, inhibitAnyPolicy > 0 || (i > 0 && selfIssued));
      if (i !== 0 && known.policyMappings.length > 0) {
        if (!mapPolicies(graph, known.policyMappings, policyMapping > 0)) return false;
      }
    }

    if (i !== 0) {
      if (!selfIssued) {
        if (explicitPolicy > 0) explicitPolicy--;
        if (policyMapping > 0) policyMapping--;
        if (inhibitAnyPolicy > 0) inhibitAnyPolicy--;
      }
      explicitPolicy = lesser(known.requireExplicitPolicy, explicitPolicy);
      policyMapping = lesser(known.inhibitPolicyMapping, policyMapping);
      inhibitAnyPolicy = lesser(known.inhibitAnyPolicy, inhibitAnyPolicy);
    }
  }

  if (explicitPolicy > 0) explicitPolicy--;
  if ((path[0] as PolicySubject).known.requireExplicitPolicy === 0) explicitPolicy = 0;
  return explicitPolicy !== 0 || (graph !== null && graph.hasValidPolicy());
}

/** RFC 5280 §6.1.4 (i) and (j); a negative count is as good as none in Go. */
function lesser(limit: number | null, current: number): number {
  return limit !== null && limit >= 0 && limit < current ? limit : current;
}

/** RFC 9618 §5.4, 6.1.3 (d). */
function addPolicies(graph: Graph, policies: readonly string[], anyAllowed: boolean): void {
  for (const policy of policies) {
    if (policy === OID.anyPolicy) continue;
    let parents = graph.parentsExpecting(policy);
    if (parents.length === 0) {
      const any = graph.parents.get(OID.anyPolicy);
      if (any !== undefined) parents = [any];
    }
    if (parents.length > 0) graph.insert(createNode(policy, parents));
  }
  if (anyAllowed && policies.includes(OID.anyPolicy)) {
    const missing = new Map<string, Node[]>();
    for (const parent of graph.parents.values()) {
      for (const expected of parent.expected) {
        if (!graph.leaves.has(expected))
          missing.set(expected, [...(missing.get(expected) ?? []), parent]);
      }
    }
    for (const [policy, parents] of missing) graph.insert(createNode(policy, parents));
  }
  graph.prune();
}

/** RFC 9618 §5.5, 6.1.4 (b); false for a mapping of anyPolicy. */
function mapPolicies(
  graph: Graph,
  mappings: Extensions["policyMappings"],
  allowed: boolean,
): boolean {
  const bySource = new Map<string, string[]>();
  for (const { issuer, subject } of mappings) {
    if (!allowed) {
      graph.deleteLeaf(issuer);
      continue;
    }
    if (issuer === OID.anyPolicy || subject === OID.anyPolicy) return false;
    bySource.set(issuer, [...(bySource.get(issuer) ?? []), subject]);
  }
  graph.prune();
  for (const [issuer, subjects] of bySource) {
    const found = graph.leaves.get(issuer);
    const any = graph.leaves.get(OID.anyPolicy);
    if (found !== undefined) {
      found.expected = subjects;
    } else if (any !== undefined) {
      const node = createNode(issuer, [any]);
      node.expected = subjects;
      graph.insert(node);
    }
  }
  return true;
}

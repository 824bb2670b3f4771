/** From the parts that are wanted to RBAC rules and to single questions for the server. Pure. */
import type { V1PolicyRule } from "@kubernetes/client-node";
import { CAPABILITIES, wantsRestore, type Bearer, type Capability, type Part } from "./table.ts";

/** What a registration asks for. */
export interface AccessPlan {
  readonly parts: readonly Part[];
  /** Names, no patterns (RBAC knows none); `null`: all namespaces. */
  readonly namespaces: readonly string[] | null;
  /** Secrets by name, for the part `named`. */
  readonly secrets: readonly { readonly namespace: string; readonly name: string }[];
}

export type Rule = Readonly<
  Required<Pick<V1PolicyRule, "apiGroups" | "resources" | "verbs">> &
    Pick<V1PolicyRule, "resourceNames">
>;

/** One thing that a credential should be able to do. */
export interface Question {
  readonly capability: Capability;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  /** `null`: in all namespaces, or at the cluster scope. */
  readonly namespace: string | null;
  /** `null`: whatever it is called. */
  readonly name: string | null;
}

/** Namespaces that a bearer is given something in. */
export function namespacesOf(plan: AccessPlan): readonly string[] {
  return [
    ...new Set([...(plan.namespaces ?? []), ...plan.secrets.map(({ namespace }) => namespace)]),
  ].toSorted();
}

function wanted(plan: AccessPlan, bearer: Bearer): readonly Capability[] {
  if (bearer === "restore" && !wantsRestore(plan.parts)) return [];
  return CAPABILITIES.filter(
    ({ part, bearers }) =>
      bearers.includes(bearer) && (part === "identity" || plan.parts.includes(part)),
  );
}

/** Everything that `bearer` is to be able to do, one verb and place each. */
export function questionsOf(plan: AccessPlan, bearer: Bearer): Question[] {
  return wanted(plan, bearer).flatMap((capability) =>
    capability.verbs.flatMap((verb) =>
      placesOf(capability, plan).map(({ namespace, name }) => ({
        capability,
        verb,
        group: capability.group,
        resource: capability.resource,
        namespace,
        name,
      })),
    ),
  );
}

function placesOf(
  capability: Capability,
  plan: AccessPlan,
): { readonly namespace: string | null; readonly name: string | null }[] {
  switch (capability.reach) {
    case "kube-system":
      return [{ namespace: "kube-system", name: "kube-system" }];
    case "self":
      return plan.namespaces === null
        ? [{ namespace: null, name: null }]
        : namespacesOf(plan).map((name) => ({ namespace: name, name }));
    case "namespaces":
      // With Secrets by name alone, the rest is granted where those are.
      return plan.namespaces === null
        ? [{ namespace: null, name: null }]
        : namespacesOf(plan).map((namespace) => ({ namespace, name: null }));
    case "names":
      return plan.secrets.map(({ namespace, name }) => ({ namespace, name }));
    case "cluster":
      return [{ namespace: null, name: null }];
  }
}

/**
 * Where the permission for a question is granted. Reading a namespace is granted at the cluster
 * scope, by its name: a Role inside the namespace would be deleted with it, and whoever asks then
 * is told 403 instead of 404.
 */
function grantedIn({ resource, namespace }: Question): string | null {
  return resource === "namespaces" ? null : namespace;
}

/** The questions about namespaces whose answer is lost with them if a Role inside grants it. */
export function namespaceQuestions(plan: AccessPlan, bearer: Bearer): Question[] {
  return questionsOf(plan, bearer).filter(
    ({ capability, name }) => capability.reach === "self" && name !== null,
  );
}

/** Rules of one bearer by where they stand: a Role in a namespace, or a ClusterRole. */
export interface PlacedRules {
  /** `null`: a ClusterRole. */
  readonly namespace: string | null;
  readonly rules: readonly Rule[];
}

/**
 * The RBAC of one bearer: places in the order of their names, the cluster's first; rules that
 * differ in their verbs alone are one.
 */
export function rulesOf(plan: AccessPlan, bearer: Bearer): PlacedRules[] {
  interface Verbs {
    readonly group: string;
    readonly resource: string;
    readonly names: Set<string>;
    readonly verbs: Set<string>;
  }
  const places = new Map<string | null, Map<string, Verbs>>();
  for (const question of questionsOf(plan, bearer)) {
    const { verb, group, resource, name } = question;
    const namespace = grantedIn(question);
    const rules = places.get(namespace) ?? new Map<string, Verbs>();
    places.set(namespace, rules);
    const key = `${group}|${resource}|${name === null ? "all" : "named"}`;
    const rule = rules.get(key) ?? { group, resource, names: new Set(), verbs: new Set() };
    rules.set(key, rule);
    rule.verbs.add(verb);
    if (name !== null) rule.names.add(name);
  }
  return [...places]
    .map(([namespace, rules]) => ({
      namespace,
      rules: [...rules.values()].map(({ group, resource, names, verbs }) => ({
        apiGroups: [group],
        resources: [resource],
        ...(names.size === 0 ? {} : { resourceNames: [...names].toSorted() }),
        verbs: [...verbs].toSorted(),
      })),
    }))
    .toSorted((a, b) =>
      a.namespace === null ? -1 : b.namespace === null ? 1 : a.namespace < b.namespace ? -1 : 1,
    );
}

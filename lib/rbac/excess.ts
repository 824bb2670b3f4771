/**
 * What a credential can do beyond what it needs, by the rules that the server tells of it. Pure.
 *
 * What everybody in the cluster may do isn't counted: the built-in part is known here, the rest is
 * measured by asking as nobody in particular, where somebody may. Paths that are no resources
 * (health, discovery) change nothing and aren't looked at.
 */
import { questionsOf, type AccessPlan, type Rule } from "./rules.ts";
import type { Bearer } from "./table.ts";
import { fieldsOf, listOf } from "../untrusted.ts";

/** The server's rules for a credential in one namespace; cluster-wide ones are told in each. */
export interface GrantedRules {
  readonly namespace: string;
  readonly rules: readonly Rule[];
  /** The server couldn't tell all: an authorizer of it can't list what it grants. */
  readonly incomplete: boolean;
}

export interface Excess {
  /** `*`: any. */
  readonly verb: string;
  readonly resource: string;
  /** Empty for the core group, `*` for any. */
  readonly group: string;
  /** `null`: all of the resource. */
  readonly name: string | null;
  /** Sorted; `null`: in all that were looked at, several. */
  readonly namespaces: readonly string[] | null;
  /** Changes something, reads Secrets or keys, or lends other identities: more than a nuisance. */
  readonly dangerous: boolean;
}

/**
 * ClusterRole system:basic-user: bound to everybody who is known (k8s.io/kubernetes
 * plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go).
 */
const BASIC: readonly Rule[] = [
  {
    apiGroups: ["authorization.k8s.io"],
    resources: ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    verbs: ["create"],
  },
  { apiGroups: ["authentication.k8s.io"], resources: ["selfsubjectreviews"], verbs: ["create"] },
];

const READING = new Set(["get", "list", "watch"]);
/** Reading these is as good as holding a key, a shell or another identity. */
const SENSITIVE = new Set([
  "secrets",
  "pods/exec",
  "pods/attach",
  "pods/portforward",
  "pods/proxy",
  "services/proxy",
  "nodes/proxy",
  "*",
]);

/** Rules as the server's answer holds them, narrowed to texts; what isn't a rule is left out. */
export function parseRules(raw: unknown): Rule[] {
  const texts = (value: unknown): string[] =>
    listOf(value).filter((item) => typeof item === "string");
  return listOf(raw).map((item) => {
    const { verbs, apiGroups, resources, resourceNames } = fieldsOf(item);
    const names = texts(resourceNames);
    return {
      verbs: texts(verbs),
      apiGroups: texts(apiGroups),
      resources: texts(resources),
      ...(names.length === 0 ? {} : { resourceNames: names }),
    };
  });
}

interface Grant {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly name: string | null;
}

function grantsOf(rule: Rule): Grant[] {
  const names: readonly (string | null)[] = rule.resourceNames ?? [null];
  return rule.verbs.flatMap((verb) =>
    rule.apiGroups.flatMap((group) =>
      rule.resources.flatMap((resource) => names.map((name) => ({ verb, group, resource, name }))),
    ),
  );
}

const covers = (rule: string, asked: string): boolean => rule === asked || rule === "*";

function isCovered(grant: Grant, rules: readonly Rule[]): boolean {
  return rules.some(
    (rule) =>
      rule.verbs.some((verb) => covers(verb, grant.verb)) &&
      rule.apiGroups.some((group) => covers(group, grant.group)) &&
      rule.resources.some((resource) => covers(resource, grant.resource)) &&
      (rule.resourceNames === undefined ||
        (grant.name !== null && rule.resourceNames.includes(grant.name))),
  );
}

/** `namespaces` are those that were asked about; `everybody` is what anyone at all may do there. */
export function excessOf(
  plan: AccessPlan,
  bearers: readonly Bearer[],
  granted: readonly GrantedRules[],
  everybody: readonly GrantedRules[],
): Excess[] {
  const questions = bearers.flatMap((bearer) => questionsOf(plan, bearer));
  const found = new Map<string, { readonly grant: Grant; readonly places: Set<string> }>();
  for (const { namespace, rules } of granted) {
    const allowed: Rule[] = [
      ...BASIC,
      ...(everybody.find((one) => one.namespace === namespace)?.rules ?? []),
      // A namespace is named by its own name, wherever the right to get it was given.
      ...questions
        .filter(
          (question) =>
            question.namespace === null ||
            question.namespace === namespace ||
            (question.resource === "namespaces" && question.name !== null),
        )
        .map(({ verb, group, resource, name }) => ({
          verbs: [verb],
          apiGroups: [group],
          resources: [resource],
          ...(name === null ? {} : { resourceNames: [name] }),
        })),
    ];
    for (const grant of rules.flatMap(grantsOf)) {
      if (isCovered(grant, allowed)) continue;
      const { verb, resource, group, name } = grant;
      const key = JSON.stringify([verb, resource, group, name]);
      const entry = found.get(key) ?? { grant, places: new Set<string>() };
      entry.places.add(namespace);
      found.set(key, entry);
    }
  }
  const everywhere = new Set(granted.map(({ namespace }) => namespace)).size;
  return [...found]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { grant, places }]) => {
      const { verb, resource, group, name } = grant;
      const namespaces =
        places.size === everywhere && everywhere > 1 ? null : [...places].toSorted();
      return { verb, resource, group, name, namespaces, dangerous: isDangerous(grant) };
    })
    .toSorted((a, b) => Number(b.dangerous) - Number(a.dangerous));
}

function isDangerous({ verb, resource }: Grant): boolean {
  return !READING.has(verb) || SENSITIVE.has(resource);
}

/**
 * Namespaces whose rules tell whether a credential is too broad: those that are audited, and two
 * that never are.
 */
export function probedNamespaces(plan: AccessPlan, audited: readonly string[]): string[] {
  return [
    ...new Set([
      ...audited,
      "default",
      "kube-system",
      ...plan.secrets.map(({ namespace }) => namespace),
    ]),
  ].toSorted();
}

/**
 * Who somebody is by their token, and what they may do: roles as rules, in a namespace or
 * everywhere, decided as RBAC decides (a rule allows, nothing forbids).
 */
import type { Resource } from "./objects.ts";
import { forbidden, invalid } from "./status.ts";

export interface AccessRule {
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, or `*`. */
  readonly verbs: readonly string[];
  /** `secrets`, `pods/log`, or `*`. */
  readonly resources: readonly string[];
  /** Default: every group. */
  readonly apiGroups?: readonly string[];
  /** Default: whatever it is called. */
  readonly resourceNames?: readonly string[];
  /** Default: in every namespace and at the cluster scope. */
  readonly namespace?: string;
}

export interface Account {
  /** For instance `system:serviceaccount:certkeep:reader`. */
  readonly user: string;
  /** `system:masters` may do everything. */
  readonly groups?: readonly string[];
  readonly rules: readonly AccessRule[];
}

/** One thing that somebody wants to do. */
export interface Attempt {
  readonly verb: string;
  readonly group: string;
  /** With its subresource: `pods/log`. */
  readonly resource: string;
  readonly namespace: string | null;
  /** null where it isn't about one object. */
  readonly name: string | null;
}

export const anonymous: Account = {
  user: "system:anonymous",
  groups: ["system:unauthenticated"],
  rules: [],
};

const has = (list: readonly string[], item: string): boolean =>
  list.includes("*") || list.includes(item);

function isAllowed(account: Account, attempt: Attempt): boolean {
  if (account.groups?.includes("system:masters") === true) return true;
  return account.rules.some(
    (rule) =>
      has(rule.verbs, attempt.verb) &&
      has(rule.resources, attempt.resource) &&
      (rule.apiGroups === undefined || has(rule.apiGroups, attempt.group)) &&
      (rule.namespace === undefined || rule.namespace === attempt.namespace) &&
      (rule.resourceNames === undefined ||
        (attempt.name !== null && rule.resourceNames.includes(attempt.name))),
  );
}

/** @throws Refusal 403 */
export function demandAccess(account: Account, attempt: Attempt): void {
  if (isAllowed(account, attempt)) return;
  const subject: Pick<Resource, "group" | "plural"> = {
    group: attempt.group,
    plural: attempt.resource,
  };
  throw forbidden(
    account.user,
    attempt.verb,
    subject,
    attempt.namespace,
    attempt.name ?? undefined,
  );
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");

function attemptOf(attributes: Readonly<Record<string, unknown>>): Attempt {
  const { verb, group, resource, subresource, namespace, name } = attributes;
  return {
    verb: text(verb),
    group: text(group),
    resource: text(subresource) === "" ? text(resource) : `${text(resource)}/${text(subresource)}`,
    namespace: text(namespace) === "" ? null : text(namespace),
    name: text(name) === "" ? null : text(name),
  };
}

/** The spec of a (Self)SubjectAccessReview. */
interface ReviewSpec {
  readonly user?: unknown;
  readonly groups?: unknown;
  readonly resourceAttributes?: Readonly<Record<string, unknown>>;
}

const OWNERS = "system:serviceaccount:tailscale:";

/**
 * Tailscale's own accounts may write its Secrets, as the operator's chart has it, unless a test
 * says what one may do.
 */
function isOwner(
  user: string,
  { resource, namespace }: Attempt,
  accounts: readonly Account[],
): boolean {
  return (
    user.startsWith(OWNERS) &&
    resource === "secrets" &&
    namespace === "tailscale" &&
    !accounts.some((account) => account.user === user)
  );
}

/**
 * The status of a review: what `accounts` of the user may do; `self` asks about oneself. @throws
 * Refusal 422
 */
export function reviewStatus(
  spec: ReviewSpec,
  self: Account | null,
  accounts: readonly Account[],
): object {
  const user = self === null ? text(spec.user) : self.user;
  const groups = Array.isArray(spec.groups)
    ? (spec.groups as unknown[]).filter((group) => typeof group === "string")
    : [];
  if (self === null && user === "" && groups.length === 0) {
    const detail = '"": at least one of user or group must be specified';
    throw invalid("", "authorization.k8s.io", "", [
      { mistake: "invalid", field: "spec.user", detail },
    ]);
  }
  const attempt = attemptOf(spec.resourceAttributes ?? {});
  const allowed =
    groups.includes("system:masters") ||
    accounts.some((account) => account.user === user && isAllowed(account, attempt)) ||
    (self === null && isOwner(user, attempt, accounts)) ||
    (self !== null && isAllowed(self, attempt));
  return allowed ? { allowed, reason: `RBAC: allowed by the rules for "${user}"` } : { allowed };
}

/**
 * The status of a SelfSubjectRulesReview: the rules of an account in a namespace, cluster-wide ones
 * included.
 */
export function rulesStatus(account: Account, namespace: string): object {
  const everything =
    account.groups?.includes("system:masters") === true ? [{ verbs: ["*"], resources: ["*"] }] : [];
  const rules = [...everything, ...account.rules].filter(
    (rule: AccessRule) => rule.namespace === undefined || rule.namespace === namespace,
  );
  const basic = {
    verbs: ["create"],
    apiGroups: ["authorization.k8s.io"],
    resources: ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
  };
  const resourceRules = rules.map(({ verbs, resources, apiGroups, resourceNames }: AccessRule) => ({
    verbs,
    apiGroups: apiGroups ?? ["*"],
    resources,
    ...(resourceNames === undefined ? {} : { resourceNames }),
  }));
  return { resourceRules: [basic, ...resourceRules], nonResourceRules: [], incomplete: false };
}

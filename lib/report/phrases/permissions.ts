/**
 * Permissions in words: what is asked, what certkeep can't do without it, what exceeds it, and the
 * command that grants what a restore lacks.
 */
import { allowRestores } from "../../finding/action.ts";
import type { Excess } from "../../rbac/excess.ts";
import type { Question } from "../../rbac/rules.ts";
import { type Capability, type Part, CAPABILITIES } from "../../rbac/table.ts";
import { grantManifest } from "../../restoreplan/grant.ts";
import { commandOf } from "../command.ts";

export const PART_TITLES: Readonly<Record<Part | "identity", string>> = {
  identity: "check which cluster this is",
  secrets: "list and get Secrets in the audited namespaces",
  named: "get only the named Secrets, and list nothing",
  parents: "get the objects that Secrets belong to",
  diagnosis: "read logs, Events and access reviews, to find why certificates are reissued",
  restore: "restore lost certificates",
  follow: "restore while a rebuilt cluster comes up",
  replace: "recreate a Secret that can't be changed",
  "create-namespace": "create a namespace that was deleted",
};

const WITHOUT: Readonly<Record<string, string>> = {
  identity:
    "certkeep can't tell whether this is still the pinned cluster, so audits and restores refuse " +
    "it until certkeep clusters add pins its CA and address alone; then a rebuilt cluster " +
    "with the " +
    "same CA goes unnoticed",
  namespace:
    "certkeep can't tell whether a namespace was deleted or recreated, so it can't tell a loss " +
    "from a removal",
  "list-secrets":
    "only Secrets that the registration names are audited, and new certificates go unnoticed",
  "get-secrets": "the content of Secrets is unknown: nothing can be judged or backed up",
  "get-named-secrets":
    "the content of the named Secrets is unknown: nothing can be judged or backed up",
  "list-pods":
    "certkeep can't find the pods that write certificates, so it reads none of their logs",
  "read-logs":
    "certkeep misses what the controllers log: 429s of Let's Encrypt with their end, and " +
    "certificates that were issued and not stored",
  "list-events": "certkeep misses Events about failures to load or store certificates",
  "ask-access":
    "certkeep can't tell whether a controller may still write its Secret, the cause that " +
    "wastes a " +
    "certificate at each connection",
  "restore-list":
    "a restore can't find the randomly named Secret of a new proxy, nor certificates that " +
    "need an " +
    "ACME account key that it replaces",
  "restore-get": "a restore can't see what it would replace, so nothing can be restored",
  "restore-create": "a deleted Secret can't be restored",
  "restore-patch": "fields of an existing Secret can't be restored",
  follow: "`restore --follow` can't restore before a rebuilt cluster's proxies start",
  replace: "`restore --replace` can't recreate an immutable Secret or one of another type",
  "create-namespace":
    "`restore --create-namespace` can't create a deleted namespace; someone else has to",
};

const WITHOUT_PARENT =
  "certkeep can't tell whether a Secret was removed with its parent on purpose or lost: a " +
  "loss is " +
  "then a warning with an unknown cause";

export function withoutText({ id, part }: Pick<Capability, "id" | "part">): string {
  return part === "parents" ? WITHOUT_PARENT : (WITHOUT[id] ?? "");
}

/** `list secrets in namespace tailscale`, as a person says it. */
export function questionText(
  question: Pick<Question, "verb" | "group" | "resource" | "namespace" | "name">,
): string {
  const { verb, group, resource, namespace, name } = question;
  const object = `${resource}${group === "" ? "" : `.${group}`}${name === null ? "" : ` ${name}`}`;
  if (namespace === null) return `${verb} ${object} in the whole cluster`;
  const where = resource === "namespaces" ? "" : ` in namespace ${namespace}`;
  return `${verb} ${object}${where}`;
}

export function excessText({ verb, resource, group, name, namespaces }: Excess): string {
  const does = verb === "*" ? "do anything with" : verb;
  const what = resource === "*" ? "every resource" : resource;
  const of = group === "" ? "" : group === "*" ? " of every group" : `.${group}`;
  const where =
    namespaces === null
      ? "in every namespace that was looked at"
      : `in namespace ${namespaces.join(", ")}`;
  return `${does} ${what}${of}${name === null ? "" : ` ${name}`} ${where}`;
}

export type DeniedQuestion = Omit<Question, "capability">;

export interface RegisteredAccess {
  /** Of its credentials. */
  readonly kind: string | null;
  readonly parts: readonly Part[];
  /** It has a restoring credential beside the reading one. */
  readonly isApart: boolean;
}

interface Denied {
  readonly cluster: string;
  /** `null`: a person's own credential. */
  readonly registration: RegisteredAccess | null;
  /** As the server names a person; `null`: it doesn't say. */
  readonly user: string | null;
}

export function deniedText(
  denied: readonly DeniedQuestion[],
  { cluster, registration, user }: Denied,
): string {
  const what = denied.map(questionText).join(", ");
  if (registration === null) {
    const manifests = denied.map((question) => grantManifest({ ...question, user }));
    const lines = manifests.filter((manifest) => manifest !== null).join("\n---\n");
    const head = `Your credential has no permission to ${what}.`;
    return lines === "" ? head : `${head} Grant it with kubectl apply -f -:\n${lines}`;
  }
  const parts = partsFor(denied).filter((part) => !registration.parts.includes(part));
  const command = commandOf(allowRestores(cluster, registration.kind, parts));
  const reason = registration.isApart
    ? `The restoring credential has no permission to ${what}.`
    : `${cluster} is registered to be read: it has no restoring credential, and the reading ` +
      `one has no permission to ${what}.`;
  const todo = registration.isApart ? "Repair its permissions" : "Add one";
  return command === null ? reason : `${reason} ${todo}:\n${command}`;
}

function partsFor(denied: readonly DeniedQuestion[]): Part[] {
  const parts = denied.flatMap(({ verb, resource }) =>
    CAPABILITIES.filter(
      (one) =>
        one.bearers.includes("restore") && one.resource === resource && one.verbs.includes(verb),
    ).flatMap(({ part }) => (part === "identity" ? [] : [part])),
  );
  return [...new Set<Part>(parts)];
}

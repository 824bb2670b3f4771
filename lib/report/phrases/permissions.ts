/** Permissions in words: what is asked, what isn't known without it, what is more than that. */
import type { Excess } from "../../rbac/excess.ts";
import type { Question } from "../../rbac/rules.ts";
import type { Capability, Part } from "../../rbac/table.ts";

/** What each part is for, in one clause. */
export const PART_TITLES: Readonly<Record<Part | "identity", string>> = {
  identity: "which cluster this is",
  secrets: "list and get Secrets in the namespaces that are audited",
  named: "get the named Secrets alone; nothing is listed",
  parents: "get what the Secrets were made for",
  diagnosis: "logs, events and access reviews: why certificates are reissued",
  restore: "put lost certificates back",
  follow: "restore while a rebuilt cluster comes up",
  replace: "recreate a Secret that can't be changed",
  "create-namespace": "make a namespace that is gone",
};

/** What isn't known or can't be done without a capability, by its id. */
const WITHOUT: Readonly<Record<string, string>> = {
  identity:
    "whether the cluster is still the pinned one: an audit and a restore refuse it, until " +
    "certkeep clusters add pins its CA and address alone; then a rebuilt cluster with the " +
    "same CA isn't noticed",
  namespace: "whether a namespace was deleted or recreated, which tells a loss from a removal",
  "list-secrets":
    "which Secrets there are: only those named in the registration are audited, and a new " +
    "certificate isn't noticed",
  "get-secrets": "what is in a Secret: nothing can be judged or backed up",
  "get-named-secrets": "what is in the named Secrets: nothing can be judged or backed up",
  "list-pods": "which pods write the certificates, so none of their logs can be read",
  "read-logs":
    "what the owner says: a refusal by Let's Encrypt with its time, and certificates that " +
    "were issued and not stored",
  "list-events": "failures to load or store that the owner reports as events",
  "ask-access":
    "whether the owner may still write its Secret: the cause that burns a certificate at each " +
    "access stays unknown",
  "restore-list":
    "the Secret of random name that a new proxy is waiting with; whether other certificates " +
    "need an ACME account key that is to be replaced",
  "restore-get": "what is there now: nothing is replaced unseen, so nothing can be restored",
  "restore-create": "a Secret that is gone can't be put back",
  "restore-patch": "fields of a Secret that is there can't be put back",
  follow: "`restore --follow`: a rebuilt cluster's proxies can't be met at their first start",
  replace: "`restore --replace`: an immutable Secret, or one of another type, stays as it is",
  "create-namespace":
    "`restore --create-namespace`: a namespace that is gone has to be made by somebody else first",
};

const WITHOUT_PARENT =
  "whether a Secret went together with what it was made for (removed on purpose) or was lost: " +
  "a loss is then told as a warning, cause unknown";

export function withoutText({ id, part }: Pick<Capability, "id" | "part">): string {
  return part === "parents" ? WITHOUT_PARENT : (WITHOUT[id] ?? "");
}

/** `list secrets in namespace tailscale`, as a person says it. */
export function questionText(
  question: Pick<Question, "verb" | "group" | "resource" | "namespace" | "name">,
): string {
  const { verb, group, resource, namespace, name } = question;
  const object = `${resource}${group === "" ? "" : `.${group}`}${name === null ? "" : ` ${name}`}`;
  return (
    `${verb} ` +
    `${object}${namespace === null ? " in the whole cluster" : resource === "namespaces" ? "" : ` in namespace ${namespace}`}`
  );
}

/** `delete secrets in namespace shop`. */
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

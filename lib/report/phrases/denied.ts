/** Why a restore's credential can't write what a plan writes, and the command that changes it. */
import { grantManifest } from "../../restoreplan/grant.ts";
import type { Question } from "../../rbac/rules.ts";
import { CAPABILITIES, type Part } from "../../rbac/table.ts";
import { commandOf } from "../command.ts";
import { questionText } from "./permissions.ts";

export type DeniedQuestion = Omit<Question, "capability">;

interface Denied {
  readonly cluster: string;
  /** `null`: a person's own credential. */
  readonly registration: { readonly parts: readonly Part[]; readonly isApart: boolean } | null;
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
    const head = `Your credential may not ${what}.`;
    return lines === "" ? head : `${head} This grants it, with kubectl apply -f -:\n${lines}`;
  }
  const parts = partsFor(denied).filter((part) => !registration.parts.includes(part));
  const command = commandOf({ kind: "addParts", cluster, parts });
  const reason = registration.isApart
    ? `The restoring credential may not ${what}.`
    : `${cluster} is registered to be read: it has no restoring credential, and the reading ` +
      `one may not ${what}.`;
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

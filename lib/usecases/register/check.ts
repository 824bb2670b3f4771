/** What a new credential really may do, by asking the server; and what else it sees. */
import pLimit from "p-limit";
import { excessText, questionText } from "../../report/phrases/permissions.ts";
import { excessOf, probedNamespaces, type GrantedRules } from "../../rbac/excess.ts";
import { namespacesOf, questionsOf, type AccessPlan, type Question } from "../../rbac/rules.ts";
import type { Bearer } from "../../rbac/table.ts";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import type { ClusterReader, Registrar, SelfAccess } from "../../ports/cluster.ts";
import type { Timer } from "../../ports/runtime.ts";
import { classify } from "../../secret/shapes.ts";
import type { CheckedCredential, Exposure } from "../../report/clusters.ts";
import type { OpenedCredential } from "./context.ts";

const ASKED_AT_ONCE = 8;
/** Authorizers learn of a new Role by watching: it takes them a moment. */
const SETTLE_TRIES = 20;
const SETTLE_MS = 300;
const TOLD = 8;
const SHOWN_NAMES = 5;

export async function missingOf(
  self: SelfAccess,
  questions: readonly Question[],
): Promise<Question[]> {
  const limit = pLimit(ASKED_AT_ONCE);
  const answers = await Promise.all(
    questions.map((question) =>
      limit(async () => ((await self.isAllowed(question)) ? null : question)),
    ),
  );
  return answers.filter((question) => question !== null);
}

async function settledMissing(
  self: SelfAccess,
  plan: AccessPlan,
  bearer: Bearer,
  timer: Timer,
  fresh: boolean,
): Promise<Question[]> {
  let missing = await missingOf(self, questionsOf(plan, bearer));
  for (let tries = 1; fresh && missing.length > 0 && tries < SETTLE_TRIES; tries += 1) {
    await timer.sleep(SETTLE_MS);
    missing = await missingOf(self, missing);
  }
  return missing;
}

/** Without these nothing can be audited, or restored. */
function isEssential({ capability }: Question): boolean {
  return (
    capability.part === "secrets" || capability.part === "named" || capability.part === "restore"
  );
}

export async function rulesOfEverybody(
  registrar: Registrar,
  plan: AccessPlan,
): Promise<GrantedRules[]> {
  const rules = await Promise.all(
    probedNamespaces(plan, namespacesOf(plan)).map((namespace) =>
      registrar.everybodysRules(namespace),
    ),
  );
  return rules.filter((one) => one !== null);
}

/** What the server's own rules grant beyond the plan. @throws CertkeepError */
export async function grantedRules(self: SelfAccess, plan: AccessPlan): Promise<GrantedRules[]> {
  return Promise.all(
    probedNamespaces(plan, namespacesOf(plan)).map((namespace) => self.rulesIn(namespace)),
  );
}

/**
 * Checks a credential. @throws CertkeepError cluster_unauthorized, or cluster_forbidden where it
 * lacks what nothing works without or may do too much
 */
export async function checkCredential(
  opened: OpenedCredential,
  plan: AccessPlan,
  bearer: Bearer,
  choice: {
    readonly name: string;
    readonly fresh: boolean;
    readonly allowBroad: boolean;
    readonly everybody: readonly GrantedRules[];
    readonly timer: Timer;
  },
): Promise<CheckedCredential> {
  const credential = bearer === "read" ? "the reading credential" : "the restoring credential";
  const where = `cluster ${choice.name}, ${credential}`;
  const user = await userOf(opened.self, choice);
  const missing = await settledMissing(opened.self, plan, bearer, choice.timer, choice.fresh);
  const essential = missing.filter(isEssential);
  if (essential.length > 0) {
    throw new CertkeepError("cluster_forbidden", {
      where,
      found: `it has no permission to ${list(essential.map(questionText))}`,
      todo:
        "Nothing was registered. Have an administrator apply the manifest that grants this: " +
        "certkeep clusters add " +
        `${choice.name} ${optionsOf(plan)} --print | kubectl apply -f -`,
    });
  }
  const excess = excessOf(plan, [bearer], await grantedRules(opened.self, plan), choice.everybody);
  if (excess.length > 0 && !choice.allowBroad) {
    throw new CertkeepError("cluster_forbidden", {
      where,
      found: `it has more permissions than it needs: ${list(excess.map(excessText))}`,
      todo:
        "Nothing was registered. Let certkeep make a credential with only what the manifest " +
        "grants (--days 365), accept this one " +
        `(--allow-broad), or remove the binding of ${user ?? "its user"} or its groups that ` +
        "grants this. List bindings: kubectl get clusterrolebindings,rolebindings -A -o wide",
    });
  }
  return { bearer, user, expiresAtMs: opened.expiresAtMs, missing, excess };
}

/** The options that ask for this plan. */
function optionsOf({ parts, namespaces, secrets }: AccessPlan): string {
  return [
    ...(namespaces ?? []).map((namespace) => `--namespace ${namespace}`),
    ...(namespaces === null ? ["--all-namespaces"] : []),
    ...secrets.map(({ namespace, name }) => `--secret ${namespace}/${name}`),
    `--parts ${parts.join(",")}`,
  ].join(" ");
}

/** A token that was just made may be unknown to a server that answers from its cache. */
async function userOf(
  self: SelfAccess,
  choice: { readonly fresh: boolean; readonly timer: Timer },
): Promise<string | null> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await self.whoAmI();
    } catch (error) {
      if (!choice.fresh || tries >= SETTLE_TRIES || !isCertkeepError(error, "cluster_unauthorized"))
        throw error;
      await choice.timer.sleep(SETTLE_MS);
    }
  }
}

function list(texts: readonly string[]): string {
  return (
    texts.slice(0, TOLD).join("; ") +
    (texts.length > TOLD ? `; and ${texts.length - TOLD} more` : "")
  );
}

/** Secrets beside certificates that whoever lists the namespaces can read. */
export async function exposuresOf(reader: ClusterReader, plan: AccessPlan): Promise<Exposure[]> {
  if (!plan.parts.includes("secrets")) return [];
  const found = new Map<string, Set<string>>();
  for (const namespace of plan.namespaces ?? [null]) {
    for await (const page of reader.listMetadata({ namespace })) {
      for (const meta of page) {
        if (classify(meta).shape !== null) continue;
        const names = found.get(meta.namespace) ?? new Set();
        found.set(meta.namespace, names.add(meta.name));
      }
    }
  }
  return [...found]
    .map(([namespace, names]) => ({
      namespace,
      others: names.size,
      names: [
        ...new Set([...["operator-oauth", "operator"].filter((name) => names.has(name)), ...names]),
      ].slice(0, SHOWN_NAMES),
    }))
    .toSorted((a, b) => b.others - a.others);
}

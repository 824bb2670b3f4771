/**
 * What a plan would write without permission: the server is asked before anything is written, so
 * that the plan says it and not the first write.
 *
 * Before the deployed function restores: whether it may, by what is recorded and not by what a
 * registration says.
 */
import pLimit from "p-limit";
import type { RestorePair } from "../../config/schema.ts";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import type { SelfAccess } from "../../ports/cluster.ts";
import type { StateStore } from "../../ports/stores.ts";
import {
  type DeniedQuestion,
  deniedText,
  type RegisteredAccess,
} from "../../report/phrases/permissions.ts";
import { refusalParts } from "../../report/pinning.ts";
import { refusalOf } from "../../restoreplan/successor.ts";
import type { SecretWrite } from "../../restoreplan/item.ts";
import type { ClusterIdentity } from "../../state/identity.ts";
import { readState } from "../states.ts";

/** How the restoring credential came about, so that what it lacks can be given. */
export interface RestoreAccess {
  readonly self: SelfAccess;
  readonly cluster: string;
  /** `null`: a person's own credential. */
  readonly registration: RegisteredAccess | null;
}

const ASKED_AT_ONCE = 8;

/** @returns why each write is refused; nothing is known where the server doesn't answer */
export async function deniedWrites(
  writes: readonly SecretWrite[],
  access: RestoreAccess | undefined,
): Promise<ReadonlyMap<SecretWrite, string>> {
  if (access === undefined || writes.length === 0) return new Map();
  const { self } = access;
  const limit = pLimit(ASKED_AT_ONCE);
  const asked = new Map<string, Promise<boolean>>();
  const isAllowed = (question: DeniedQuestion): Promise<boolean> => {
    const key = JSON.stringify(question);
    const answer = asked.get(key) ?? limit(() => self.isAllowed(question));
    asked.set(key, answer);
    return answer;
  };
  try {
    const user = access.registration === null ? await self.whoAmI() : null;
    const refused = await Promise.all(
      writes.map(async (write): Promise<[SecretWrite, string] | null> => {
        const questions = questionsOf(write);
        const answers = await Promise.all(questions.map(isAllowed));
        const denied = questions.filter((_, index) => answers[index] !== true);
        return denied.length === 0 ? null : [write, deniedText(denied, { ...access, user })];
      }),
    );
    return new Map(refused.filter((one) => one !== null));
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return new Map();
  }
}

function questionsOf({ action, namespace, createNamespace }: SecretWrite): DeniedQuestion[] {
  const verbs = { create: ["create"], patch: ["patch"], replace: ["delete", "create"] }[action];
  const secrets = verbs.map((verb) => ({
    verb,
    group: "",
    resource: "secrets",
    namespace,
    name: null,
  }));
  const made = { verb: "create", group: "", resource: "namespaces", namespace: null, name: null };
  return createNamespace ? [made, ...secrets] : secrets;
}

export async function confine(
  asked: { readonly cluster: string; readonly from: string | null; readonly seen: ClusterIdentity },
  pairs: readonly RestorePair[],
  states: StateStore,
): Promise<void> {
  const refusal = refusalOf({ ...asked, pairs, state: await readState(states, asked.cluster) });
  if (refusal !== null) throw new CertkeepError("usage", refusalParts(asked.cluster, refusal));
  // By its name alone: a title is what a registration makes it.
  if (asked.from !== null && (await readState(states, asked.from)) === null) {
    throw new CertkeepError("usage", {
      where: `fromCluster ${asked.from}`,
      found: "there is no state under this name",
      todo: "Name a cluster that was audited",
    });
  }
}

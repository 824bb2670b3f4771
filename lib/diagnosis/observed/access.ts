/** What the server itself answers: an owner's rights to its Secret, and Secrets that can't be changed. Pure. */
import { SKEW_MS } from "../../ratelimit/evidence.ts";
import { shortened } from "../text.ts";
import type { Draft } from "../../finding/finding.ts";
import { ownerOf } from "../../finding/owner.ts";
import { instantOf } from "../../finding/words.ts";
import { explain, label, type View } from "./spot.ts";

/** An answer that wasn't asked for again so long tells nothing of now. */
const ANSWER_AGE_MS = 7 * 86_400_000;
const MAX_SAMPLE = 200;

export function* immutableDrafts({ spots }: View): Generator<Draft> {
  for (const { subject, record, live } of spots) {
    if (!record.immutable || ownerOf(record) === "nobody") continue;
    if (live === null && Object.keys(record.gaps).length === 0) continue;
    yield {
      code: "storage_immutable",
      subject,
      seen: `The Secret of ${label(subject)} is immutable, and its owner has to write it.`,
      evidence: ["immutable: true", `read ${record.recordedAt}`],
      command: explain(subject),
    };
  }
}

export function* accessDrafts({ observations, atMs, byNamespace }: View): Generator<Draft> {
  const denied = observations.access.filter(
    ({ allowed, atMs: askedMs }) =>
      !allowed && askedMs <= atMs + SKEW_MS && askedMs > atMs - ANSWER_AGE_MS,
  );
  for (const [secret, answers] of Map.groupBy(denied, (answer) => answer.secret)) {
    const slash = secret.indexOf("/");
    const spot = byNamespace
      .get(secret.slice(0, slash))
      ?.find((one) => one.secret === secret.slice(slash + 1));
    if (spot === undefined) continue;
    const accounts = [...new Set(answers.map(({ account }) => account))];
    const verbs = [...new Set(answers.map(({ verb }) => verb))].toSorted();
    const sinceMs = Math.min(...answers.map((answer) => answer.sinceMs));
    const assumed = answers.every((answer) => answer.assumed === true);
    yield {
      code: "storage_forbidden",
      ...(assumed ? { severity: "warning" as const } : {}),
      subject: spot.subject,
      seen: `${accounts.join(" and ")} may not ${verbs.join(" or ")} the Secret of ${label(spot.subject)}, since ${instantOf(sinceMs)} at the latest${assumed ? "; no pod was seen that writes it, so the account is the one that its operator makes" : ""}.`,
      evidence: answers.map(
        ({ account, verb, reason, atMs: askedMs }) =>
          `${account} ${verb}: no${reason === "" ? "" : `, ${shortened(reason, MAX_SAMPLE)}`} (asked ${instantOf(askedMs)})`,
      ),
      command: explain(spot.subject),
    };
  }
}

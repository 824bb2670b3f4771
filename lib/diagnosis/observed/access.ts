/** What the server itself answers: an owner's rights to its Secret, and Secrets that can't be changed. Pure. */
import { SKEW_MS } from "../../ratelimit/evidence.ts";
import { shortened } from "../text.ts";
import { subjectOf, type Draft } from "../../finding/finding.ts";
import { instantOf } from "../../finding/words.ts";
import { explain, label, type View } from "./spot.ts";

/** An answer that wasn't asked for again so long tells nothing of now. */
const ANSWER_AGE_MS = 7 * 86_400_000;
const MAX_SAMPLE = 200;

export function* immutableDrafts({ entries }: View): Generator<Draft> {
  for (const entry of entries) {
    const { holder, owner, loss } = entry;
    if (!holder.immutable || owner === "nobody" || loss !== null) continue;
    const subject = subjectOf(entry);
    yield {
      code: "storage_immutable",
      subject,
      seen: `The Secret of ${label(subject)} is immutable, and its owner has to write it.`,
      evidence: ["immutable: true", `read ${holder.recordedAt}`],
      command: explain(subject),
    };
  }
}

export function* accessDrafts({ observations, atMs, byKey }: View): Generator<Draft> {
  const denied = observations.access.filter(
    ({ allowed, atMs: askedMs }) =>
      !allowed && askedMs <= atMs + SKEW_MS && askedMs > atMs - ANSWER_AGE_MS,
  );
  for (const [secret, answers] of Map.groupBy(denied, (answer) => answer.secret)) {
    const [entry] = byKey.get(secret) ?? [];
    if (entry === undefined) continue;
    const subject = subjectOf(entry);
    const accounts = [...new Set(answers.map(({ account }) => account))];
    const verbs = [...new Set(answers.map(({ verb }) => verb))].toSorted();
    const sinceMs = Math.min(...answers.map((answer) => answer.sinceMs));
    const assumed = answers.every((answer) => answer.assumed === true);
    yield {
      code: "storage_forbidden",
      ...(assumed ? { severity: "warning" as const } : {}),
      subject,
      seen: `${accounts.join(" and ")} may not ${verbs.join(" or ")} the Secret of ${label(subject)}, since ${instantOf(sinceMs)} at the latest${assumed ? "; no pod was seen that writes it, so the account is the one that its operator makes" : ""}.`,
      evidence: answers.map(
        ({ account, verb, reason, atMs: askedMs }) =>
          `${account} ${verb}: no${reason === "" ? "" : `, ${shortened(reason, MAX_SAMPLE)}`} (asked ${instantOf(askedMs)})`,
      ),
      command: explain(subject),
    };
  }
}

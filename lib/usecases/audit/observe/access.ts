/**
 * What the server says of the owners' rights to their Secrets: the account of the pod that writes,
 * or where no pod is known the one that the operator makes for it. Asked anew where the answer is a
 * refusal, where the Secret changed, and else every few hours.
 *
 * It can't see `immutable`, webhooks and quotas. Of cert-manager's own account nothing is known, so
 * it isn't asked about.
 */
import pLimit from "p-limit";
import { sampleOf } from "../../../ratelimit/log/redact.ts";
import { parseMsOrNull } from "../../../certificate/time.ts";
import type { PodFacts } from "../../../ports/cluster.ts";
import type { AccessAnswer, SourceStatus } from "../../../state/signals.ts";
import type { ObserveContext } from "./context.ts";
import { statusOf, statusCode } from "./sourcestatus.ts";
import { type Writer, type WrittenShape, writes } from "./writers.ts";

const ASKS_AT_ONCE = 8;
/** Questions in one audit. */
const MAX_ASKED = 200;
/** How long an answer that it is allowed is taken for granted. */
const TRUST_MS = 6 * 3_600_000;

const VERBS: Readonly<Record<WrittenShape, readonly string[]>> = {
  operator: ["get", "update"],
  standalone: ["get", "update"],
  "ha-ingress": ["get", "patch"],
  "apiserver-proxygroup": ["get", "patch"],
};
/** Accounts as the operator's chart and code call them; a group's is called like it. */
const ACCOUNTS: Readonly<Record<WrittenShape, string | null>> = {
  operator: "operator",
  standalone: "proxies",
  "ha-ingress": null,
  "apiserver-proxygroup": null,
};

interface Question {
  readonly writer: Writer;
  readonly account: string;
  readonly assumed: boolean;
  readonly verb: string;
  readonly last: AccessAnswer | null;
}

/** The account that writes; `null` where it isn't known. */
function accountOf(
  writer: Writer,
  pods: readonly PodFacts[],
): Pick<Question, "account" | "assumed"> | null {
  const accounts = new Set(
    pods.filter((pod) => writes(pod, writer)).flatMap(({ account }) => account ?? []),
  );
  const [borne] = accounts;
  if (accounts.size === 1 && borne !== undefined) return { account: borne, assumed: false };
  const made = accounts.size > 1 ? writer.group : (ACCOUNTS[writer.shape] ?? writer.group);
  return made === null ? null : { account: made, assumed: !accounts.has(made) };
}

function isFresh({ allowed, atMs }: AccessAnswer, writer: Writer, nowMs: number): boolean {
  const changedMs = writer.record === null ? null : parseMsOrNull(writer.record.recordedAt);
  return allowed && atMs > nowMs - TRUST_MS && (changedMs === null || changedMs <= atMs);
}

export interface AccessRead {
  readonly looks: readonly SourceStatus[];
  /** All that still hold, those before among them. */
  readonly answers: readonly AccessAnswer[];
}

export async function reviewAccess(
  writers: readonly Writer[],
  pods: readonly PodFacts[],
  context: ObserveContext,
  done: (part: AccessRead) => void,
): Promise<void> {
  const { diagnosis, nowMs, before, signal } = context;
  const known = new Map(
    before.access.map((answer) => [
      JSON.stringify([answer.secret, answer.account, answer.verb]),
      answer,
    ]),
  );
  const questions = writers.flatMap((writer): Question[] => {
    const owner = accountOf(writer, pods);
    if (owner === null) return [];
    const user = `system:serviceaccount:${writer.namespace}:${owner.account}`;
    return VERBS[writer.shape].map((verb) => ({
      writer,
      ...owner,
      verb,
      last: known.get(JSON.stringify([writer.key, user, verb])) ?? null,
    }));
  });
  const fresh = questions.filter(
    ({ last, writer }) => last !== null && isFresh(last, writer, nowMs),
  );
  const due = questions
    .filter((question) => !fresh.includes(question))
    .toSorted((a, b) => (a.last?.atMs ?? 0) - (b.last?.atMs ?? 0));
  done({ looks: [], answers: questions.flatMap(({ last }) => last ?? []) });
  /** Per namespace the first reason for which not all was answered. */
  const codes = new Map<string, string | null>(writers.map(({ namespace }) => [namespace, null]));
  let refused = false;
  const ask = async ({ writer, account, assumed, verb, last }: Question): Promise<void> => {
    const { namespace } = writer;
    if (refused || signal.aborted) {
      codes.set(namespace, codes.get(namespace) ?? (refused ? "forbidden" : "timeout"));
      return;
    }
    try {
      const { allowed, reason } = await diagnosis.reviewAccess(
        { namespace, secret: writer.secret, account, verb },
        signal,
      );
      const answer = {
        secret: writer.key,
        account: `system:serviceaccount:${namespace}:${account}`,
        verb,
        allowed,
        ...(assumed ? { assumed } : {}),
        reason: sampleOf(reason),
        sinceMs: last !== null && last.allowed === allowed ? last.sinceMs : nowMs,
        atMs: nowMs,
      };
      done({ looks: [], answers: [answer] });
    } catch (error) {
      const code = statusCode(error);
      if (code === "forbidden") refused = true;
      codes.set(namespace, code);
    }
  };
  // Who may not ask is refused each question: one tells.
  const [first, ...others] = due.slice(0, MAX_ASKED);
  if (first !== undefined) await ask(first);
  const limit = pLimit(ASKS_AT_ONCE);
  await Promise.all(others.map((question) => limit(ask, question)));
  for (const { writer } of due.slice(MAX_ASKED))
    codes.set(writer.namespace, codes.get(writer.namespace) ?? "too_much");
  for (const writer of writers)
    if (accountOf(writer, pods) === null)
      codes.set(writer.namespace, codes.get(writer.namespace) ?? "gap");
  done({
    looks: [...codes].map(([namespace, code]) => {
      const last =
        before.looks.find(({ source, scope }) => source === "access" && scope === namespace) ??
        null;
      return statusOf("access", namespace, nowMs, last, {
        code,
        unread: code === "gap" ? "Secrets whose owner's account isn't known" : null,
      });
    }),
    answers: [],
  });
}

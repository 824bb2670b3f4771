/**
 * What the server says of the owners' rights to their Secrets: the account of the pod that writes,
 * or where no pod is known the one that the operator makes for it. Asked again if the answer is a
 * refusal, where the Secret changed, and else every few hours.
 *
 * It can't see `immutable`, webhooks and quotas. Of cert-manager's own account nothing is known, so
 * it isn't asked about.
 */
import pLimit from "p-limit";
import { sampleOf } from "../../../ratelimit/log/line.ts";
import { parseMsOrNull } from "../../../certificate/time.ts";
import type { PodFacts } from "../../../ports/cluster.ts";
import type { AccessAnswer, SourceStatus } from "../../../state/signals.ts";
import { type ObserveContext, statusCode, statusOf } from "./sourcestatus.ts";
import { type Writer, type WrittenShape, writes } from "./writers.ts";

const ASKS_AT_ONCE = 8;
const MAX_ASKED = 200;
/** How long an answer that it is allowed is taken for granted. */
const TRUST_MS = 6 * 3_600_000;

const VERBS: Readonly<Record<WrittenShape, readonly string[]>> = {
  operator: ["get", "update"],
  standalone: ["get", "update"],
  "ha-ingress": ["get", "patch"],
  "apiserver-proxygroup": ["get", "patch"],
  // It holds no certificate.
  "proxygroup-state": [],
};
/** Accounts as the operator's chart and code call them; a group's is called like it. */
const ACCOUNTS: Readonly<Record<WrittenShape, string | null>> = {
  operator: "operator",
  standalone: "proxies",
  "ha-ingress": null,
  "apiserver-proxygroup": null,
  "proxygroup-state": null,
};

interface Question {
  readonly writer: Writer;
  readonly account: string;
  readonly assumed: boolean;
  readonly verb: string;
  readonly last: AccessAnswer | null;
}

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

function questionsOf(
  writers: readonly Writer[],
  pods: readonly PodFacts[],
  before: readonly AccessAnswer[],
): Question[] {
  const keyOf = (secret: string, account: string, verb: string): string =>
    JSON.stringify([secret, account, verb]);
  const known = new Map(
    before.map((answer) => [keyOf(answer.secret, answer.account, answer.verb), answer]),
  );
  return writers.flatMap((writer): Question[] => {
    const owner = accountOf(writer, pods);
    if (owner === null) return [];
    const user = userOf(writer.namespace, owner.account);
    return VERBS[writer.shape].map((verb) => ({
      writer,
      ...owner,
      verb,
      last: known.get(keyOf(writer.key, user, verb)) ?? null,
    }));
  });
}

function userOf(namespace: string, account: string): string {
  return `system:serviceaccount:${namespace}:${account}`;
}

export async function reviewAccess(
  writers: readonly Writer[],
  pods: readonly PodFacts[],
  context: ObserveContext,
  done: (part: AccessRead) => void,
): Promise<void> {
  const { diagnosis, nowMs, before, signal } = context;
  /** Per namespace the first reason for which not all was answered. */
  const codes = new Map<string, string | null>();
  const note = (namespace: string, code: string | null): void =>
    void codes.set(namespace, codes.get(namespace) ?? code);
  let isRefused = false;
  const ask = async ({ writer, account, assumed, verb, last }: Question): Promise<void> => {
    const { namespace, secret } = writer;
    if (isRefused || signal.aborted) return note(namespace, isRefused ? "forbidden" : "timeout");
    try {
      const question = { namespace, secret, account, verb };
      const { allowed, reason } = await diagnosis.reviewAccess(question, signal);
      const answer = {
        secret: writer.key,
        account: userOf(namespace, account),
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
      if (code === "forbidden") isRefused = true;
      codes.set(namespace, code);
    }
  };
  const asked = writers.filter(({ shape }) => VERBS[shape].length > 0);
  const questions = questionsOf(asked, pods, before.access);
  const due = questions
    .filter(({ last, writer }) => last === null || !isFresh(last, writer, nowMs))
    .toSorted((a, b) => (a.last?.atMs ?? 0) - (b.last?.atMs ?? 0));
  done({ looks: [], answers: questions.flatMap(({ last }) => last ?? []) });
  // Without permission to ask, each question is refused: one shows it.
  const [first, ...others] = due.slice(0, MAX_ASKED);
  if (first !== undefined) await ask(first);
  await pLimit(ASKS_AT_ONCE).map(others, ask);
  for (const { writer } of due.slice(MAX_ASKED)) note(writer.namespace, "too_much");
  for (const writer of asked)
    note(writer.namespace, accountOf(writer, pods) === null ? "no_pod" : null);
  const looks = [...codes].map(([namespace, code]) => {
    const unread = code === "no_pod" ? "Secrets whose pods aren't found" : null;
    return statusOf(context, "access", namespace, { code, unread });
  });
  done({ looks, answers: [] });
}

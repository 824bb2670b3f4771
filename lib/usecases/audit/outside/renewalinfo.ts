/** When issuers suggest to renew certificates (ACME Renewal Information, RFC 9773). */
import pLimit from "p-limit";
import { renewalId } from "../../../certificate/renewalid.ts";
import type { RenewalInfoSource } from "../../../ports/outside.ts";
import { DAY_MS } from "../../../ratelimit/limit.ts";
import { count } from "../../../report/text.ts";
import { isUnread, type LiveRecord, type OutsideRun, pauseMs } from "./run.ts";

/** Until a certificate that the issuer doesn't know, or answers nonsense on, is tried again. */
const UNKNOWN_MS = DAY_MS;
const ASKED_AT_MOST = 300;
/** Invalid answers after which the issuer is left alone. */
const INVALID_AT_MOST = 3;
const ASKS_AT_ONCE = 8;

export async function askRenewalInfo(run: OutsideRun, source: RenewalInfoSource): Promise<void> {
  for (const { id, directory } of run.issuers) {
    const certificates = run.live.filter(({ issuer }) => issuer === id);
    if (directory !== null && certificates.length > 0 && !run.isPaused("renewal_info", directory))
      await askDirectory(run, source, directory, certificates);
  }
}

interface Due {
  readonly id: string;
  readonly scope: string;
  readonly issuer: string;
  readonly serial: string;
  readonly askedMs: number;
}

/** What is to be asked by now, what was asked longest ago first. */
function dueOf(run: OutsideRun, directory: string, certificates: readonly LiveRecord[]): Due[] {
  const known = new Map(
    run.before.windows.map((window) => [`${window.issuer} ${window.serial}`, window]),
  );
  return certificates
    .flatMap(({ issuer, serial, keyIdentifier = "" }): Due[] => {
      const id = renewalId(keyIdentifier, serial);
      const scope = `${directory} ${id ?? ""}`;
      const window = known.get(`${issuer} ${serial}`);
      return id === null || run.isAhead(window?.nextMs) || run.isPaused("renewal_info", scope)
        ? []
        : [{ id, scope, issuer, serial, askedMs: window?.askedMs ?? 0 }];
    })
    .toSorted((a, b) => a.askedMs - b.askedMs);
}

async function askDirectory(
  run: OutsideRun,
  source: RenewalInfoSource,
  directory: string,
  certificates: readonly LiveRecord[],
): Promise<void> {
  const due = dueOf(run, directory, certificates);
  const lacking = certificates.filter(isUnread).length;
  if (due.length === 0 && lacking === 0) return;
  const limit = pLimit(ASKS_AT_ONCE);
  const stop: { code: string | null; retryMs: number | null } = { code: null, retryMs: null };
  let [answered, invalid] = [0, 0];
  const ask = async ({ id, scope, issuer, serial }: Due): Promise<void> => {
    if (stop.code !== null) return;
    const answer = run.signal.aborted
      ? ({ ok: false, code: "timeout", retryMs: null } as const)
      : await source.ask(directory, id, run.signal);
    if (answer.ok) {
      const { startMs, endMs, explanationUrl, retryMs } = answer;
      const asked = { askedMs: run.nowMs, nextMs: run.nowMs + retryMs };
      run.windows.push({ issuer, serial, startMs, endMs, explanationUrl, ...asked });
      answered += 1;
    } else if (
      answer.code === "unknown_certificate" ||
      (answer.code === "invalid_answer" && invalid < INVALID_AT_MOST)
    ) {
      // About this one; the others are asked about all the same.
      run.add(
        { source: "renewal_info", scope, code: answer.code, unread: null },
        run.nowMs + UNKNOWN_MS,
      );
      answered += 1;
      invalid += answer.code === "invalid_answer" ? 1 : 0;
    } else if (stop.code === null) [stop.code, stop.retryMs] = [answer.code, answer.retryMs];
  };
  await Promise.all(due.slice(0, ASKED_AT_MOST).map((one) => limit(ask, one)));
  const left = due.length - answered;
  const unread = [
    ...(left === 0 ? [] : [`${count(left, "certificate")} not asked about`]),
    ...(lacking === 0 ? [] : [`${count(lacking, "certificate")} not read since this is enabled`]),
  ].join(", ");
  run.add(
    {
      source: "renewal_info",
      scope: directory,
      code: stop.code ?? (left === 0 ? null : "too_much"),
      unread: unread === "" ? null : unread,
    },
    stop.code === null ? null : run.nowMs + pauseMs(stop.retryMs),
  );
}

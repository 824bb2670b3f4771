/** Whether issuers' revocation lists (CRLs) hold the certificates that are live. */
import pLimit from "p-limit";
import { type Certificate, parseCertificate } from "../../../certificate/parse.ts";
import { parseMs } from "../../../certificate/time.ts";
import type { Issuer } from "../../../issuer/issuers.ts";
import { HOUR_MS } from "../../../ratelimit/limit.ts";
import { revocationGapText } from "../../../report/phrases/plannotes.ts";
import { count } from "../../../report/text.ts";
import {
  isRevokedBy,
  revocationHosts,
  type RevocationList,
  revocationReason,
} from "../../../restoreplan/crl.ts";
import type { RevocationLists } from "../../revocation.ts";
import { type LiveRecord, type OutsideRun, PAUSE_MS } from "./run.ts";

/** A list is reissued every few hours, and says itself until when it holds at most. */
const LIST_MS = 6 * HOUR_MS;
const LISTS_AT_MOST = 50;
const FETCHES_AT_ONCE = 2;

interface Asked {
  readonly issuer: Issuer;
  readonly url: string;
  readonly certificates: readonly LiveRecord[];
}

export async function askRevocations(run: OutsideRun, lists: RevocationLists): Promise<void> {
  const due = dueLists(run);
  const limit = pLimit(FETCHES_AT_ONCE);
  await Promise.all(
    due.slice(0, LISTS_AT_MOST).flatMap(([first, ...others]) => {
      const issuer = run.issuers.find(({ id }) => id === first?.issuer);
      const url = first?.revocationList;
      return first === undefined ||
        issuer === undefined ||
        url === undefined ||
        run.isPaused("revocation", url)
        ? []
        : [limit(askList, run, lists, { issuer, url, certificates: [first, ...others] })];
    }),
  );
  if (due.length > LISTS_AT_MOST)
    run.add(
      {
        source: "revocation",
        scope: "lists",
        code: "too_much",
        unread: `${count(due.length - LISTS_AT_MOST, "list")} not fetched`,
      },
      null,
    );
}

function dueLists(run: OutsideRun): readonly LiveRecord[][] {
  const known = new Map(
    run.before.revocations.map((answer) => [`${answer.issuer} ${answer.serial}`, answer]),
  );
  const listed = run.live.filter(
    ({ issuer, revocationList = "" }) =>
      revocationList !== "" && revocationHosts(issuer).length > 0,
  );
  const byList = Map.groupBy(listed, ({ issuer, revocationList }) => `${issuer} ${revocationList}`);
  return [...byList.values()].filter((certificates) =>
    certificates.some(({ issuer, serial, revocationList }) => {
      const answer = known.get(`${issuer} ${serial}`);
      return answer?.list !== revocationList || !run.isAhead(answer?.nextMs);
    }),
  );
}

async function askList(
  run: OutsideRun,
  lists: RevocationLists,
  { issuer, url, certificates }: Asked,
): Promise<void> {
  const found = run.signal.aborted
    ? ({ ok: false, gap: { gap: "unreached", found: "timed out" } } as const)
    : await lists.list(url, revocationHosts(issuer.id), run.signal);
  const status = { source: "revocation", scope: url } as const;
  if (!found.ok) {
    const code = run.signal.aborted ? "timeout" : "unreachable";
    run.add({ ...status, code, unread: revocationGapText(found.gap) }, run.nowMs + PAUSE_MS);
    return;
  }
  const { list } = found;
  const untilMs = list.nextUpdate === null ? 0 : list.nextUpdate * 1000 - run.nowMs;
  const asked = {
    list: url,
    askedMs: run.nowMs,
    nextMs: run.nowMs + Math.min(LIST_MS, Math.max(PAUSE_MS, untilMs)),
  };
  const unknown = new Set<string>();
  for (const certificate of certificates) {
    const { serial } = certificate;
    const answer = judge(list, issuer, url, { certificate, nowMs: run.nowMs });
    if (answer.state === "unknown") unknown.add(revocationGapText(answer.gap));
    else
      run.revocations.push({
        issuer: issuer.id,
        serial,
        revokedMs: answer.state === "good" || answer.at === null ? null : parseMs(answer.at),
        reason: answer.state === "good" ? null : revocationReason(list, serialDer(serial)),
        ...asked,
      });
  }
  if (unknown.size === 0) run.add({ ...status, code: null, unread: null }, null);
  else
    run.add(
      { ...status, code: "invalid_answer", unread: [...unknown].join("; ") },
      run.nowMs + PAUSE_MS,
    );
}

function judge(
  list: RevocationList,
  issuer: Issuer,
  url: string,
  {
    certificate: { serial, keyIdentifier = "" },
    nowMs,
  }: { readonly certificate: LiveRecord; readonly nowMs: number },
): ReturnType<typeof isRevokedBy> {
  const signer = keyIdentifier === "" ? null : signerOf(issuer, keyIdentifier);
  if (signer === null) return { state: "unknown", gap: { gap: "no_issuer" } };
  const leaf = { serialDer: serialDer(serial) };
  return isRevokedBy(list, { leaf, issuer: signer, url, nowMs });
}

/** Contents octets of the INTEGER: a state leaves out the 00 before a first bit that is set. */
function serialDer(serial: string): Buffer {
  const bytes = Buffer.from(serial, "hex");
  return (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
}

const signers = new WeakMap<Issuer, ReadonlyMap<string, Certificate>>();

/**
 * The issuer's certificate of that key; of several over one key any: name and key are what counts.
 */
function signerOf(issuer: Issuer, keyIdentifier: string): Certificate | null {
  const known =
    signers.get(issuer) ??
    new Map(
      [issuer.intermediates, issuer.anchors]
        .flatMap(({ ders }) => ders)
        .map(parseCertificate)
        .flatMap((parsed) =>
          parsed.ok ? [[parsed.certificate.skid.toString("hex"), parsed.certificate] as const] : [],
        ),
    );
  signers.set(issuer, known);
  return known.get(keyIdentifier) ?? null;
}

/**
 * The issuer refuses a renewal because of what it says of the certificate before: another account asked for it (the
 * account key was lost), or it was replaced already. Both last until somebody mends them, or the certificate expires.
 */
import { instantNs, msOf } from "../finding/verdict.ts";
import { instantOf } from "../finding/words.ts";
import { BEARING_CONFIDENCE } from "./bearing.ts";
import { type Case, overSince } from "./case.ts";
import type { Cause } from "./cause.ts";
import { causeOf, type Lead } from "./lead.ts";
import { restoreCommand } from "./measure.ts";
import { logLine, times } from "./text.ts";

export function accountCause(of: Case): Cause | null {
  return causeOf("account_key_lost", [...refusedLeads(of), ...thumbprintLeads(of)]);
}

const RESTORE_KEY =
  "restore the ACME account key together with the certificate that it belongs to; a new order without it is refused until the certificate has expired";

function* refusedLeads(of: Case): Generator<Lead> {
  for (const { seen, bearing } of of.signs) {
    if (seen.kind !== "replaces_refused") continue;
    yield {
      confidence: BEARING_CONFIDENCE[bearing],
      because: `the issuer refuses renewals: another ACME account asked for the certificate before (${times(seen.count)}, last at ${instantOf(seen.lastMs)})`,
      evidence: [logLine(seen)],
      measures: [{ text: RESTORE_KEY, command: restoreCommand(of) }],
      overMs: overSince(of, seen.lastMs),
    };
  }
}

/** The key beside the certificate isn't the one that was there when its copy was made. */
function* thumbprintLeads(of: Case): Generator<Lead> {
  for (const place of of.places) {
    const { holder } = place;
    const now = new Set(
      Object.values(holder.accounts).flatMap(({ thumbprint }) => thumbprint ?? []),
    );
    if (place.condition !== "live" || now.size === 0) continue;
    const { record } = place;
    const copies = of.copies.filter(
      ({ kind, namespace, secret, sha256, account }) =>
        kind === "certificate" &&
        namespace === place.namespace &&
        secret === place.secret &&
        sha256 === record.sha256 &&
        account !== null,
    );
    if (copies.length === 0 || copies.some(({ account }) => account !== null && now.has(account)))
      continue;
    yield {
      confidence: "likely",
      because:
        "its ACME account key is another one than when the certificate was issued, so that the issuer will refuse its renewal",
      evidence: [
        {
          source: "secret",
          where: place.key,
          atMs: msOf(instantNs(holder.recordedAt)),
          text: `account ${[...now][0]?.slice(0, 12) ?? ""} now, ${copies[0]?.account?.slice(0, 12) ?? ""} when serial ${record.serial} was kept at ${copies[0]?.recordedAt ?? ""}`,
        },
      ],
      measures: [{ text: RESTORE_KEY, command: restoreCommand(of) }],
      overMs: null,
    };
  }
}

export function replacedCause(of: Case): Cause | null {
  return causeOf("already_replaced", [...replacedLeads(of)]);
}

function* replacedLeads(of: Case): Generator<Lead> {
  for (const { seen, bearing } of of.signs) {
    if (seen.kind !== "already_replaced") continue;
    yield {
      confidence: BEARING_CONFIDENCE[bearing],
      because: `the issuer says that what is stored was replaced already (${times(seen.count)}, last at ${instantOf(seen.lastMs)})`,
      evidence: [logLine(seen)],
      measures: [
        {
          text: "restore the newest copy: an older certificate was put back, or the newer one was issued and lost; without a newer copy its renewals fail until it expires",
          command: restoreCommand(of),
        },
      ],
      overMs: overSince(of, seen.lastMs),
    };
  }
}

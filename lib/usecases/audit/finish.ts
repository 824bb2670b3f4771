/**
 * The end of an audit's state: spans of backups, resolved losses, since when findings hold, and
 * what is old enough to forget. Pure.
 */
import { parseMs } from "../../certificate/time.ts";
import { evaluateState } from "../../finding/evaluate.ts";
import type { Finding } from "../../finding/finding.ts";
import { verdictAt } from "../../state/certificates.ts";
import type { CertificateRecord, SecretRecord, StateDocument } from "../../state/document.ts";
import {
  forgetLoss,
  heldIn,
  lostSecrets,
  standingSecrets,
  isIntended,
} from "../../state/secrets.ts";

const DAY_MS = 86_400_000;
/** A backup's record, and a loss, are forgotten this long after the certificate expired. */
const FORGET_AFTER_MS = 60 * DAY_MS;
const REMOVED_AFTER_MS = 7 * DAY_MS;

interface FinishOptions {
  readonly nowMs: number;
  readonly now: string;
  /** By which what is old is forgotten; see lib/state/ahead.ts. */
  readonly forgetMs: number;
  /**
   * The cluster was reached, and what stands was seen: in this namespace alone, or `null`: in all.
   */
  readonly reached: boolean;
  readonly only: string | null;
}

/**
 * @returns the state as it is to be saved, and its findings
 */
export function finishState(
  state: StateDocument,
  { nowMs, now, forgetMs, reached, only }: FinishOptions,
): { readonly state: StateDocument; readonly found: readonly Finding[] } {
  if (reached) {
    for (const { namespace, record } of standingSecrets(state)) {
      if (only !== null && namespace !== only) continue;
      for (const certificate of Object.values(record.certificates))
        stillLive(state, certificate.copy, () => verdictAt(certificate, nowMs).valid, now);
      for (const account of Object.values(record.accounts))
        stillLive(state, account.copy, () => true, now);
    }
  }
  forgetLosses(state, nowMs, forgetMs);
  for (const [version, copy] of Object.entries(state.copies)) {
    const until = copy.notAfter ?? copy.liveUntil;
    if (parseMs(until) + FORGET_AFTER_MS < forgetMs) delete state.copies[version];
  }
  const findings: StateDocument["findings"] = {};
  const found = evaluateState(state, nowMs, now);
  for (const finding of found) {
    findings[finding.id] = {
      ...state.findings[finding.id],
      code: finding.code,
      since: finding.since,
      lastAt: now,
    };
  }
  return { state: { ...state, findings }, found };
}

function stillLive(
  state: StateDocument,
  ref: CertificateRecord["copy"],
  isValid: () => boolean,
  now: string,
): void {
  const copy = ref === null ? undefined : state.copies[ref.version];
  if (ref === null || copy === undefined) return;
  state.copies[ref.version] = { ...copy, liveUntil: now, seenValid: copy.seenValid || isValid() };
}

/** What a certificate is for: Tailscale's controllers serve a name whichever layout stores it. */
function purposeOf({ shape }: SecretRecord, { names }: CertificateRecord): string {
  return `${shape === "tls" ? "tls" : "tailscale"}|${names.toSorted().join(",")}`;
}

function forgetLosses(state: StateDocument, nowMs: number, forgetMs: number): void {
  const losses = [...lostSecrets(state)];
  if (losses.length === 0) return;
  /**
   * When a valid certificate for this purpose, or this very one, was last seen for the first time
   * at its place.
   */
  const appeared = new Map<string, number>();
  for (const { record } of standingSecrets(state)) {
    for (const certificate of Object.values(record.certificates)) {
      if (!verdictAt(certificate, nowMs).valid) continue;
      const seenMs = parseMs(certificate.firstSeenAt);
      for (const what of [purposeOf(record, certificate), certificate.sha256])
        appeared.set(what, Math.max(seenMs, appeared.get(what) ?? Number.NEGATIVE_INFINITY));
    }
  }
  for (const { key, record, loss } of losses) {
    const certificates = heldIn(record).map(([, certificate]) => certificate);
    // A recreated proxy gets a Secret of another name or layout, and a person may restore into
    // another Secret: what appeared there since stands for what was lost.
    const hasAppeared = (what: string): boolean =>
      (appeared.get(what) ?? Number.NEGATIVE_INFINITY) > (loss?.lastSeenMs ?? 0);
    const moved = certificates.every(
      (certificate) =>
        hasAppeared(certificate.sha256) ||
        (certificate.names.length > 0 && hasAppeared(purposeOf(record, certificate))),
    );
    const over = certificates.every((certificate) => parseMs(certificate.notAfter) < forgetMs);
    const removed = loss !== null && isIntended(loss) && loss.lostMs + REMOVED_AFTER_MS < forgetMs;
    if (moved || over || removed) forgetLoss(state, key);
  }
}

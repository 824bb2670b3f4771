/**
 * What issuers tell of a cluster's live certificates, where somebody switched that on: when they
 * suggest to renew each (ACME Renewal Information), and whether their lists say that it was
 * revoked.
 *
 * Both by what the state recorded, not by the Secrets. Nothing is asked again before its time, a
 * source that fails is left alone for a while and told with since when, and all ends with the
 * signal: what isn't asked by then is next time's.
 */
import { parseMs } from "../../certificate/time.ts";
import pLimit from "p-limit";
import { parseCertificate, type Certificate } from "../../certificate/parse.ts";
import { renewalId } from "../../certificate/renewalid.ts";
import type { Issuer } from "../../issuer/issuers.ts";
import type { Clock } from "../../ports/runtime.ts";
import type { RenewalInfoSource } from "../../ports/outside.ts";
import { revocationGapText } from "../../report/phrases/revocation.ts";
import { isRevokedBy, revocationReason, type RevocationList } from "../../restoreplan/crl.ts";
import { revocationHosts } from "../../restoreplan/crlhosts.ts";
import { count } from "../../report/text.ts";
import { certificates as certificatesOf } from "../../state/certificates.ts";
import type { CertificateRecord, SecretRecord, StateDocument } from "../../state/document.ts";
import {
  boundObservations,
  mergeObservations,
  NO_OBSERVATIONS,
  observationsOf,
  storedObservations,
  type Observations,
} from "../../state/observations.ts";
import type {
  StatusSource,
  RenewalWindow,
  RevocationAnswer,
  SourceStatus,
} from "../../state/signals.ts";
import type { RevocationLists } from "../revocation.ts";
import { type AuditPorts, type JudgeKit, type OutsidePorts, outsideSignal } from "./context.ts";

interface OutsideContext extends Pick<OutsidePorts, "renewalInfo" | "revocation"> {
  readonly kit: Pick<JudgeKit, "issuers">;
  /** The time it really is. */
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A look that also remembers until when its source is left alone. */
interface HeldStatus extends SourceStatus {
  readonly nextMs?: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** After a failure that says nothing of when to come again. */
const PAUSE_MS = 15 * MINUTE_MS;
/** A list is made anew every few hours, and says itself until when it holds at most. */
const LIST_MS = 6 * HOUR_MS;
/**
 * A certificate that the issuer doesn't know, or of which it says nonsense, is asked about again
 * then.
 */
const UNKNOWN_MS = DAY_MS;
/** Certificates asked about in one run, lists fetched in one run, and requests at a time. */
const ASKED_AT_MOST = 300;
const LISTS_AT_MOST = 50;
/** Answers that are none, after which the issuer is left alone. */
const INVALID_AT_MOST = 3;
const ASKS_AT_ONCE = 8;
const FETCHES_AT_ONCE = 2;

/** Whether issuers are asked in this run. */
export function asksIssuers({ outside, dryRun }: Pick<AuditPorts, "outside" | "dryRun">): boolean {
  return (
    outside !== undefined &&
    !dryRun &&
    (outside.renewalInfo !== null || outside.revocation !== null)
  );
}

/**
 * Whether a record lacks what issuers are asked by: its Secret was read before that was recorded.
 */
export function lacksPointers({ certificates }: Pick<SecretRecord, "certificates">): boolean {
  return Object.values(certificates).some(isUnread);
}

function isUnread({
  issuer,
  keyIdentifier,
}: Pick<CertificateRecord, "issuer" | "keyIdentifier">): boolean {
  return issuer !== null && keyIdentifier === undefined;
}

type Live = CertificateRecord & { readonly issuer: string };

/** Each certificate once, that hasn't expired, of an issuer that is known. */
function liveOf(state: StateDocument, nowMs: number): Live[] {
  const live = new Map<string, Live>();
  for (const { condition, record } of certificatesOf(state, nowMs)) {
    if (condition !== "live" || record.issuer === null || parseMs(record.notAfter) < nowMs)
      continue;
    live.set(`${record.issuer} ${record.serial}`, { ...record, issuer: record.issuer });
  }
  return [...live.values()];
}

/** What the state is to hold of other sources from now on. Never throws for what a source does. */
export async function askIssuers(state: StateDocument, ports: AuditPorts): Promise<unknown> {
  const { outside, kit, clock, wall = clock, signal } = ports;
  if (outside === undefined || !asksIssuers(ports) || signal?.aborted === true)
    return state.observations;
  const run = new OutsideRun(state, {
    ...outside,
    kit,
    clock: wall,
    signal: outsideSignal(outside, signal),
  });
  await Promise.all([run.askWindows(), run.askRevocations()]);
  return storedObservations(
    state.observations,
    boundObservations(mergeObservations(observationsOf(state), run.told), wall.nowMs()),
  );
}

class OutsideRun {
  readonly #context: OutsideContext;
  readonly #nowMs: number;
  readonly #live: readonly Live[];
  readonly #before: Observations;
  readonly #looks: HeldStatus[] = [];
  readonly #windows: RenewalWindow[] = [];
  readonly #revocations: RevocationAnswer[] = [];

  constructor(state: StateDocument, context: OutsideContext) {
    this.#context = context;
    this.#nowMs = context.clock.nowMs();
    this.#live = liveOf(state, this.#nowMs);
    this.#before = observationsOf(state);
  }

  get told(): Observations {
    return {
      ...NO_OBSERVATIONS,
      looks: this.#looks,
      windows: this.#windows,
      revocations: this.#revocations,
    };
  }

  /**
   * A time that lies further ahead than any source may say comes from a clock that has gone back
   * since.
   */
  #isHeld(nextMs: number | undefined): boolean {
    return nextMs !== undefined && nextMs > this.#nowMs && nextMs <= this.#nowMs + DAY_MS;
  }

  #lookBefore(source: StatusSource, scope: string): HeldStatus | undefined {
    return this.#before.looks.find((look) => look.source === source && look.scope === scope);
  }

  #look(
    source: StatusSource,
    scope: string,
    code: string | null,
    unread: string | null,
    nextMs: number | null,
  ): void {
    const before = this.#lookBefore(source, scope);
    this.#looks.push({
      source,
      scope,
      askedMs: this.#nowMs,
      wholeMs: code === null ? this.#nowMs : (before?.wholeMs ?? null),
      code,
      sinceMs: code === null ? null : (before?.sinceMs ?? this.#nowMs),
      unread,
      ...(nextMs === null ? {} : { nextMs }),
    });
  }

  async askWindows(): Promise<void> {
    const { renewalInfo, kit } = this.#context;
    if (renewalInfo === null) return;
    for (const { id, directory } of kit.issuers) {
      const certificates = this.#live.filter(({ issuer }) => issuer === id);
      if (directory !== null && certificates.length > 0)
        await this.#askDirectory(renewalInfo, id, directory, certificates);
    }
  }

  async #askDirectory(
    source: RenewalInfoSource,
    issuer: string,
    directory: string,
    certificates: readonly Live[],
  ): Promise<void> {
    if (this.#isHeld(this.#lookBefore("renewal_info", directory)?.nextMs)) return;
    const known = new Map(
      this.#before.windows
        .filter((window) => window.issuer === issuer)
        .map((window) => [window.serial, window]),
    );
    const lacking = certificates.filter(isUnread).length;
    const due = certificates
      .flatMap(({ serial, keyIdentifier = "" }) => {
        const id = renewalId(keyIdentifier, serial);
        const scope = `${directory} ${id ?? ""}`;
        return id === null ||
          this.#isHeld(known.get(serial)?.nextMs) ||
          this.#isHeld(this.#lookBefore("renewal_info", scope)?.nextMs)
          ? []
          : [{ id, scope, serial, askedMs: known.get(serial)?.askedMs ?? 0 }];
      })
      .toSorted((a, b) => a.askedMs - b.askedMs);
    if (due.length === 0 && lacking === 0) return;
    const limit = pLimit(ASKS_AT_ONCE);
    const stop: { code: string | null; retryMs: number | null } = { code: null, retryMs: null };
    let [answered, invalid] = [0, 0];
    await Promise.all(
      due.slice(0, ASKED_AT_MOST).map(({ id, scope, serial }) =>
        limit(async () => {
          if (stop.code !== null) return;
          const answer = this.#context.signal.aborted
            ? ({ ok: false, code: "timeout", retryMs: null } as const)
            : await source.ask(directory, id, this.#context.signal);
          if (answer.ok) {
            const { startMs, endMs, explanationUrl, retryMs } = answer;
            this.#windows.push({
              issuer,
              serial,
              startMs,
              endMs,
              explanationUrl,
              askedMs: this.#nowMs,
              nextMs: this.#nowMs + retryMs,
            });
            answered += 1;
          } else if (
            answer.code === "unknown_certificate" ||
            (answer.code === "invalid_answer" && invalid < INVALID_AT_MOST)
          ) {
            // About this one; the others are asked about all the same.
            this.#look("renewal_info", scope, answer.code, null, this.#nowMs + UNKNOWN_MS);
            answered += 1;
            invalid += answer.code === "invalid_answer" ? 1 : 0;
          } else if (stop.code === null) [stop.code, stop.retryMs] = [answer.code, answer.retryMs];
        }),
      ),
    );
    const left = due.length - answered;
    const unread = [
      ...(left === 0 ? [] : [`${count(left, "certificate")} not asked about`]),
      ...(lacking === 0
        ? []
        : [`${count(lacking, "certificate")} not read since this is switched on`]),
    ].join(", ");
    this.#look(
      "renewal_info",
      directory,
      stop.code ?? (left === 0 ? null : "too_much"),
      unread === "" ? null : unread,
      stop.code === null ? null : this.#nowMs + pauseMs(stop.retryMs),
    );
  }

  async askRevocations(): Promise<void> {
    const { revocation, kit } = this.#context;
    if (revocation === null) return;
    const known = new Map(
      this.#before.revocations.map((answer) => [`${answer.issuer} ${answer.serial}`, answer]),
    );
    const byList = Map.groupBy(
      this.#live.filter(
        ({ issuer, revocationList }) =>
          revocationList !== undefined &&
          revocationList !== "" &&
          revocationHosts(issuer).length > 0,
      ),
      ({ issuer, revocationList = "" }) => `${issuer} ${revocationList}`,
    );
    const due = [...byList.values()].filter(
      (certificates) =>
        !certificates.every(
          ({ issuer, serial, revocationList }) =>
            known.get(`${issuer} ${serial}`)?.list === revocationList &&
            this.#isHeld(known.get(`${issuer} ${serial}`)?.nextMs),
        ),
    );
    const limit = pLimit(FETCHES_AT_ONCE);
    await Promise.all(
      due.slice(0, LISTS_AT_MOST).map((certificates) =>
        limit(async () => {
          const [first] = certificates;
          const issuer = kit.issuers.find(({ id }) => id === first?.issuer);
          const url = first?.revocationList;
          if (
            issuer !== undefined &&
            url !== undefined &&
            !this.#isHeld(this.#lookBefore("revocation", url)?.nextMs)
          )
            await this.#askList(revocation, issuer, url, certificates);
        }),
      ),
    );
    if (due.length > LISTS_AT_MOST)
      this.#look(
        "revocation",
        "lists",
        "too_much",
        `${count(due.length - LISTS_AT_MOST, "list")} not fetched`,
        null,
      );
  }

  async #askList(
    lists: RevocationLists,
    issuer: Issuer,
    url: string,
    certificates: readonly Live[],
  ): Promise<void> {
    const { signal } = this.#context;
    const found = signal.aborted
      ? ({ ok: false, gap: { gap: "unreached", found: "the time was over" } } as const)
      : await lists.list(url, revocationHosts(issuer.id), signal);
    if (!found.ok) {
      this.#look(
        "revocation",
        url,
        signal.aborted ? "timeout" : "unreachable",
        revocationGapText(found.gap),
        this.#nowMs + PAUSE_MS,
      );
      return;
    }
    const { list } = found;
    const nextMs =
      this.#nowMs +
      Math.min(
        LIST_MS,
        Math.max(PAUSE_MS, list.nextUpdate === null ? 0 : list.nextUpdate * 1000 - this.#nowMs),
      );
    const unknown = new Set<string>();
    for (const certificate of certificates) {
      const answer = this.#judge(list, issuer, url, certificate);
      if (answer.state === "unknown") unknown.add(revocationGapText(answer.gap));
      else
        this.#revocations.push({
          issuer: issuer.id,
          serial: certificate.serial,
          revokedMs: answer.state === "good" || answer.at === null ? null : parseMs(answer.at),
          reason:
            answer.state === "good" ? null : revocationReason(list, serialDer(certificate.serial)),
          list: url,
          askedMs: this.#nowMs,
          nextMs,
        });
    }
    this.#look(
      "revocation",
      url,
      unknown.size === 0 ? null : "invalid_answer",
      unknown.size === 0 ? null : [...unknown].join("; "),
      unknown.size === 0 ? null : this.#nowMs + PAUSE_MS,
    );
  }

  #judge(
    list: RevocationList,
    issuer: Issuer,
    url: string,
    { serial, keyIdentifier = "" }: Live,
  ): ReturnType<typeof isRevokedBy> {
    const signer = keyIdentifier === "" ? null : signerOf(issuer, keyIdentifier);
    if (signer === null) return { state: "unknown", gap: { gap: "no_issuer" } };
    return isRevokedBy(list, {
      leaf: { serialDer: serialDer(serial) },
      issuer: signer,
      url,
      nowMs: this.#nowMs,
    });
  }
}

function pauseMs(retryMs: number | null): number {
  return retryMs === null ? PAUSE_MS : Math.min(DAY_MS, Math.max(MINUTE_MS, retryMs));
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

/**
 * One Secret as the state records it, and what of it is to be backed up. Key bytes stay in the
 * candidates and go no further than the encryption.
 */
import { hintsOf } from "../../certificate/hint.ts";
import { formatMs, parseMs, parseMsOrNull } from "../../certificate/time.ts";
import { issuedAt } from "../../ratelimit/sct.ts";
import { accountSecrets } from "../../secret/account.ts";
import { extract, type ExtractedPair, type Extraction } from "../../secret/extract.ts";
import { issuedNames } from "../../secret/certmanager.ts";
import { parentObject } from "../../secret/parent.ts";
import { secretKey, type Secret } from "../../secret/secret.ts";
import { verdictAt } from "../../state/certificates.ts";
import type {
  CertificateRecord,
  EarlierContent,
  GapRecord,
  SecretRecord,
} from "../../state/document.ts";
import { heldIn } from "../../state/secrets.ts";
import { accountCandidate, type Candidate, certificateCandidate } from "./candidates.ts";
import type { AuditSettings, JudgeKit } from "./context.ts";
import { type JudgedLeaf, judgePair } from "./judge.ts";

export interface RecordContext {
  readonly kit: JudgeKit;
  readonly settings: AuditSettings;
  readonly judgedWith: string;
  readonly nowMs: number;
  /** By which what is old is forgotten; see lib/state/ahead.ts. */
  readonly forgetMs: number;
  readonly now: string;
  /** The time it really is; `now` may be another that is asked about. */
  readonly seenAt: string;
  /** What was recorded before is of a Secret that was missing meanwhile. */
  readonly lost: boolean;
  /** ACME accounts of the Secret `namespace/name`, as far as it was read in this run or before. */
  accountsAt(key: string): readonly string[];
}

export interface RecordedSecret {
  readonly record: SecretRecord;
  readonly candidates: readonly Candidate[];
}

export async function recordSecret(
  secret: Secret,
  previous: SecretRecord | null,
  context: RecordContext,
): Promise<RecordedSecret> {
  const recording = new Recording(secret, previous, context);
  await recording.addPairs();
  recording.addMissingContent();
  recording.addAccounts();
  return recording.end();
}

class Recording {
  readonly #secret: Secret;
  readonly #previous: SecretRecord | null;
  readonly #context: RecordContext;
  readonly #extraction: Extraction;
  readonly #isNamed: boolean;
  readonly #certificates: Record<string, CertificateRecord> = {};
  readonly #gaps: Record<string, GapRecord> = {};
  readonly #accounts: SecretRecord["accounts"] = {};
  readonly #candidates: Candidate[] = [];
  #foreign = false;

  constructor(secret: Secret, previous: SecretRecord | null, context: RecordContext) {
    const { operatorNamespace, operatorSecret, secrets } = context.settings;
    this.#secret = secret;
    this.#previous = previous;
    this.#context = context;
    this.#isNamed = secrets.includes(secretKey(secret));
    this.#extraction = extract(secret, {
      operatorNamespace,
      operatorNames: [operatorSecret],
      named: new Set(secrets),
    });
  }

  get #source() {
    return { secret: this.#secret, extraction: this.#extraction, nowMs: this.#context.nowMs };
  }

  #heldBefore(base: string): CertificateRecord | null {
    return this.#previous?.certificates[base] ?? this.#previous?.gaps[base]?.held ?? null;
  }

  async addPairs(): Promise<void> {
    const accountNow = this.#accountNow();
    for (const pair of this.#extraction.pairs) {
      const judged = await judgePair(pair, this.#context.kit);
      const before = this.#heldBefore(pair.fieldBase);
      if (judged.leaf === null)
        this.#addGap(pair.fieldBase, pair.domain, "unreadable", {
          reasons: [...judged.reasons],
          ...hintsFor(pair, judged.reasons),
        });
      else if (
        this.#extraction.shape === "tls" &&
        !judged.known &&
        before === null &&
        !this.#isNamed
      )
        this.#foreign = true;
      else this.#addCertificate(pair, judged, before, accountNow);
    }
  }

  #addCertificate(
    pair: ExtractedPair,
    judged: JudgedLeaf,
    before: CertificateRecord | null,
    accountNow: string | null,
  ): void {
    const { leaf } = judged;
    const same = before !== null && before.sha256 === leaf.sha256 ? before : null;
    const firstSeenAt = same?.firstSeenAt ?? this.#context.seenAt;
    const issued = issuedAt({
      sctList: judged.sctList,
      notBeforeMs: parseMs(leaf.notBefore),
      firstSeenMs: parseMs(firstSeenAt),
      backdateMs: judged.backdateMs,
    });
    const record: CertificateRecord = {
      domain: pair.domain,
      names: [...leaf.names],
      issuer: judged.issuer,
      issuerName: leaf.issuer,
      staging: judged.staging,
      serial: leaf.serial,
      sha256: leaf.sha256,
      notBefore: leaf.notBefore,
      notAfter: leaf.notAfter,
      issuedAt: formatMs(issued.issuedAtMs),
      issuedBy: issued.basis,
      keyFits: judged.keyFits,
      windows: judged.windows.map(({ fromMs, untilMs }) => [formatMs(fromMs), formatMs(untilMs)]),
      reasons: [...judged.reasons],
      ...hintsFor(pair, judged.reasons),
      firstSeenAt,
      copy: null,
      notKept: null,
      // The key that was there when the certificate was first seen: it may have been lost since.
      account:
        same === null || (same.account === null && this.#previous?.unkept === undefined)
          ? accountNow
          : same.account,
      ...judged.pointers,
    };
    this.#certificates[pair.fieldBase] = record;
    this.#candidates.push(
      certificateCandidate(this.#source, pair, record, {
        isForeign: !judged.known,
        isUnnamedCa: leaf.isCa && !this.#isNamed,
      }),
    );
  }

  addMissingContent(): void {
    for (const { fieldBase, domain, state } of this.#extraction.gaps)
      this.#addGap(fieldBase, domain, state, {
        reasons: [state === "key_missing" ? "key_empty" : "certificate_empty"],
      });
    // What this Secret held before and doesn't name any more was emptied, whatever its layout is.
    for (const [base, before] of heldIn(this.#previous ?? undefined)) {
      if (
        this.#certificates[base] === undefined &&
        this.#gaps[base] === undefined &&
        parseMs(before.notAfter) >= this.#context.forgetMs
      )
        this.#addGap(base, before.domain, "empty", { reasons: ["certificate_empty"] });
    }
  }

  #addGap(
    base: string,
    domain: string | null,
    state: string,
    why: Pick<GapRecord, "reasons" | "hints">,
  ): void {
    const before = this.#previous?.gaps[base];
    const held = this.#heldBefore(base);
    const issuedFor = held === null && state === "empty" ? issuedNames(this.#secret) : [];
    this.#gaps[base] = {
      domain,
      state,
      ...why,
      since: before?.state === state ? before.since : this.#emptySince(),
      held,
      ...(issuedFor.length === 0 ? {} : { issuedFor }),
    };
  }

  /** A Secret that was never seen before has been so since it was created, at the latest by now. */
  #emptySince(): string {
    const { createdAt, uid } = this.#secret;
    const { now, nowMs } = this.#context;
    const createdMs = createdAt === null ? null : parseMsOrNull(createdAt);
    return createdMs === null || createdMs > nowMs || this.#previous?.uid === uid
      ? now
      : formatMs(createdMs);
  }

  addAccounts(): void {
    for (const key of this.#extraction.accountKeys) {
      this.#accounts[key.field] = { thumbprint: key.thumbprint, copy: null, notKept: null };
      this.#candidates.push(accountCandidate(this.#source, key));
    }
    for (const field of this.#extraction.unreadableAccountFields)
      this.#accounts[field] = {
        thumbprint: null,
        copy: null,
        notKept: { reason: "unreadable_key" },
      };
  }

  /**
   * The one account whose key lies where the node that issued the Secret's certificates keeps it;
   * `null`: none, or several.
   */
  #accountNow(): string | null {
    const { shape, accountKeys } = this.#extraction;
    const { name: own, namespace, labels } = this.#secret;
    if (shape === null) return null;
    for (const name of accountSecrets(shape, own, labels)) {
      const accounts =
        name === own
          ? accountKeys.map(({ thumbprint }) => thumbprint)
          : this.#context.accountsAt(`${namespace}/${name}`);
      if (accounts.length > 0) return accounts.length === 1 ? (accounts[0] ?? null) : null;
    }
    return null;
  }

  end(): RecordedSecret {
    const { uid, resourceVersion, type, immutable } = this.#secret;
    const isEmpty =
      Object.keys(this.#certificates).length === 0 && Object.keys(this.#gaps).length === 0;
    const earlier = earlierOf(this.#previous, this.#certificates, this.#context);
    const record: SecretRecord = {
      uid,
      resourceVersion,
      judgedWith: this.#context.judgedWith,
      recordedAt: this.#context.now,
      shape: this.#extraction.shape ?? this.#previous?.shape ?? null,
      type,
      foreign: this.#foreign && isEmpty,
      immutable,
      parent: parentOf(this.#secret, this.#extraction),
      certificates: this.#certificates,
      gaps: this.#gaps,
      accounts: this.#accounts,
      ...(earlier.length === 0 ? {} : { earlier }),
      ...(this.#candidates.length === 0 ? {} : { unkept: [...this.#extraction.unkept] }),
    };
    return { record, candidates: this.#candidates };
  }
}

function hintsFor(pair: ExtractedPair, reasons: readonly string[]): Pick<GapRecord, "hints"> {
  const hints = hintsOf(pair, reasons);
  return hints.length === 0 ? {} : { hints: hints.map((hint) => ({ ...hint })) };
}

/** How many changes of a Secret are recorded, and how long: a week, for the report of reissues. */
const MAX_EARLIER = 10;
const EARLIER_MS = 30 * 86_400_000;

/** What was here before that something else stands for now, the newest first. */
function earlierOf(
  previous: SecretRecord | null,
  certificates: Readonly<Record<string, CertificateRecord>>,
  { nowMs, forgetMs, now, lost }: RecordContext,
): EarlierContent[] {
  if (previous === null) return [];
  const { uid } = previous;
  const found: EarlierContent[] = [];
  for (const [base, certificate] of Object.entries(certificates)) {
    const [held, gap] = [previous.certificates[base], previous.gaps[base]];
    if (held !== undefined && held.sha256 !== certificate.sha256) {
      // As its controller judged it when it requested this one; an older one is a restore.
      const issuedMs = parseMs(certificate.issuedAt);
      const judgedMs = issuedMs > parseMs(held.issuedAt) ? Math.min(issuedMs, nowMs) : nowMs;
      found.push({
        at: now,
        uid,
        base,
        state: lost ? "gone" : "live",
        serial: held.serial,
        reasons: [...verdictAt(held, judgedMs).reasons],
      });
    } else if (
      gap !== undefined &&
      gap.held?.sha256 !== certificate.sha256 &&
      (gap.held !== null || gap.state !== "empty")
    ) {
      found.push({
        at: now,
        uid,
        base,
        state: lost ? "gone" : gap.state,
        serial: gap.held?.serial ?? null,
        reasons: [...gap.reasons],
      });
    }
  }
  return [...found, ...(previous.earlier ?? [])]
    .filter(({ at }) => parseMs(at) + EARLIER_MS > forgetMs)
    .slice(0, MAX_EARLIER);
}

function parentOf(secret: Secret, extraction: Extraction): SecretRecord["parent"] {
  const [owner] = secret.owners;
  if (owner !== undefined)
    return {
      apiVersion: owner.apiVersion,
      kind: owner.kind,
      namespace: secret.namespace,
      name: owner.name,
    };
  if (extraction.parent !== null) return parentObject(extraction.parent);
  const certificate = secret.annotations["cert-manager.io/certificate-name"];
  return certificate === undefined
    ? null
    : {
        apiVersion: "cert-manager.io/v1",
        kind: "Certificate",
        namespace: secret.namespace,
        name: certificate,
      };
}

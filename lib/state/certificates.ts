/**
 * Every certificate that a state knows, in every condition: live, with its content missing,
 * pending, or lost with its Secret. Everything that looks at a state's certificates reads them
 * here, so that no reader forgets a condition. Pure.
 */
import { parseMs } from "../certificate/time.ts";
import { isShape, pairForm } from "../secret/shapes.ts";
import type { CertificateRecord, GapRecord, SecretRecord, StateDocument } from "./document.ts";
import { type Backup, backupsByPlace, placeKey } from "./backups.ts";
import { type Loss, type SecretEntry, secretEntries } from "./secrets.ts";

export interface Verdict {
  readonly valid: boolean;
  /** Reason codes; empty where it is valid. */
  readonly reasons: readonly string[];
}

/** Who writes a Secret and requests its certificates. */
export type Owner = "tailscale" | "cert-manager" | "nobody";

/**
 * `record` is what it holds, or held when it was last whole; `verdict` is that at the instant asked
 * about.
 */
type Content =
  | {
      readonly condition: "live";
      readonly record: CertificateRecord;
      readonly verdict: Verdict;
      readonly missingContent: null;
      readonly loss: null;
    }
  | {
      /** The Secret stands without what it held. */
      readonly condition: "missing_content";
      readonly record: CertificateRecord;
      readonly verdict: Verdict;
      readonly missingContent: GapRecord;
      readonly loss: null;
    }
  | {
      /** The Secret stands, and no certificate was ever seen in it. */
      readonly condition: "pending";
      readonly record: null;
      readonly verdict: Verdict;
      readonly missingContent: GapRecord;
      readonly loss: null;
    }
  | {
      readonly condition: "lost";
      readonly record: CertificateRecord;
      readonly verdict: null;
      /** Its content was missing already when the Secret went. */
      readonly missingContent: GapRecord | null;
      readonly loss: Loss;
    };

export type CertificateEntry = Content & {
  readonly cluster: string;
  /** `NAMESPACE/SECRET` */
  readonly key: string;
  readonly namespace: string;
  readonly secret: string;
  /** `tls` of `tls.crt`, `shop.example.ts.net` of `shop.example.ts.net.crt`. */
  readonly fieldBase: string;
  /** Layout of the Secret. */
  readonly layout: string;
  /** Record of the Secret that holds it, or held it. */
  readonly holder: SecretRecord;
  readonly owner: Owner;
  /** What people call it; `null` where it has no name: say `key` then, as `titleOf` does. */
  readonly name: string | null;
  /** Since when its condition holds. */
  readonly sinceMs: number;
  /** `null`: never. */
  readonly lastSeenMs: number | null;
  /**
   * Of this place, of whatever names: certificates, standbys, and what restores replaced; worked
   * out when read.
   */
  readonly backups: readonly Backup[];
  /**
   * Thumbprint of the ACME account key that its issuer's node had when it was first seen, or
   * `null`.
   */
  readonly account: string | null;
  /**
   * The name that its node has by now: a Tailscale node has one, and a newer valid pair of another
   * name lies beside this one. `null`: its own.
   */
  readonly newName: string | null;
};

export type LiveCertificate = CertificateEntry & { readonly condition: "live" };
export type MissingCertificate = CertificateEntry & {
  readonly condition: "missing_content" | "pending";
};

/** What all entries of one reading share. */
class Reading {
  readonly state: StateDocument;
  readonly atMs: number;
  readonly reachedMs: number | null;
  #byPlace: ReadonlyMap<string, readonly Backup[]> | null = null;

  constructor(state: StateDocument, atMs: number) {
    this.state = state;
    this.atMs = atMs;
    const reachedAt = state.audit?.lastReachedAt ?? null;
    this.reachedMs = reachedAt === null ? null : parseMs(reachedAt);
  }

  backupsOf({ namespace, secret, fieldBase }: Entry): readonly Backup[] {
    this.#byPlace ??= backupsByPlace(this.state);
    return this.#byPlace.get(placeKey(namespace, secret, fieldBase)) ?? [];
  }
}

/**
 * Most readers want a few of these of each entry, and there are ten thousand: the rest is worked
 * out when read.
 */
class Entry {
  readonly #reading: Reading;
  readonly key: string;
  readonly namespace: string;
  readonly secret: string;
  readonly fieldBase: string;
  readonly holder: SecretRecord;
  readonly condition: Content["condition"];
  readonly record: CertificateRecord | null;
  readonly missingContent: GapRecord | null;
  readonly loss: Loss | null;
  #verdict: Verdict | null | undefined;

  constructor(
    reading: Reading,
    { key, namespace, secret, record: holder, loss }: SecretEntry,
    fieldBase: string,
    [record, missingContent]: readonly [CertificateRecord | null, GapRecord | null],
  ) {
    this.#reading = reading;
    this.key = key;
    this.namespace = namespace;
    this.secret = secret;
    this.fieldBase = fieldBase;
    this.holder = holder;
    this.loss = loss;
    this.record = record;
    this.missingContent = missingContent;
    this.condition =
      loss !== null
        ? "lost"
        : missingContent === null
          ? "live"
          : record === null
            ? "pending"
            : "missing_content";
  }

  get cluster(): string {
    return this.#reading.state.cluster;
  }

  get layout(): string {
    return this.holder.shape ?? "tls";
  }

  get owner(): Owner {
    return ownerOf(this.holder);
  }

  get name(): string | null {
    return nameOf(this.fieldBase, this.record, this.missingContent);
  }

  get verdict(): Verdict | null {
    if (this.#verdict === undefined) {
      const { record, missingContent, loss } = this;
      if (loss !== null) this.#verdict = null;
      else if (missingContent !== null)
        this.#verdict = { valid: false, reasons: missingContent.reasons };
      else this.#verdict = record === null ? null : verdictAt(record, this.#reading.atMs);
    }
    return this.#verdict;
  }

  get sinceMs(): number {
    const since = this.missingContent?.since ?? this.record?.firstSeenAt;
    return this.loss?.lostMs ?? parseMs(since ?? "");
  }

  get lastSeenMs(): number | null {
    return this.loss?.lastSeenMs ?? this.#reading.reachedMs;
  }

  get backups(): readonly Backup[] {
    return this.#reading.backupsOf(this);
  }

  get newName(): string | null {
    const { record, loss, fieldBase, holder } = this;
    return record === null || loss !== null
      ? null
      : laterName(fieldBase, record, holder, this.#reading.atMs);
  }

  get account(): string | null {
    return this.record?.account ?? null;
  }
}

/** The name of the newest valid pair that was issued later, for another name. */
function laterName(
  fieldBase: string,
  record: CertificateRecord,
  holder: SecretRecord,
  atMs: number,
): string | null {
  if (holder.shape === null || !isShape(holder.shape) || pairForm(holder.shape) !== "host")
    return null;
  const others = Object.entries(holder.certificates)
    .filter(
      ([base, other]) =>
        base !== fieldBase &&
        parseMs(other.issuedAt) > parseMs(record.issuedAt) &&
        verdictAt(other, atMs).valid,
    )
    .toSorted(([, a], [, b]) => parseMs(b.issuedAt) - parseMs(a.issuedAt));
  const [newest] = others;
  return newest === undefined ? null : nameOf(newest[0], newest[1], null);
}

/** @throws RangeError where an instant of the state is none */
export function* certificates(state: StateDocument, atMs: number): Generator<CertificateEntry> {
  const reading = new Reading(state, atMs);
  for (const secret of secretEntries(state)) {
    const { record: holder, loss } = secret;
    if (holder.foreign) continue;
    // The constructor keeps what an entry's condition says of its other fields.
    for (const [base, record] of Object.entries(holder.certificates))
      yield new Entry(reading, secret, base, [record, null]) as CertificateEntry;
    for (const [base, gap] of Object.entries(holder.gaps))
      if (gap.held !== null || loss === null)
        yield new Entry(reading, secret, base, [gap.held, gap]) as CertificateEntry;
  }
}

/** `tls` is what every such field is called: no name. */
function nameOf(
  fieldBase: string,
  record: CertificateRecord | null,
  missingContent: GapRecord | null,
): string | null {
  return (
    missingContent?.domain ??
    missingContent?.issuedFor?.[0] ??
    record?.domain ??
    record?.names[0] ??
    (fieldBase === "tls" ? null : fieldBase)
  );
}

/** What people call it, or its Secret where it has no name. */
export function titleOf({ name, key }: Pick<CertificateEntry, "name" | "key">): string {
  return name ?? key;
}

/** The names that its controller requests, whatever stands in the certificate that it rejects. */
export function requestedNames(
  entry: Pick<CertificateEntry, "name" | "key" | "record">,
): readonly string[] {
  const { record } = entry;
  if (record === null) return [titleOf(entry)];
  return record.domain === null ? record.names : [record.domain];
}

function ownerOf({ shape, parent }: Pick<SecretRecord, "shape" | "parent">): Owner {
  if (shape !== "tls") return "tailscale";
  return parent?.kind === "Certificate" && parent.apiVersion.startsWith("cert-manager.io/")
    ? "cert-manager"
    : "nobody";
}

/** A state keeps windows and reasons; time enters last. */
export function verdictAt(
  record: Pick<CertificateRecord, "windows" | "reasons" | "notBefore" | "notAfter">,
  atMs: number,
): Verdict {
  const windows = record.windows.map(([from, until]) => [parseMs(from), parseMs(until)] as const);
  if (windows.some(([fromMs, untilMs]) => fromMs <= atMs && atMs <= untilMs))
    return { valid: true, reasons: [] };
  const reasons = new Set(record.reasons);
  if (atMs > parseMs(record.notAfter)) reasons.add("expired");
  if (atMs < parseMs(record.notBefore)) reasons.add("not_yet_valid");
  if (reasons.size === 0)
    reasons.add(
      windows.some(([fromMs]) => fromMs > atMs)
        ? "intermediate_not_yet_valid"
        : "intermediate_expired",
    );
  return { valid: false, reasons: [...reasons] };
}

/**
 * Every certificate that a state knows, in every condition: live, with its content missing,
 * pending, or lost with its Secret. Everything that looks at a state's certificates reads them
 * here, so that no reader forgets a condition. Pure.
 */
import { parseMs } from "../certificate/time.ts";
import type {
  CertificateRecord,
  CopyRecord,
  GapRecord,
  SecretRecord,
  StateDocument,
} from "./document.ts";
import { type Loss, type SecretEntry, secretEntries } from "./secrets.ts";

export interface Verdict {
  readonly valid: boolean;
  /** Reason codes; empty where it is valid. */
  readonly reasons: readonly string[];
}

export interface Backup {
  readonly version: string;
  readonly copy: CopyRecord;
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
};

export type LiveCertificate = CertificateEntry & { readonly condition: "live" };

/** @throws RangeError where an instant of the state is none */
export function* certificates(state: StateDocument, atMs: number): Generator<CertificateEntry> {
  const reachedAt = state.audit?.lastReachedAt ?? null;
  const reachedMs = reachedAt === null ? null : parseMs(reachedAt);
  let byPlace: ReadonlyMap<string, readonly Backup[]> | null = null;
  const backupsOf = (place: string): readonly Backup[] =>
    (byPlace ??= backupsByPlace(state)).get(place) ?? [];

  const entryOf = (
    { key, namespace, secret, record: holder, loss }: SecretEntry,
    fieldBase: string,
    content: Content,
  ): CertificateEntry => {
    const { condition, record, missingContent } = content;
    return {
      ...content,
      cluster: state.cluster,
      key,
      namespace,
      secret,
      fieldBase,
      layout: holder.shape ?? "tls",
      holder,
      owner: ownerOf(holder),
      name: nameOf(fieldBase, record, missingContent),
      sinceMs:
        loss?.lostMs ??
        parseMs(condition === "live" ? record.firstSeenAt : (missingContent?.since ?? "")),
      lastSeenMs: loss?.lastSeenMs ?? reachedMs,
      get backups() {
        return backupsOf(placeKey(namespace, secret, fieldBase));
      },
      account: record?.account ?? null,
    };
  };

  for (const entry of secretEntries(state)) {
    const { record: holder, loss } = entry;
    if (holder.foreign) continue;
    for (const [fieldBase, record] of Object.entries(holder.certificates))
      yield entryOf(
        entry,
        fieldBase,
        loss === null
          ? {
              condition: "live",
              record,
              verdict: verdictAt(record, atMs),
              missingContent: null,
              loss,
            }
          : { condition: "lost", record, verdict: null, missingContent: null, loss },
      );
    for (const [fieldBase, missingContent] of Object.entries(holder.gaps)) {
      const { held: record, reasons } = missingContent;
      const verdict = { valid: false, reasons };
      if (record !== null)
        yield entryOf(
          entry,
          fieldBase,
          loss === null
            ? { condition: "missing_content", record, verdict, missingContent, loss }
            : { condition: "lost", record, verdict: null, missingContent, loss },
        );
      else if (loss === null)
        yield entryOf(entry, fieldBase, {
          condition: "pending",
          record,
          verdict,
          missingContent,
          loss,
        });
    }
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
    record?.domain ??
    record?.names[0] ??
    (fieldBase === "tls" ? null : fieldBase)
  );
}

/** What people call it, or its Secret where it has no name. */
export function titleOf({ name, key }: Pick<CertificateEntry, "name" | "key">): string {
  return name ?? key;
}

/** The names that its owner requests, whatever stands in the certificate that it rejects. */
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

function placeKey(namespace: string, secret: string, fieldBase: string): string {
  return `${namespace}/${secret}\n${fieldBase}`;
}

function backupsByPlace({ copies }: StateDocument): ReadonlyMap<string, readonly Backup[]> {
  const byPlace = new Map<string, Backup[]>();
  for (const [version, copy] of Object.entries(copies)) {
    if (copy.kind === "account-key") continue;
    const key = placeKey(copy.namespace, copy.secret, copy.fieldBase);
    const of = byPlace.get(key);
    if (of === undefined) byPlace.set(key, [{ version, copy }]);
    else of.push({ version, copy });
  }
  return byPlace;
}

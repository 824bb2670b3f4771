/** What a code says, and the words that several codes share. */
import type { FindingCode } from "../../finding/codes.ts";
import type { FindingOf, Finding } from "../../finding/finding.ts";
import type { Owner } from "../../state/certificates.ts";
import type { BackupStatus } from "../../finding/params.ts";
import { instantOf } from "../../certificate/time.ts";
import { at, own, say, type Text } from "../part.ts";

export interface AdvicePhrase {
  /** Findings with the same key need the same thing done. */
  readonly key: string;
  /** An imperative without a full stop that holds for all of them. */
  readonly general: string;
  /** A sentence that holds for this one alone, or nothing. */
  readonly own: Text;
  /** Both in one, where it is the only one; an imperative without a full stop. */
  readonly alone?: Text;
  /** For several, where that they have no backup is said of them; an imperative as above. */
  readonly several?: string;
}

export interface Phrase<C extends FindingCode> {
  /** What makes it one, with its threshold: for the docs. */
  readonly when: string;
  readonly seen: (finding: FindingOf<C>) => Text;
  readonly leadsTo: string;
  readonly leadsToOf?: (finding: FindingOf<C>) => string;
  readonly advice: string;
  readonly adviceOf?: (finding: FindingOf<C>) => AdvicePhrase | string;
  readonly evidence?: (finding: FindingOf<C>) => readonly (string | Text)[];
}

export type Phrases<C extends FindingCode> = { readonly [K in C]: Phrase<K> };

export function times(n: number): string {
  return n === 1 ? "once" : n === 2 ? "twice" : `${n.toLocaleString("en-US")} times`;
}

/** `3 times from … to …`, `once at …`. */
export function timesText(seen: {
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}): Text {
  const { count, firstMs, lastMs } = seen;
  return count <= 1 || lastMs - firstMs < 1000
    ? say`${own(times(Math.max(1, count)))} at ${at(lastMs)}`
    : say`${own(times(count))} from ${at(firstMs)} to ${at(lastMs)}`;
}

export function codeText(code: string): Text {
  return say`${code.replaceAll("_", " ")}`;
}

export function expires(serial: string, notAfterMs: number): string {
  return `serial ${serial}, expires ${instantOf(notAfterMs)}`;
}

export function lossLeadsTo(owner: Owner): string {
  if (owner === "tailscale")
    return (
      "On the next connection Tailscale requests a new certificate, which uses one of five " +
      "issuances a week."
    );
  if (owner === "cert-manager")
    return (
      "cert-manager orders a new certificate within seconds while its Certificate exists, which " +
      "uses one of five issuances a week."
    );
  return "An outage for its clients: no known controller issues another one.";
}

export function invalidLeadsTo(owner: Owner, keyFits: boolean): string {
  if (owner === "tailscale")
    return "On the next connection Tailscale discards it and requests a new one.";
  if (owner === "nobody") return "An outage for its clients: no known controller renews it.";
  return keyFits
    ? "An outage for its clients: cert-manager checks only key and certificate, so it serves " +
        "this one until its renewal."
    : "cert-manager orders a new one at once, because the key doesn't match the certificate.";
}

export const RESTORE: AdvicePhrase = {
  key: "restore",
  general: "Restore from backup (uses no issuance)",
  own: [],
};

/** What to do where all that is known is whether a backup helps. */
export function byBackup(backup: BackupStatus, none: Omit<AdvicePhrase, "own">): AdvicePhrase {
  if (backup === "restorable") return RESTORE;
  return backup === "none" ? { ...none, own: [] } : STORE_UNREAD;
}

export const STORE_UNREAD: AdvicePhrase = {
  key: "store_unread",
  general:
    "Check the backup store first: it couldn't be read, so it is unknown whether a backup helps",
  own: [],
};

const NAMES: ReadonlyMap<string, string> = new Map([
  ["letsencrypt", "Let's Encrypt"],
  ["letsencrypt-staging", "Let's Encrypt (staging)"],
]);

export function issuerOf(findings: readonly Finding[]): string {
  return findings.flatMap((finding) => knownIssuer(finding) ?? [])[0] ?? "the issuer";
}

function knownIssuer({
  params,
  advice,
  why,
}: Pick<Finding, "params" | "advice" | "why">): string | null {
  if ("issuer" in params) return params.issuer;
  const id = why?.issuer ?? advice?.set?.issuer ?? advice?.domains[0]?.issuer ?? null;
  return NAMES.get(id ?? "") ?? null;
}

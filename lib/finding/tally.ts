/** Counting certificates by what is known of them. Unknown is never counted as fine. Pure. */
import type { StateDocument } from "../state/document.ts";
import { isUnreachable } from "./reach.ts";
import type { Finding, Subject } from "./finding.ts";
import { recordVerdict } from "./verdict.ts";

export interface CertificateView {
  readonly namespace: string;
  readonly secret: string;
  readonly shape: string;
  readonly fieldBase: string;
  readonly domain: string | null;
  readonly names: readonly string[];
  readonly valid: boolean;
  readonly reasons: readonly string[];
  readonly staging: boolean;
  readonly issuer: string | null;
  readonly issuerName: string;
  readonly serial: string;
  readonly sha256: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly issuedAt: string;
  readonly issuedBy: string;
  /** Version of the sealed copy, or `null` with the reason in `notKept`. */
  readonly copy: string | null;
  readonly notKept: string | null;
}

/** Every certificate of a state, judged at `atNs`. */
export function* certificateViews(state: StateDocument, atNs: bigint): Generator<CertificateView> {
  for (const [key, record] of Object.entries(state.secrets)) {
    if (record.foreign) continue;
    const slash = key.indexOf("/");
    for (const [fieldBase, certificate] of Object.entries(record.certificates)) {
      const {
        domain,
        names,
        staging,
        issuer,
        issuerName,
        serial,
        sha256,
        notBefore,
        notAfter,
        issuedAt,
        issuedBy,
      } = certificate;
      yield {
        namespace: key.slice(0, slash),
        secret: key.slice(slash + 1),
        shape: record.shape ?? "tls",
        fieldBase,
        domain,
        names,
        ...recordVerdict(certificate, atNs),
        staging,
        issuer,
        issuerName,
        serial,
        sha256,
        notBefore,
        notAfter,
        issuedAt,
        issuedBy,
        copy: certificate.copy?.version ?? null,
        notKept: certificate.notKept?.reason ?? null,
      };
    }
  }
}

export interface Tally {
  readonly certificates: number;
  /** Valid, and no finding about it. */
  readonly fine: number;
  readonly staging: number;
  /** Recorded, but of a cluster that can't be seen now, or in a part that could not be read. */
  readonly unknown: number;
  readonly foreign: number;
  readonly copies: number;
  readonly critical: number;
  readonly warning: number;
  readonly information: number;
}

function placeOf(subject: Pick<Subject, "namespace" | "secret" | "name">): string {
  return `${subject.namespace ?? ""}/${subject.secret ?? ""}/${subject.name ?? ""}`;
}

/** Places of which the last audit can't vouch: all of them, or `namespace/secret` of those that it could not read. */
export function unseenPlaces(state: StateDocument): "all" | ReadonlySet<string> {
  if (state.audit === null || state.replacedBy !== null || isUnreachable(state)) return "all";
  const keys = new Set<string>();
  for (const { scope } of state.audit.unread) {
    // An audit that ended early doesn't tell which of the rest it had looked at.
    if (scope === "cluster" || scope === "rest") return "all";
    if (scope.startsWith("Secret ")) keys.add(scope.slice("Secret ".length));
  }
  return keys;
}

/** `findings` of this state, muted ones included: what is muted isn't fine. `stale`: the last audit is too old to vouch for anything. */
export function tally(
  state: StateDocument,
  findings: readonly Finding[],
  atNs: bigint,
  stale = false,
): Tally {
  const troubled = new Set(
    findings
      .filter((finding) => finding.severity !== "information")
      .map((finding) => placeOf(finding.subject)),
  );
  const unseen = stale ? "all" : unseenPlaces(state);
  let certificates = 0;
  let fine = 0;
  let staging = 0;
  let unknown = 0;
  let copies = 0;
  for (const [key, record] of Object.entries(state.secrets)) {
    if (record.foreign) continue;
    for (const [fieldBase, certificate] of Object.entries(record.certificates)) {
      certificates += 1;
      if (certificate.copy !== null) copies += 1;
      if (certificate.staging) staging += 1;
      else if (unseen === "all" || unseen.has(key)) unknown += 1;
      else if (
        recordVerdict(certificate, atNs).valid &&
        !troubled.has(`${key}/${certificate.domain ?? certificate.names[0] ?? fieldBase}`)
      )
        fine += 1;
    }
  }
  const by = (severity: Finding["severity"]): number =>
    findings.filter((finding) => finding.severity === severity).length;
  return {
    certificates,
    fine,
    staging,
    unknown,
    foreign: Object.values(state.secrets).filter((record) => record.foreign).length,
    copies,
    critical: by("critical"),
    warning: by("warning"),
    information: by("information"),
  };
}

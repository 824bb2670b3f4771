/** Every place that a state knows a certificate of: live, emptied, pending, lost. Pure. */
import { registeredDomain, setOf } from "../ratelimit/names.ts";
import type { CertificateRecord, StateDocument } from "../state/document.ts";
import { lastSeenOf } from "./reach.ts";
import { recordVerdict, type RecordVerdict } from "./verdict.ts";

export interface CertificatePlace {
  readonly cluster: string;
  readonly namespace: string;
  readonly secret: string;
  readonly shape: string;
  readonly fieldBase: string;
  /** As findings call it. */
  readonly name: string;
  /** `live`; `emptied` and `pending`: the Secret stands without it; `lost`, `removed`, `unknown`: the Secret is gone. */
  readonly state: "live" | "emptied" | "pending" | "lost" | "removed" | "unknown";
  /** What is or was there; `null` where there never was one. */
  readonly certificate: CertificateRecord | null;
  readonly verdict: RecordVerdict | null;
  /** Since when it is as `state` says; RFC 3339. */
  readonly since: string;
  /** The cluster can't be seen now: as last seen then. */
  readonly asLastSeen: string | null;
}

const LOST_STATES: Readonly<Record<string, CertificatePlace["state"]>> = {
  lost: "lost",
  removed: "removed",
};

export function* certificatePlaces(
  state: StateDocument,
  atNs: bigint,
): Generator<CertificatePlace> {
  const asLastSeen = lastSeenOf(state);
  const at = (
    key: string,
  ): Pick<CertificatePlace, "cluster" | "namespace" | "secret" | "asLastSeen"> => {
    const slash = key.indexOf("/");
    return {
      cluster: state.cluster,
      namespace: key.slice(0, slash),
      secret: key.slice(slash + 1),
      asLastSeen,
    };
  };
  for (const [key, record] of Object.entries(state.secrets)) {
    if (record.foreign) continue;
    const base = { ...at(key), shape: record.shape ?? "tls" };
    for (const [fieldBase, certificate] of Object.entries(record.certificates)) {
      yield {
        ...base,
        fieldBase,
        name: certificate.domain ?? certificate.names[0] ?? fieldBase,
        state: "live",
        certificate,
        verdict: recordVerdict(certificate, atNs),
        since: certificate.firstSeenAt,
      };
    }
    for (const [fieldBase, gap] of Object.entries(record.gaps)) {
      yield {
        ...base,
        fieldBase,
        name: gap.domain ?? gap.held?.names[0] ?? fieldBase,
        state: gap.held === null ? "pending" : "emptied",
        certificate: gap.held,
        verdict: { valid: false, reasons: gap.reasons },
        since: gap.since,
      };
    }
  }
  for (const [key, { how, lostAt, record }] of Object.entries(state.lost)) {
    const base = { ...at(key), shape: record.shape ?? "tls" };
    for (const [fieldBase, certificate] of Object.entries(record.certificates)) {
      yield {
        ...base,
        fieldBase,
        name: certificate.domain ?? certificate.names[0] ?? fieldBase,
        state: LOST_STATES[how] ?? "unknown",
        certificate,
        verdict: null,
        since: lostAt,
      };
    }
  }
}

/** Host names are compared without case and without a dot at their end. */
export function bareName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

/** Whether a place is for this host name, or exact set of names (joined with commas). */
export function isFor(place: CertificatePlace, name: string): boolean {
  const names = place.certificate?.names ?? [];
  return (
    bareName(place.name) === name ||
    names.some((one) => one.toLowerCase() === name) ||
    (names.length > 1 && setOf(names).key === setOf(name.split(",")).key)
  );
}

/** Whether a place is the Secret that `name` says: `NAMESPACE/NAME`, `CLUSTER/NAMESPACE/NAME`, or its name alone. */
export function isSecret(place: CertificatePlace, name: string): boolean {
  const key = `${place.namespace}/${place.secret}`;
  return name === key || name === `${place.cluster}/${key}` || name === place.secret;
}

/** Whether a place is for a name under this registered domain. */
export function isUnder(place: CertificatePlace, domain: string): boolean {
  return [place.name, ...(place.certificate?.names ?? [])].some(
    (name) => registeredDomain(name) === domain,
  );
}

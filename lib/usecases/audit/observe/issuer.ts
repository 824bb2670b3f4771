/**
 * Which issuer a log's claims are about. A line names none, so it follows from the ACME directory
 * that the log or the writer's configuration names, else from the certificates that the pod stored.
 * Pure.
 */
import type { Issuer } from "../../../issuer/issuers.ts";
import type { Writer } from "./writers.ts";

/** Of claims whose issuer isn't known: no issuer's limits count them. */
const UNKNOWN_ISSUER = "unknown";
/**
 * The issuer of the ACME directory that is compiled into Tailscale. It counts only where the pod's
 * spec shows that nothing sets another: the container is Tailscale's own, and neither its
 * environment nor an environment from elsewhere may name a directory.
 */
const DEFAULT_ISSUER = "letsencrypt";

type StoredCertificate = Writer["lastCertificates"][number];

export interface ClaimSource {
  readonly issuers: readonly Pick<Issuer, "id" | "directory">[];
  /** Hosts of ACME directories that the log names. */
  readonly seen: readonly string[];
  /**
   * The ACME directory that the container's environment names; empty: it may be set from elsewhere,
   * or isn't known; `undefined`: the pod's spec sets none.
   */
  readonly directory: string | undefined;
  readonly own: readonly StoredCertificate[];
  /** What all of Tailscale's pods in this cluster stored. */
  readonly all: readonly StoredCertificate[];
}

/** The issuer of a name's certificates; of lines that name none with `null`. */
export function issuerOfClaims({
  issuers,
  seen,
  directory,
  own,
  all,
}: ClaimSource): (domain: string | null) => string {
  const byHost = new Map(
    issuers.flatMap((issuer) => {
      const host = issuer.directory === null ? null : hostOf(issuer.directory);
      return host === null ? [] : [[host, issuer.id] as const];
    }),
  );
  const named = sole(seen.map((host) => byHost.get(host) ?? UNKNOWN_ISSUER));
  if (named !== null) return () => named;
  if (directory !== undefined && directory !== "") {
    const configured = byHost.get(hostOf(directory) ?? "") ?? UNKNOWN_ISSUER;
    return () => configured;
  }
  const idOf = ({ issuer }: StoredCertificate): string => issuer ?? UNKNOWN_ISSUER;
  const byDomain = new Map(own.map((one) => [one.domain?.toLowerCase(), idOf(one)]));
  const isDefault =
    own.length === 0 && directory === undefined && all.every((one) => idOf(one) === DEFAULT_ISSUER);
  const other = sole(own.map(idOf)) ?? (isDefault ? DEFAULT_ISSUER : UNKNOWN_ISSUER);
  return (domain) => (domain === null ? undefined : byDomain.get(domain)) ?? other;
}

/** The one that all are; `null`: none, or several. */
function sole(all: Iterable<string>): string | null {
  const distinct = new Set(all);
  const [first = null] = distinct;
  return distinct.size === 1 ? first : null;
}

function hostOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).host : null;
}

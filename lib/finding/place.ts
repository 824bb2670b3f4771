/** Which certificates a name that a person typed means. Pure. */
import { registeredDomain, setOf } from "../ratelimit/names.ts";
import { type CertificateEntry, titleOf } from "../state/certificates.ts";

/** Host names are compared without case and without a dot at their end. */
export function bareName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

/** Whether a certificate is for this host name, or exact set of names (joined with commas). */
export function isFor(entry: CertificateEntry, name: string): boolean {
  const names = entry.record?.names ?? [];
  return (
    bareName(titleOf(entry)) === name ||
    names.some((one) => one.toLowerCase() === name) ||
    (names.length > 1 && setOf(names).key === setOf(name.split(",")).key)
  );
}

/**
 * Whether a certificate lies in the Secret that `name` says: `NAMESPACE/NAME`,
 * `CLUSTER/NAMESPACE/NAME`, or its name alone.
 */
export function isSecret(entry: CertificateEntry, name: string): boolean {
  const { cluster, key, secret } = entry;
  return name === key || name === `${cluster}/${key}` || name === secret;
}

/** Whether a certificate is for a name under this registered domain. */
export function isUnder(entry: CertificateEntry, domain: string): boolean {
  return [titleOf(entry), ...(entry.record?.names ?? [])].some(
    (name) => registeredDomain(name) === domain,
  );
}

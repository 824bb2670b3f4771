/** Which certificates a name that a person typed means. Pure. */
import { registeredDomain, setOf } from "../ratelimit/limit.ts";
import { type CertificateEntry, titleOf } from "../state/certificates.ts";

const LABEL = /[^.,/*\s]+/g;
/** Dots of other scripts, which separate labels as well (UTS #46). */
const OTHER_DOTS = /[\u3002\uff0e\uff61]/g;

/** The A-label (RFC 5890) of a label with letters of other scripts. */
function aLabel(label: string): string {
  return /^\p{ASCII}*$/u.test(label) ? label : (URL.parse(`http://${label}`)?.hostname ?? label);
}

/**
 * A host name, or several joined with commas, as certificates write it: in small letters, with
 * A-labels, without a dot at its end.
 */
export function bareName(name: string): string {
  return name
    .replaceAll(OTHER_DOTS, ".")
    .replaceAll(LABEL, aLabel)
    .toLowerCase()
    .replaceAll(/\.(?=,|$)/g, "");
}

/** Whether a name or pattern that a person typed fits one of the texts. */
export function isMeant(pattern: string, texts: readonly string[]): boolean {
  const bare = bareName(pattern);
  return texts.some((text) => matchesPattern(bare, text.toLowerCase()));
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

export function isUnder(entry: CertificateEntry, domain: string): boolean {
  return [titleOf(entry), ...(entry.record?.names ?? [])].some(
    (name) => registeredDomain(name) === domain,
  );
}

/** Patterns with `*` for any characters, as configuration and commands take them. */

/**
 * Whether all of `text` fits `pattern`; letters count as written. Linear in the length of both for
 * one `*`, never exponential.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  const parts = pattern.split("*");
  const first = parts[0] ?? "";
  if (parts.length === 1) return pattern === text;
  const last = parts.at(-1) ?? "";
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last))
    return false;
  let from = first.length;
  const end = text.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const at = text.indexOf(part, from);
    if (at === -1 || at + part.length > end) return false;
    from = at + part.length;
  }
  return from <= end;
}

/**
 * The two things that an issuer counts by: the exact set of names, and the registered domain of
 * each name (Public Suffix List with its private rules, as Boulder's ratelimits/utilities.go,
 * coveringIdentifier, decides: a name that is itself a public suffix stands for itself, `*` is a
 * label like any other, and an IP address counts as its /32 or /64).
 *
 * Total: any text gives a key. What no issuer would have signed (an empty label, say) stands for
 * itself.
 */
import { getDomain } from "tldts";
import { ipText, parseAddress } from "../certificate/ip.ts";

export interface NameSet {
  /** Lower-cased, sorted, each once. */
  readonly names: readonly string[];
  /** The names joined with commas; equal for equal sets. */
  readonly key: string;
}

/**
 * The exact set that names make (Boulder identifier/identifier.go, Normalize; order within a key is
 * our own).
 */
export function setOf(names: readonly string[]): NameSet {
  const first = names[0];
  if (names.length === 1 && first !== undefined) {
    const name = first.toLowerCase();
    return { names: [name], key: name };
  }
  const sorted = [...new Set(names.map((name) => name.toLowerCase()))].toSorted();
  return { names: sorted, key: sorted.join(",") };
}

const PSL_OPTIONS = {
  allowPrivateDomains: true,
  extractHostname: false,
  validateHostname: false,
} as const;

/** The registered domain that a name counts under. */
export function registeredDomain(name: string): string {
  const lower = name.toLowerCase();
  // An address has a colon or ends in a digit; looking first spares nearly every name the parsing.
  const address = lower.includes(":") || /\d$/.test(lower) ? parseAddress(lower) : null;
  if (address !== null) {
    if (address.bytes.length === 4) return `${ipText(address.bytes)}/32`;
    const network = new Uint8Array(16);
    network.set(address.bytes.subarray(0, 8));
    return `${ipText(network)}/64`;
  }
  const bare = lower.endsWith(".") ? lower.slice(0, -1) : lower;
  return getDomain(bare, PSL_OPTIONS) ?? bare;
}

/**
 * Whether it is a registered domain itself, neither an address nor a suffix under which others
 * register theirs.
 */
export function isRegisteredDomain(domain: string): boolean {
  return !/\d$/.test(domain) && getDomain(domain, PSL_OPTIONS) === domain;
}

/**
 * The registered domains of a set, sorted, each once: an issuance takes a token from every one of
 * them.
 */
export function registeredDomains(names: readonly string[]): readonly string[] {
  if (names.length === 1) return [registeredDomain(names[0] as string)];
  return [...new Set(names.map(registeredDomain))].toSorted();
}

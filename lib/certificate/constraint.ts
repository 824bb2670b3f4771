/**
 * Name constraints: reading the extension (crypto/x509 parser.go, parseNameConstraintsExtension)
 * and checking a path (constraints.go of Go 1.26, checkChainConstraints). Go sorts and prunes the
 * subtrees and searches them in a binary way; that is kept, oddities included, because a search
 * over all of them answers differently in corner cases.
 */

import { Der, TAG } from "./der.ts";
import { isDomain, lowerAscii, type Mailbox, parseMailbox } from "./domain.ts";
import { parseAddress, parseIp, toIp4 } from "./ip.ts";
import { splitHostPort } from "./uri.ts";

export interface IpRange {
  ip: Uint8Array;
  mask: Uint8Array;
}

export interface Subtrees {
  dns: string[];
  ips: IpRange[];
  emails: string[];
  uris: string[];
}

export interface NameConstraints {
  permitted: Subtrees;
  excluded: Subtrees;
}

/** What path checking needs of a certificate. */
export interface ConstraintSubject {
  nameConstraints: NameConstraints | null;
  hasSubjectAltName: boolean;
  dnsNames: readonly string[];
  emailAddresses: readonly string[];
  ipBytes: readonly Uint8Array[];
  /** url.URL.Host of each URI. */
  uriHosts: readonly string[];
}

/**
 * Reads the extension's value. Text says what is malformed; `unhandled` is set where a subtree is
 * of a kind that Go doesn't check, which matters if the extension is critical.
 */
export function parseNameConstraints(
  value: Buffer,
): { constraints: NameConstraints; unhandled: boolean } | { malformed: string } {
  const malformed = { malformed: "name constraints" };
  const outer = new Der(value);
  const top = outer.read(TAG.sequence);
  if (top === null || !outer.empty) return malformed;
  const havePermitted = top.peek(0xa0);
  const permitted = havePermitted ? top.read(0xa0) : null;
  if (havePermitted && permitted === null) return malformed;
  const haveExcluded = top.peek(0xa1);
  const excluded = haveExcluded ? top.read(0xa1) : null;
  if ((haveExcluded && excluded === null) || !top.empty) return malformed;
  if ((permitted === null || permitted.empty) && (excluded === null || excluded.empty))
    return malformed;

  const first = readSubtrees(permitted);
  const second = readSubtrees(excluded);
  if (first === null || second === null) return malformed;
  return {
    constraints: { permitted: first.subtrees, excluded: second.subtrees },
    unhandled: first.unhandled || second.unhandled,
  };
}

function readSubtrees(der: Der | null): { subtrees: Subtrees; unhandled: boolean } | null {
  const subtrees: Subtrees = { dns: [], ips: [], emails: [], uris: [] };
  let unhandled = false;
  while (der !== null && !der.empty) {
    const base = der.read(TAG.sequence);
    const content = base?.readAny() ?? null;
    if (base === null || content === null) return null;
    const value = content.slice();
    if (base.tag === 0x87) {
      if (value.length !== 8 && value.length !== 32) return null;
      const half = value.length / 2;
      const mask = value.subarray(half);
      if (!isIpMask(mask)) return null;
      subtrees.ips.push({ ip: value.subarray(0, half), mask });
      continue;
    }
    if (base.tag !== 0x81 && base.tag !== 0x82 && base.tag !== 0x86) {
      unhandled = true;
      continue;
    }
    if (value.some((octet) => octet >= 0x80)) return null;
    const text = value.toString("latin1");
    if (base.tag === 0x82) {
      if (!isDomain(text, true)) return null;
      subtrees.dns.push(text);
    } else if (base.tag === 0x81) {
      if (text.includes("@") ? parseMailbox(text) === null : !isDomain(text, true)) return null;
      subtrees.emails.push(text);
    } else {
      if (parseIp(text) !== null || !isDomain(text, true)) return null;
      subtrees.uris.push(text);
    }
  }
  return { subtrees, unhandled };
}

/** parser.go, isValidIPMask: ones, then zeros. */
function isIpMask(mask: Uint8Array): boolean {
  const bits = [...mask].map((octet) => octet.toString(2).padStart(8, "0")).join("");
  return /^1*0*$/.test(bits);
}

/** constraints.go, checkChainConstraints: null where the path, leaf first, keeps all of them. */
export function checkConstraints(chain: readonly ConstraintSubject[]): boolean {
  const checks: { index: number; check: ReturnType<typeof compile> }[] = [];
  for (const [index, certificate] of chain.entries()) {
    if (certificate.nameConstraints !== null)
      checks.push({ index, check: compile(certificate.nameConstraints) });
  }
  if (checks.length === 0) return true;

  let from = 0;
  for (const [i, certificate] of chain.entries()) {
    if (!certificate.hasSubjectAltName) continue;
    while ((checks[from] as { index: number }).index <= i) {
      if (from + 1 >= checks.length) return true;
      from++;
    }
    const uris = hostsOf(certificate.uriHosts);
    const emails = mailboxesOf(certificate.emailAddresses);
    if (uris === null || emails === null) return false;
    for (let n = from; n < checks.length; n++) {
      const { check } = checks[n] as { check: ReturnType<typeof compile> };
      if (!check(certificate.dnsNames, uris, emails, certificate.ipBytes)) return false;
    }
  }
  return true;
}

/** constraints.go, parseURIs: no host, an address for a host, or a bad port fails. */
function hostsOf(uriHosts: readonly string[]): string[] | null {
  const hosts: string[] = [];
  for (const uriHost of uriHosts) {
    let host = lowerAscii(uriHost);
    if (host.length === 0) return null;
    if (host.includes(":") && !host.endsWith("]")) {
      const split = splitHostPort(uriHost);
      if (split === null) return null;
      host = split;
    }
    if (parseAddress(host) !== null || (host.startsWith("[") && host.endsWith("]"))) return null;
    hosts.push(host);
  }
  return hosts;
}

function mailboxesOf(addresses: readonly string[]): Mailbox[] | null {
  const mailboxes: Mailbox[] = [];
  for (const address of addresses) {
    const mailbox = parseMailbox(address);
    if (mailbox === null) return null;
    mailboxes.push({ local: mailbox.local, domain: lowerAscii(mailbox.domain) });
  }
  return mailboxes;
}

type Query<T> = ((value: T) => boolean) | null;

function compile(constraints: NameConstraints) {
  const { permitted, excluded } = constraints;
  const ip = pair(ipQuery(permitted.ips), ipQuery(excluded.ips));
  const dns = pair(dnsQuery(permitted.dns, true), dnsQuery(excluded.dns, false));
  const uri = pair(dnsQuery(permitted.uris, true), dnsQuery(excluded.uris, false));
  const email = pair(emailQuery(permitted.emails, true), emailQuery(excluded.emails, false));
  return (
    dnsNames: readonly string[],
    uris: readonly string[],
    emails: readonly Mailbox[],
    ips: readonly Uint8Array[],
  ): boolean =>
    ips.every(ip) &&
    dnsNames.every((name) => isDomain(name, false) && dns(name)) &&
    uris.every((host) => isDomain(host, false) && uri(host)) &&
    emails.every((mailbox) => isDomain(mailbox.domain, false) && email(mailbox));
}

function pair<T>(permitted: Query<T>, excluded: Query<T>): (value: T) => boolean {
  return (value) =>
    (permitted === null || permitted(value)) && (excluded === null || !excluded(value));
}

/** constraints.go, nameConstraintsSet.sortAndPrune. */
function sortAndPrune<T>(
  set: readonly T[],
  compare: (a: T, b: T) => number,
  subset: (a: T, b: T) => boolean,
): T[] {
  const out: T[] = [];
  for (const entry of set.toSorted(compare)) {
    if (out.length === 0 || !subset(out[out.length - 1] as T, entry)) out.push(entry);
  }
  return out;
}

/** constraints.go, nameConstraintsSet.search over slices.BinarySearchFunc. */
function search<T, V>(
  set: readonly T[],
  value: V,
  compare: (entry: T, value: V) => number,
  match: (entry: T, value: V) => boolean,
): boolean {
  if (set.length === 0) return false;
  let low = 0;
  let high = set.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(set[middle] as T, value) < 0) low = middle + 1;
    else high = middle;
  }
  if (low < set.length && compare(set[low] as T, value) === 0) return true;
  return match(set[low === 0 ? 0 : low - 1] as T, value);
}

function ipQuery(ranges: readonly IpRange[]): Query<Uint8Array> {
  if (ranges.length === 0) return null;
  const compare = (a: IpRange, b: IpRange) =>
    Buffer.compare(a.ip, b.ip) || Buffer.compare(a.mask, b.mask);
  const subset = (a: IpRange, b: IpRange) =>
    contains(a, b.ip) &&
    contains(
      a,
      b.ip.map((octet, i) => octet | (~(b.mask[i] as number) & 0xff)),
    );
  const sets = [4, 16].map((size) =>
    sortAndPrune(
      ranges.filter((range) => range.ip.length === size),
      compare,
      subset,
    ),
  );
  return (ip) =>
    search(
      sets[ip.length === 4 ? 0 : 1] as IpRange[],
      ip,
      (range, target) => Buffer.compare(range.ip, target),
      contains,
    );
}

/** net.IPNet.Contains, which treats IPv4-mapped addresses as IPv4. */
function contains(range: IpRange, target: Uint8Array): boolean {
  const network = toIp4(range.ip) ?? range.ip;
  let { mask } = range;
  if (mask.length === 4 && network.length !== 4) return false;
  if (mask.length === 16 && network.length === 4) mask = mask.subarray(12);
  const ip = toIp4(target) ?? target;
  if (ip.length !== network.length) return false;
  return ip.every(
    (octet, i) => (octet & (mask[i] as number)) === ((network[i] as number) & (mask[i] as number)),
  );
}

function dnsQuery(list: readonly string[], permitted: boolean): Query<string> {
  if (list.length === 0) return null;
  if (list.includes("")) return () => true;
  const set = sortAndPrune(list, compareDomains, hasSuffix);
  const parents = new Set(permitted ? [] : set.map((name) => afterFirstLabel(lowerAscii(name))));
  parents.delete("");
  return (name) =>
    search(set, name, compareDomains, hasSuffix) ||
    (!permitted && name.startsWith("*") && parents.has(afterFirstLabel(lowerAscii(name))));
}

function emailQuery(list: readonly string[], permitted: boolean): Query<Mailbox> {
  if (list.length === 0) return null;
  const full = new Set<string>();
  const domains: string[] = [];
  for (const entry of list) {
    if (!entry.includes("@")) {
      domains.push(entry);
      continue;
    }
    const mailbox = parseMailbox(entry);
    if (mailbox !== null) full.add(JSON.stringify([mailbox.local, lowerAscii(mailbox.domain)]));
  }
  const byDomain = dnsQuery(domains, permitted);
  return (mailbox) =>
    full.has(JSON.stringify([mailbox.local, mailbox.domain])) ||
    (byDomain !== null && byDomain(mailbox.domain));
}

/**
 * constraints.go, dnsHasSuffix: `a` is a label suffix of `b`; a leading period asks for one label
 * more.
 */
function hasSuffix(a: string, b: string): boolean {
  if (a.length > b.length) return false;
  if (!lowerAscii(b).endsWith(lowerAscii(a))) return false;
  return a.startsWith(".") || b.length === a.length || b[b.length - a.length - 1] === ".";
}

/**
 * constraints.go, dnsCompare: from the end, without case, the period before every other character.
 */
function compareDomains(a: string, b: string): number {
  let i = a.length - 1;
  let j = b.length - 1;
  for (; i >= 0 && j >= 0; i--, j--) {
    const left = sortCode(a.charCodeAt(i));
    const right = sortCode(b.charCodeAt(j));
    if (left !== right) return left < right ? -1 : 1;
  }
  return i - j;
}

function sortCode(code: number): number {
  if (code === 0x2e) return 0;
  return code >= 0x41 && code <= 0x5a ? code + 32 : code;
}

/** constraints.go, trimFirstLabel: from the first period on; empty for a single label. */
function afterFirstLabel(name: string): string {
  const dot = name.indexOf(".");
  return dot < 0 ? "" : name.slice(dot);
}

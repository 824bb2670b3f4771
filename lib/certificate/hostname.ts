/**
 * Whether a certificate is for a name: crypto/x509 verify.go, VerifyHostname. Subject alternative
 * names only; the common name never counts. A wildcard stands for the whole left-most label and
 * only where both name and pattern are host names; otherwise nothing but equality (without case)
 * counts.
 */

import { lowerAscii } from "./domain.ts";
import { parseIp, toIp16 } from "./ip.ts";

export interface HostnameSubject {
  dnsNames: readonly string[];
  ipBytes: readonly Uint8Array[];
}

/** `host` is a host name, an IP address, or an IP address in brackets; not empty. */
export function matchesHostname(subject: HostnameSubject, host: string): boolean {
  const bracketed = host.length >= 3 && host.startsWith("[") && host.endsWith("]");
  const ip = parseIp(bracketed ? host.slice(1, -1) : host);
  if (ip !== null)
    return subject.ipBytes.some((candidate) => Buffer.compare(toIp16(candidate), ip) === 0);

  const name = lowerAscii(host);
  const isHost = isHostname(name, false);
  const parts = withoutDot(name).split(".");
  return subject.dnsNames.some((pattern) =>
    isHost && isHostname(pattern, true)
      ? matchesPattern(pattern, parts)
      : matchesExactly(pattern, name),
  );
}

function withoutDot(host: string): string {
  return host.endsWith(".") ? host.slice(0, -1) : host;
}

/** verify.go, validHostname. */
function isHostname(text: string, pattern: boolean): boolean {
  const host = pattern ? text : withoutDot(text);
  if (host.length === 0 || host === "*") return false;
  return host
    .split(".")
    .every(
      (part, i) =>
        (pattern && i === 0 && part === "*") || /^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(part),
    );
}

function matchesExactly(a: string, b: string): boolean {
  if (a === "" || a === "." || b === "" || b === ".") return false;
  return lowerAscii(a) === lowerAscii(b);
}

function matchesPattern(pattern: string, hostParts: readonly string[]): boolean {
  if (pattern.length === 0) return false;
  const parts = lowerAscii(pattern).split(".");
  if (parts.length !== hostParts.length) return false;
  return parts.every((part, i) => (i === 0 && part === "*") || part === hostParts[i]);
}

/**
 * Domain names as crypto/x509 looks at them: ASCII text of any octets, here one Latin-1 character
 * each.
 *
 * Whether a certificate is for a name: crypto/x509 verify.go, VerifyHostname. Subject alternative
 * names only; the common name never counts. A wildcard stands for the whole left-most label and
 * only where both name and pattern are host names; otherwise nothing but equality (without case)
 * counts.
 */
import { parseIp, toIp16 } from "./ip.ts";

/** crypto/x509 parser.go, domainNameValid; `constraint` allows one leading period. */
export function isDomain(name: string, constraint: boolean): boolean {
  if (name.length === 0) return true;
  if (name.endsWith(".")) return false;
  const from = constraint && name.startsWith(".") ? 1 : 0;
  let label = 0;
  for (let i = from; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code < 33 || code > 126) return false;
    if (code === 0x2e) {
      if (label === 0) return false;
      label = 0;
    } else {
      label++;
    }
  }
  return label > 0;
}

/** ASCII letters only, as verify.go toLowerCaseASCII and, over ASCII, strings.ToLower. */
export function lowerAscii(text: string): string {
  return /[A-Z]/.test(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text;
}

export interface Mailbox {
  local: string;
  domain: string;
}

const ATEXT = /[0-9A-Za-z!#$%&'*+\-/=?^_`{|}~.]/;

/** crypto/x509 verify.go, parseRFC2821Mailbox; null where Go reports it as not ok. */
export function parseMailbox(text: string): Mailbox | null {
  if (text.length === 0) return null;
  let at = 0;
  let local = "";
  if (text[0] === '"') {
    at = 1;
    for (;;) {
      if (at >= text.length) return null;
      const code = text.charCodeAt(at++);
      if (code === 0x22) break;
      if (code === 0x5c) {
        if (at >= text.length) return null;
        const quoted = text.charCodeAt(at);
        const ok =
          quoted === 11 ||
          quoted === 12 ||
          (quoted >= 1 && quoted <= 9) ||
          (quoted >= 14 && quoted <= 127);
        if (!ok) return null;
        local += text[at++];
      } else if (
        code === 11 ||
        code === 12 ||
        code === 32 ||
        code === 33 ||
        code === 127 ||
        (code >= 1 && code <= 8) ||
        (code >= 14 && code <= 31) ||
        (code >= 35 && code <= 91) ||
        (code >= 93 && code <= 126)
      ) {
        local += String.fromCharCode(code);
      } else {
        return null;
      }
    }
  } else {
    while (at < text.length) {
      const char = text[at] as string;
      if (char === "\\") {
        // Go's case falls through: whatever follows the backslash is taken.
        at++;
        if (at >= text.length) return null;
      } else if (!ATEXT.test(char)) {
        break;
      }
      local += text[at++];
    }
    if (local.length === 0 || local.startsWith(".") || local.endsWith(".") || local.includes(".."))
      return null;
  }
  if (text[at] !== "@") return null;
  const domain = text.slice(at + 1);
  return hasReverseLabels(domain) ? { local, domain } : null;
}

/** crypto/x509 verify.go, domainToReverseLabels, less the labels. An empty domain passes. */
function hasReverseLabels(domain: string): boolean {
  return domain.length === 0 || domain.split(".").every((label) => /^[\x21-\x7e]+$/.test(label));
}

interface HostnameSubject {
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

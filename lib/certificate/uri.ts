/**
 * The part of Go's net/url Parse (url.go, Go 1.26) that decides whether a URI in a certificate is
 * accepted, and its host. Text is ASCII: crypto/x509 refuses other URIs before. WHATWG's URL
 * differs in nearly every odd case, so it isn't used.
 */

import { parseAddress } from "./ip.ts";

const HEX = /^[0-9A-Fa-f]{2}$/;
/**
 * gen_encoding_table.go, shouldEscape for the modes encodeHost and encodeZone: what stands for
 * itself.
 */
const HOST_CHAR = /[A-Za-z0-9!$&'()*+,;=:[\]<>"\-_.~]/;
const USERINFO = /^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/;

/**
 * The host with its port as in url.URL.Host, "" where there is none; null where url.Parse fails.
 */
export function parseUriHost(raw: string): string | null {
  const [uri, fragment] = cut(raw, "#");
  const host = parse(uri);
  if (host === null || (fragment !== "" && !isEscaped(fragment))) return null;
  return host;
}

function parse(raw: string): string | null {
  if (/[\x00-\x1f\x7f]/.test(raw)) return null;
  if (raw === "*") return "";
  const split = splitScheme(raw);
  if (split === null) return null;
  const { scheme } = split;
  const rest = cut(split.rest, "?")[0];

  if (!rest.startsWith("/")) {
    if (scheme !== "") return ""; // opaque
    if (cut(rest, "/")[0].includes(":")) return null;
  }
  let host: string | null = "";
  let path = rest;
  if ((scheme !== "" || !rest.startsWith("///")) && rest.startsWith("//")) {
    const authority = rest.slice(2);
    const slash = authority.indexOf("/");
    host = parseAuthority(scheme, slash < 0 ? authority : authority.slice(0, slash));
    path = slash < 0 ? "" : authority.slice(slash);
  }
  return host !== null && isEscaped(path) ? host : null;
}

/** url.go, getScheme. */
function splitScheme(raw: string): { scheme: string; rest: string } | null {
  const match = /^(?:[A-Za-z][A-Za-z0-9+.-]*)?:/.exec(raw);
  if (match === null) return { scheme: "", rest: raw };
  if (match[0] === ":") return null;
  return { scheme: match[0].slice(0, -1).toLowerCase(), rest: raw.slice(match[0].length) };
}

function parseAuthority(scheme: string, authority: string): string | null {
  const at = authority.lastIndexOf("@");
  const host = parseHost(scheme, authority.slice(at + 1));
  if (host === null || at < 0) return host;
  const userinfo = authority.slice(0, at);
  if (!USERINFO.test(userinfo)) return null;
  const [user, password] = cut(userinfo, ":");
  return isEscaped(user) && isEscaped(password) ? host : null;
}

/** url.go, parseHost, with urlstrictcolons at its default. */
function parseHost(scheme: string, host: string): string | null {
  const open = host.lastIndexOf("[");
  if (open > 0) return null;
  if (open === 0) {
    const close = host.lastIndexOf("]");
    if (close < 0) return null;
    const port = host.slice(close + 1);
    if (!isOptionalPort(port)) return null;
    const name = host.slice(1, close);
    const zone = name.indexOf("%25");
    const plain = unescapeHost(zone < 0 ? name : name.slice(0, zone), false);
    const zoned = zone < 0 ? "" : unescapeHost(name.slice(zone), true);
    if (plain === null || zoned === null) return null;
    const address = parseAddress(plain + zoned);
    if (address === null || address.bytes.length === 4) return null;
    return `[${plain}${zoned}]${port}`;
  }
  const first = host.indexOf(":");
  if (first >= 0) {
    const strict = scheme === "http" || scheme === "https";
    if (!isOptionalPort(host.slice(strict ? first : host.lastIndexOf(":")))) return null;
  }
  return unescapeHost(host, false);
}

function isOptionalPort(port: string): boolean {
  return /^(?::[0-9]*)?$/.test(port);
}

/** url.go, unescape in the modes encodeHost and encodeZone. */
function unescapeHost(text: string, zone: boolean): string | null {
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    if (char !== "%") {
      if (char.charCodeAt(0) < 0x80 && !HOST_CHAR.test(char)) return null;
      out += char;
      continue;
    }
    const digits = text.slice(i + 1, i + 3);
    if (!HEX.test(digits)) return null;
    const code = Number.parseInt(digits, 16);
    const decoded = String.fromCharCode(code);
    if (digits !== "25") {
      if (zone ? code !== 0x20 && !HOST_CHAR.test(decoded) : code < 0x80) return null;
    }
    out += decoded;
    i += 2;
  }
  return out;
}

/** url.go, unescape in the other modes: every percent sign starts a pair of hex digits. */
function isEscaped(text: string): boolean {
  return /^(?:[^%]|%[0-9A-Fa-f]{2})*$/s.test(text);
}

function cut(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** net.SplitHostPort (ipsock.go): the host, or null for an error. */
export function splitHostPort(text: string): string | null {
  const last = text.lastIndexOf(":");
  if (last < 0) return null;
  let host: string;
  let from = 0;
  let to = 0;
  if (text.startsWith("[")) {
    const end = text.indexOf("]");
    if (end < 0 || end + 1 !== last) return null;
    host = text.slice(1, end);
    from = 1;
    to = end + 1;
  } else {
    host = text.slice(0, last);
    if (host.includes(":")) return null;
  }
  if (text.indexOf("[", from) >= 0 || text.indexOf("]", to) >= 0) return null;
  return host;
}

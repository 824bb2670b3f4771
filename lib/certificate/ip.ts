/**
 * IP address text as Go's net/netip ParseAddr and net.ParseIP take it (netip.go, ip.go): no leading
 * zeros in IPv4, IPv6 with an embedded IPv4 at the end, a zone only for ParseAddr.
 */

export interface Address {
  /** 4 octets, or 16. */
  bytes: Uint8Array;
  zone: string;
}

/** net/netip ParseAddr; null for an error. */
export function parseAddress(text: string): Address | null {
  for (const char of text) {
    if (char === ".") {
      const bytes = parseIpv4(text);
      return bytes === null ? null : { bytes, zone: "" };
    }
    if (char === ":") return parseIpv6(text);
    if (char === "%") return null;
  }
  return null;
}

/** net.ParseIP: 16 octets, IPv4 mapped into IPv6; null for what isn't an address or has a zone. */
export function parseIp(text: string): Uint8Array | null {
  const address = parseAddress(text);
  return address === null || address.zone !== "" ? null : toIp16(address.bytes);
}

/** The 16 octets of an address; IPv4 becomes ::ffff:a.b.c.d (net.IP.Equal compares them so). */
export function toIp16(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 4) return bytes;
  const out = new Uint8Array(16);
  out[10] = 0xff;
  out[11] = 0xff;
  out.set(bytes, 12);
  return out;
}

/** net.IP.To4: the 4 octets of an IPv4 or IPv4-mapped address, else null. */
export function toIp4(bytes: Uint8Array): Uint8Array | null {
  if (bytes.length === 4) return bytes;
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return null;
  return bytes.length === 16 && bytes[10] === 0xff && bytes[11] === 0xff
    ? bytes.subarray(12)
    : null;
}

function parseIpv4(text: string): Uint8Array | null {
  const fields = text.split(".");
  if (fields.length !== 4) return null;
  const out = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const field = fields[i] as string;
    if (!/^(?:0|[1-9]\d{0,2})$/.test(field) || Number(field) > 255) return null;
    out[i] = Number(field);
  }
  return out;
}

function parseIpv6(text: string): Address | null {
  let rest = text;
  let zone = "";
  const percent = text.indexOf("%");
  if (percent >= 0) {
    rest = text.slice(0, percent);
    zone = text.slice(percent + 1);
    if (zone === "") return null;
  }
  const out = new Uint8Array(16);
  let ellipsis = -1;
  if (rest.startsWith("::")) {
    ellipsis = 0;
    rest = rest.slice(2);
    if (rest === "") return { bytes: out, zone };
  }
  let at = 0;
  while (at < 16) {
    const digits = (/^[0-9A-Fa-f]*/.exec(rest) as RegExpExecArray)[0];
    if (digits.length === 0 || digits.length > 4) return null;
    if (rest[digits.length] === ".") {
      if (ellipsis < 0 && at !== 12) return null;
      if (at + 4 > 16) return null;
      const last = parseIpv4(rest);
      if (last === null) return null;
      out.set(last, at);
      at += 4;
      rest = "";
      break;
    }
    const value = Number.parseInt(digits, 16);
    out[at] = value >> 8;
    out[at + 1] = value;
    at += 2;
    rest = rest.slice(digits.length);
    if (rest === "") break;
    if (rest[0] !== ":" || rest.length === 1) return null;
    rest = rest.slice(1);
    if (rest[0] === ":") {
      if (ellipsis >= 0) return null;
      ellipsis = at;
      rest = rest.slice(1);
      if (rest === "") break;
    }
  }
  if (rest !== "") return null;
  if (at < 16) {
    if (ellipsis < 0) return null;
    const tail = out.slice(ellipsis, at);
    out.fill(0, ellipsis);
    out.set(tail, 16 - tail.length);
  } else if (ellipsis >= 0) {
    return null;
  }
  return { bytes: out, zone };
}

/** Text of 4 or 16 octets for people; RFC 5952 form for IPv6. */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2)
    groups.push((((bytes[i] as number) << 8) | (bytes[i + 1] as number)).toString(16));
  const text = groups.join(":");
  const runs = [...text.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].toSorted(
    (a, b) => b[0].length - a[0].length,
  );
  const longest = runs[0];
  if (longest === undefined) return text;
  const before = text.slice(0, longest.index);
  const after = text.slice(longest.index + longest[0].length).replace(/^:/, "");
  return `${before}::${after}`;
}

/**
 * Domain names as crypto/x509 looks at them: ASCII text of any octets, here one Latin-1 character
 * each.
 */

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

/**
 * Text of a log made fit to keep: escape sequences, control and invisible characters gone, and
 * nothing in it that could be a credential. Redacting twice changes nothing; time is linear in the
 * text.
 *
 * It takes away too much rather than too little: a run of letters that could be a key goes, a
 * serial number or a name stays.
 */

const GONE = "[redacted]";

/** ECMA-48 §5.4 (CSI), §8.3.89 (OSC, ended by BEL or ST), and other escapes of one character. */
const ESCAPES =
  /\u001b\[[0-?]*[ -/]*[@-~]|\u009b[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[@-Z\\-_]?/g;
/**
 * Formatting characters of Unicode, bidirectional overrides and zero-width ones among them, and
 * lone surrogates.
 */
const INVISIBLE = /[\p{Cf}\p{Cs}]/gu;
const CONTROLS = /\p{Cc}+/gu;

/** One line of a log as plain text. */
export function plainLine(raw: string): string {
  return raw.replace(ESCAPES, "").replace(INVISIBLE, "").replace(CONTROLS, " ");
}

/**
 * From the first armour on to the end: what follows may be the rest of a key whose end was cut off
 * or moved.
 */
const ARMOUR = "-----BEGIN";

/**
 * After these, the API server quotes who was shown a whole Secret (a webhook, a policy), or the
 * value itself: in any form.
 */
const QUOTING = /\b(?:denied (?:the )?request|Invalid value:|an error on the server \()/;

function withoutQuoted(text: string): string {
  const match = QUOTING.exec(text);
  if (match === null) return text;
  const end = match.index + match[0].length;
  return end === text.length ? text : `${text.slice(0, end)} ${GONE}`;
}

/** A value that is called a credential by its name. */
const NAMED =
  /((?:token|jwt|password|passwd|passphrase|secret|auth_?key|api[_-]?key|access[_-]?key|signature|assertion|credential|cookie)["'\\]{0,3}=["'\\]{0,3})[^\s"'\\&]+/gi;
const QUOTED =
  /((?:token|jwt|password|passwd|passphrase|auth_?key|api[_-]?key|access[_-]?key|client_?secret|signature|assertion|authorization|cookie)\\{0,3}["']\s{0,3}:\s{0,3}\\{0,3}["'])[^"'\\]+/gi;
const SCHEME = /\b((?:bearer|basic)\s{1,4})[^\s"',;]+/gi;
/** Keys as Tailscale writes them: auth and client keys, and the private halves of a node's. */
const TAILSCALE = /\b(?:tskey-|privkey:|nlpriv:)[^\s"',;]+/gi;
/**
 * A JSON object in base64url, as each part of a JWT but the last (RFC 7519 §3.1); with `{ "` it
 * begins otherwise.
 */
const JWT = /ey[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)*/g;
/**
 * As long as a key of 128 bits and more in base64; texts of words and serial numbers are told from
 * it below.
 */
const RUN = /[A-Za-z0-9+/_=-]{32,}/g;

function isKeyLike(run: string): boolean {
  return /[0-9]/.test(run) && /[A-Z]/.test(run) && /[a-z]/.test(run);
}

/** Without credentials. Idempotent. */
export function redact(text: string): string {
  const ours = withoutQuoted(text);
  const armour = ours.indexOf(ARMOUR);
  const open = armour === -1 ? ours : `${ours.slice(0, armour)}${GONE}`;
  return open
    .replace(SCHEME, `$1${GONE}`)
    .replace(NAMED, `$1${GONE}`)
    .replace(QUOTED, `$1${GONE}`)
    .replace(TAILSCALE, GONE)
    .replace(JWT, GONE)
    .replace(RUN, (run) => (isKeyLike(run) ? GONE : run));
}

/** Longest sample kept, in characters. */
const SAMPLE_LENGTH = 300;

/**
 * Of a longer line only so much is looked at, up to a space: what the cut would halve could be a
 * key.
 */
const LOOKED_AT = 4_096;

function beginningOf(line: string): string {
  return line.length <= LOOKED_AT
    ? line
    : line.slice(0, Math.max(0, line.lastIndexOf(" ", LOOKED_AT)));
}

/** A line as it may be kept. */
export function sampleOf(line: string): string {
  const clean = redact(beginningOf(plainLine(line))).trim();
  return clean.length <= SAMPLE_LENGTH ? clean : `${clean.slice(0, SAMPLE_LENGTH - 1)}…`;
}

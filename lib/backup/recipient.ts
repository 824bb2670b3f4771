/**
 * Recipients of sealed copies: native X25519 recipients of age (`age1…`), checked without a library, so
 * that a configuration is told its typing errors before anything is sealed.
 *
 * Refused with the reason: an identity in place of a recipient (it must not stand in a configuration),
 * SSH keys, plugins, tagged and post-quantum recipients. Bech32: BIP 173.
 */

export type RecipientProblem =
  | "identity"
  | "ssh"
  | "plugin"
  | "post_quantum"
  | "tagged"
  | "mixed_case"
  | "length"
  | "character"
  | "checksum"
  | "unknown";

export type ParsedRecipient =
  | { readonly ok: true; readonly recipient: string }
  | { readonly ok: false; readonly problem: RecipientProblem; readonly found: string };

/** The characters of Bech32 data in the order of their values (BIP 173, Bech32). */
const CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATORS = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
/** `age`, `1`, 52 characters for 32 bytes, 6 of checksum. */
const LENGTH = 62;

const WORDS: Readonly<Record<RecipientProblem, string>> = {
  identity: "an age identity (a secret key) where a recipient belongs",
  ssh: "an SSH key, which certkeep doesn't seal for",
  plugin: "a recipient of an age plugin, which certkeep doesn't seal for",
  post_quantum: "a post-quantum recipient, which certkeep doesn't seal for",
  tagged: "a tagged recipient (of a hardware key), which certkeep doesn't seal for",
  mixed_case: "an age recipient with letters of both cases",
  length: "an age recipient that is cut or too long",
  character: "an age recipient with a character that none has",
  checksum: "an age recipient with a typing error: its checksum doesn't fit",
  unknown: "no age recipient",
};

function polymod(values: readonly number[]): number {
  let check = 1;
  for (const value of values) {
    const top = check >>> 25;
    check = ((check & 0x1ffffff) << 5) ^ value;
    for (const [bit, generator] of GENERATORS.entries())
      if (((top >>> bit) & 1) === 1) check ^= generator;
  }
  return check >>> 0;
}

function problemOf(text: string): RecipientProblem | null {
  if (/^age-secret-key-|^age-plugin-/i.test(text)) return "identity";
  if (/^(?:ssh-|ecdsa-sha2-|sk-ssh-)/.test(text)) return "ssh";
  const lower = text.toLowerCase();
  if (lower.startsWith("age1pq1")) return "post_quantum";
  if (/^age1tag(?:pq)?1/.test(lower)) return "tagged";
  // `1` isn't in the alphabet of the data: a second one ends the name of a plugin.
  if (/^age1[a-z0-9]+1/.test(lower)) return "plugin";
  if (!lower.startsWith("age1")) return "unknown";
  if (text !== lower) return "mixed_case";
  const data = [...text.slice(4)].map((char) => CHARSET.indexOf(char));
  if (data.includes(-1)) return "character";
  if (text.length !== LENGTH) return "length";
  // The last of the 52 characters carries four bits of filling, which are zero in a well-formed one.
  if (((data[51] ?? 0) & 0x0f) !== 0) return "checksum";
  const prefix = [..."age"].map((char) => char.charCodeAt(0));
  const expanded = [
    ...prefix.map((code) => code >> 5),
    0,
    ...prefix.map((code) => code & 31),
    ...data,
  ];
  return polymod(expanded) === 1 ? null : "checksum";
}

/** Reads one recipient; spaces around it don't count. What is told of a wrong one never repeats it. */
export function parseRecipient(text: string): ParsedRecipient {
  const recipient = text.trim();
  const problem = problemOf(recipient);
  return problem === null ? { ok: true, recipient } : { ok: false, problem, found: WORDS[problem] };
}

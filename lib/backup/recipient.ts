/**
 * Recipients of backups: native X25519 recipients of age (`age1…`, Bech32: BIP 173), checked where
 * the configuration is read, so that a typing error is reported before anything is encrypted.
 *
 * Refused with the reason: an identity instead of a recipient (it must not stand in a
 * configuration), SSH keys, plugins, tagged and post-quantum recipients.
 */
import { bech32 } from "@scure/base";

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

/** Of one backup. Opening tries them one by one: this many take a fraction of a second. */
export const MAX_RECIPIENTS = 1000;

const DATA = /^[qpzry9x8gf2tvdw0s3jn54khce6mua7l]*$/;
/** `age`, `1`, 52 characters for 32 bytes, 6 of checksum. */
const LENGTH = 62;

const WORDS: Readonly<Record<RecipientProblem, string>> = {
  identity: "an age identity (a secret key), not a recipient",
  ssh: "an SSH key, which certkeep can't encrypt for",
  plugin: "a recipient of an age plugin, which certkeep can't encrypt for",
  post_quantum: "a post-quantum recipient, which certkeep can't encrypt for",
  tagged: "a tagged recipient (of a hardware key), which certkeep can't encrypt for",
  mixed_case: "an age recipient with letters of both cases",
  length: "an age recipient that is cut or too long",
  character: "an age recipient with an invalid character",
  checksum: "an age recipient whose checksum doesn't match: it is mistyped",
  unknown: "not an age recipient",
};

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
  if (!DATA.test(text.slice(4))) return "character";
  if (text.length !== LENGTH) return "length";
  const words = bech32.decodeUnsafe(text)?.words;
  return words === undefined || bech32.fromWordsUnsafe(words) === undefined ? "checksum" : null;
}

export function isRecipient(text: string): boolean {
  return problemOf(text) === null;
}

/**
 * Reads one recipient; spaces around it don't count. The problem with a wrong one never repeats it.
 */
export function parseRecipient(text: string): ParsedRecipient {
  const recipient = text.trim();
  const problem = problemOf(recipient);
  return problem === null ? { ok: true, recipient } : { ok: false, problem, found: WORDS[problem] };
}

/** Opening what was sealed, with the identities that a person or the restoring function holds. */
import { armor, Decrypter } from "age-encryption";
import { MAX_RECIPIENTS } from "../../backup/recipient.ts";
import { CertkeepError } from "../../error.ts";
import type { Opener } from "../../ports/stores.ts";
import {
  type AskPassphrase,
  type Identity,
  type IdentityText,
  parseIdentities,
} from "./identity.ts";

/**
 * `ask` is called for each file that a passphrase protects; without it such a file is an error that
 * says so.
 * @throws CertkeepError identity_invalid, naming file and line
 */
export async function createOpener(
  files: readonly IdentityText[],
  ask: AskPassphrase | null = null,
): Promise<Opener> {
  const identities: Identity[] = [];
  for (const file of files) identities.push(...(await parseIdentities(file, ask)));
  if (identities.length === 0) {
    throw new CertkeepError("identity_invalid", {
      where: "identity",
      found: "none",
      expected: "an age identity",
      todo: "Name its file with --identity FILE",
    });
  }
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity.secret);
  const recipients = [...new Set(identities.map((identity) => identity.recipient))].toSorted();

  async function open(sealed: string): Promise<Uint8Array> {
    const file = dearmor(sealed);
    if (file === null)
      throw failed("an armored age file that is damaged or cut off", "an undamaged one");
    if (!isBounded(file))
      throw failed(
        "an age file with a longer header than any backup has",
        `${MAX_RECIPIENTS} recipients at most`,
      );
    try {
      return await decrypter.decrypt(file);
    } catch (error) {
      const others = error instanceof Error && error.message.includes("no identity matched");
      if (!others) throw failed("an age file that is damaged", "an undamaged one");
      throw new CertkeepError("sealed_for_others", {
        where: "encrypted backup",
        found: `encrypted for other recipients, not for ${recipients.join(" or ")}`,
        expected: "an identity of one of its recipients",
      });
    }
  }

  return { recipients, open };
}

const STANZA = Buffer.from("\n-> ");
const HEADER_END = Buffer.from("\n---");
/** A recipient takes 98 bytes; other kinds of stanzas may stand beside. */
const MAX_HEADER_BYTES = 256 * 1024;

/**
 * The library reads a header of any length, and each recipient costs it a key exchange per
 * identity.
 */
function isBounded(file: Uint8Array): boolean {
  const start = Buffer.from(
    file.buffer,
    file.byteOffset,
    Math.min(file.byteLength, MAX_HEADER_BYTES),
  );
  const end = start.indexOf(HEADER_END);
  if (end === -1) return file.byteLength <= MAX_HEADER_BYTES;
  let count = 0;
  for (let at = start.indexOf(STANZA); at !== -1 && at < end; count += 1)
    at = start.indexOf(STANZA, at + STANZA.length);
  return count <= MAX_RECIPIENTS;
}

/** `null` where it isn't exactly what age would write, line ends and space around it aside. */
function dearmor(sealed: string): Uint8Array | null {
  try {
    const text = sealed
      .replaceAll("\r\n", "\n")
      .replace(/^[ \t\n]+/, "")
      .replace(/(?<![ \t\n])[ \t\n]+$/, "");
    const file = armor.decode(text);
    return armor.encode(file) === `${text}\n` ? file : null;
  } catch {
    return null;
  }
}

function failed(found: string, expected: string): CertkeepError {
  return new CertkeepError("open_failed", { where: "encrypted backup", found, expected });
}

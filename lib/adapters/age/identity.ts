/**
 * Opening what was sealed, with the identities that a person or the restoring function holds.
 *
 * Identity files as age-keygen writes them: one identity a line, comments with `#`, CRLF allowed;
 * or such a file sealed with a passphrase. Nothing of an identity is ever part of an error.
 *
 * Identities of other kinds (plugins, SSH) are passed over where a native one is there as well: at
 * 3 a.m. a hardware key's line must not keep the break-glass key beside it from opening. Alone,
 * they are told.
 */
import { armor, Decrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { MAX_RECIPIENTS } from "../../backup/recipient.ts";
import { CertkeepError } from "../../error.ts";
import type { Opener } from "../../ports/stores.ts";

/** An identity file's content, and what it is called in errors (a path, a secret's URL). */
export interface IdentityText {
  readonly where: string;
  /** Bytes where the file may be a binary age file. */
  readonly content: string | Uint8Array;
}

/** Asks for the passphrase of the file called `where`; `null` where nobody can be asked. */
export type AskPassphrase = (where: string) => Promise<string | null>;

export interface Identity {
  /** `AGE-SECRET-KEY-1…` */
  readonly secret: string;
  /** `age1…` */
  readonly recipient: string;
}

const ARMOR_BEGIN = "-----BEGIN AGE ENCRYPTED FILE-----";
const BINARY_BEGIN = "age-encryption.org/v1\n";

/** A new X25519 identity. */
export async function generateIdentity(): Promise<Identity> {
  const secret = await generateX25519Identity();
  return { secret, recipient: await identityToRecipient(secret) };
}

const DAMAGED_ARMOR = "the armored age file is damaged or cut off";
const USE_IDENTITY = "Use an age identity (AGE-SECRET-KEY-1…)";

function invalid(where: string, found: string, todo = USE_IDENTITY): CertkeepError {
  return new CertkeepError("identity_invalid", { where, found, todo });
}

/** The identities of a file. @throws CertkeepError identity_invalid */
export async function parseIdentities(
  source: IdentityText,
  ask: AskPassphrase | null,
): Promise<readonly Identity[]> {
  const bytes =
    typeof source.content === "string" ? Buffer.from(source.content, "utf8") : source.content;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  if (text.trimStart().startsWith(ARMOR_BEGIN))
    return unlock(source.where, fromArmor(source.where, text), ask);
  if (text.startsWith(BINARY_BEGIN)) return unlock(source.where, bytes, ask);
  return parseLines(source.where, text);
}

function fromArmor(where: string, text: string): Uint8Array {
  try {
    return armor.decode(text);
  } catch {
    throw invalid(where, DAMAGED_ARMOR);
  }
}

async function unlock(
  where: string,
  file: Uint8Array,
  ask: AskPassphrase | null,
): Promise<readonly Identity[]> {
  const header = Buffer.from(
    file.buffer,
    file.byteOffset,
    Math.min(file.byteLength, 4096),
  ).toString("latin1");
  if (!header.startsWith(BINARY_BEGIN))
    throw invalid(where, "the file is armored, but isn't an age file");
  if (!/\n-> scrypt /.test(header)) {
    throw invalid(
      where,
      "the file is encrypted, as a backup is",
      "Decrypt it with its own identity first: age -d -i OTHER",
    );
  }
  const passphrase = ask === null ? null : await ask(where);
  if (passphrase === null) {
    throw invalid(
      where,
      "a passphrase protects the identity, and there is no terminal to ask for it",
      "Run it in a terminal, or decrypt it and pass it on: age -d FILE | certkeep " +
        "restore … --identity -",
    );
  }
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  let plain: Uint8Array;
  try {
    plain = await decrypter.decrypt(file);
  } catch {
    throw invalid(where, "the passphrase is wrong, or the file is damaged", "Run it again");
  }
  try {
    return await parseLines(
      where,
      Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength).toString("utf8"),
    );
  } finally {
    plain.fill(0);
  }
}

async function parseLines(where: string, text: string): Promise<readonly Identity[]> {
  const identities: Identity[] = [];
  const others: string[] = [];
  for (const [index, raw] of text
    .replace(/^\ufeff/, "")
    .split("\n")
    .entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const place = `${where}:${index + 1}`;
    if (/^AGE-SECRET-KEY-(?:PQ-)?1/.test(line)) {
      identities.push(await nativeIdentity(place, line));
      continue;
    }
    if (line.startsWith("age1")) {
      throw invalid(
        place,
        "this is a recipient, which can only encrypt",
        `${USE_IDENTITY}: it is in the file that was made with the recipient`,
      );
    }
    const isPem = PEM_KEY.test(line);
    if (!isPem && !line.startsWith("AGE-PLUGIN-"))
      throw invalid(place, "the line is neither an identity nor a comment");
    others.push(
      `${place}: ${isPem ? "an SSH or other private key" : "an identity of an age plugin"}`,
    );
    // The lines of such a key belong together.
    if (isPem) break;
  }
  if (identities.length > 0) return identities;
  if (others.length > 0)
    throw invalid(where, `the file has only ${others.join(", ")}, which certkeep can't use`);
  throw invalid(where, text.trim() === "" ? "the file is empty" : "the file has only comments");
}

const PEM_KEY = /^-----BEGIN (?:OPENSSH|RSA|EC )?.*PRIVATE KEY-----/;

async function nativeIdentity(place: string, line: string): Promise<Identity> {
  try {
    return { secret: line, recipient: await identityToRecipient(line) };
  } catch {
    throw invalid(
      place,
      "the identity's checksum doesn't match: it is mistyped or cut off",
      "Copy it again from where it was made",
    );
  }
}

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
      found: "no age identity was given",
      todo: "Name its file with --identity FILE",
    });
  }
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity.secret);
  const recipients = [...new Set(identities.map((identity) => identity.recipient))].toSorted();

  async function open(sealed: string): Promise<Uint8Array> {
    const file = dearmor(sealed);
    if (file === null) throw failed(DAMAGED_ARMOR);
    if (!isBounded(file)) throw failed(`its header names more than ${MAX_RECIPIENTS} recipients`);
    try {
      return await decrypter.decrypt(file);
    } catch (error) {
      const others = error instanceof Error && error.message.includes("no identity matched");
      if (!others) throw failed("the age file is damaged");
      throw new CertkeepError("sealed_for_others", {
        where: "encrypted backup",
        found: `it is encrypted for other recipients, not for ${recipients.join(" or ")}`,
        todo: "Use an identity of one of its recipients",
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

function failed(found: string): CertkeepError {
  const todo = "Use another backup: certkeep backups";
  return new CertkeepError("open_failed", { where: "encrypted backup", found, todo });
}

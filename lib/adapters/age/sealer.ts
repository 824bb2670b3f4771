/**
 * Sealing with age: for native X25519 recipients, in ASCII armor, which the `age` command opens.
 */
import { MAX_RECIPIENTS, parseRecipient } from "../../backup/recipient.ts";
import { CertkeepError } from "../../error.ts";
import type { Sealer } from "../../ports/stores.ts";

/** Holds no identity: what it sealed, it can't open. */
export function createSealer(): Sealer {
  return { seal };
}

async function seal(plaintext: Uint8Array, recipients: readonly string[]): Promise<string> {
  if (recipients.length === 0) {
    throw new CertkeepError("seal_failed", {
      where: "recipients",
      found: "there are none, so nothing can be encrypted",
      todo: "Run: certkeep init",
    });
  }
  if (recipients.length > MAX_RECIPIENTS) {
    throw new CertkeepError("seal_failed", {
      where: "recipients",
      found: `there are ${recipients.length}, more than the limit of ${MAX_RECIPIENTS}`,
      todo: "Remove recipients from certkeep.yaml, or let several people share one",
    });
  }
  // Loaded with the first copy: an audit that makes none starts without it.
  const { armor, Encrypter } = await import("age-encryption");
  const encrypter = new Encrypter();
  for (const [index, text] of recipients.entries()) {
    const parsed = parseRecipient(text);
    if (!parsed.ok) throw refused(index, text, parsed.found);
    try {
      encrypter.addRecipient(parsed.recipient);
    } catch {
      throw refused(index, text, "not a point of the curve");
    }
  }
  try {
    return armor.encode(await encrypter.encrypt(plaintext));
  } catch {
    throw new CertkeepError("seal_failed", {
      where: `recipients ${recipients.map((recipient) => named(recipient)).join(", ")}`,
      found: "age could not encrypt for them",
      todo: "Use recipients made by age-keygen or certkeep init",
    });
  }
}

/** A recipient is public and is named; anything else might be an identity put there by mistake. */
function named(text: string): string {
  return text.startsWith("age1") ? JSON.stringify(text.slice(0, 80)) : "(not shown)";
}

function refused(index: number, text: string, found: string): CertkeepError {
  return new CertkeepError("seal_failed", {
    where: `recipient ${index + 1}, ${named(text.trim())}`,
    found: `it is ${found}`,
    todo: "Correct it in certkeep.yaml: age-keygen -y IDENTITY prints the recipient of an identity",
  });
}

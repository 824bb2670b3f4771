/** Sealing and opening: identity, damage, strangers, and what identity files may look like. */
import { armor, Encrypter, generateHybridIdentity, identityToRecipient } from "age-encryption";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  generateIdentity,
  type IdentityText,
  parseIdentities,
  createOpener,
} from "../../../lib/adapters/age/identity.ts";
import { createSealer } from "../../../lib/adapters/age/sealer.ts";
import { CertkeepError, isCertkeepError } from "../../../lib/error.ts";

const sealer = createSealer();
const alice = await generateIdentity();
const bob = await generateIdentity();
const file = (content: string | Uint8Array): IdentityText => ({ where: "alice.txt", content });

async function errorOf(promise: Promise<unknown>): Promise<CertkeepError> {
  const error: unknown = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof CertkeepError))
    throw new Error(`not an error of the project: ${String(error)}`);
  expect(`${error.message} ${JSON.stringify(error)}`).not.toMatch(/AGE-SECRET-KEY-1[A-Z0-9]{5}/);
  return error;
}

async function withPassphrase(content: string, passphrase: string): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(10);
  return encrypter.encrypt(content);
}

describe("open after seal", () => {
  test("is identity, for each recipient", async () => {
    const openers = await Promise.all([alice, bob].map((one) => createOpener([file(one.secret)])));
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), async (plaintext) => {
        const sealed = await sealer.seal(plaintext, [alice.recipient, bob.recipient]);
        for (const opener of openers)
          expect(Buffer.from(await opener.open(sealed)).equals(plaintext)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  test("takes 1 MiB", async () => {
    const plaintext = new Uint8Array(1024 * 1024).map((_, index) => index % 251);
    const opener = await createOpener([file(alice.secret)]);
    expect(
      Buffer.from(await opener.open(await sealer.seal(plaintext, [alice.recipient]))).equals(
        plaintext,
      ),
    ).toBe(true);
  });

  test("is never the same text twice, and leaves the plaintext to the caller", async () => {
    const plaintext = Buffer.from("key");
    expect(await sealer.seal(plaintext, [alice.recipient])).not.toBe(
      await sealer.seal(plaintext, [alice.recipient]),
    );
    expect(plaintext.toString()).toBe("key");
  });

  test("does with CRLF and space around it", async () => {
    const opener = await createOpener([file(alice.secret)]);
    const sealed = await sealer.seal(Buffer.from("key"), [alice.recipient]);
    expect(
      Buffer.from(await opener.open(`\n  ${sealed.replaceAll("\n", "\r\n")}\n\n`)).toString(),
    ).toBe("key");
  });
});

describe("what is damaged is refused", () => {
  test("any flipped bit", async () => {
    const opener = await createOpener([file(alice.secret)]);
    const sealed = Buffer.from(
      await sealer.seal(Buffer.from("the key of a certificate"), [alice.recipient]),
    );
    const accepted: number[] = [];
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const damaged = Buffer.from(sealed);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await opener.open(damaged.toString("utf8")).then(
        () => accepted.push(bit),
        (error: unknown) => {
          // Damage to a recipient's part looks like a part for somebody else.
          if (!isCertkeepError(error, "open_failed", "sealed_for_others")) throw error;
        },
      );
    }
    expect(accepted).toEqual([]);
  });

  test("cut off anywhere", async () => {
    const opener = await createOpener([file(alice.secret)]);
    const sealed = await sealer.seal(Buffer.from("the key of a certificate"), [alice.recipient]);
    for (let length = 0; length < sealed.length - 1; length += 13)
      expect((await errorOf(opener.open(sealed.slice(0, length)))).code).toBe("open_failed");
  });

  test("sealed for others: says for whom the identities are", async () => {
    const opener = await createOpener([file(bob.secret)]);
    const error = await errorOf(
      opener.open(await sealer.seal(Buffer.from("x"), [alice.recipient])),
    );
    expect(error.code).toBe("sealed_for_others");
    expect(error.message).toContain("encrypted for other recipients");
    expect(error.message).toContain(bob.recipient);
  });
});

/** An age file whose header names `count` recipients, the first of them `first`. */
async function withRecipients(count: number, first: string): Promise<string> {
  const [head = "", ...rest] = Buffer.from(
    armor.decode(await sealer.seal(Buffer.from("x"), [first])),
  )
    .toString("latin1")
    .split("\n---");
  const stanza = `\n-> X25519 ${"A".repeat(43)}\n${"A".repeat(43)}`;
  return armor.encode(
    Buffer.from([head + stanza.repeat(count - 1), ...rest].join("\n---"), "latin1"),
  );
}

describe("an age file that would take long to open is refused before it is tried", () => {
  test.each([1001, 40_000])("for %i recipients", async (count) => {
    const opener = await createOpener([file(alice.secret)]);
    const error = await errorOf(opener.open(await withRecipients(count, bob.recipient)));
    expect([error.code, error.message]).toEqual([
      "open_failed",
      expect.stringContaining("its header names more than 1000 recipients"),
    ]);
  });

  test("with a header without an end", async () => {
    const opener = await createOpener([file(alice.secret)]);
    const header = `age-encryption.org/v1\n-> X25519 A\n${`${"A".repeat(64)}\n`.repeat(90_000)}`;
    const error = await errorOf(opener.open(armor.encode(Buffer.from(header))));
    expect(error.message).toContain("its header names more than 1000 recipients");
  });

  test("and one for as many as may be is opened", async () => {
    const opener = await createOpener([file(alice.secret)]);
    const recipients = Array.from({ length: 999 }, () => bob.recipient);
    const sealed = await sealer.seal(Buffer.from("x"), [...recipients, alice.recipient]);
    expect(Buffer.from(await opener.open(sealed)).toString()).toBe("x");
  });
});

describe("recipients", () => {
  test("more than a backup may have", async () => {
    const recipients = Array.from({ length: 1001 }, () => alice.recipient);
    const error = await errorOf(sealer.seal(new Uint8Array(1), recipients));
    expect([error.code, error.message]).toEqual([
      "seal_failed",
      expect.stringContaining("there are 1001, more than the limit of 1000"),
    ]);
  });

  test("none", async () => {
    expect((await errorOf(sealer.seal(new Uint8Array(1), []))).code).toBe("seal_failed");
  });

  test("one that isn't one is named by its place, an identity never repeated", async () => {
    const typo = alice.recipient.slice(0, -1) + (alice.recipient.endsWith("q") ? "p" : "q");
    expect((await errorOf(sealer.seal(new Uint8Array(1), [bob.recipient, typo]))).message).toMatch(
      /^recipient 2, "age1.*checksum/,
    );
    const error = await errorOf(sealer.seal(new Uint8Array(1), [alice.secret]));
    expect(error.message).toContain("an age identity");
    expect(error.message).toContain("(not shown)");
  });

  test("a post-quantum one is told, not sealed for", async () => {
    const recipient = await identityToRecipient(await generateHybridIdentity());
    expect((await errorOf(sealer.seal(new Uint8Array(1), [recipient]))).message).toContain(
      "post-quantum",
    );
  });
});

describe("identity files", () => {
  test("with comments, empty lines, CRLF, a BOM, several identities", async () => {
    const text =
      "\ufeff# created: 2026-01-01\r\n" +
      `# public key: ${alice.recipient}\r\n` +
      `${alice.secret}\r\n` +
      "\r\n" +
      `  ${bob.secret}  `;
    expect((await createOpener([file(text)])).recipients).toEqual(
      [alice.recipient, bob.recipient].toSorted(),
    );
    expect(
      (await createOpener([file(Buffer.from(text)), file(alice.secret)])).recipients,
    ).toHaveLength(2);
  });

  test("beside lines of plugins a native identity opens", async () => {
    const opener = await createOpener([file(`AGE-PLUGIN-YUBIKEY-1ABC\n${alice.secret}\n`)]);
    expect(opener.recipients).toEqual([alice.recipient]);
  });

  test("sealed with a passphrase, armored or not, open by asking", async () => {
    const sealed = await withPassphrase(`# secret\n${alice.secret}\n`, "correct horse");
    const asked: string[] = [];
    const ask = async (where: string): Promise<string> => {
      asked.push(where);
      return "correct horse";
    };
    for (const content of [sealed, armor.encode(sealed), Buffer.from(armor.encode(sealed))]) {
      expect((await createOpener([file(content)], ask)).recipients).toEqual([alice.recipient]);
    }
    expect(asked).toEqual(["alice.txt", "alice.txt", "alice.txt"]);
  });

  test("sealed with a passphrase are told as such where nobody can be asked, and where it is wrong", async () => {
    const content = armor.encode(await withPassphrase(`${alice.secret}\n`, "correct horse"));
    for (const ask of [null, async () => null]) {
      const error = await errorOf(createOpener([file(content)], ask));
      expect(error.code).toBe("identity_invalid");
      expect(error.message).toMatch(/^alice\.txt: a passphrase protects the identity.*age -d/);
    }
    const wrong = await errorOf(createOpener([file(content)], async () => "CANARY battery"));
    expect(wrong.message).toContain("the passphrase is wrong");
    expect(wrong.message).not.toContain("CANARY");
  });

  const broken: [string, string, RegExp][] = [
    ["empty", "", /alice\.txt: the file is empty/],
    ["comments only", "# nothing\n", /alice\.txt: the file has only comments/],
    ["a recipient", `# x\n${alice.recipient}\n`, /alice\.txt:2: this is a recipient/],
    [
      "a typing error",
      `${alice.secret.slice(0, -1)}${alice.secret.endsWith("Q") ? "P" : "Q"}`,
      /alice\.txt:1: .*checksum/,
    ],
    ["cut off", alice.secret.slice(0, 40), /alice\.txt:1: .*cut off/],
    [
      "lower case",
      alice.secret.toLowerCase(),
      /alice\.txt:1: the line is neither an identity nor a comment/,
    ],
    [
      "something else",
      `${alice.secret}\nhello\n`,
      /alice\.txt:2: the line is neither an identity nor a comment/,
    ],
    ["a plugin's only", "AGE-PLUGIN-YUBIKEY-1ABC\n", /plugin/],
    [
      "an SSH key",
      "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n",
      /an SSH or other private key/,
    ],
    ["a cut armored file", "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl", /damaged or cut off/],
    [
      "an armored file of something else",
      "-----BEGIN AGE ENCRYPTED FILE-----\naGVsbG8=\n-----END AGE ENCRYPTED FILE-----\n",
      /the file is armored, but isn't an age file/,
    ],
    ["noise", "\u0000\u0001\u0002", /alice\.txt:1: the line is neither an identity nor a comment/],
  ];
  test.each(broken)("%s: identity_invalid with the place", async (_, content, message) => {
    const error = await errorOf(createOpener([file(content)]));
    expect(error.code).toBe("identity_invalid");
    expect(error.message).toMatch(message);
  });

  test("a copy instead of an identity is told", async () => {
    const error = await errorOf(
      createOpener([file(await sealer.seal(Buffer.from("x"), [alice.recipient]))]),
    );
    expect(error.message).toContain("the file is encrypted, as a backup is");
  });

  test("none at all", async () => {
    expect((await errorOf(createOpener([]))).message).toContain("--identity FILE");
  });

  test("what is generated is read back", async () => {
    expect(await parseIdentities(file(alice.secret), null)).toEqual([alice]);
  });
});

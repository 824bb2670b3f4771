/** Recipients, against the ones that age itself makes. */
import { generateHybridIdentity, generateIdentity, identityToRecipient } from "age-encryption";
import { expect, test } from "vitest";
import { parseRecipient } from "../../lib/backup/recipient.ts";
import { RECIPIENT } from "./records.ts";

test("takes what age makes", async () => {
  for (let count = 0; count < 50; count += 1) {
    const recipient = await identityToRecipient(await generateIdentity());
    expect(parseRecipient(recipient)).toEqual({ ok: true, recipient });
  }
  expect(parseRecipient(` ${RECIPIENT}\r\n`)).toEqual({ ok: true, recipient: RECIPIENT });
});

test("tells every single wrong, swapped, missing and added character", () => {
  const charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  const accepted: string[] = [];
  for (let at = 4; at < RECIPIENT.length; at += 1) {
    for (const char of charset) {
      const other = RECIPIENT.slice(0, at) + char + RECIPIENT.slice(at + 1);
      if (other !== RECIPIENT && parseRecipient(other).ok) accepted.push(other);
    }
    expect(parseRecipient(RECIPIENT.slice(0, at) + RECIPIENT.slice(at + 1))).toMatchObject({
      ok: false,
      problem: "length",
    });
    expect(parseRecipient(`${RECIPIENT.slice(0, at)}q${RECIPIENT.slice(at)}`)).toMatchObject({
      ok: false,
      problem: "length",
    });
  }
  expect(accepted).toEqual([]);
  expect(parseRecipient("")).toMatchObject({ ok: false, problem: "unknown" });
});

test.each([
  ["bob", "unknown"],
  ["AGE-SECRET-KEY-1C3C6ADGS2CPJP7PHQ5T2EQLU08EQRJHAHJ2YTXRRXMHHPUK3R5HQHKWSH3", "identity"],
  ["age-plugin-yubikey-1abc", "identity"],
  ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA", "ssh"],
  ["age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", "plugin"],
  ["age1tag1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", "tagged"],
  [RECIPIENT.toUpperCase(), "mixed_case"],
  [RECIPIENT.replace("q", "Q"), "mixed_case"],
  [RECIPIENT.replace("v", "b"), "character"],
])("%s is told as %s", (text, problem) => {
  const parsed = parseRecipient(text);
  expect(parsed).toMatchObject({ ok: false, problem });
  expect(JSON.stringify(parsed)).not.toContain(text);
});

test("a post-quantum one is told as such", async () => {
  expect(parseRecipient(await identityToRecipient(await generateHybridIdentity()))).toMatchObject({
    ok: false,
    problem: "post_quantum",
  });
});

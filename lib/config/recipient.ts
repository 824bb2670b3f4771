/**
 * age recipients, checked to the last letter: a mistyped one would seal copies that nobody can
 * open. The form is Bech32 (BIP 173) over an X25519 public key of 32 bytes with the prefix `age`,
 * as the age format's document (C2SP, age.md, "the X25519 recipient type") has it.
 */
const CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
/** 32 bytes are 52 letters of five bits; six more are the checksum. */
const RECIPIENT = /^age1[02-9ac-hj-np-z]{58}$/;

/** BIP 173: the remainder of `values` by the code's polynomial. */
function polymod(values: readonly number[]): number {
  let sum = 1;
  for (const value of values) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    GENERATOR.forEach((term, bit) => {
      if (((top >>> bit) & 1) === 1) sum ^= term;
    });
  }
  return sum;
}

/** Whether `text` is an X25519 recipient with a right checksum and no stray bits at its end. */
export function isRecipient(text: string): boolean {
  if (!RECIPIENT.test(text)) return false;
  const data = Array.from(text.slice(4), (letter) => CHARSET.indexOf(letter));
  const prefix = Array.from("age", (letter) => letter.charCodeAt(0));
  const expanded = [...prefix.map((code) => code >> 5), 0, ...prefix.map((code) => code & 31)];
  const padding = (data[51] ?? 0) & 0b1111;
  return polymod([...expanded, ...data]) === 1 && padding === 0;
}

/** A key as a hostile message can carry it: in forms that no pattern finds. */

export const CANARY = Buffer.from("0123456789abcdef-canary-0123456789ABCDEF", "latin1");

export function encodingsOf(key: Buffer): Readonly<Record<string, string>> {
  const base64 = key.toString("base64");
  const pairs = key.toString("hex").match(/../g) ?? [];
  return {
    base64,
    base64url: key.toString("base64url"),
    "hexadecimal digits": pairs.join(""),
    "hexadecimal digits with colons": pairs.join(":"),
    "escaped bytes": pairs.map((pair) => `\\x${pair}`).join(""),
    "decimal numbers": `[${[...key].join(", ")}]`,
    "octal numbers": [...key].map((byte) => byte.toString(8)).join(" "),
    "percent signs": pairs.map((pair) => `%${pair}`).join(""),
    "chunks of four letters": (base64.match(/.{1,4}/g) ?? []).join(" "),
    "PEM that is broken up": `----- BEGIN EC PRIVATE KEY -----\n${base64}`,
    "text that is reversed": base64.split("").toReversed().join(""),
    "a JSON object": JSON.stringify({ data: { "tls.key": base64 } }),
  };
}

/** Text that Windows programs write. PowerShell's `>` writes UTF-16 with a byte order mark. */

/** The bytes, as UTF-8 where they are UTF-16 by their byte order mark. Total. */
export function utf8Of(bytes: Uint8Array): Uint8Array {
  const [first, second] = bytes;
  const encoding =
    first === 0xff && second === 0xfe
      ? "utf-16le"
      : first === 0xfe && second === 0xff
        ? "utf-16be"
        : null;
  return encoding === null ? bytes : Buffer.from(new TextDecoder(encoding).decode(bytes), "utf8");
}

import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { readBounded, retryAfterMs } from "../../lib/adapters/web.ts";

describe("what every answer is read with", () => {
  test("Retry-After as an HTTP date counts from now; what is neither counts as absent", () => {
    const now = Date.parse("2026-11-23T10:00:00Z");
    expect(retryAfterMs("Mon, 23 Nov 2026 10:00:07 GMT", now)).toBe(7_000);
    expect(retryAfterMs("Mon, 23 Nov 2026 09:00:00 GMT", now)).toBe(0);
    expect(retryAfterMs("12", now)).toBe(12_000);
    expect(retryAfterMs("2026", now)).toBe(2_026_000);
    for (const other of ["-1", "1.5", "2026-11-23", "soon", "", "99999999999"])
      expect(retryAfterMs(other, now)).toBeNull();
  });

  test("a body is taken up to its bound, and its stream ended where there is more", async () => {
    const stream = Readable.from([Buffer.from("abc"), Buffer.from("def"), Buffer.from("ghi")]);
    expect(await readBounded(stream, 5)).toEqual({ bytes: Buffer.from("abcde"), cut: true });
    expect(stream.destroyed).toBe(true);
    const whole = Readable.from([Buffer.from("abc"), Buffer.from("de")]);
    expect(await readBounded(whole, 5)).toEqual({ bytes: Buffer.from("abcde"), cut: false });
    expect(await readBounded(Readable.from([]), 0)).toEqual({
      bytes: Buffer.alloc(0),
      cut: false,
    });
  });

  test("a stream that breaks gives no body", async () => {
    const broken = new Readable({
      read() {
        this.push("abc");
        this.destroy(new Error("cut"));
      },
    });
    await expect(readBounded(broken, 100)).rejects.toThrow("cut");
  });
});

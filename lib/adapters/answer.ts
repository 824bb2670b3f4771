/** What every answer is read with: a body of bounded size, and Retry-After. */

export interface BoundedBody {
  readonly bytes: Buffer;
  /** There was more than was taken. */
  readonly cut: boolean;
}

/** The first `maxBytes` of a stream. One that holds more is ended, and with it its connection. */
export async function readBounded(
  stream: AsyncIterable<Uint8Array | string>,
  maxBytes: number,
): Promise<BoundedBody> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, "utf8") : chunk;
    chunks.push(bytes);
    size += bytes.length;
    if (size > maxBytes) return { bytes: Buffer.concat(chunks, maxBytes), cut: true };
  }
  const [only] = chunks;
  // A page of a listing is tens of megabytes: not copied where it came in one piece.
  const bytes = chunks.length === 1 && Buffer.isBuffer(only) ? only : Buffer.concat(chunks, size);
  return { bytes, cut: false };
}

/**
 * Milliseconds that a Retry-After asks for (RFC 9110 §10.2.3: seconds or an HTTP date), or `null`.
 */
export function retryAfterMs(value: string | null, nowMs: number): number | null {
  const text = value?.trim() ?? "";
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000;
  const at = /^[A-Za-z]{3,9},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}

/** SCT lists: what is whole counts, what isn't is named, nothing throws. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { issuedAt, parseSctList } from "../../lib/ratelimit/sct.ts";

interface Sct {
  readonly ms: bigint;
  readonly version?: number;
  readonly extensions?: Uint8Array;
  readonly signature?: Uint8Array;
}

function vector(bytes: Uint8Array, announced = bytes.length): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(announced);
  return Buffer.concat([length, bytes]);
}

function sct({
  ms,
  version = 0,
  extensions = Buffer.alloc(0),
  signature = Buffer.alloc(70, 7),
}: Sct): Buffer {
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(ms);
  return Buffer.concat([
    Buffer.from([version]),
    Buffer.alloc(32, 9),
    time,
    vector(extensions),
    Buffer.from([4, 3]),
    vector(signature),
  ]);
}

const list = (...entries: readonly Buffer[]): Buffer =>
  vector(Buffer.concat(entries.map((entry) => vector(entry))));
const MS = 1_790_000_000_123;

/**
 * The list in a certificate that Let's Encrypt really issued (CN housetrainingpuppy.info, issuer
 * R3, notBefore 2023-06-15 15:01:44, when notBefore was set an hour back); openssl prints these two
 * timestamps of it.
 */
const REAL = Buffer.from(
  [
    "APIAdwB6MoxU2LcttiDqOOBSHumEFnAyE4VNO9IrwTpXo1LrUgAAAYi/ypN8AAAEAwBIMEYCIQDf/4yNYgcn6G2NG/iV1hYXOc0K",
    "SgvpiKlyFq1pVz4K6gIhAIgK6QJdBQsb8ub7/wv7fmThYdDk8THNsPa49BpQIT6wAHcA6D7Q2j71BjUy51covIlryQPTy9ERa+zr",
    "aeF3fW0GvW4AAAGIv8qT9QAABAMASDBGAiEAu1ynvsmM5CHrv9veKhq0AfxuCPPoc//9xyVVhWpvuikCIQDMtomNyCE2s3RoZkFx",
    "kAFD0s17dsLZtTxhz5sjZiEJ1w==",
  ].join(""),
  "base64",
);

describe("parseSctList", () => {
  test("a real one: an hour after its notBefore, as the issuer dated back then", () => {
    const notBeforeMs = Date.UTC(2023, 5, 15, 15, 1, 44);
    expect(parseSctList(REAL)).toEqual({
      timestampsMs: [Date.UTC(2023, 5, 15, 16, 1, 44, 316), Date.UTC(2023, 5, 15, 16, 1, 44, 437)],
      problems: [],
    });
    expect(
      issuedAt({
        sctList: REAL,
        notBeforeMs,
        firstSeenMs: Date.UTC(2023, 6, 1),
        backdateMs: 3_600_000,
      }),
    ).toMatchObject({ issuedAtMs: notBeforeMs + 3_600_316, basis: "sct" });
    expect(
      issuedAt({
        sctList: null,
        notBeforeMs,
        firstSeenMs: Date.UTC(2023, 6, 1),
        backdateMs: 3_600_000,
      }),
    ).toMatchObject({ issuedAtMs: notBeforeMs + 3_600_000, basis: "not_before" });
  });

  test("timestamps in order, with and without extensions", () => {
    const bytes = list(
      sct({ ms: BigInt(MS + 5) }),
      sct({ ms: BigInt(MS), extensions: Buffer.alloc(300, 1) }),
      sct({ ms: 0n, signature: Buffer.alloc(0) }),
    );
    expect(parseSctList(bytes)).toEqual({ timestampsMs: [MS + 5, MS, 0], problems: [] });
  });

  test("an offset view of a larger buffer", () => {
    const bytes = list(sct({ ms: BigInt(MS) }));
    const padded = Buffer.concat([Buffer.alloc(13, 0xff), bytes, Buffer.alloc(5, 0xff)]);
    expect(parseSctList(padded.subarray(13, 13 + bytes.length))).toEqual({
      timestampsMs: [MS],
      problems: [],
    });
  });

  test("cut at every byte: never an exception, a problem each time, whole ones still count", () => {
    const one = vector(sct({ ms: BigInt(MS) })).length;
    const bytes = list(
      sct({ ms: BigInt(MS) }),
      sct({ ms: BigInt(MS + 1), extensions: Buffer.alloc(9) }),
    );
    for (let end = 0; end < bytes.length; end++) {
      const { timestampsMs, problems } = parseSctList(bytes.subarray(0, end));
      expect(problems.length).toBeGreaterThan(0);
      expect(problems[0]?.code).toBe("truncated");
      expect(timestampsMs).toEqual(end >= 2 + one ? [MS] : []);
    }
  });

  test("an SCT cut at every byte within a list that hides it", () => {
    const whole = sct({ ms: BigInt(MS), extensions: Buffer.from([1, 2]) });
    for (let end = 0; end < whole.length; end++) {
      const { timestampsMs, problems } = parseSctList(
        list(whole.subarray(0, end), sct({ ms: 5n })),
      );
      expect(timestampsMs).toEqual([5]);
      expect(problems).toEqual([{ code: end === 0 ? "empty" : "length_mismatch", at: 2 }]);
    }
  });

  test.each([
    ["list longer than the bytes", vector(vector(sct({ ms: 1n })), 9999), ["truncated"], 1],
    [
      "bytes after the list",
      Buffer.concat([list(sct({ ms: 1n })), Buffer.from([0])]),
      ["trailing"],
      1,
    ],
    ["entry longer than the list", vector(vector(sct({ ms: 1n }), 500)), ["truncated"], 0],
    [
      "entry shorter than its SCT",
      vector(Buffer.concat([vector(sct({ ms: 1n }), 60)])),
      ["length_mismatch", "truncated"],
      0,
    ],
    [
      "extensions longer than the entry",
      list(Buffer.concat([Buffer.alloc(41), Buffer.from([0xff, 0xff]), Buffer.alloc(10)])),
      ["length_mismatch"],
      0,
    ],
    [
      "signature longer than the entry",
      list(Buffer.concat([Buffer.alloc(43), Buffer.from([4, 3, 0xff, 0xff])])),
      ["length_mismatch"],
      0,
    ],
    [
      "bytes after the signature",
      list(Buffer.concat([sct({ ms: 1n }), Buffer.from([0])])),
      ["length_mismatch"],
      0,
    ],
    [
      "an unknown version beside a known one",
      list(sct({ ms: 1n, version: 1 }), sct({ ms: 2n })),
      ["unknown_version"],
      1,
    ],
    ["no entry", Buffer.from([0, 0]), ["empty"], 0],
    ["an entry of nothing", vector(vector(Buffer.alloc(0))), ["empty"], 0],
    ["nothing", Buffer.alloc(0), ["truncated"], 0],
    [
      "a time beyond dates",
      list(sct({ ms: 0xffff_ffff_ffff_ffffn })),
      ["timestamp_out_of_range"],
      0,
    ],
    ["the last time of dates", list(sct({ ms: 8_640_000_000_000_000n })), [], 1],
  ] as const)("%s", (_, bytes, codes, count) => {
    const { timestampsMs, problems } = parseSctList(bytes);
    expect([...new Set(problems.map(({ code }) => code))]).toEqual(codes);
    expect(timestampsMs).toHaveLength(count);
  });

  test("noise never throws, and every timestamp is a date", () => {
    const lying = fc
      .tuple(fc.uint8Array({ maxLength: 200 }), fc.nat(400))
      .map(([bytes, announced]) => new Uint8Array(vector(bytes, announced)));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), lying), (bytes) => {
        for (const ms of parseSctList(bytes).timestampsMs)
          expect(Number.isNaN(new Date(ms).getTime())).toBe(false);
      }),
    );
  });
});

describe("issuedAt", () => {
  const notBeforeMs = MS - 3_510_000;
  const base = { notBeforeMs, firstSeenMs: MS + 60_000, backdateMs: 3_510_000 };

  test("the earliest SCT", () => {
    const sctList = list(
      sct({ ms: BigInt(MS + 9) }),
      sct({ ms: BigInt(MS + 3) }),
      sct({ ms: BigInt(MS + 7) }),
    );
    expect(issuedAt({ ...base, sctList })).toEqual({
      issuedAtMs: MS + 3,
      basis: "sct",
      future: false,
      problems: [],
    });
  });

  test("without one, notBefore with the back-dating taken off", () => {
    expect(issuedAt({ ...base, sctList: null })).toEqual({
      issuedAtMs: MS,
      basis: "not_before",
      future: false,
      problems: [],
    });
    const broken = issuedAt({ ...base, sctList: Buffer.from([0, 9, 1]) });
    expect(broken).toMatchObject({ issuedAtMs: MS, basis: "not_before" });
    expect(broken.problems.length).toBeGreaterThan(0);
  });

  test("one in the future is noticed and not believed", () => {
    const sctList = list(sct({ ms: BigInt(MS + 60_001) }));
    expect(issuedAt({ ...base, sctList })).toMatchObject({
      issuedAtMs: MS + 60_000,
      basis: "first_seen",
      future: true,
    });
    expect(issuedAt({ ...base, sctList: null, notBeforeMs: MS + 60_000 })).toMatchObject({
      issuedAtMs: MS + 60_000,
      basis: "first_seen",
      future: true,
    });
    expect(issuedAt({ ...base, sctList: list(sct({ ms: BigInt(MS + 60_000) })) })).toMatchObject({
      basis: "sct",
      future: false,
    });
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anchorsFromPem } from "../../lib/certificate/anchors.ts";
import { judge, type Judgement, type Pair, verdictAt } from "../../lib/certificate/judge.ts";
import { parsePemBlocks } from "../../lib/certificate/pem.ts";
import { REASONS } from "../../lib/certificate/reason.ts";
import { reasonSentence } from "../../lib/report/phrases/reasons.ts";
import { parseMs } from "../../lib/certificate/time.ts";
import { Verifier } from "../../lib/certificate/verifier.ts";
import { pemBlock, readVectors, type VectorCase } from "./vector.ts";

const vectors = readVectors();
const byName = new Map(vectors.cases.map((entry) => [entry.name, entry]));
const HOST = "www.example.test";
const NOON = parseMs("2026-06-01T12:00:00Z");

function vector(name: string): VectorCase {
  const found = byName.get(name);
  if (found === undefined) throw new Error(`no vector called ${name}`);
  return found;
}

function judgeVector(entry: VectorCase, dnsName: string | null = HOST): Promise<Judgement> {
  return judge(entry, {
    dnsName,
    anchors: anchorsFromPem(entry.roots),
    verifier: new Verifier(),
  });
}

/** Where the judge and Go disagree about a case, as text. */
async function disagreements(entry: VectorCase): Promise<string[]> {
  const options = { anchors: anchorsFromPem(entry.roots), verifier: new Verifier() };
  const judged = new Map<string, Judgement>();
  const out: string[] = [];
  for (const { dnsName, at, valid } of entry.checks) {
    const judgement = judged.get(dnsName) ?? (await judge(entry, { ...options, dnsName }));
    judged.set(dnsName, judgement);
    const verdict = verdictAt(judgement, parseMs(at));
    if (verdict.valid !== valid) {
      out.push(
        `${entry.name} for "${dnsName}" at ${at}: Go says ${valid} (${entry.error}), judge ` +
          `${verdict.reasons}`,
      );
    }
    if (verdict.valid !== (verdict.reasons.length === 0))
      out.push(`${entry.name}: valid and reasons contradict`);
  }
  for (const judgement of judged.values()) {
    if ((judgement.windows.length === 0) !== judgement.reasons.length > 0) {
      out.push(`${entry.name}: windows and reasons contradict`);
    }
  }
  return out;
}

describe(`agreement with ${vectors.go}`, () => {
  const groups = Map.groupBy(
    vectors.cases,
    ({ name }) => (/^[a-z0-9]+/.exec(name) as RegExpExecArray)[0],
  );
  for (const [group, cases] of groups) {
    test(`${group} (${cases.length} cases)`, async () => {
      const found: string[] = [];
      for (const entry of cases) found.push(...(await disagreements(entry)));
      expect(found).toEqual([]);
    });
  }

  test("the vectors are of the version that is judged by, and many", () => {
    expect(vectors.go).toMatch(/^go1\.26\./);
    expect(vectors.cases.length).toBeGreaterThan(3000);
    const checks = vectors.cases.flatMap((entry) => entry.checks);
    expect(checks.filter(({ valid }) => valid).length).toBeGreaterThan(3000);
    expect(checks.filter(({ valid }) => !valid).length).toBeGreaterThan(3000);
  });
});

describe("reasons", () => {
  const table: [name: string, reasons: string[]][] = [
    ["certificate empty", ["certificate_empty"]],
    ["key empty", ["key_empty"]],
    ["certificate DER", ["certificate_not_pem"]],
    ["key DER", ["key_not_pem"]],
    ["key field holds the certificate", ["key_not_pem"]],
    ["pem no intermediate", ["unknown_issuer"]],
    ["pem intermediate is not a certificate", ["chain_malformed", "unknown_issuer"]],
    ["pem a trailing octet after the leaf", ["certificate_malformed"]],
    ["key P-256leaf wrong", ["key_mismatch"]],
    ["key after a broken key", ["key_malformed"]],
    ["ed25519 x25519", ["key_unsupported"]],
    ["spki dsa", ["key_unsupported"]],
    ["anchors none", ["unknown_issuer"]],
    ["time backwards (leaf)", ["validity_disjoint"]],
    ["time windows 0 5", ["intermediate_expired"]],
    ["path root limit 0 depth 1", ["path_too_long"]],
    ["path ladder of 12 to nowhere", ["too_many_paths"]],
    ["usage leaf client, intermediate none, root none", ["not_server_auth"]],
    ["usage leaf server, intermediate client, root none", ["not_server_auth"]],
    ["ext unknown critical=true (leaf)", ["unhandled_critical_extension"]],
    ["ext unknown critical=true (intermediate)", ["unhandled_critical_extension"]],
    ["constraint permit dns example.test for notexample.test", ["name_constraint"]],
    ["policy explicit, none given", ["policy_invalid"]],
    ["signature rsa2048-65537ca sha1 pss=false", ["weak_signature"]],
    ["signature rsa2048-65537ca md5 pss=false", ["weak_signature"]],
    ["signature rsa512-65537ca sha256 pss=false", ["weak_key"]],
    ["signature rsa2048-65537ca sha256 pss=false (flipped)", ["signature_invalid"]],
    ["signature identifier sha224", ["signature_unsupported"]],
    ["signer without anything", ["not_a_ca"]],
  ];
  for (const [name, reasons] of table) {
    test(`${name}: ${reasons}`, async () => {
      const judgement = await judgeVector(vector(name), "");
      // A path may meet other obstacles too; those expected have to be among the reasons, the first
      // of them first.
      expect(judgement.reasons[0]).toBe(reasons[0]);
      expect(judgement.reasons).toEqual(expect.arrayContaining(reasons));
      expect(judgement.windows).toEqual([]);
    });
  }

  test("name_mismatch and no_san tell the wrong name from no names", async () => {
    const good = vector("pem as it should be (leaf)");
    expect((await judgeVector(good, "else.example")).reasons).toEqual(["name_mismatch"]);
    const none = await judgeVector(vector("hostnames: common name only"), HOST);
    expect(none.reasons).toEqual(["no_san"]);
  });

  test("missing_intermediate where a known issuer would fill the gap", async () => {
    const full = vector("pem as it should be (leaf)");
    const known = anchorsFromPem(full.certificate);
    const gap = vector("pem no intermediate");
    const options = {
      dnsName: HOST,
      anchors: anchorsFromPem(gap.roots),
      verifier: new Verifier(),
    };
    expect((await judge(gap, { ...options, knownIntermediates: known })).reasons).toEqual([
      "missing_intermediate",
    ]);
    expect((await judge(gap, options)).reasons).toEqual(["unknown_issuer"]);
  });

  test("time adds its own: the leaf's first, then the path's", async () => {
    const pair = await judgeVector(vector("time windows 2 0"));
    const at = (text: string): string[] => verdictAt(pair, parseMs(text)).reasons;
    expect(at("2026-04-30T23:59:59.999Z")).toEqual(["not_yet_valid"]);
    expect(at("2026-07-30T00:00:00Z")).toEqual([]);
    expect(at("2026-07-30T00:00:00.001Z")).toEqual(["expired"]);
    expect(at("2026-05-01T00:00:00Z")).toEqual(["intermediate_not_yet_valid"]);
  });

  test.each(["time windows 0 5", "time windows 2 0"])(
    "a time isn't why where no anchor is reached at any time: %s",
    async (name) => {
      const options = { dnsName: "", anchors: anchorsFromPem(""), verifier: new Verifier() };
      expect((await judge(vector(name), options)).reasons).toEqual(["unknown_issuer"]);
    },
  );

  test("every code is snake_case and has a sentence", () => {
    for (const code of REASONS) {
      expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(reasonSentence(code)).toMatch(/^[A-Z].* .*\.$/);
    }
  });
});

describe("a judgement", () => {
  test("tells leaf, chain, key, anchor and windows", async () => {
    const entry = vector("pem root in the chain");
    const judgement = await judgeVector(entry);
    expect(judgement.keyFits).toBe(true);
    expect(judgement.leaf).toMatchObject({
      names: [HOST],
      serial: "1234567890",
      notAfter: "2026-07-30T00:00:00Z",
    });
    expect(judgement.chain.map(({ subjectCommonName }) => subjectCommonName)).toEqual([
      "Inter",
      "Root",
    ]);
    expect(judgement.anchor).toBe(judgement.chain[1]?.sha256);
    expect(judgement.windows).toEqual([
      {
        fromMs: parseMs("2026-05-01T00:00:00Z"),
        untilMs: parseMs("2026-07-30T00:00:00Z"),
      },
    ]);
  });

  test("keeps windows apart that are, and joins those that touch or follow at once", async () => {
    const count = async (name: string): Promise<number> =>
      (await judgeVector(vector(name))).windows.length;
    expect(await count("path two windows apart")).toBe(2);
    expect(await count("path two windows that touch")).toBe(1);
    expect(await count("path two windows a second apart")).toBe(2);
    expect(await count("path three windows")).toBe(1);
  });

  test("doesn't check a signature twice, nor one that is known", async () => {
    const entry = vector("pem as it should be (leaf)");
    const anchors = anchorsFromPem(entry.roots);
    const verifier = new Verifier();
    await judge(entry, { dnsName: HOST, anchors, verifier });
    expect(verifier.count).toBe(2);
    await judge(entry, { dnsName: HOST, anchors, verifier });
    expect(verifier.count).toBe(2);
    const later = new Verifier(verifier.verified);
    const again = await judge(entry, { dnsName: HOST, anchors, verifier: later });
    expect(later.count).toBe(0);
    expect(later.verified.size).toBe(0);
    expect(again.windows).toHaveLength(1);
  });

  test("a failed signature isn't among those to be remembered", async () => {
    const entry = vector("signature rsa2048-65537ca sha256 pss=false (flipped)");
    const verifier = new Verifier();
    await judge(entry, { dnsName: null, anchors: anchorsFromPem(entry.roots), verifier });
    expect(verifier.count).toBe(1);
    expect(verifier.verified.size).toBe(0);
  });
});

describe("properties", () => {
  const good = vector("path le full chain, both");
  const anchors = anchorsFromPem(good.roots);
  const judgePair = (pair: Pair): Promise<Judgement> =>
    judge(pair, { dnsName: HOST, anchors, verifier: new Verifier() });

  test("never throws, and says why, on arbitrary bytes in either field", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.boolean(), async (bytes, inKey) => {
        const judgement = await judgePair(
          inKey ? { ...good, key: bytes } : { ...good, certificate: bytes },
        );
        expect(judgement.reasons.length).toBeGreaterThan(0);
        for (const reason of judgement.reasons) expect(REASONS).toContain(reason);
      }),
    );
  });

  test("never throws on a PEM block of arbitrary bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.boolean(), async (bytes, inKey) => {
        const text = Buffer.from(
          pemBlock(inKey ? "PRIVATE KEY" : "CERTIFICATE", Buffer.from(bytes).toString("base64")),
        );
        const judgement = await judgePair(
          inKey ? { ...good, key: text } : { ...good, certificate: text },
        );
        expect(judgement.reasons.length).toBeGreaterThan(0);
      }),
    );
  });

  test("one changed octet in the leaf never leaves it valid", async () => {
    const [leaf, ...rest] = parsePemBlocks(good.certificate).map(({ bytes }) => bytes) as [
      Uint8Array,
      ...Uint8Array[],
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.nat(leaf.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, change) => {
          const changed = Buffer.from(leaf);
          changed[at] = (changed[at] as number) ^ change;
          const pem = [changed, ...rest]
            .map((der) => pemBlock("CERTIFICATE", Buffer.from(der).toString("base64")))
            .join("");
          const judgement = await judgePair({ ...good, certificate: Buffer.from(pem) });
          expect(verdictAt(judgement, NOON).valid).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
  });

  const chains = [
    "path le full chain, both",
    "path cross-signed, first leads nowhere",
    "path two windows apart",
  ];
  test("the order of further blocks, and doubles among them, don't matter", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...chains),
        fc.infiniteStream(fc.nat(1000)),
        async (name, random) => {
          const entry = vector(name);
          const [leaf, ...rest] = parsePemBlocks(entry.certificate).map(({ bytes }) =>
            pemBlock("CERTIFICATE", Buffer.from(bytes).toString("base64")),
          ) as [string, ...string[]];
          const shuffled = [...rest, ...rest]
            .filter((_, i) => i < rest.length || (random.next().value as number) % 2 === 0)
            .map((pem) => ({ pem, key: random.next().value as number }))
            .toSorted((a, b) => a.key - b.key)
            .map(({ pem }) => pem);
          const expected = await judgeVector(entry);
          const got = await judgeVector({
            ...entry,
            certificate: Buffer.from([leaf, ...shuffled].join("")),
          });
          expect(got.windows).toEqual(expected.windows);
          expect(got.reasons.length > 0).toBe(expected.reasons.length > 0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a verdict is whether the instant lies in a window", async () => {
    const judgements = await Promise.all(
      [...chains, "pem no intermediate"].map((name) => judgeVector(vector(name))),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...judgements),
        fc.integer({
          min: parseMs("2026-04-01T00:00:00Z"),
          max: parseMs("2026-09-01T00:00:00Z"),
        }),
        (judgement, at) => {
          const inside = judgement.windows.some(
            ({ fromMs, untilMs }) => fromMs <= at && at <= untilMs,
          );
          expect(verdictAt(judgement, at).valid).toBe(inside);
        },
      ),
    );
  });
});

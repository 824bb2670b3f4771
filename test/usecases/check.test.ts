import { describe, expect, it } from "vitest";
import { anchorsFromPem } from "../../lib/certificate/anchors.ts";
import { parseMs } from "../../lib/certificate/time.ts";
import { Verifier } from "../../lib/certificate/verifier.ts";
import { createIssuer } from "../../lib/issuer/issuers.ts";
import { checkText, type CheckResult } from "../../lib/report/check.ts";
import { PLAIN } from "../../lib/report/text.ts";
import { createAuthority } from "../support/pki.ts";
import {
  checkDocument,
  type CheckOptions,
  checkPair,
  checkSecrets,
  pairFiles,
  recognise,
} from "../../lib/usecases/check.ts";
import {
  apiserverLabels,
  certsLabels,
  nodeState,
  secretOf,
  standaloneLabels,
} from "../secret/support.ts";

const host = "shop.tail1a2b3.ts.net";
const validity = {
  notBefore: new Date("2026-10-01T00:00:00Z"),
  notAfter: new Date("2026-12-30T00:00:00Z"),
};
const authority = createAuthority({ name: "Sandbox" });
const staging = createAuthority({ name: "Staging" });
const good = authority.issue({ names: [host], ...validity });
const other = authority.issue({ names: ["other.example"], ...validity });
const untrusted = staging.issue({ names: [host], ...validity });
const lone = authority.issue({ names: [host], ...validity, noIntermediate: true });
const at = "2026-11-01T00:00:00Z";

const sandboxIssuer = createIssuer({
  id: "sandbox",
  title: "Sandbox",
  anchorsPem: authority.root.pem,
  intermediatesPem: authority.intermediates.map(({ pem }) => pem).join(""),
});
const stagingIssuer = createIssuer({
  id: "staging",
  title: "Sandbox staging",
  environment: "staging",
  anchorsPem: staging.root.pem,
  intermediatesPem: "",
});

function options(
  parts: Partial<{ at: string; domain: string; anchors: string }> = {},
): CheckOptions {
  return {
    kit: {
      anchors: anchorsFromPem(parts.anchors ?? authority.root.pem),
      issuers: [sandboxIssuer, stagingIssuer],
      verifier: new Verifier(),
    },
    domain: parts.domain ?? null,
    atMs: parseMs(parts.at ?? at),
  };
}

const pairOf = (
  certificate: string,
  key: string,
): { subject: string; certificate: Uint8Array; key: Uint8Array } => ({
  subject: "tls.crt",
  certificate: Buffer.from(certificate),
  key: Buffer.from(key),
});

const check = async (
  certificate: string,
  key: string,
  parts: Parameters<typeof options>[0] = {},
): Promise<CheckResult> => checkPair(pairOf(certificate, key), options(parts));
const textOf = (results: readonly CheckResult[]): string =>
  checkText(results, { atMs: parseMs(at), width: 500, style: PLAIN });

describe("a pair of files", () => {
  const rows: readonly [
    string,
    string,
    string,
    Parameters<typeof options>[0],
    readonly string[],
  ][] = [
    ["good", good.certificatePem, good.keyPem, {}, []],
    ["good for its name", good.certificatePem, good.keyPem, { domain: host }, []],
    [
      "at its last millisecond",
      good.certificatePem,
      good.keyPem,
      { at: "2026-12-30T00:00:00Z" },
      [],
    ],
    [
      "a millisecond later",
      good.certificatePem,
      good.keyPem,
      { at: "2026-12-30T00:00:00.001Z" },
      ["expired"],
    ],
    [
      "at its first millisecond, with an offset",
      good.certificatePem,
      good.keyPem,
      { at: "2026-10-01T02:00:00+02:00" },
      [],
    ],
    [
      "too early",
      good.certificatePem,
      good.keyPem,
      { at: "2026-09-30T23:59:59.999Z" },
      ["not_yet_valid"],
    ],
    [
      "wrong name",
      good.certificatePem,
      good.keyPem,
      { domain: "else.tail1a2b3.ts.net" },
      ["name_mismatch"],
    ],
    ["another's key", good.certificatePem, other.keyPem, {}, ["key_mismatch"]],
    ["empty", "", "", {}, ["certificate_empty", "key_empty"]],
    ["garbage", "x", "y", {}, ["certificate_not_pem", "key_not_pem"]],
    ["no anchors", good.certificatePem, good.keyPem, { anchors: "" }, ["unknown_issuer"]],
    ["a missing intermediate", lone.certificatePem, lone.keyPem, {}, ["missing_intermediate"]],
    [
      "a missing intermediate of an issuer that isn't trusted here",
      lone.certificatePem,
      lone.keyPem,
      { anchors: staging.root.pem },
      ["unknown_issuer"],
    ],
    ["staging", untrusted.certificatePem, untrusted.keyPem, {}, ["unknown_issuer", "staging"]],
    [
      "staging, trusted",
      untrusted.certificatePem,
      untrusted.keyPem,
      { anchors: staging.root.pem },
      [],
    ],
  ];
  it.each(rows)("%s", async (_title, certificate, key, parts, reasons) => {
    const found = await check(certificate, key, parts);
    expect(found.reasons).toEqual(reasons);
    expect(found.valid).toBe(reasons.length === 0);
  });

  it("tells the facts of the leaf, and nothing of what can't be read", async () => {
    expect(
      checkDocument([await check(good.certificatePem, good.keyPem), await check("", "")]),
    ).toEqual({
      results: [
        {
          subject: "tls.crt",
          names: [host],
          valid: true,
          reasons: [],
          notBefore: "2026-10-01T00:00:00Z",
          notAfter: "2026-12-30T00:00:00Z",
          issuer: "CN=SE1,O=Sandbox,C=US",
          serial: good.serial,
          sha256: good.sha256,
        },
        {
          subject: "tls.crt",
          names: [],
          valid: false,
          reasons: ["certificate_empty", "key_empty"],
          notBefore: null,
          notAfter: null,
          issuer: null,
          serial: null,
          sha256: null,
        },
      ],
    });
  });

  it("says what may be behind it", async () => {
    expect((await check(good.keyPem, good.certificatePem)).hints).toEqual([
      { field: "certificate", kind: "swapped", at: null },
    ]);
    const disordered = authority.intermediates[0]!.pem + good.leafPem;
    expect((await check(disordered, good.keyPem)).hints).toEqual([
      { field: "certificate", kind: "leaf_not_first", at: 2 },
    ]);
    expect((await check(good.certificatePem, other.keyPem)).hints).toEqual([]);
  });
});

describe("Secrets", () => {
  const pair = { [`${host}.crt`]: good.certificatePem, [`${host}.key`]: good.keyPem };
  const tls = { "tls.crt": good.certificatePem, "tls.key": good.keyPem };

  it.each([
    [
      "A",
      secretOf({ name: "operator", data: { ...nodeState, ...pair } }),
      `tailscale/operator ${host}`,
    ],
    [
      "B",
      secretOf({ name: "ts-shop-x-0", labels: standaloneLabels, data: { ...nodeState, ...pair } }),
      `tailscale/ts-shop-x-0 ${host}`,
    ],
    [
      "C",
      secretOf({ name: host, type: "kubernetes.io/tls", labels: certsLabels, data: tls }),
      `tailscale/${host} tls`,
    ],
    ["H", secretOf({ namespace: "web", name: "side", data: pair }), `web/side ${host}`],
    [
      "TLS",
      secretOf({ namespace: "web", name: "tls", type: "kubernetes.io/tls", data: tls }),
      "web/tls tls",
    ],
    ["Opaque with tls.crt", secretOf({ namespace: "web", name: "tls", data: tls }), "web/tls tls"],
    [
      "without a namespace",
      secretOf({ namespace: "", name: "operator", data: pair }),
      `operator ${host}`,
    ],
  ])("%s", async (_title, secret, subject) => {
    expect(await checkSecrets([secret], options())).toMatchObject([
      { subject, valid: true, reasons: [] },
    ]);
  });

  it("checks the name that the shape is for, unless another is given", async () => {
    const wrong = secretOf({
      name: "kube.tail1a2b3.ts.net",
      type: "kubernetes.io/tls",
      labels: apiserverLabels,
      data: tls,
    });
    expect(await checkSecrets([wrong], options())).toMatchObject([
      { valid: false, reasons: ["name_mismatch"], domain: "kube.tail1a2b3.ts.net" },
    ]);
    expect(await checkSecrets([wrong], options({ domain: host }))).toMatchObject([
      { valid: true, domain: host },
    ]);
  });

  it("judges what is there of a pair that isn't whole", async () => {
    const rows: readonly [Record<string, string>, readonly string[], boolean][] = [
      [{ ...tls, "tls.key": "" }, ["key_empty"], true],
      [{ ...tls, "tls.crt": "" }, ["certificate_empty"], false],
      [{ "tls.crt": "", "tls.key": "" }, ["certificate_empty", "key_empty"], false],
    ];
    for (const [data, reasons, facts] of rows) {
      const [found] = await checkSecrets(
        [secretOf({ name: host, type: "kubernetes.io/tls", labels: certsLabels, data })],
        options(),
      );
      expect(found).toMatchObject({ valid: false, reasons });
      expect(found?.sha256 === null).toBe(!facts);
    }
    const raw = {
      ...secretOf({ type: "kubernetes.io/tls" }),
      data: { "tls.crt": good.certificatePem, "tls.key": good.keyPem },
    };
    expect(await checkSecrets([raw], options())).toMatchObject([
      { valid: false, reasons: ["certificate_not_pem", "key_not_pem"] },
    ]);
  });

  it("leaves Secrets without a pair out of several, but not one that is alone", async () => {
    const none = secretOf({ name: "operator-oauth", data: { client_secret: "x" } });
    const whole = secretOf({ name: "operator", data: pair });
    expect(await checkSecrets([none, whole], options())).toHaveLength(1);
    expect(await checkSecrets([none, none], options())).toEqual([]);
    expect(await checkSecrets([none], options())).toMatchObject([
      {
        subject: "tailscale/operator-oauth",
        valid: false,
        reasons: ["certificate_empty", "key_empty"],
      },
    ]);
  });

  it("sets cert-manager's verdict beside its own", async () => {
    const annotations = { "cert-manager.io/certificate-name": "web" };
    const of = async (data: Record<string, string>, when = at): Promise<CheckResult> =>
      (
        await checkSecrets(
          [secretOf({ type: "kubernetes.io/tls", annotations, data })],
          options({ at: when, anchors: "" }),
        )
      )[0]!;
    expect(await of(tls)).toMatchObject({
      valid: false,
      reasons: ["unknown_issuer"],
      certManager: { keeps: true },
    });
    expect(await of(tls, "2026-12-01T00:00:00Z")).toMatchObject({
      certManager: { keeps: false, reason: "renewal_due" },
    });
    expect(await of({ ...tls, "tls.key": other.keyPem })).toMatchObject({
      certManager: { keeps: false, reason: "public_keys_differ" },
    });
    expect(
      (await checkSecrets([secretOf({ type: "kubernetes.io/tls", data: tls })], options()))[0]
        ?.certManager,
    ).toBeNull();
  });
});

describe("what a file is", () => {
  it.each([
    ["chain and key", good.certificatePem + good.keyPem, "combined"],
    ["key and chain", good.keyPem + good.certificatePem, "combined"],
    ["a certificate", good.certificatePem, "certificate_only"],
    ["a manifest", "kind: Secret\n", "secrets"],
    [
      "a manifest with PEM in it",
      `kind: Secret\nstringData:\n  tls.key: |\n${good.keyPem.replaceAll(/^/gm, "    ")}`,
      "secrets",
    ],
    ["a manifest with an error", "kind: Secret\ndata: {\n", "broken"],
    ["nothing", "", "unknown"],
    ["something else", "\u0000\u0001", "unknown"],
  ])("%s", (_title, text, kind) => {
    expect(recognise(Buffer.from(text)).kind).toBe(kind);
  });

  it("pairs the files of a folder", () => {
    expect(
      pairFiles(["b.key", "b.crt", "a.crt", "ca.crt", "x.key", "tls.key", "tls.crt", "README"]),
    ).toEqual([
      ["b.crt", "b.key"],
      ["tls.crt", "tls.key"],
    ]);
    expect(pairFiles(["privkey.pem", "cert.pem", "chain.pem", "fullchain.pem"])).toEqual([
      ["fullchain.pem", "privkey.pem"],
    ]);
    expect(pairFiles(["privkey.pem", "cert.pem"])).toEqual([["cert.pem", "privkey.pem"]]);
    expect(pairFiles(["cert.pem", "privkey.pem.bak"])).toEqual([]);
  });
});

describe("in words", () => {
  it("says what the owner does", async () => {
    const [empty] = await checkSecrets(
      [
        {
          ...secretOf({ name: host, type: "kubernetes.io/tls", labels: certsLabels }),
          data: { "tls.crt": "", "tls.key": "" },
        },
      ],
      options(),
    );
    expect(textOf([await check(good.certificatePem, other.keyPem)])).toContain(
      "on the next connection Tailscale discards it and requests a new one from Let's Encrypt",
    );
    expect(textOf([await check(good.certificatePem, good.keyPem)])).toContain(": OK");
    expect(textOf([empty!])).toContain(
      "on every connection, as long as it can't write this Secret",
    );
    expect(textOf([await check(untrusted.certificatePem, untrusted.keyPem)])).toContain(
      "accepts this issuer only if",
    );
    expect(
      textOf([
        await check(good.certificatePem, other.keyPem),
        await check(good.certificatePem, good.keyPem),
      ]),
    ).toContain("1 of 2 are OK");
  });

  it("has a sentence for every reason, and makes hostile text harmless", async () => {
    const found = await check(good.certificatePem, good.keyPem);
    const text = textOf([
      { ...found, subject: "a\u001b[31mb", valid: false, reasons: ["staging", "name_mismatch"] },
    ]);
    expect(text).toContain("a\\u{1b}[31mb");
    expect(text).not.toContain("\u001b");
    expect(text).toContain("isn't for this name");
    expect(text).toContain("staging environment");
  });

  it("never holds the key", async () => {
    const body = good.keyPem.split("\n").slice(1, 3);
    const results = [
      await check(good.certificatePem, good.keyPem),
      await check(good.keyPem, good.keyPem),
      await check(good.keyPem, ""),
    ];
    for (const text of [
      textOf(results),
      JSON.stringify(results, (_key, value: unknown) => (typeof value === "bigint" ? "" : value)),
    ]) {
      for (const line of body) expect(text).not.toContain(line);
    }
  });
});

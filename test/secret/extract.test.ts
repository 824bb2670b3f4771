import * as fc from "fast-check";
import { createHash, createPrivateKey, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { accountThumbprint } from "../../lib/secret/account.ts";
import { decodeBase64 } from "../../lib/encoding.ts";
import { DEFAULT_CLASSIFY_OPTIONS } from "../../lib/secret/shapes.ts";
import { extract } from "../../lib/secret/extract.ts";
import { parentObject } from "../../lib/secret/parent.ts";
import type { Secret } from "../../lib/secret/secret.ts";
import {
  apiserverLabels,
  b64,
  CANARY,
  certsLabels,
  groupLabels,
  managed,
  nodeState,
  secretOf,
  standaloneLabels,
} from "./support.ts";

const host = "shop.tail1a2b3.ts.net";
const pair = { [`${host}.crt`]: "a certificate\n", [`${host}.key`]: "a key\n" };
const tls = { "tls.crt": "a certificate\n", "tls.key": "a key\n" };
const account = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "sec1", format: "pem" })
  .toString();
const certificatePem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

describe("extract, shape by shape", () => {
  const rows: readonly {
    readonly title: string;
    readonly secret: Secret;
    readonly shape: string;
    readonly domain: string | null;
    readonly base: string;
    readonly accounts: readonly string[];
  }[] = [
    {
      title: "A",
      secret: secretOf({
        name: "operator",
        data: { ...nodeState, ...pair, "acme-account.key.pem": account },
      }),
      shape: "operator",
      domain: host,
      base: host,
      accounts: ["acme-account.key.pem"],
    },
    {
      title: "B",
      secret: secretOf({
        name: "ts-shop-x-0",
        labels: standaloneLabels,
        data: { ...nodeState, ...pair, "acme-account.key.pem": account },
      }),
      shape: "standalone",
      domain: host,
      base: host,
      accounts: ["acme-account.key.pem"],
    },
    {
      title: "C",
      secret: secretOf({
        name: host,
        type: "kubernetes.io/tls",
        labels: { ...certsLabels, "tailscale.com/domain": "shop.tail1a2b" },
        data: { ...nodeState, ...tls, "acme-account.key.pem": account },
      }),
      shape: "ha-ingress",
      domain: host,
      base: "tls",
      accounts: [],
    },
    {
      title: "D",
      secret: secretOf({
        name: "kube.tail1a2b3.ts.net",
        type: "kubernetes.io/tls",
        labels: apiserverLabels,
        data: { ...nodeState, ...tls },
      }),
      shape: "apiserver-proxygroup",
      domain: "kube.tail1a2b3.ts.net",
      base: "tls",
      accounts: [],
    },
    {
      title: "G",
      secret: secretOf({
        name: "recorder-0",
        labels: { "app.kubernetes.io/name": "recorder" },
        data: { ...nodeState, ...pair, "acme-account.key.pem": account },
      }),
      shape: "recorder",
      domain: host,
      base: host,
      accounts: [],
    },
    {
      title: "H",
      secret: secretOf({
        namespace: "web",
        name: "tailscale",
        data: { ...nodeState, ...pair, "acme-account.key.pem": account },
      }),
      shape: "sidecar",
      domain: host,
      base: host,
      accounts: ["acme-account.key.pem"],
    },
    {
      title: "generic TLS",
      secret: secretOf({
        namespace: "web",
        type: "kubernetes.io/tls",
        data: { ...nodeState, ...tls, "ca.crt": certificatePem },
      }),
      shape: "tls",
      domain: null,
      base: "tls",
      accounts: [],
    },
  ];

  it.each(rows)("$title", ({ secret, shape, domain, base, accounts }) => {
    const found = extract(secret);
    expect(found.shape).toBe(shape);
    expect(found.gaps).toEqual([]);
    expect(found.pairs).toHaveLength(1);
    const [one] = found.pairs;
    expect(one).toMatchObject({
      fieldBase: base,
      domain,
      certificateField: `${base}.crt`,
      keyField: `${base}.key`,
    });
    expect(Buffer.from(one!.certificate).toString()).toBe("a certificate\n");
    expect(Buffer.from(one!.key).toString()).toBe("a key\n");
    expect(Object.keys(one!.data)).toEqual(
      shape === "tls" ? ["tls.crt", "tls.key", "ca.crt"] : [`${base}.crt`, `${base}.key`],
    );
    for (const [field, base64] of Object.entries(one!.data))
      expect(base64).toBe(secret.data[field]);
    expect(found.accountKeys.map((key) => key.field)).toEqual(accounts);
    for (const key of found.accountKeys)
      expect(key.thumbprint).toBe(accountThumbprint(Buffer.from(account)));
    expect(JSON.stringify(found)).not.toContain(CANARY);
  });

  it("E: the account key alone", () => {
    const found = extract(
      secretOf({
        name: "pg-0",
        labels: { ...groupLabels, "tailscale.com/secret-type": "state" },
        data: { ...nodeState, ...pair, "acme-account.key.pem": account },
      }),
    );
    expect(found).toMatchObject({
      shape: "proxygroup-state",
      pairs: [],
      gaps: [],
      parent: { type: "proxygroup", namespace: null, name: "pg" },
    });
    expect(found.accountKeys.map((key) => key.fieldBase)).toEqual(["acme-account"]);
  });

  it("E': nothing, even when named", () => {
    const secret = secretOf({
      name: "pg-0-config",
      labels: { ...groupLabels, "tailscale.com/secret-type": "config" },
      data: { ...nodeState, ...pair, "acme-account.key.pem": account },
    });
    const found = extract(secret, {
      ...DEFAULT_CLASSIFY_OPTIONS,
      named: new Set(["tailscale/pg-0-config"]),
    });
    expect(found).toMatchObject({
      shape: null,
      pairs: [],
      gaps: [],
      accountKeys: [],
      adoption: { labels: {}, annotations: {} },
    });
  });

  it("F: an account key for each tailnet", () => {
    const found = extract(
      secretOf({
        name: "tailscale-acme-accounts",
        labels: managed,
        data: {
          "_default.acme-account.key.pem": account,
          "a_example.com.acme-account.key.pem": account,
          "b.acme-account.key.pem": CANARY,
          "acme-account.key.pem": account,
        },
      }),
    );
    expect(found.accountKeys.map((key) => key.fieldBase)).toEqual(["_default", "a_example.com"]);
    expect(found.unreadableAccountFields).toEqual(["b.acme-account.key.pem"]);
    expect(JSON.stringify(found)).not.toContain(Buffer.from(CANARY).toString("base64"));
  });

  it("takes a named Opaque Secret of tls.crt and tls.key", () => {
    const secret = secretOf({ namespace: "web", name: "n", data: tls });
    expect(extract(secret).shape).toBeNull();
    const found = extract(secret, { ...DEFAULT_CLASSIFY_OPTIONS, named: new Set(["web/n"]) });
    expect(found).toMatchObject({ shape: "tls", named: true });
    expect(found.pairs).toHaveLength(1);
  });
});

describe("gaps", () => {
  const operator = (data: Record<string, string>): Secret => ({
    ...secretOf({ name: "operator" }),
    data,
  });
  it.each([
    ["both empty", { [`${host}.crt`]: "", [`${host}.key`]: "" }, "empty"],
    ["one empty, one absent", { [`${host}.key`]: "" }, "empty"],
    ["certificate absent", { [`${host}.key`]: b64("k") }, "certificate_missing"],
    [
      "certificate empty",
      { [`${host}.key`]: b64("k"), [`${host}.crt`]: "" },
      "certificate_missing",
    ],
    ["key absent", { [`${host}.crt`]: b64("c") }, "key_missing"],
    ["not base64", { [`${host}.crt`]: "%%%", [`${host}.key`]: b64("k") }, "undecodable"],
    ["not base64 beside nothing", { [`${host}.crt`]: "abc", [`${host}.key`]: "" }, "undecodable"],
  ])("%s", (_title, data, state) => {
    const found = extract(operator(data as Record<string, string>));
    expect(found.gaps).toEqual([{ fieldBase: host, domain: host, state }]);
    expect(found.pairs).toEqual([]);
  });

  it("C as its operator makes it: empty", () => {
    const secret = {
      ...secretOf({ name: host, type: "kubernetes.io/tls", labels: certsLabels }),
      data: { "tls.crt": "", "tls.key": "" },
    };
    expect(extract(secret).gaps).toEqual([{ fieldBase: "tls", domain: host, state: "empty" }]);
  });

  it("C without its fields", () => {
    expect(
      extract(secretOf({ name: host, type: "kubernetes.io/tls", labels: certsLabels })).gaps,
    ).toEqual([{ fieldBase: "tls", domain: host, state: "empty" }]);
  });

  it("tells several pairs apart", () => {
    const found = extract(
      operator({
        "b.example.crt": b64("c"),
        "b.example.key": b64("k"),
        "a.example.crt": b64("c"),
        "a.example.key": "",
      }),
    );
    expect(found.pairs.map((one) => one.fieldBase)).toEqual(["b.example"]);
    expect(found.gaps.map((gap) => gap.fieldBase)).toEqual(["a.example"]);
  });
});

describe("adoption", () => {
  it("keeps what cert-manager adopts by, and nothing of what was applied", () => {
    const found = extract(
      secretOf({
        namespace: "web",
        type: "kubernetes.io/tls",
        data: tls,
        labels: { "controller.cert-manager.io/fao": "true", team: "web" },
        annotations: {
          "cert-manager.io/issuer-name": "le",
          "kubectl.kubernetes.io/last-applied-configuration": CANARY,
        },
      }),
    );
    expect(found.adoption).toEqual({
      type: "kubernetes.io/tls",
      labels: { "controller.cert-manager.io/fao": "true", team: "web" },
      annotations: { "cert-manager.io/issuer-name": "le" },
    });
    expect(found.parent).toBeNull();
  });

  it("keeps the operator's labels and names the parent", () => {
    const found = extract(
      secretOf({
        name: host,
        type: "kubernetes.io/tls",
        data: tls,
        labels: { ...certsLabels, team: "web" },
        immutable: true,
      }),
    );
    expect(found.adoption.labels).toEqual(certsLabels);
    expect(found.immutable).toBe(true);
    expect(found.parent).toEqual({ type: "ingress", namespace: "web", name: "shop" });
    expect(parentObject(found.parent!)).toEqual({
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      namespace: "web",
      name: "shop",
    });
    expect(parentObject({ type: "connector", namespace: null, name: "c" })?.kind).toBe("Connector");
    expect(parentObject({ type: "constructor", namespace: null, name: "c" })).toBeNull();
  });

  it("takes ca.crt only where it is certificates and nothing else", () => {
    const of = (ca: string): readonly string[] =>
      Object.keys(
        extract(secretOf({ type: "kubernetes.io/tls", data: { ...tls, "ca.crt": ca } })).pairs[0]!
          .extra,
      );
    expect(of(certificatePem)).toEqual(["ca.crt"]);
    expect(of(CANARY)).toEqual([]);
    expect(of(certificatePem + account)).toEqual([]);
  });
});

describe("decodeBase64", () => {
  it.each([
    ["", ""],
    ["YQ==", "a"],
    ["YQ==\n", "a"],
    ["Y\r\nWI=", "ab"],
    ["YR==", "a"],
  ])("%j gives %j", (text, bytes) => {
    expect(Buffer.from(decodeBase64(text)!).toString()).toBe(bytes);
  });
  it("refuses what stands for the same octets in Node alone", () => {
    for (const text of ["Y\u0151==", "YQA\u0141", "\u0159QAA"])
      expect(decodeBase64(text)).toBeNull();
  });
  it.each(["YQ", "YQ=", "Y===", "YQ==YQ==", "Y Q=", "YQ-_", "%", "=", "===="])(
    "refuses %j",
    (text) => {
      expect(decodeBase64(text)).toBeNull();
    },
  );
});

describe("accountThumbprint", () => {
  it("is that of RFC 7638 §3, for the key of RFC 7517 appendix A.2", () => {
    const key = createPrivateKey({
      format: "jwk",
      key: {
        kty: "EC",
        crv: "P-256",
        x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        d: "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
      },
    });
    for (const type of ["sec1", "pkcs8"] as const) {
      expect(accountThumbprint(Buffer.from(key.export({ type, format: "pem" }) as string))).toBe(
        "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s",
      );
    }
  });
  it("reads an RSA key too, as Tailscale does", () => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const { e, n } = publicKey.export({ format: "jwk" });
    const wanted = createHash("sha256")
      .update(`{"e":"${e}","kty":"RSA","n":"${n}"}`)
      .digest("base64url");
    expect(
      accountThumbprint(Buffer.from(privateKey.export({ type: "pkcs1", format: "pem" }) as string)),
    ).toBe(wanted);
  });
  it.each([
    "",
    "tskey-auth-x",
    certificatePem,
    "-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n",
  ])("is null for %j", (text) => {
    expect(accountThumbprint(Buffer.from(text))).toBeNull();
  });
});

describe("properties", () => {
  const fieldName = fc.oneof(
    fc.constantFrom(
      ...Object.keys(nodeState),
      ...Object.keys(pair),
      ...Object.keys(tls),
      "acme-account.key.pem",
      "_default.acme-account.key.pem",
    ),
    fc.string(),
  );
  const labels = fc.dictionary(
    fc.constantFrom(...Object.keys(certsLabels), "app.kubernetes.io/name", "x"),
    fc.constantFrom("true", "certs", "state", "config", "proxygroup", "recorder", "ingress", "!"),
  );

  it("never throws, whatever it is given", () => {
    fc.assert(
      fc.property(
        fc.anything(),
        fc.anything(),
        fc.anything(),
        fc.anything(),
        fc.anything(),
        (data, someLabels, annotations, name, type) => {
          const secret = {
            ...secretOf(),
            data,
            labels: someLabels,
            annotations,
            name,
            type,
          } as unknown as Secret;
          expect(extract(secret)).toHaveProperty("pairs");
        },
      ),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.object(), (secret) => void extract(secret as unknown as Secret)),
      { numRuns: 300 },
    );
  });

  it("takes nothing but what the allowlist of its shape names, and canaries never", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fieldName, fc.string()),
        labels,
        fc.constantFrom("operator", "tailscale-acme-accounts", host),
        fc.constantFrom("Opaque", "kubernetes.io/tls"),
        (data, someLabels, name, type) => {
          const found = extract(
            secretOf({ name, type, labels: someLabels, data: { ...data, ...nodeState } }),
          );
          const text = JSON.stringify(found, (_key, value: unknown) =>
            value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
          );
          expect(text).not.toContain(CANARY);
          for (const secretValue of Object.values(nodeState))
            expect(text).not.toContain(b64(secretValue));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("takes the same beside fields that it doesn't know", () => {
    const known = new Set([
      ...Object.keys(pair),
      ...Object.keys(tls),
      "ca.crt",
      "acme-account.key.pem",
    ]);
    const unknown = fc
      .string()
      .filter((field) => !known.has(field) && !/\.(?:crt|key|pem)$/.test(field));
    fc.assert(
      fc.property(
        fc.dictionary(unknown, fc.string()),
        labels,
        fc.constantFrom("operator", host),
        fc.constantFrom("Opaque", "kubernetes.io/tls"),
        (more, someLabels, name, type) => {
          const base = { name, type, labels: someLabels };
          const data = { ...pair, ...tls, "acme-account.key.pem": account };
          expect(extract(secretOf({ ...base, data: { ...more, ...data } }))).toEqual(
            extract(secretOf({ ...base, data })),
          );
        },
      ),
      { numRuns: 300 },
    );
  });
});

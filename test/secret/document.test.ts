import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DocumentReading, parseSecrets } from "../../lib/secret/document.ts";
import type { Secret } from "../../lib/secret/secret.ts";
import { b64, CANARY } from "./support.ts";

const secret = `apiVersion: v1
kind: Secret
metadata:
  name: web
  namespace: shop
  labels: {team: web}
  annotations:
    cert-manager.io/issuer-name: le
    kubectl.kubernetes.io/last-applied-configuration: ${CANARY}
type: kubernetes.io/tls
immutable: true
data:
  tls.crt: YQ==
  tls.key: 1234
`;

function secretsOf(reading: DocumentReading): readonly Secret[] {
  expect(reading.kind).toBe("secrets");
  return reading.kind === "secrets" ? reading.secrets : [];
}

describe("parseSecrets", () => {
  it("reads one Secret, values as they are written, annotations by allowlist", () => {
    const [one, ...rest] = secretsOf(parseSecrets(secret));
    expect(rest).toEqual([]);
    expect(one).toMatchObject({
      namespace: "shop",
      name: "web",
      type: "kubernetes.io/tls",
      immutable: true,
      labels: { team: "web" },
      annotations: { "cert-manager.io/issuer-name": "le" },
      data: { "tls.crt": "YQ==", "tls.key": "1234" },
      dataKeys: ["tls.crt", "tls.key"],
    });
    expect(JSON.stringify(one)).not.toContain(CANARY);
  });

  it("takes for true what kubectl does (YAML 1.1)", () => {
    for (const [value, immutable] of [
      ["yes", true],
      ["On", true],
      ["TRUE", true],
      ["no", false],
      ["off", false],
    ] as const)
      expect(
        secretsOf(parseSecrets(secret.replace("immutable: true", `immutable: ${value}`))),
      ).toMatchObject([{ immutable }]);
  });

  it("reads the same from JSON", () => {
    const object = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "web", namespace: "shop" },
      type: "Opaque",
      data: { a: "YQ==" },
      immutable: true,
    };
    for (const text of [
      JSON.stringify(object),
      JSON.stringify(object, null, 2),
      `\ufeff ${JSON.stringify(object)}`,
    ]) {
      expect(secretsOf(parseSecrets(text))).toMatchObject([
        { namespace: "shop", name: "web", data: { a: "YQ==" }, immutable: true },
      ]);
    }
  });

  it.each([
    [
      "several documents",
      `${secret}---\n# a comment\n---\n${secret.replace("name: web", "name: two")}`,
    ],
    [
      "a List",
      "apiVersion: v1\n" +
        "kind: List\n" +
        "items:\n" +
        `${[secret, secret.replace("name: web", "name: two")].map((text) => `- ${text.trim().replaceAll("\n", "\n  ")}\n`).join("")}`,
    ],
    [
      "a SecretList whose items have no kind",
      JSON.stringify({
        kind: "SecretList",
        items: [{ metadata: { name: "web" } }, { metadata: { name: "two" } }],
      }),
    ],
    [
      "an array",
      JSON.stringify([
        { kind: "Secret", metadata: { name: "web" } },
        { kind: "Secret", metadata: { name: "two" } },
      ]),
    ],
    [
      "flow style",
      "{kind: List, items: [{kind: Secret, metadata: {name: web}}, {kind: Secret, metadata: " +
        "{name: two}}]}",
    ],
  ])("reads %s", (_title, text) => {
    expect(secretsOf(parseSecrets(text)).map(({ name }) => name)).toEqual(["web", "two"]);
  });

  it("lets stringData win over data, as the API server does", () => {
    const [one] = secretsOf(
      parseSecrets(
        "kind: Secret\ndata:\n  a: YQ==\n  b: YQ==\nstringData:\n  a: |\n    -----BEGIN X-----\n",
      ),
    );
    expect(one?.data).toEqual({ a: b64("-----BEGIN X-----\n"), b: "YQ==" });
    expect(one).toMatchObject({ type: "Opaque", namespace: "", name: "", immutable: false });
  });

  it("counts what isn't a Secret", () => {
    expect(parseSecrets("kind: ConfigMap\ndata: {a: b}\n")).toEqual({
      kind: "secrets",
      secrets: [],
      others: 1,
    });
    expect(parseSecrets('{"kind":"List","items":[]}')).toEqual({
      kind: "secrets",
      secrets: [],
      others: 0,
    });
  });

  it.each([
    "",
    "hello",
    "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    "{}",
    "[]",
    "[1]",
    '{"a":1}',
    "\u0000\u0001",
  ])("sees no manifest in %j", (text) => {
    expect(parseSecrets(text)).toEqual({ kind: "none" });
  });

  it.each([
    ["a tab", `kind: Secret\ndata:\n\ta: ${CANARY}\n`, 3],
    ["a bracket that isn't closed", `kind: Secret\nmetadata:\n  name: [${CANARY}\ndata: {}\n`, 4],
    ["JSON that is cut off", `{"kind": "Secret", "data": {"a": "${CANARY}"`, 1],
  ])("tells the place of %s, and quotes nothing", (_title, text, line) => {
    const reading = parseSecrets(text);
    expect(reading).toMatchObject({ kind: "broken", line });
    expect(JSON.stringify(reading)).not.toContain(CANARY);
  });

  it("survives depth, aliases that unfold, and names of objects' own", () => {
    for (const heap of ["[", "{", "- ", "? ", "a: {"]) {
      for (const times of [150, 5_000_000 / heap.length])
        expect(parseSecrets(`kind: Secret\ndata:\n  ${heap.repeat(times)}`).kind).toBe("broken");
    }
    expect(
      parseSecrets(`{"kind":"Secret","data":${"[".repeat(100_000)}${"]".repeat(100_000)}}`).kind,
    ).toBe("secrets");
    let bomb = "kind: Secret\na0: &a0 [x, x]\n";
    for (let i = 1; i < 30; i += 1) bomb += `a${i}: &a${i} [${`*a${i - 1}, `.repeat(10)}]\n`;
    expect(parseSecrets(bomb).kind).toBe("broken");
    const [one] = secretsOf(
      parseSecrets('{"kind":"Secret","data":{"__proto__":"YQ==","constructor":"YQ=="}}'),
    );
    expect(one?.dataKeys).toEqual(["__proto__", "constructor"]);
  });

  it("never throws", () => {
    fc.assert(
      fc.property(fc.string(), (text) => void parseSecrets(`kind: Secret\n${text}`)),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.json(), (text) => void parseSecrets(text)),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (data, metadata) => {
        let text: string;
        try {
          text = JSON.stringify({ kind: "Secret", data, metadata }) ?? "";
        } catch {
          return;
        }
        expect(parseSecrets(text).kind).toBe("secrets");
      }),
    );
  });
});

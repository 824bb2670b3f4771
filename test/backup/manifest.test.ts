/** What is sealed, and what of an opened copy is believed. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { composeDocument } from "../../lib/backup/document.ts";
import { parseManifest } from "../../lib/backup/manifest.ts";
import { buildDocument, HEADER_ANNOTATION, versionOf } from "../../lib/backup/draft.ts";
import { type BackupRecord, factsOf } from "../../lib/backup/record.ts";
import {
  ACCOUNT_RECORD,
  anyRecord,
  OTHER_RECIPIENT,
  RECIPIENT,
  RECORD,
  headed,
} from "./records.ts";

const SEALED = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n";

interface Manifest {
  metadata: {
    annotations: Record<string, string>;
    labels?: Record<string, string>;
    [member: string]: unknown;
  };
  data: Record<string, unknown>;
  [member: string]: unknown;
}

function sealedParts(record: BackupRecord) {
  const draft = buildDocument(record, [RECIPIENT]);
  const manifest = JSON.parse(Buffer.from(draft.plaintext).toString("utf8")) as Manifest;
  return { version: draft.version, header: composeDocument(draft.header, SEALED).header, manifest };
}

/**
 * As somebody would who may write to the store and seal for its recipients: whatever can be made
 * consistent is.
 */
function forge(record: BackupRecord, change: (manifest: Manifest) => unknown): readonly string[] {
  const { header, manifest } = sealedParts(record);
  const changed = change(manifest) ?? manifest;
  const text = typeof changed === "string" ? changed : JSON.stringify(changed);
  let version = "0".repeat(64);
  try {
    const made = JSON.parse(text) as Manifest;
    const { [HEADER_ANNOTATION]: _, ...annotations } = made.metadata.annotations;
    version = versionOf(
      {
        ...record,
        type: String(made["type"]),
        labels: made.metadata.labels ?? {},
        annotations,
        data: made.data as Record<string, string>,
      },
      header.recipients,
    );
  } catch {
    // Nothing that a version could be worked out for.
  }
  const result = parseManifest(Buffer.from(text, "utf8"), header, version);
  return result.ok ? [] : result.problems.map((problem) => problem.code);
}

test("gives back the record, for any record", () => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      const draft = buildDocument(record, [OTHER_RECIPIENT, RECIPIENT]);
      const { header } = composeDocument(draft.header, SEALED);
      expect(draft.version).toBe(versionOf(record, [RECIPIENT, OTHER_RECIPIENT]));
      expect(parseManifest(draft.plaintext, header, draft.version)).toEqual({ ok: true, record });
    }),
  );
});

test("is a manifest for kubectl, with nothing but what adoption needs", () => {
  const { manifest } = sealedParts(RECORD);
  expect(manifest).toEqual({
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      namespace: "tailscale",
      name: "shop.example.ts.net",
      labels: RECORD.labels,
      annotations: { [HEADER_ANNOTATION]: JSON.stringify(factsOf(RECORD.header)) },
    },
    type: "kubernetes.io/tls",
    data: RECORD.data,
  });
});

test("leaves out what the allowlist doesn't name, whoever made the record", () => {
  const canary = Buffer.from("CANARY-node-key").toString("base64");
  const draft = buildDocument(
    {
      ...ACCOUNT_RECORD,
      data: {
        ...ACCOUNT_RECORD.data,
        _machinekey: canary,
        authkey: canary,
        "tls.key": canary,
        __proto__: { polluted: canary } as unknown as string,
      },
      labels: { "example.com/team": "CANARY", "tailscale.com/managed": "true" },
      annotations: {
        "kubectl.kubernetes.io/last-applied-configuration": "CANARY",
        "cert-manager.io/issuer-name": "CANARY",
      },
    },
    [RECIPIENT],
  );
  const text = Buffer.from(draft.plaintext).toString("utf8");
  expect(text).not.toContain("CANARY");
  expect(text).not.toContain(canary);
  expect(Object.keys((JSON.parse(text) as Manifest).data)).toEqual(["acme-account.key.pem"]);
});

test("an untouched copy passes the forger's own way", () => {
  expect(forge(RECORD, () => undefined)).toEqual([]);
  expect(forge(ACCOUNT_RECORD, () => undefined)).toEqual([]);
});

const value = Buffer.from("x").toString("base64");

describe("a copy forged for the right recipient is refused", () => {
  const forgeries: [string, BackupRecord, (manifest: Manifest) => unknown, string][] = [
    ["another kind", RECORD, (m) => ({ ...m, kind: "ConfigMap" }), "kind_not_allowed"],
    ["a list", RECORD, (m) => ({ apiVersion: "v1", kind: "List", items: [m] }), "kind_not_allowed"],
    [
      "another API",
      RECORD,
      (m) => ({ ...m, apiVersion: "rbac.authorization.k8s.io/v1" }),
      "kind_not_allowed",
    ],
    [
      "two documents",
      RECORD,
      (m) => `${JSON.stringify(m)}\n${JSON.stringify(m)}`,
      "not_a_manifest",
    ],
    ["YAML", RECORD, () => "apiVersion: v1\nkind: Secret\n", "not_a_manifest"],
    ["stringData", RECORD, (m) => ({ ...m, stringData: { "tls.key": "x" } }), "field_not_allowed"],
    ["immutable", RECORD, (m) => ({ ...m, immutable: true }), "field_not_allowed"],
    ["a member in other letters", RECORD, (m) => ({ ...m, Data: {} }), "field_not_allowed"],
    ["an owner", RECORD, (m) => void (m.metadata["ownerReferences"] = []), "field_not_allowed"],
    ["a finalizer", RECORD, (m) => void (m.metadata["finalizers"] = ["x/y"]), "field_not_allowed"],
    [
      "a generated name",
      RECORD,
      (m) => void (m.metadata["generateName"] = "x"),
      "field_not_allowed",
    ],
    [
      "another namespace",
      RECORD,
      (m) => void (m.metadata["namespace"] = "kube-system"),
      "place_mismatch",
    ],
    ["another name", RECORD, (m) => void (m.metadata["name"] = "admin"), "place_mismatch"],
    [
      "a name that leads elsewhere in a path",
      headed(RECORD, { secret: "../../configmaps/x" }),
      () => undefined,
      "value_invalid",
    ],
    [
      "a namespace that leads elsewhere in a path",
      headed(RECORD, { namespace: "a/b" }),
      () => undefined,
      "value_invalid",
    ],
    [
      "a name with a second line",
      headed(RECORD, { secret: "operator\nx" }),
      () => undefined,
      "value_invalid",
    ],
    ["no name", RECORD, (m) => void delete m.metadata["name"], "place_mismatch"],
    ["a field more", RECORD, (m) => void (m.data["token"] = value), "field_not_allowed"],
    [
      "an account key in a certificate's copy",
      RECORD,
      (m) => void (m.data["acme-account.key.pem"] = value),
      "field_not_allowed",
    ],
    [
      "node state",
      ACCOUNT_RECORD,
      (m) => void (m.data["_machinekey"] = value),
      "field_not_allowed",
    ],
    [
      "another's domain",
      {
        ...headed(RECORD, { shape: "operator", fieldBase: "a.example.ts.net" }),
        data: { "a.example.ts.net.crt": value },
      },
      (m) => void (m.data["b.example.ts.net.key"] = value),
      "field_not_allowed",
    ],
    [
      "__proto__ as a field",
      RECORD,
      (m) => JSON.stringify(m).replace('"data":{', `"data":{"__proto__":"${value}",`),
      "field_not_allowed",
    ],
    [
      "__proto__ for the data",
      RECORD,
      (m) => JSON.stringify(m).replace('"data":', '"__proto__":'),
      "value_invalid",
    ],
    ["no data", RECORD, (m) => void (m.data = {}), "value_invalid"],
    ["a number as a value", RECORD, (m) => void (m.data["tls.crt"] = 5), "value_invalid"],
    [
      "a value that isn't base64",
      RECORD,
      (m) => void (m.data["tls.crt"] = "not base64!"),
      "value_invalid",
    ],
    [
      "a token's type",
      RECORD,
      (m) => ({ ...m, type: "kubernetes.io/service-account-token" }),
      "type_not_allowed",
    ],
    ["no type", RECORD, (m) => void delete m["type"], "type_not_allowed"],
    [
      "a foreign label",
      RECORD,
      (m) => void (m.metadata.labels = { "example.com/x": "y" }),
      "label_not_allowed",
    ],
    [
      "a label of Tailscale on generic TLS",
      { ...headed(RECORD, { shape: "tls" }), labels: {} },
      (m) => void (m.metadata.labels = { "tailscale.com/managed": "true" }),
      "label_not_allowed",
    ],
    [
      "a label's value out of syntax",
      RECORD,
      (m) => void (m.metadata.labels = { "tailscale.com/managed": "a b" }),
      "label_not_allowed",
    ],
    [
      "a foreign annotation",
      RECORD,
      (m) => void (m.metadata.annotations["kubernetes.io/service-account.name"] = "admin"),
      "annotation_not_allowed",
    ],
    [
      "cert-manager's annotation on Tailscale's",
      RECORD,
      (m) => void (m.metadata.annotations["cert-manager.io/issuer-name"] = "x"),
      "annotation_not_allowed",
    ],
    [
      "annotations that are a list",
      RECORD,
      (m) => void (m.metadata.annotations = [] as unknown as Record<string, string>),
      "value_invalid",
    ],
    [
      "no inner header",
      RECORD,
      (m) => void delete m.metadata.annotations[HEADER_ANNOTATION],
      "headers_differ",
    ],
    [
      "an inner header that is no JSON",
      RECORD,
      (m) => void (m.metadata.annotations[HEADER_ANNOTATION] = "{"),
      "headers_differ",
    ],
    ["null", RECORD, () => "null", "not_a_manifest"],
    ["nothing", RECORD, () => "", "not_a_manifest"],
  ];
  test.each(forgeries)("%s", (_, record, change, code) => {
    expect(forge(record, change)).toContain(code);
  });
});

test("each fact of the header is compared with the one inside", () => {
  const draft = buildDocument(RECORD, [RECIPIENT]);
  const { header } = composeDocument(draft.header, SEALED);
  const others: Partial<Record<keyof typeof header, unknown>> = {
    cluster: "staging",
    clusterIdentity: "uid-2",
    fieldBase: "other",
    kind: "standby",
    names: ["evil.example.ts.net"],
    issuer: null,
    issuerName: "x",
    serial: "05",
    leafSha256: null,
    notBefore: "2026-10-01T00:00:01Z",
    notAfter: "2036-12-30T00:00:00Z",
    issuedAt: null,
    accountThumbprint: null,
    namespace: "other",
    secret: "other",
    shape: "apiserver-proxygroup",
  };
  expect(Object.keys(others).toSorted()).toEqual(Object.keys(factsOf(RECORD.header)).toSorted());
  for (const [field, other] of Object.entries(others)) {
    const result = parseManifest(draft.plaintext, { ...header, [field]: other }, draft.version);
    expect(result.ok ? [] : result.problems.map((problem) => problem.code)).toContain(
      "headers_differ",
    );
  }
});

test("recipients that were edited, and a copy under another's name, don't fit the version", () => {
  const draft = buildDocument(RECORD, [RECIPIENT]);
  const { header } = composeDocument(draft.header, SEALED);
  const edited = parseManifest(
    draft.plaintext,
    { ...header, recipients: [OTHER_RECIPIENT] },
    draft.version,
  );
  expect(edited).toMatchObject({ ok: false, problems: [{ code: "version_mismatch" }] });
  expect(parseManifest(draft.plaintext, header, "0".repeat(64))).toMatchObject({
    ok: false,
    problems: [{ code: "version_mismatch" }],
  });
});

test("a shape of a later version is told", () => {
  const draft = buildDocument(RECORD, [RECIPIENT]);
  const { header } = composeDocument(draft.header, SEALED);
  expect(
    parseManifest(draft.plaintext, { ...header, shape: "constructor" }, draft.version),
  ).toMatchObject({ ok: false, problems: [{ place: "header.shape" }] });
});

test("never throws and never repeats a value, whatever was opened", () => {
  const { header } = sealedParts(RECORD);
  const canary = "CANARYCANARYCANARY";
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc
          .json()
          .map((json) =>
            Buffer.from(`{"apiVersion":"v1","kind":"Secret","metadata":${json},"data":${json}}`),
          ),
      ),
      (bytes) => {
        expect(parseManifest(bytes, header, "0".repeat(64)).ok).toBe(false);
      },
    ),
  );
  for (const data of [
    canary,
    [canary],
    { "tls.crt": canary, "tls.key": `${canary}!`, x: canary },
  ]) {
    const result = parseManifest(
      Buffer.from(
        JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: {}, type: "Opaque", data }),
      ),
      header,
      "0".repeat(64),
    );
    expect(JSON.stringify(result)).not.toContain(canary);
  }
  // Bytes that are no UTF-8 are no manifest, even where replacing them would make one.
  expect(
    parseManifest(
      Buffer.concat([Buffer.from('{"kind":"'), Buffer.from([0xff]), Buffer.from('"}')]),
      header,
      "",
    ).ok,
  ).toBe(false);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  parseMetadataPage,
  parseSecret,
  parseSecretPage,
} from "../../../lib/adapters/kubernetes/parse.ts";

const CANARY = "canary-key";
const metadata = {
  name: "a",
  namespace: "ns",
  uid: "u-1",
  resourceVersion: "7",
  creationTimestamp: "2026-01-02T03:04:05Z",
  labels: { app: "x", bad: 5 },
  annotations: {
    "kubectl.kubernetes.io/last-applied-configuration": CANARY,
    "cert-manager.io/certificate-name": "cert",
    "cert-manager.io/issuer-name": 7,
  },
  ownerReferences: [
    { apiVersion: "v1", kind: "Service", name: "s", uid: "u-2", controller: true },
    { kind: "x" },
    null,
  ],
  managedFields: [{ fieldsV1: { "f:data": { "f:k": {} } } }],
};
const meta = {
  namespace: "ns",
  name: "a",
  uid: "u-1",
  resourceVersion: "7",
  type: "Opaque",
  dataKeys: ["k"],
  labels: { app: "x" },
  annotations: { "cert-manager.io/certificate-name": "cert" },
  owners: [{ apiVersion: "v1", kind: "Service", name: "s", uid: "u-2" }],
  createdAt: "2026-01-02T03:04:05Z",
  deletedAt: null,
};
const columnDefinitions = ["Name", "Type", "Data", "Age"].map((name) => ({ name }));

function table(rows: unknown): unknown {
  return { kind: "Table", metadata: { continue: "next" }, columnDefinitions, rows };
}

describe("the three representations", () => {
  test("a Table row gives type and keys; other annotations than the allowed are gone", () => {
    const page = parseMetadataPage(
      table([{ cells: ["a", "Opaque", 1, "5m"], object: { metadata } }]),
    );
    expect(page).toEqual({ items: [meta], unreadable: [], continueToken: "next", withValues: 0 });
    expect(JSON.stringify(page)).not.toContain(CANARY);
  });

  test("columns are found by their names; without them neither type nor keys are told", () => {
    const moved = {
      kind: "Table",
      columnDefinitions: columnDefinitions.toReversed(),
      rows: [{ cells: ["5m", 1, "Opaque", "a"], object: { metadata } }],
    };
    expect(parseMetadataPage(moved)?.items).toEqual([meta]);
    const bare = {
      kind: "Table",
      rows: [{ cells: ["a", "Opaque", 1, "5m"], object: { metadata } }],
    };
    expect(parseMetadataPage(bare)?.items).toEqual([{ ...meta, type: null, dataKeys: null }]);
  });

  test("a list of metadata alone tells neither", () => {
    expect(
      parseMetadataPage({ kind: "PartialObjectMetadataList", metadata: {}, items: [{ metadata }] })
        ?.items,
    ).toEqual([{ ...meta, type: null, dataKeys: null }]);
  });

  test("full Secrets in place of metadata are cut down to it, and counted", () => {
    const page = parseMetadataPage({
      kind: "SecretList",
      metadata: {},
      items: [{ metadata, type: "Opaque", data: { k: CANARY } }],
    });
    expect(page).toEqual({ items: [meta], unreadable: [], continueToken: null, withValues: 1 });
    expect(JSON.stringify(page)).not.toContain(CANARY);
  });

  test("a list that Go wrote as null is empty; anything else is none", () => {
    expect(parseSecretPage({ kind: "SecretList", items: null })?.items).toEqual([]);
    expect(
      parseMetadataPage({
        kind: "PartialObjectMetadataList",
        metadata: { continue: "" },
        items: null,
      }),
    ).toMatchObject({ items: [], continueToken: null });
    for (const other of [
      null,
      5,
      "x",
      [],
      {},
      { kind: "PodList", items: [] },
      { kind: "SecretList" },
      { kind: "Table" },
      { kind: "Status" },
    ]) {
      expect(parseMetadataPage(other)).toBeNull();
      expect(parseSecretPage(other)).toBeNull();
    }
  });
});

describe("a Secret", () => {
  test("keeps its values; null is an empty one, what is no text is left out but named", () => {
    const secret = parseSecret(
      JSON.parse(
        '{"metadata":{"name":"a","namespace":"ns"},"type":"T","immutable":true,"data":{"b":"eA==","a":null,"c":5,"__proto__":"eQ=="}}',
      ),
    );
    expect(secret).toMatchObject({
      type: "T",
      immutable: true,
      dataKeys: ["__proto__", "a", "b", "c"],
    });
    const { data } = secret as { data: object };
    expect(Object.entries(data)).toEqual(
      expect.arrayContaining([
        ["a", ""],
        ["b", "eA=="],
        ["__proto__", "eQ=="],
      ]),
    );
    expect(Object.keys(data)).toHaveLength(3);
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
  });

  test("without data or with data of another kind is empty", () => {
    for (const data of [undefined, null, 5, "x", [1]])
      expect(parseSecret({ metadata, data })).toMatchObject({
        data: {},
        dataKeys: [],
        type: "Opaque",
        immutable: false,
      });
  });

  test("that names itself as no API server allows is reported and hides no other", () => {
    const names = [
      "",
      "..",
      "../x",
      "A",
      "a/b",
      "-a",
      "a_b",
      "a\u001b[31m",
      "x".repeat(254),
      "ä",
      5,
      null,
    ];
    const rows = names.map((name) => ({ object: { metadata: { ...metadata, name } } }));
    const page = parseMetadataPage(
      table([
        ...rows,
        { object: { metadata: { ...metadata, namespace: "a.b" } } },
        5,
        { object: { metadata } },
      ]),
    );
    expect(page?.items).toHaveLength(1);
    expect(page?.unreadable).toHaveLength(names.length + 2);
    expect(page?.unreadable.join("")).not.toMatch(/\p{Cc}/u);
    expect(
      parseMetadataPage(table([{ object: { metadata: { ...metadata, name: "x".repeat(253) } } }]))
        ?.items,
    ).toHaveLength(1);
  });
});

test("nothing that JSON can say makes parsing throw, or an item vanish", () => {
  const word = fc.constantFrom(
    "metadata",
    "name",
    "namespace",
    "data",
    "items",
    "rows",
    "cells",
    "object",
    "kind",
    "columnDefinitions",
    "managedFields",
    "fieldsV1",
    "f:data",
    "f:x",
    "labels",
    "annotations",
    "ownerReferences",
    "continue",
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 6 },
      fc.constantFrom("Table", "SecretList", "PartialObjectMetadataList", "a", "", "\u0000"),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(word, tie("value"), { maxKeys: 6 }),
    ),
  }));
  fc.assert(
    fc.property(value, fc.array(value, { maxLength: 5 }), (any, items) => {
      parseSecret(any);
      parseMetadataPage(any);
      for (const page of [
        parseMetadataPage(table(items)),
        parseMetadataPage({ kind: "PartialObjectMetadataList", items }),
        parseSecretPage({ kind: "SecretList", items }),
      ]) {
        expect((page?.items.length ?? -1) + (page?.unreadable.length ?? 0)).toBe(items.length);
      }
    }),
    { numRuns: 500 },
  );
});

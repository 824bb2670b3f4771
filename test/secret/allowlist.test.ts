import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  accountFieldBase,
  allowedFields,
  isAllowedLabel,
  isKeptAnnotation,
  isKeptLabel,
  keptAnnotations,
  keptLabels,
  MAX_LABELS,
} from "../../lib/secret/allowlist.ts";
import { CONTROLLERS } from "../../lib/secret/controllers.ts";
import { hostOfField, isHostName, type Shape } from "../../lib/secret/shapes.ts";
import { nodeState } from "./support.ts";

const host = "shop.tail1a2b3.ts.net";

describe("isHostName", () => {
  it.each([host, "A.b", "a.1", "xn--bcher-kva.example", `${"a".repeat(63)}.b`])(
    "takes %s",
    (name) => {
      expect(isHostName(name)).toBe(true);
    },
  );
  it.each([
    "",
    "a",
    "ca",
    "tls",
    "a.",
    ".a",
    "a..b",
    "-a.b",
    "a-.b",
    "a_b.c",
    "*.a.b",
    "a b.c",
    "ä.b",
    `${"a".repeat(64)}.b`,
    `${"a.".repeat(125)}b`,
    "a.b\n",
  ])("refuses %j", (name) => {
    expect(isHostName(name)).toBe(false);
  });
});

describe("hostOfField", () => {
  it.each(Object.keys(nodeState))("sees no host name in %s", (field) => {
    expect(hostOfField(field)).toBeNull();
  });
});

describe("allowedFields", () => {
  const rows: readonly [
    Shape,
    string,
    "certificate" | "account-key" | "standby" | "replaced",
    readonly string[],
  ][] = [
    ["operator", host, "certificate", [`${host}.crt`, `${host}.key`]],
    ["operator", "acme-account", "account-key", ["acme-account.key.pem"]],
    ["operator", "tls", "certificate", []],
    ["operator", "profile-1a2b", "certificate", []],
    ["operator", host, "account-key", []],
    ["standalone", host, "replaced", [`${host}.crt`, `${host}.key`]],
    ["standalone", "acme-account", "replaced", ["acme-account.key.pem"]],
    ["ha-ingress", "tls", "certificate", ["tls.crt", "tls.key"]],
    ["ha-ingress", host, "certificate", []],
    ["ha-ingress", "acme-account", "account-key", []],
    ["apiserver-proxygroup", "tls", "certificate", ["tls.crt", "tls.key"]],
    ["proxygroup-state", host, "certificate", []],
    ["proxygroup-state", "acme-account", "account-key", ["acme-account.key.pem"]],
    ["acme-accounts", "_default", "account-key", ["_default.acme-account.key.pem"]],
    [
      "acme-accounts",
      "some_one.example.com",
      "account-key",
      ["some_one.example.com.acme-account.key.pem"],
    ],
    ["acme-accounts", "a/b", "account-key", []],
    ["recorder", host, "certificate", [`${host}.crt`, `${host}.key`]],
    ["recorder", "acme-account", "account-key", []],
    ["sidecar", "acme-account", "account-key", ["acme-account.key.pem"]],
    ["tls", "tls", "certificate", ["tls.crt", "tls.key", "ca.crt"]],
    ["tls", "tls", "standby", ["tls.crt", "tls.key", "ca.crt"]],
    ["tls", "tls", "account-key", []],
  ];
  it.each(rows)("%s %s %s", (shape, base, kind, fields) => {
    expect([...allowedFields(shape, base, kind)]).toEqual(fields);
  });

  it("knows the base of an account key's field by the same rule", () => {
    expect(accountFieldBase("operator", "acme-account.key.pem")).toBe("acme-account");
    expect(accountFieldBase("operator", "x.acme-account.key.pem")).toBeNull();
    expect(accountFieldBase("acme-accounts", "x.acme-account.key.pem")).toBe("x");
    expect(accountFieldBase("acme-accounts", "acme-account.key.pem")).toBeNull();
    expect(accountFieldBase("tls", "acme-account.key.pem")).toBeNull();
  });
});

describe("labels and annotations", () => {
  it.each([
    ["ha-ingress", "tailscale.com/domain", true],
    ["ha-ingress", "tailscale.com/a-newer-one", true],
    ["ha-ingress", "app.kubernetes.io/name", false],
    ["recorder", "app.kubernetes.io/name", true],
    ["recorder", "other", false],
    ["tls", "controller.cert-manager.io/fao", true],
    ["tls", "team", true],
    ["tls", "tailscale.com/managed", false],
    ["tls", "UPPER.example/x", false],
    ["tls", "a/b/c", false],
    ["tls", "", false],
    ["tls", "example.com/", false],
    ["tls", `${"a".repeat(64)}`, false],
    ["tls", "__proto__", false],
  ] as const)("%s keeps %s: %s", (shape, key, wanted) => {
    expect(isKeptLabel(shape, key)).toBe(wanted);
  });

  it("keeps labels sorted, valid and few", () => {
    const labels: Record<string, unknown> = {
      b: "1",
      a: "2",
      bad: "not a value",
      number: 3,
      long: "x".repeat(64),
    };
    expect(Object.entries(keptLabels("tls", labels))).toEqual([
      ["a", "2"],
      ["b", "1"],
    ]);
    for (let i = 0; i < 200; i += 1) labels[`n${i}`] = "v";
    expect(Object.keys(keptLabels("tls", labels))).toHaveLength(MAX_LABELS);
  });

  it("takes labels of controllers whatever the shape, and none that names a release", () => {
    for (const shape of ["ha-ingress", "operator", "tls"] as const) {
      expect(isKeptLabel(shape, "app.kubernetes.io/managed-by")).toBe(true);
      expect(isKeptLabel(shape, "app.kubernetes.io/version")).toBe(false);
    }
    expect(isKeptLabel("tls", "helm.sh/chart")).toBe(false);
    // Backups of earlier versions hold it, and restore it.
    expect(isAllowedLabel("tls", "helm.sh/chart")).toBe(true);
  });

  it.each<[Shape, string, string, boolean]>([
    ["tls", "cert-manager.io/issuer-name", "le", true],
    ["tls", "cert-manager.io/alt-names", "x".repeat(32_768), true],
    ["tls", "cert-manager.io/alt-names", "x".repeat(32_769), false],
    ["ha-ingress", "cert-manager.io/issuer-name", "le", false],
    ["tls", "meta.helm.sh/release-name", "shop", true],
    ["operator", "meta.helm.sh/release-name", "shop", true],
    ["tls", "reflector.v1.k8s.emberstack.com/reflects", "certs/wild", true],
    ["tls", "reflector.v1.k8s.emberstack.com/reflected-version", "12", false],
    ["tls", "replicator.v1.mittwald.de/replicated-at", "2026-11-20T12:00:00Z", false],
    ["tls", "kubed.appscode.com/origin", "{}", false],
    ["tls", "kubectl.kubernetes.io/last-applied-configuration", "{}", false],
    ["tls", "kapp.k14s.io/original", "{}", false],
    ["tls", "objectset.rio.cattle.io/applied", "H4sI", false],
    ["tls", "example.com/other", "x", false],
    ["tls", "__proto__", "x", false],
    // What a key could be written as.
    ["tls", "meta.helm.sh/release-name", "-----BEGIN PRIVATE KEY-----", false],
    ["tls", "meta.helm.sh/release-name", "two\nlines", false],
    ["tls", "meta.helm.sh/release-name", "x".repeat(1024), true],
    ["tls", "meta.helm.sh/release-name", "x".repeat(1025), false],
  ])("of a Secret of shape %s takes %s: %s, %s", (shape, key, value, wanted) => {
    expect(isKeptAnnotation(shape, key, value)).toBe(wanted);
    expect(Object.hasOwn(keptAnnotations(shape, { [key]: value }), key)).toBe(wanted);
  });

  it("lists no annotation that repeats the object", () => {
    const keys = CONTROLLERS.flatMap(({ annotations, labels }) => [...annotations, ...labels]);
    expect(new Set(keys).size).toBe(keys.length);
    expect(
      keys.filter((key) => /applied|original|last-|origin$|version$|-at$|hash$/.test(key)),
    ).toEqual(["objectset.rio.cattle.io/hash"]);
  });

  it("is what docs/backups.md lists", () => {
    const text = readFileSync(new URL("../../docs/backups.md", import.meta.url), "utf8");
    const listed = new Set(
      [...text.matchAll(/`([a-z0-9.-]+\.[a-z0-9.-]+\/[A-Za-z0-9._-]+)`/g)].map(([, key]) => key),
    );
    const rows = CONTROLLERS.flatMap(({ annotations, labels }) => [...annotations, ...labels]);
    expect(rows.filter((key) => !listed.has(key))).toEqual([]);
  });
});

/** A version depends on what makes a copy another one, and on nothing else. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { BackupRecord } from "../../lib/backup/record.ts";
import { versionOf } from "../../lib/backup/draft.ts";
import { anyRecord, headed, OTHER_RECIPIENT, RECIPIENT, RECORD } from "./records.ts";

test("is the same on every machine and in every release of this format", () => {
  // Worked out by hand from the encoding that the format fixes: a change of it would write every
  // copy again.
  const encoding =
    '[1,"uid-5f3c1c52-6f0f-4b0c-9d5e-1f2a3b4c5d6e","tailscale","shop.example.ts.net",' +
    '[["tls.crt","dGhlIGNlcnRpZmljYXRl"],["tls.key","dGhlIGtleQ=="]],"kubernetes.io/tls",' +
    '[["tailscale.com/managed","true"],["tailscale.com/secret-type","certs"]],[],' +
    '["age1ckhv6d4whwpxtggm9ut37vsxmr2ts7e05cgyfxy7g5xm82gsqu0qvjtcjw"]]';
  expect(versionOf(RECORD, [RECIPIENT])).toBe(createHash("sha256").update(encoding).digest("hex"));
});

test("never depends on derived facts, the kind, the registered name, or any order", () => {
  fc.assert(
    fc.property(anyRecord, anyRecord, (record, other) => {
      const { type, labels, annotations, data } = record;
      const { clusterIdentity, namespace, secret } = record.header;
      const reversed = <T>(map: Readonly<Record<string, T>>): Record<string, T> =>
        Object.fromEntries(Object.entries(map).toReversed());
      const derivedAnew: BackupRecord = {
        header: { ...other.header, clusterIdentity, namespace, secret },
        type,
        labels: reversed(labels),
        annotations: reversed(annotations),
        data: reversed(data),
      };
      expect(versionOf(derivedAnew, [OTHER_RECIPIENT, RECIPIENT])).toBe(
        versionOf(record, [RECIPIENT, OTHER_RECIPIENT, RECIPIENT]),
      );
    }),
  );
});

test("looks at bytes, not at how base64 spells them", () => {
  const spelt = { ...RECORD, data: { ...RECORD.data, "tls.key": "dGhlIGtl\neQ==" } };
  expect(versionOf(spelt, [RECIPIENT])).toBe(versionOf(RECORD, [RECIPIENT]));
});

const changes: [string, Partial<BackupRecord>][] = [
  ["identity", headed(RECORD, { clusterIdentity: "uid-2" })],
  ["namespace", headed(RECORD, { namespace: "tailscale2" })],
  ["name", headed(RECORD, { secret: "shop2.example.ts.net" })],
  [
    "a byte of a field",
    { data: { ...RECORD.data, "tls.key": Buffer.from("the kez").toString("base64") } },
  ],
  ["a field more", { data: { ...RECORD.data, "ca.crt": "" } }],
  [
    "a field's name",
    { data: { "tls.crt": RECORD.data["tls.crt"] ?? "", "tls.kez": RECORD.data["tls.key"] ?? "" } },
  ],
  ["type", { type: "Opaque" }],
  ["a label", { labels: { ...RECORD.labels, "tailscale.com/managed": "false" } }],
  ["labels as annotations", { labels: {}, annotations: RECORD.labels }],
];

test.each(changes)("differs by %s", (_, change) => {
  expect(versionOf({ ...RECORD, ...change }, [RECIPIENT])).not.toBe(versionOf(RECORD, [RECIPIENT]));
});

test("differs by recipients", () => {
  expect(versionOf(RECORD, [RECIPIENT, OTHER_RECIPIENT])).not.toBe(versionOf(RECORD, [RECIPIENT]));
});

/**
 * Records of backups for tests: one of each kind, and arbitrary ones that extraction could have
 * made.
 */
import fc from "fast-check";
import { type BackupRecord, type CopyFacts, NO_LEAF } from "../../lib/backup/record.ts";
import { allowedFields } from "../../lib/secret/allowlist.ts";
import { CONTROLLERS } from "../../lib/secret/controllers.ts";
import { CERT_MANAGER_ANNOTATIONS } from "../../lib/secret/secret.ts";
import { SHAPES, type Shape } from "../../lib/secret/shapes.ts";

export const RECIPIENT = "age1ckhv6d4whwpxtggm9ut37vsxmr2ts7e05cgyfxy7g5xm82gsqu0qvjtcjw";
export const OTHER_RECIPIENT = "age14usjqzua38v6sfxxgwv7e252fh75hrmpdxr4ldp0v5px2nmn3v4q69ssxz";

const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64");

export const RECORD: BackupRecord = {
  header: {
    cluster: "prod",
    clusterIdentity: "uid-5f3c1c52-6f0f-4b0c-9d5e-1f2a3b4c5d6e",
    namespace: "tailscale",
    secret: "shop.example.ts.net",
    shape: "ha-ingress",
    fieldBase: "tls",
    kind: "certificate",
    names: ["shop.example.ts.net"],
    issuer: "letsencrypt",
    issuerName: "CN=E8,O=Let's Encrypt,C=US",
    serial: "04a1b2c3",
    leafSha256: "ab".repeat(32),
    notBefore: "2026-10-01T00:00:00Z",
    notAfter: "2026-12-30T00:00:00Z",
    issuedAt: "2026-10-01T00:58:31.123Z",
    accountThumbprint: "A".repeat(43),
  },
  type: "kubernetes.io/tls",
  labels: { "tailscale.com/managed": "true", "tailscale.com/secret-type": "certs" },
  annotations: {},
  data: { "tls.crt": base64("the certificate"), "tls.key": base64("the key") },
};

export const ACCOUNT_RECORD: BackupRecord = {
  ...RECORD,
  header: {
    ...RECORD.header,
    ...NO_LEAF,
    secret: "operator",
    shape: "operator",
    fieldBase: "acme-account",
    kind: "account-key",
  },
  type: "Opaque",
  labels: {},
  data: { "acme-account.key.pem": base64("the account's key") },
};

/** `record` with another header. */
export function headed(record: BackupRecord, header: Partial<CopyFacts>): BackupRecord {
  return { ...record, header: { ...record.header, ...header } };
}

const dnsLabel = fc.stringMatching(/^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$/);
const hostName = fc
  .array(dnsLabel, { minLength: 2, maxLength: 4 })
  .map((labels) => labels.join("."));
const instant = fc
  .date({
    min: new Date("1970-01-01T00:00:00Z"),
    max: new Date("9999-12-31T00:00:00Z"),
    noInvalidDate: true,
  })
  .map((date) => date.toISOString());
const hex = (length: number): fc.Arbitrary<string> =>
  fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
const labelValue = fc.stringMatching(/^([A-Za-z0-9]([A-Za-z0-9_.-]{0,20}[A-Za-z0-9])?)?$/);
const value = fc
  .uint8Array({ maxLength: 200 })
  .map((bytes) => Buffer.from(bytes).toString("base64"));

function fieldBaseOf(shape: Shape, kind: string): fc.Arbitrary<string> {
  if (shape === "acme-accounts") return fc.constantFrom("example.ts.net", "_default");
  if (shape === "proxygroup-state" || kind === "account-key") return fc.constant("acme-account");
  return shape === "ha-ingress" || shape === "apiserver-proxygroup" || shape === "tls"
    ? fc.constant("tls")
    : hostName;
}

/** Any record that passes the allowlist. */
export const anyRecord: fc.Arbitrary<BackupRecord> = fc
  .record({
    shape: fc.constantFrom(...(Object.keys(SHAPES) as Shape[])),
    kind: fc.constantFrom(
      "certificate" as const,
      "account-key" as const,
      "standby" as const,
      "replaced" as const,
    ),
  })
  .chain(({ shape, kind }) =>
    fieldBaseOf(shape, kind).map((fieldBase) => ({ shape, kind, fieldBase })),
  )
  .filter(({ shape, kind, fieldBase }) => allowedFields(shape, fieldBase, kind).size > 0)
  .chain(({ shape, kind, fieldBase }) => {
    const fields = [...allowedFields(shape, fieldBase, kind)];
    const ownLabel =
      shape === "tls"
        ? fc.constantFrom("app", "example.com/team", "controller.cert-manager.io/fao")
        : fc.constantFrom("tailscale.com/managed", "tailscale.com/parent-resource");
    return fc.record({
      header: fc.record({
        cluster: fc.string({ minLength: 1, maxLength: 30 }),
        clusterIdentity: fc.constantFrom("uid-1", "ca-2", "server-3"),
        namespace: dnsLabel,
        secret: fc.oneof(dnsLabel, hostName),
        shape: fc.constant(shape),
        fieldBase: fc.constant(fieldBase),
        kind: fc.constant(kind),
        names: fc.array(hostName, { maxLength: 4 }),
        issuer: fc.option(fc.constantFrom("letsencrypt", "demo"), { nil: null }),
        issuerName: fc.string({ maxLength: 60 }),
        serial: fc.option(hex(32), { nil: null }),
        leafSha256: fc.option(hex(64), { nil: null }),
        notBefore: fc.option(instant, { nil: null }),
        notAfter: fc.option(instant, { nil: null }),
        issuedAt: fc.option(instant, { nil: null }),
        accountThumbprint: fc.option(hex(43), { nil: null }),
      }),
      type: fc.constantFrom("Opaque", "kubernetes.io/tls"),
      labels:
        shape === "recorder"
          ? fc.constant({})
          : fc.dictionary(ownLabel, labelValue, { noNullPrototype: true }),
      annotations: fc.dictionary(
        fc.constantFrom(
          ...(shape === "tls" ? CERT_MANAGER_ANNOTATIONS : []),
          ...CONTROLLERS.flatMap((controller) => controller.annotations),
        ),
        fc.string({ maxLength: 80 }).filter((text) => /^[\x20-\x7e]*$/.test(text)),
        { noNullPrototype: true },
      ),
      data: fc
        .subarray(fields, { minLength: 1 })
        .chain((some) => fc.record(Object.fromEntries(some.map((field) => [field, value])))),
    });
  });

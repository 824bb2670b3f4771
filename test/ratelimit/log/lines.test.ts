/**
 * Verbatim lines to what was understood: Tailscale's as tailscaled 1.102.3 and 1.92.5 wrote them,
 * and the error texts of Let's Encrypt of all ages.
 */
import { describe, expect, it } from "vitest";
import { parseRefusal } from "../../../lib/ratelimit/log/refusal.ts";
import { readLog } from "../../../lib/ratelimit/log/reader.ts";

const D = "app.tail1234.ts.net";
const SET_429 =
  "429 urn:ietf:params:acme:error:rateLimited: too many certificates (5) already issued for " +
  "this exact set of identifiers in the last 168h0m0s, retry after 2026-01-02 03:04:05 UTC: " +
  "see " +
  "https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers";

/** The line after its prefix; kind, code and name that it means, or `null`: nothing. */
const TABLE: readonly (readonly [
  string,
  readonly [kind: string, code: string | null, domain: string | null] | null,
])[] = [
  [`health(warnable=tls-cert-pending): error: Fetching TLS certificate via ACME for: ${D}`, null],
  [`cert("${D}"): registered ACME account.`, ["account_registered", null, D]],
  [`cert("${D}"): already had ACME account.`, null],
  [`cert("${D}"): acme: using dns-01: Funnel is not enabled for ${D}:443`, null],
  [`cert("${D}"): starting SetDNS call for _acme-challenge.${D}...`, null],
  [`cert("${D}"): did SetDNS for _acme-challenge.${D}`, null],
  [`cert("${D}"): starting SetDNS call...`, null],
  [`cert("${D}"): requesting cert...`, ["issuance_started", null, D]],
  [`cert("${D}"): got cert`, ["issued", null, D]],
  ["health(warnable=tls-cert-pending): ok", null],
  [
    `cert("${D}"): getCertPEM: error writing TLS cert and key to Secret: error getting Secret ` +
      `${D}: secrets "${D}" not found`,
    ["store_write_failed", "not_found", D],
  ],
  [
    `cert("${D}"): getCertPEM: error writing TLS cert and key to Secret: error getting Secret ` +
      `${D}: secrets "${D}" is forbidden: User "system:serviceaccount:tailscale:pg" cannot get ` +
      `resource "secrets" in API group "" in the namespace "tailscale"`,
    ["store_write_failed", "forbidden", D],
  ],
  [
    `cert("${D}"): getCertPEM: error writing TLS cert and key to Secret: error patching ` +
      `Secret ${D}: etcdserver: request timed out`,
    ["store_write_failed", "unavailable", D],
  ],
  [
    `cert("${D}"): getCertPEM: error writing TLS cert and key to Secret: error patching ` +
      `Secret ${D}: Secret "${D}" is invalid: data: Forbidden: field is immutable when ` +
      "`immutable` is set",
    ["store_write_failed", "immutable", D],
  ],
  [
    `cert("${D}"): getCertPEM: error writing TLS cert and key to Secret: error patching ` +
      `Secret ${D}: Operation cannot be fulfilled on secrets "${D}": the object has been ` +
      "modified; please apply your changes to the latest version and try again",
    ["store_write_failed", "conflict", D],
  ],
  [
    `cert("${D}"): getCertPEM: error writing TLS cert and key to Secret: error patching ` +
      `Secret ${D}: admission webhook "policy.example.com" denied the request: no`,
    ["store_write_failed", "other", D],
  ],
  [
    `cert("${D}"): getCertPEM: getting TLS Secret "${D}": etcdserver: request timed out`,
    ["store_read_failed", "unavailable", D],
  ],
  [`cert("${D}"): starting async renewal`, ["renewal_started", null, D]],
  [
    `cert("${D}"): async renewal failed: getCertPem: 403 ` +
      "urn:ietf:params:acme:error:unauthorized: requester account did not request the " +
      "certificate being replaced by this order",
    ["replaces_refused", null, D],
  ],
  [
    `cert("${D}"): async renewal failed: getCertPem: 409 ` +
      "urn:ietf:params:acme:error:alreadyReplaced: certificate with serial 32009ebf3734dd7a " +
      "already has a replacement order",
    ["already_replaced", null, D],
  ],
  [`cert("${D}"): getCertPEM: ${SET_429}`, ["rate_limited", "set", D]],
  [`cert("${D}"): async renewal failed: getCertPem: ${SET_429}`, ["rate_limited", "set", D]],
  [
    `cert("${D}"): async renewal failed: getCertPem: 500 ` +
      "urn:ietf:params:acme:error:serverInternal: try again",
    ["renewal_failed", "serverInternal", D],
  ],
  [`cert("${D}"): getCertPEM: context deadline exceeded`, ["order_failed", "timeout", D]],
  [
    `cert("${D}"): getCertPEM: SetDNS "_acme-challenge.${D}" => "x": unexpected status 500`,
    ["dns_failed", "set_dns", D],
  ],
  [
    `cert("${D}"): getCertPEM: Get "https://acme-v02.api.letsencrypt.org/directory": dial ` +
      "tcp: lookup acme-v02.api.letsencrypt.org on 10.96.0.10:53: server misbehaving",
    ["dns_failed", "resolver", D],
  ],
  [
    `cert("${D}"): getCertPEM: acme: authorization error for ${D}: 400 ` +
      "urn:ietf:params:acme:error:dns: DNS problem: NXDOMAIN looking up TXT for " +
      `_acme-challenge.${D}`,
    ["dns_failed", "challenge", D],
  ],
  [
    `cert("${D}"): getCertPEM: your Tailscale account does not support getting TLS certs`,
    ["https_not_enabled", "switched_off", D],
  ],
  [
    `cert("${D}"): getCertPEM: invalid domain "${D}"; must be one of ["app-1.tail1234.ts.net"]`,
    ["https_not_enabled", "other_name", D],
  ],
  [
    `cert("${D}"): getCertPEM: invalid domain "${D}"; only "app-1.tail1234.ts.net" is permitted`,
    ["https_not_enabled", "other_name", D],
  ],
  [
    `cert("${D}"): getCertPEM: 429 urn:ietf:params:acme:error:rateLimited: Your account is ` +
      `temporarily prevented from requesting certificates for ${D} and possibly others. Please ` +
      "visit: " +
      "https://portal.letsencrypt.org/sfe/v1/unpause?jwt=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
    ["paused", null, D],
  ],
  [
    'acme: ARI check failed: Get "https://acme-v02.api.letsencrypt.org/x": EOF',
    ["renewal_info_failed", null, null],
  ],
  [`cert("${D}"): acme: ARI check failed: EOF`, ["renewal_info_failed", null, D]],
  [
    `cert refresh: ${D}: 500 urn:ietf:params:acme:error:serverInternal: no`,
    ["renewal_failed", "serverInternal", D],
  ],
  [
    `Error refreshing certificate for ${D} (retry 3): error writing TLS cert and key to ` +
      `Secret: error patching Secret ${D}: etcdserver: request timed out. Will retry in 5m0s`,
    ["store_write_failed", "unavailable", D],
  ],
  [
    "Error creating new order :: too many certificates (5) already issued for this exact set " +
      "of domains in the last 168 hours: a.example.com,b.example.com, retry after " +
      "2024-12-01T03:04:05Z: see https://letsencrypt.org/docs/duplicate-certificate-limit/",
    ["rate_limited", "set", null],
  ],
  [`cert("A.tail1234.ts.net."): got cert`, ["issued", null, "a.tail1234.ts.net"]],
  [`cert("not a name"): got cert`, ["issued", null, null]],
  [
    `cert("${D}"): getCertPEM: 503 urn:ietf:params:acme:error:rateLimited: Service busy; ` +
      "retry later.",
    ["order_failed", "busy", D],
  ],
  [
    `cert("${D}"): getCertPEM: acme.GetReg: 403 urn:ietf:params:acme:error:unauthorized: ` +
      'Account is not valid, has status "deactivated"',
    ["order_failed", "account", D],
  ],
  [
    `cert("${D}"): async renewal failed: getCertPem: 400 ` +
      'urn:ietf:params:acme:error:accountDoesNotExist: Account "https://x/acct/1" not found',
    ["renewal_failed", "account", D],
  ],
  [
    `cert("${D}"): getCertPEM: Get "https://acme-v02.api.letsencrypt.org/directory": tls: failed ` +
      "to verify certificate: x509: certificate signed by unknown authority",
    ["order_failed", "untrusted", D],
  ],
  ...[
    "dial tcp 172.65.32.248:443: connect: connection refused",
    "dial tcp 172.65.32.248:443: i/o timeout",
    "dial tcp 172.65.32.248:443: connect: network is unreachable",
    "net/http: TLS handshake timeout",
    "EOF",
  ].map(
    (text) =>
      [
        `cert("${D}"): getCertPEM: Post "https://acme-v02.api.letsencrypt.org/acme/new-order": ` +
          text,
        ["order_failed", "network", D],
      ] as const,
  ),
  [
    `cert("${D}"): getCertPEM: error writing TLS cert and key to Secret: error getting Secret ` +
      `${D}: Get "https://kubernetes.default.svc/api/v1/namespaces/tailscale/secrets/${D}": dial ` +
      "tcp: lookup kubernetes.default.svc on 10.96.0.10:53: no such host",
    ["store_write_failed", "resolver", D],
  ],
  [
    `http: TLS handshake error from 100.64.1.2:51234: 500 Internal Server Error: ${SET_429}`,
    ["rate_limited", "set", null],
  ],
  [
    "http: TLS handshake error from [fd7a:115c::1]:51234: 500 Internal Server Error: error " +
      "writing TLS cert and key to Secret: error patching Secret operator: " +
      "etcdserver: request timed out",
    ["store_write_failed", "unavailable", null],
  ],
  [
    "http: TLS handshake error from 100.64.1.2:5: 500 Internal Server Error: your Tailscale " +
      "account does not support getting TLS certs",
    ["https_not_enabled", "switched_off", null],
  ],
  [
    "http: TLS handshake error from 100.64.1.2:5: 500 Internal Server Error: invalid domain " +
      `"${D}"; ` +
      'must be one of ["app-1.tail1234.ts.net"]',
    ["https_not_enabled", "other_name", D],
  ],
  [
    `http: TLS handshake error from 100.64.1.2:5: 500 Internal Server Error: SetDNS ` +
      `"_acme-challenge.${D}" => "x": set-dns response: 500 Internal Server Error, failed`,
    ["dns_failed", "set_dns", D],
  ],
  [
    "http: TLS handshake error from 100.64.1.2:5: 500 Internal Server Error: something new",
    ["order_failed", null, null],
  ],
  ["http: TLS handshake error from 100.64.1.2:5: EOF", null],
  ...["10.0.0.7", "www.example.com", ""].map(
    (asked) =>
      [
        "http: TLS handshake error from 100.64.1.2:5: 500 Internal Server Error: invalid domain " +
          `"${asked}"; must be one of ["app-1.tail1234.ts.net"]`,
        null,
      ] as const,
  ),
  ["http: TLS handshake error from 100.64.1.2:5: read tcp 10.0.0.1:443: i/o timeout", null],
  ["http: TLS handshake error from 100.64.1.2:5: remote error: tls: unknown certificate", null],
  [
    "http: TLS handshake error from 100.64.1.2:5: 500 Internal Server Error: context canceled",
    null,
  ],
  ["shop: too many certificates in the chain", null],
  ["shop: too many new orders, try again at noon", null],
  ["shop: too many certificates already issued for example.com", null],
  ["magicsock: got cert", null],
  ["Serve: certificate is fine", null],
  ["", null],
];

const PREFIXES: readonly (readonly [string, (line: string) => string])[] = [
  ["nothing", (line) => line],
  ["Go's time", (line) => `2026/11/23 14:34:50 ${line}`],
  ["containerboot", (line) => `boot: 2026/11/23 14:34:50 ${line}`],
  ["the kubelet's time", (line) => `2026-11-23T14:34:50.123456789Z 2026/11/23 14:34:50 ${line}`],
  [
    "klog",
    (line) => `2026-11-23T14:34:50.123456789Z I1123 14:34:50.123456       1 cert.go:123] ${line}`,
  ],
  ["zap's console", (line) => `2026-11-23T14:34:50.123Z\tDEBUG\ttailscaled\t${line}`],
  [
    "the operator",
    (line) =>
      JSON.stringify({
        level: "debug",
        ts: "2026-11-23T14:34:50Z",
        logger: "tailscaled",
        msg: line,
      }),
  ],
  [
    "the operator by the kubelet",
    (line) =>
      "2026-11-23T14:34:50.123456789Z " +
      `${JSON.stringify({ level: "debug", ts: 1795444490.5, logger: "tailscaled", msg: line })}`,
  ],
  ["colours", (line) => `\u001b[32m2026/11/23 14:34:50 \u001b[0m${line}\u001b[K`],
];

describe.each(PREFIXES)("a line after %s", (name, wrap) => {
  it.each(TABLE)("%s", (line, expected) => {
    const reading = readLog(`${wrap(line)}\n`, "tailscale/ts-app-0/tailscale", 5);
    expect(reading.unreadLines).toBe(0);
    const [sign] = reading.signals;
    expect(sign === undefined ? null : [sign.kind, sign.code, sign.domain]).toEqual(expected);
    if (sign === undefined) return;
    expect(sign.count).toBe(1);
    const atMs = name === "nothing" ? 5 : Date.UTC(2026, 10, 23, 14, 34, 50);
    expect(Math.abs(sign.firstMs - atMs)).toBeLessThan(1_000);
    expect(reading.issued.length).toBe(sign.kind === "issued" && sign.domain !== null ? 1 : 0);
    expect(sign.sample).not.toContain("\u001b");
  });
});

const UTC = Date.UTC(2026, 0, 2, 3, 4, 5);
const OLD = Date.UTC(2024, 11, 1, 3, 4, 5);

describe("refusals of all ages", () => {
  it.each([
    [SET_429, { limit: "set", key: null, retryAtMs: UTC, burst: 5 }],
    [
      "too many certificates (5) already issued for this exact set of domains in the last " +
        "168h0m0s, retry after 2026-01-02 03:04:05 UTC: see " +
        "https://letsencrypt.org/docs/rate-limits/#x",
      { limit: "set", key: null, retryAtMs: UTC, burst: 5 },
    ],
    [
      "too many certificates (7) already issued for this exact set of identifiers in the last " +
        "168h0m0s, retry after 2026-01-02 03:04:05 UTC",
      { limit: "set", key: null, retryAtMs: UTC, burst: 7 },
    ],
    [
      'too many certificates (50) already issued for "tail1234.ts.net" in the last 168h0m0s, ' +
        "retry after 2026-01-02 03:04:05 UTC: see " +
        "https://letsencrypt.org/docs/rate-limits/#new-certificates-per-registered-domain",
      { limit: "domain", key: "tail1234.ts.net", retryAtMs: UTC, burst: 50 },
    ],
    [
      "too many new orders (300) from this account in the last 3h0m0s, retry after 2026-01-02 " +
        "03:04:05 UTC: see https://letsencrypt.org/docs/rate-limits/#new-orders-per-account",
      { limit: "orders", key: null, retryAtMs: UTC, burst: null },
    ],
    [
      'too many failed authorizations (5) for "x.example.com" in the last 1h0m0s, retry after ' +
        "2026-01-02 03:04:05 UTC: see https://letsencrypt.org/docs/rate-limits/#x",
      { limit: "authorizations", key: null, retryAtMs: UTC, burst: null },
    ],
    [
      "too many new registrations (10) from this IP address in the last 3h0m0s, retry after " +
        "2026-01-02 03:04:05 UTC: see https://letsencrypt.org/docs/rate-limits/#x",
      { limit: "registrations", key: null, retryAtMs: UTC, burst: null },
    ],
    [
      "Error creating new order :: too many certificates (5) already issued for this exact " +
        "set of domains in the last 168 hours: B.example.com,a.example.com, retry after " +
        "2024-12-01T03:04:05Z: see https://x",
      { limit: "set", key: "a.example.com,b.example.com", retryAtMs: OLD, burst: 5 },
    ],
    [
      "too many certificates already issued for exact set of domains: " +
        "a.example.com,*.example.com: see https://x",
      { limit: "set", key: "*.example.com,a.example.com", retryAtMs: null, burst: null },
    ],
    [
      'too many certificates already issued for "example.com". Retry after 2024-12-01T03:04:05Z',
      { limit: "domain", key: "example.com", retryAtMs: OLD, burst: null },
    ],
    [
      "too many certificates already issued for: example.com: see https://x",
      { limit: "domain", key: "example.com", retryAtMs: null, burst: null },
    ],
    [
      "too many registrations for this IP",
      { limit: "registrations", key: null, retryAtMs: null, burst: null },
    ],
    [
      "429 urn:ietf:params:acme:error:rateLimited: something new",
      { limit: "other", key: null, retryAtMs: null, burst: null },
    ],
    [
      "too many certificates (5) already issued for this exact set of identifiers in the last " +
        "168h0m0s, retry after 2026-13-02 03:04:05 UTC",
      { limit: "set", key: null, retryAtMs: null, burst: 5 },
    ],
    ["too many cooks", null],
    ["tls: too many certificates in chain", null],
    ["503 urn:ietf:params:acme:error:rateLimited: Service busy; retry later.", null],
  ])("%s", (text, expected) => {
    expect(parseRefusal(text)).toEqual(expected);
  });
});

import { describe, expect, it } from "vitest";
import { formatMs, parseMs } from "../../lib/certificate/time.ts";
import { evaluateState } from "../../lib/finding/evaluate.ts";
import { countCertificates } from "../../lib/finding/counts.ts";
import type { SecretRecord, StateDocument } from "../../lib/state/document.ts";
import { certificate, copy, NOW, NOW_MS, secret, state } from "./fixture.ts";
import { commandOf } from "../../lib/report/command.ts";
import { findingDocument, type FindingDocument } from "../../lib/report/phrases.ts";

const KEY = "tailscale/shop.tail1a2b3.ts.net";

function codes(of: StateDocument, atMs = NOW_MS): string[] {
  return evaluateState(of, atMs, NOW)
    .map(({ code, severity }) => `${code} ${severity}`)
    .toSorted();
}

function documents(of: StateDocument): readonly FindingDocument[] {
  return evaluateState(of, NOW_MS, NOW).map(findingDocument);
}

const lostSecret = (how: string, record: SecretRecord) => ({
  ...{ how, incident: null, lostAt: NOW, lastSeenAt: "2026-11-23T11:00:00Z", record },
});

describe("findings of a state", () => {
  it("says nothing of what is fine", () => {
    expect(codes(state())).toEqual([]);
  });

  const day = 86_400_000;
  const notAfter = parseMs(certificate().notAfter);
  it.each([
    // A lifetime of 90 days: due at 30 left, overdue below 22.5, expiring below 7.5.
    ["exactly a quarter left", notAfter - (90 * day) / 4, []],
    [
      "a millisecond less than a quarter",
      notAfter - (90 * day) / 4 + 1,
      ["renewal_overdue warning"],
    ],
    ["exactly a twelfth left", notAfter - (90 * day) / 12, ["renewal_overdue warning"]],
    ["a millisecond less than a twelfth", notAfter - (90 * day) / 12 + 1, ["expiring critical"]],
    ["its last instant", notAfter, ["expiring critical"]],
    ["a millisecond after it", notAfter + 1, ["expired critical"]],
  ])("%s", (_, at, expected) => {
    expect(codes(state(), at)).toEqual(expected);
  });

  it.each([
    ["for 59 minutes", 59, {}, "certificate_pending info"],
    ["for an hour", 60, {}, "certificate_pending warning"],
    ["for a day", 24 * 60, {}, "certificate_pending critical"],
    ["just now, noted by cert-manager", 0, { issuedFor: ["a.b"] }, "fields_emptied warning"],
    ["for a day, noted by cert-manager", 1440, { issuedFor: ["a.b"] }, "fields_emptied critical"],
  ])("only seen empty %s", (_, minutes, over, expected) => {
    const since = new Date(NOW_MS - minutes * 60_000).toISOString();
    const gap = { domain: "shop", state: "empty", reasons: ["certificate_empty"], held: null };
    const empty = secret({ certificates: {}, gaps: { tls: { ...gap, since, ...over } } });
    expect(codes(state({ "x/a": empty }))).toEqual([expected]);
  });

  it.each([
    [
      "a key that doesn't fit",
      {
        certificates: {
          tls: certificate({ windows: [], reasons: ["key_mismatch"], keyFits: false }),
        },
      },
      ["certificate_invalid critical"],
    ],
    [
      "an expired intermediate",
      {
        certificates: {
          tls: certificate({ windows: [["2026-11-01T00:00:00Z", "2026-11-20T00:00:00Z"]] }),
        },
      },
      ["certificate_invalid critical"],
    ],
    [
      "a staging certificate",
      {
        certificates: {
          tls: certificate({ staging: true, windows: [], reasons: ["unknown_issuer"] }),
        },
      },
      [],
    ],
    [
      "fields emptied",
      {
        certificates: {},
        gaps: {
          tls: {
            domain: "shop",
            state: "empty",
            reasons: ["certificate_empty"],
            since: NOW,
            held: certificate(),
          },
        },
      },
      ["fields_emptied critical"],
    ],
    [
      "fields never filled",
      {
        certificates: {},
        gaps: {
          tls: {
            domain: "shop",
            state: "empty",
            reasons: ["certificate_empty"],
            since: NOW,
            held: null,
          },
        },
      },
      ["certificate_pending info"],
    ],
    [
      "a key alone, from the start",
      {
        certificates: {},
        gaps: {
          tls: {
            domain: "shop",
            state: "certificate_missing",
            reasons: ["certificate_empty"],
            since: NOW,
            held: null,
          },
        },
      },
      ["certificate_invalid critical"],
    ],
    [
      "not a certificate at all",
      {
        certificates: {},
        gaps: {
          tls: {
            domain: "shop",
            state: "unreadable",
            reasons: ["certificate_not_pem"],
            since: NOW,
            held: null,
          },
        },
      },
      ["certificate_invalid critical"],
    ],
    [
      "no recipients",
      { certificates: { tls: certificate({ copy: null, notKept: { reason: "no_recipients" } }) } },
      ["backup_missing warning"],
    ],
    [
      "over the quota",
      { certificates: { tls: certificate({ copy: null, notKept: { reason: "quota" } }) } },
      ["backup_quota warning"],
    ],
    [
      "a store that failed",
      { certificates: { tls: certificate({ copy: null, notKept: { reason: "store_failed" } }) } },
      ["backup_missing warning"],
    ],
    ["generic TLS of no known issuer", { foreign: true, certificates: {} }, []],
  ])("%s", (_, over, expected) => {
    expect(codes(state({ [KEY]: secret(over) }))).toEqual(expected);
  });

  it.each([
    ["lost", "secret_lost critical"],
    ["removed", "secret_removed info"],
    ["unknown", "secret_lost critical"],
  ])("a Secret that is gone: %s", (how, expected) => {
    expect(codes(state({}, { lost: { [KEY]: lostSecret(how, secret()) } }))).toEqual([expected]);
  });

  describe("a plain Secret that is gone and whose parent is unknown", () => {
    const plain = secret({ shape: "tls" });
    const gone = lostSecret("unknown", plain);

    it("is critical: an Ingress may use it", () => {
      const elsewhere = { "web/renamed": plain };
      expect(codes(state({}, { lost: { [KEY]: gone } }))).toEqual(["secret_lost critical"]);
      expect(codes(state(elsewhere, { lost: { [KEY]: gone } }))).toEqual(["secret_lost critical"]);
    });

    it("is a warning where it was rejected when last seen", () => {
      const broken = certificate({ windows: [], reasons: ["key_mismatch"], keyFits: false });
      const record = secret({ shape: "tls", certificates: { tls: broken } });
      expect(codes(state({}, { lost: { [KEY]: lostSecret("unknown", record) } }))).toEqual([
        "secret_lost warning",
      ]);
    });

    it("is a warning where another Secret of its namespace is valid for the same names", () => {
      const renamed = { "tailscale/renamed": plain };
      expect(codes(state(renamed, { lost: { [KEY]: gone } }))).toEqual(["secret_lost warning"]);
      const broken = certificate({ windows: [], reasons: ["key_mismatch"], keyFits: false });
      const other = {
        "tailscale/renamed": secret({ shape: "tls", certificates: { tls: broken } }),
      };
      expect(codes(state(other, { lost: { [KEY]: gone } }))).toContain("secret_lost critical");
    });
  });

  it.each([
    [
      "tailscale",
      secret({}),
      "On the next connection Tailscale discards it and requests a new one.",
    ],
    [
      "cert-manager, which looks at the pair alone",
      secret({
        shape: "tls",
        parent: {
          apiVersion: "cert-manager.io/v1",
          kind: "Certificate",
          namespace: "shop",
          name: "web",
        },
      }),
      "cert-manager checks only key and certificate",
    ],
    ["nobody", secret({ shape: "tls" }), "no known controller renews it"],
  ])("says what the owner does about a wrong name: %s", (_, record, words) => {
    const wrong = {
      ...record,
      certificates: { tls: certificate({ windows: [], reasons: ["missing_intermediate"] }) },
    };
    expect(documents(state({ [KEY]: wrong }))[0]?.leadsTo).toContain(words);
  });

  it("tells what went at once as one, between the audits that saw and missed it", () => {
    const lost = {
      how: "lost",
      incident: "namespace tailscale is gone",
      lostAt: "2026-11-23T11:30:00Z",
      lastSeenAt: "2026-11-23T11:15:00Z",
      record: secret(),
    };
    const later = { ...lost, lostAt: "2026-11-23T11:45:00Z", lastSeenAt: "2026-11-23T11:30:00Z" };
    const findings = documents(
      state(
        {},
        {
          lost: { [KEY]: lost, "tailscale/b": lost, "tailscale/c": later },
          copies: { v1: copy() },
        },
      ),
    );
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({
      code: "secret_lost",
      severity: "critical",
      command: "certkeep restore prod --all --namespace tailscale",
      seen:
        "3 Secrets with certificates disappeared at once: namespace tailscale is gone between " +
        "2026-11-23T11:15:00Z and 2026-11-23T11:45:00Z.",
    });
    expect(findings[0]?.evidence).toHaveLength(3);
  });

  it.each([
    ["no registration", null, ["restore --all --namespace tailscale --create-namespace"]],
    [
      "Roles in it",
      { parts: ["secrets", "restore"], namespaces: ["tailscale"] },
      ["clusters add prod", "restore --all --namespace tailscale"],
    ],
    [
      "Roles in another namespace",
      { parts: ["secrets", "restore", "create-namespace"], namespaces: ["web"] },
      ["restore --all --namespace tailscale --create-namespace"],
    ],
    [
      "Roles in it, to read alone",
      { parts: ["secrets"], namespaces: ["tailscale"] },
      ["clusters add prod --with restore", "restore --all --namespace tailscale"],
    ],
    [
      "ClusterRoles",
      { parts: ["restore", "create-namespace"], namespaces: null },
      ["restore --all --namespace tailscale --create-namespace"],
    ],
    [
      "ClusterRoles that can't create a namespace",
      { parts: ["restore"], namespaces: null },
      [
        "clusters add prod --with create-namespace",
        "restore --all --namespace tailscale --create-namespace",
      ],
    ],
    ["an earlier version's", {}, ["restore --all --namespace tailscale --create-namespace"]],
  ])("restores a deleted namespace with the permissions for it: %s", (_, plan, expected) => {
    const lost = {
      how: "lost",
      incident: "namespace tailscale was deleted",
      namespaceGone: true,
      lostAt: NOW,
      lastSeenAt: NOW,
      record: secret(),
    };
    const credential =
      plan === null ? null : { kind: "token", endsAt: null, madeAt: null, ...plan };
    const [finding] = evaluateState(
      state({}, { lost: { [KEY]: lost }, copies: { v1: copy() }, credential }),
      NOW_MS,
      NOW,
    );
    expect(finding?.actions.map(commandOf)).toEqual(
      expected.map((command) => `certkeep ${command.replace(/^restore/, "restore prod")}`),
    );
  });

  it("says what time alone brings of a cluster that can't be reached, as last seen", () => {
    const unreachable = state(undefined, {
      audit: {
        startedAt: NOW,
        finishedAt: NOW,
        complete: false,
        lastCompleteAt: "2026-11-22T12:00:00Z",
        lastReachedAt: "2026-11-22T12:00:00Z",
        secrets: 1,
        foreign: 0,
        unread: [
          {
            scope: "cluster",
            code: "cluster_unreachable",
            message: "cluster prod: refused",
            since: NOW,
          },
        ],
      },
    });
    const at = parseMs("2027-01-29T00:00:00Z");
    const findings = evaluateState(unreachable, at, formatMs(at));
    expect(findings.map(({ code, asLastSeen }) => [code, asLastSeen])).toEqual([
      ["cluster_unreachable", null],
      ["expiring", "2026-11-22T12:00:00Z"],
    ]);
    expect(countCertificates(unreachable, findings, at)).toMatchObject({
      certificates: 1,
      ok: 0,
      unknown: 1,
    });
  });

  it("keeps since when a finding holds", () => {
    const first = evaluateState(state(), notAfter + 1, NOW)[0];
    const known = state(undefined, {
      findings: {
        [first?.id ?? ""]: { code: "expired", since: "2026-11-20T00:00:00Z", lastAt: NOW },
      },
    });
    expect(evaluateState(known, notAfter + 1, NOW)[0]?.since).toBe("2026-11-20T00:00:00Z");
  });

  it("offers no command for a name that doesn't fit one", () => {
    const hostile = state({
      "tailscale/x": secret({
        certificates: {
          tls: certificate({ domain: "$(reboot).ts.net", reasons: ["key_mismatch"], windows: [] }),
        },
      }),
    });
    expect(documents(hostile)[0]?.command).toMatch(/^certkeep explain [a-z_]+:[0-9a-f]{12}$/);
  });
});

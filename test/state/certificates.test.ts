import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseMs } from "../../lib/certificate/time.ts";
import { certificates, requestedNames, titleOf, verdictAt } from "../../lib/state/certificates.ts";
import type {
  CertificateRecord,
  CopyRecord,
  GapRecord,
  SecretRecord,
} from "../../lib/state/document.ts";
import { certificate, NOW, secret, state } from "../finding/fixture.ts";

const NOW_MS = parseMs(NOW);
const SEEN = "2026-11-22T08:00:00Z";

function gap(held: CertificateRecord | null, over: Partial<GapRecord> = {}): GapRecord {
  return {
    domain: held?.domain ?? null,
    state: "empty",
    reasons: ["certificate_empty"],
    since: SEEN,
    held,
    ...over,
  };
}

function lost(record: SecretRecord, how = "lost") {
  return { how, incident: null, lostAt: NOW, lastSeenAt: SEEN, record };
}

function backup(over: Partial<CopyRecord> = {}): CopyRecord {
  return {
    namespace: "tailscale",
    secret: "shop",
    shape: "ha-ingress",
    fieldBase: "tls",
    kind: "certificate",
    names: ["shop.tail1a2b3.ts.net"],
    issuer: "letsencrypt",
    serial: "0a",
    sha256: "aa",
    notBefore: null,
    notAfter: null,
    issuedAt: null,
    account: null,
    digest: "d",
    key: "k",
    recordedAt: SEEN,
    seenValid: true,
    liveFrom: SEEN,
    liveUntil: SEEN,
    ...over,
  };
}

describe("the certificates of a state", () => {
  it.each([
    ["live", state({ "a/b": secret() }), ["live", null, parseMs(certificate().firstSeenAt)]],
    [
      "with its content missing",
      state({ "a/b": secret({ certificates: {}, gaps: { tls: gap(certificate()) } }) }),
      ["missing_content", null, parseMs(SEEN)],
    ],
    [
      "never there",
      state({ "a/b": secret({ certificates: {}, gaps: { tls: gap(null) } }) }),
      ["pending", null, parseMs(SEEN)],
    ],
    [
      "lost with its Secret",
      state({}, { lost: { "a/b": lost(secret()) } }),
      ["lost", "lost", NOW_MS],
    ],
    [
      "emptied, then lost with its Secret",
      state(
        {},
        { lost: { "a/b": lost(secret({ certificates: {}, gaps: { tls: gap(certificate()) } })) } },
      ),
      ["lost", "lost", NOW_MS],
    ],
    [
      "removed with its parent",
      state({}, { lost: { "a/b": lost(secret(), "removed") } }),
      ["lost", "removed", NOW_MS],
    ],
    [
      "lost in a way that a newer version tells",
      state({}, { lost: { "a/b": lost(secret(), "eaten") } }),
      ["lost", "unknown", NOW_MS],
    ],
  ])("%s", (_, of, [condition, how, sinceMs]) => {
    const [entry, ...others] = certificates(of, NOW_MS);
    expect(others).toEqual([]);
    expect(entry).toMatchObject({ key: "a/b", namespace: "a", secret: "b", condition, sinceMs });
    expect(entry?.loss?.how ?? null).toBe(how);
    expect(entry?.lastSeenMs).toBe(how === null ? NOW_MS : parseMs(SEEN));
    expect(entry?.record?.serial ?? null).toBe(condition === "pending" ? null : "0a");
  });

  it.each([
    ["the name that the owner checks", { domain: "a.example" }, "tls", "a.example", ["a.example"]],
    [
      "the first of its names",
      { domain: null, names: ["b.example", "c"] },
      "tls",
      "b.example",
      ["b.example", "c"],
    ],
    ["its field", { domain: null, names: [] }, "d.example", "d.example", []],
    ["its Secret", { domain: null, names: [] }, "tls", "a/b", []],
  ])("is called by %s", (_, over, base, title, names) => {
    const [entry] = certificates(
      state({ "a/b": secret({ certificates: { [base]: certificate(over) } }) }),
      NOW_MS,
    );
    expect(entry === undefined ? null : titleOf(entry)).toBe(title);
    expect(entry === undefined ? null : requestedNames(entry)).toEqual(names);
  });

  it("has the backups of its place alone, without account keys", () => {
    const copies = {
      v1: backup(),
      v2: backup({ kind: "standby" }),
      v3: backup({ kind: "replaced", names: ["old.example"] }),
      v4: backup({ kind: "account-key" }),
      v5: backup({ secret: "other" }),
      v6: backup({ fieldBase: "other.example" }),
    };
    const [entry] = certificates(state({ "tailscale/shop": secret() }, { copies }), NOW_MS);
    expect(entry?.backups.map(({ version }) => version)).toEqual(["v1", "v2", "v3"]);
  });

  /** A record that is told from all others by its serial. */
  const secrets = fc.dictionary(
    fc.stringMatching(/^[a-z]{1,3}\/[a-z]{1,3}$/),
    fc.record({
      certificates: fc.uniqueArray(fc.constantFrom("tls", "a.example", "b.example")),
      emptied: fc.uniqueArray(fc.constantFrom("tls", "c.example", "d.example")),
      pending: fc.uniqueArray(fc.constantFrom("e.example", "f.example")),
      foreign: fc.boolean(),
    }),
    { maxKeys: 6 },
  );

  it("shows each certificate that is or was anywhere exactly once", () => {
    fc.assert(
      fc.property(secrets, secrets, (standing, gone) => {
        const expected: string[] = [];
        const recordsOf = (all: typeof standing, where: string): Record<string, SecretRecord> =>
          Object.fromEntries(
            Object.entries(all).map(([key, of]) => {
              const made = (base: string, how: string): CertificateRecord => {
                const serial = `${where} ${key} ${base} ${how}`;
                if (!of.foreign) expected.push(serial);
                return certificate({ serial });
              };
              const gaps = [
                ...of.emptied.map((base) => [base, gap(made(base, "emptied"))] as const),
                ...of.pending.map((base) => [base, gap(null)] as const),
              ];
              return [
                key,
                secret({
                  foreign: of.foreign,
                  certificates: Object.fromEntries(
                    of.certificates.map((base) => [base, made(base, "held")]),
                  ),
                  gaps: Object.fromEntries(gaps),
                }),
              ];
            }),
          );
        const records = recordsOf(gone, "gone");
        const of = state(recordsOf(standing, "standing"), {
          lost: Object.fromEntries(
            Object.entries(records).map(([key, record]) => [key, lost(record)]),
          ),
        });
        const entries = [...certificates(of, NOW_MS)];
        expect(entries.flatMap(({ record }) => record?.serial ?? []).toSorted()).toEqual(
          expected.toSorted(),
        );
        expect(entries.filter(({ condition }) => condition === "pending")).toHaveLength(
          Object.values(standing)
            .filter(({ foreign }) => !foreign)
            .reduce((sum, { pending }) => sum + pending.length, 0),
        );
        for (const { condition, loss, record } of entries) {
          expect(loss !== null).toBe(condition === "lost");
          expect(record?.serial.startsWith("gone") ?? false).toBe(condition === "lost");
        }
      }),
    );
  });
});

describe("a verdict at an instant", () => {
  const record = certificate({
    notBefore: "2026-11-01T00:00:00Z",
    notAfter: "2026-12-01T00:00:00Z",
    windows: [["2026-11-02T00:00:00Z", "2026-11-20T00:00:00Z"]],
  });
  it.each([
    ["2026-11-02T00:00:00Z", []],
    ["2026-11-20T00:00:00Z", []],
    ["2026-11-20T00:00:00.001Z", ["intermediate_expired"]],
    ["2026-11-01T12:00:00Z", ["intermediate_not_yet_valid"]],
    ["2026-10-31T23:59:59.999Z", ["not_yet_valid"]],
    ["2026-12-01T00:00:00.001Z", ["expired"]],
  ])("at %s", (at, reasons) => {
    expect(verdictAt(record, parseMs(at))).toEqual({ valid: reasons.length === 0, reasons });
  });
});

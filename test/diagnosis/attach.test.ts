/** Which states need no look at all clusters' issuances for a cause: of those none is ever told. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { attachCauses, mayNameCause } from "../../lib/diagnosis/attach.ts";
import { evaluateState } from "../../lib/finding/evaluate.ts";
import type { SecretRecord, StateDocument } from "../../lib/state/document.ts";
import { NOW, NOW_MS, secret, state } from "../finding/fixture.ts";
import {
  acrossOf,
  answer,
  DAY_MS,
  history,
  HOUR_MS,
  issued,
  KEY,
  NAME,
  observed,
  sign,
} from "./support.ts";

const overdue = (over: Partial<SecretRecord> = {}): SecretRecord =>
  secret({ certificates: { tls: issued(80 * DAY_MS, "a1") }, ...over });
const needs = (of: StateDocument): boolean =>
  mayNameCause(evaluateState(of, NOW_MS, NOW), of, NOW_MS);

const spot = fc.record({
  agoMs: fc.oneof(
    fc.integer({ min: 0, max: 92 }).map((days) => days * DAY_MS),
    fc.integer({ min: 0, max: 170 }).map((hours) => hours * HOUR_MS),
  ),
  name: fc.constantFrom(
    NAME,
    ...[1, 2, 3, 4, 5, 6, 7].map((n) => `runner-${n}.tail1a2b3.ts.net`),
    "www.example.com",
  ),
  shape: fc.constantFrom("ha-ingress" as const, "standalone" as const, "tls" as const),
  reasons: fc.constantFrom<string[]>([], [], [], ["key_mismatch"]),
  immutable: fc.constantFrom(false, false, false, true),
  gap: fc.constantFrom(false, false, true),
});

describe("the cause beside a finding", () => {
  const whyOf = (of: StateDocument, code: string): readonly string[] | null => {
    const found = attachCauses(evaluateState(of, NOW_MS, NOW), of, acrossOf(of));
    const why = found.find((one) => one.code === code)?.why;
    return why == null ? null : why.causes.map((cause) => `${cause.code} ${cause.confidence}`);
  };
  const expired = { certificates: { tls: issued(91 * DAY_MS, "a1") } };

  it("isn't names that come and go where a certificate has expired", () => {
    const runner = (n: number): string => `runner-${n}.tail1a2b3.ts.net`;
    const of = state(
      {
        "ci/r0": secret({
          certificates: {
            tls: issued(91 * DAY_MS, "a1", { domain: runner(0), names: [runner(0)] }),
          },
        }),
      },
      {
        ...observed(),
        evidence: {
          issuances: [1, 2, 3, 4, 5, 6].flatMap(
            (n) =>
              (
                history([[n * HOUR_MS, `d${n}`]], { names: [runner(n)], where: `ci/r${n}` }) as {
                  issuances: unknown[];
                }
              ).issuances,
          ),
        },
      },
    );
    expect(whyOf(of, "expired")).toBeNull();
  });

  it("is the failing order where a certificate has expired", () => {
    const signs = [sign("renewal_failed", { code: "network" })];
    expect(whyOf(state({ [KEY]: secret(expired) }, observed({ signs })), "expired")).toEqual([
      "network proven",
    ]);
  });

  it("isn't an account that was only assumed", () => {
    const denied = (assumed: boolean): StateDocument =>
      state(
        { [KEY]: secret(expired) },
        observed({ access: [answer("patch", false, assumed ? { assumed } : {})] }),
      );
    expect(whyOf(denied(true), "expired")).toBeNull();
    expect(whyOf(denied(false), "expired")).toEqual(["storage proven"]);
  });
});

describe("a state of which no cause could be told", () => {
  it("is told none of", () => {
    fc.assert(
      fc.property(fc.array(spot, { minLength: 1, maxLength: 9 }), (spots) => {
        const secrets = Object.fromEntries(
          spots.map(({ agoMs, name, shape, reasons, immutable, gap }, i) => {
            const certificate = issued(agoMs, (i + 16).toString(16), {
              domain: name,
              names: [name],
              reasons,
              ...(reasons.length === 0 ? {} : { windows: [] }),
            });
            const gaps: SecretRecord["gaps"] = gap
              ? {
                  tls: {
                    state: "empty",
                    domain: name,
                    reasons: ["empty"],
                    since: NOW,
                    held: certificate,
                  },
                }
              : {};
            return [
              `tailscale/s${i}`,
              secret({
                uid: `u${i}`,
                shape,
                immutable,
                certificates: gap ? {} : { tls: certificate },
                gaps,
              }),
            ];
          }),
        );
        const of = state(secrets);
        const findings = evaluateState(of, NOW_MS, NOW);
        const across = acrossOf(of);
        if (across.found.length > 0 || mayNameCause(findings, of, NOW_MS)) return;
        expect(attachCauses(findings, of, across)).toEqual(findings);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["which is overdue alone", state({ [KEY]: overdue() }), false],
    [
      "which is fine, so that nothing wants a cause",
      state({ [KEY]: secret({ certificates: { tls: issued(DAY_MS, "a1") } }) }, observed()),
      false,
    ],
    ["of which something was observed", state({ [KEY]: overdue() }, observed()), true],
    [
      "with earlier issuances",
      state({ [KEY]: overdue() }, { evidence: history([[DAY_MS, "b2"]]) }),
      true,
    ],
    ["whose Secret is immutable", state({ [KEY]: overdue({ immutable: true }) }), true],
    [
      "with an account key",
      state({
        [KEY]: overdue({
          accounts: {
            "acme-account.key.pem": {
              sha256: "a",
              thumbprint: "t",
              copy: null,
              notKept: null,
            } as SecretRecord["accounts"][string],
          },
        }),
      }),
      true,
    ],
    [
      "with one that its controller refuses",
      state({
        [KEY]: overdue(),
        "shop/x": secret({
          certificates: { tls: issued(DAY_MS, "b2", { windows: [], reasons: ["wrong_name"] }) },
        }),
      }),
      true,
    ],
    [
      "with five new ones",
      state({
        [KEY]: overdue(),
        ...Object.fromEntries(
          [1, 2, 3, 4, 5].map((n) => [
            `shop/r${n}`,
            secret({
              certificates: {
                tls: issued(n * HOUR_MS, `c${n}`, {
                  domain: `r-${n}.tail1a2b3.ts.net`,
                  names: [`r-${n}.tail1a2b3.ts.net`],
                }),
              },
            }),
          ]),
        ),
      }),
      true,
    ],
  ])("and one %s", (_, of, expected) => {
    expect(needs(of)).toBe(expected);
  });
});

/** Each `certkeep explain NAME` that a finding offers knows the name. */
import { describe, expect, it } from "vitest";
import { explaining } from "../support/explaining.ts";
import { PLAIN } from "../../lib/report/text.ts";
import { explainText } from "../../lib/report/explain.ts";
import type { Explanation } from "../../lib/report/explain/explanation.ts";
import { type StateDocument } from "../../lib/state/document.ts";
import {
  answer,
  DAY_MS,
  event,
  history,
  HOUR_MS,
  iso,
  issued,
  KEY,
  NAME,
  observed,
  sign,
} from "../diagnosis/support.ts";
import { NOW, NOW_MS, secret, state } from "../finding/fixture.ts";

const explain = (name: string, one: StateDocument): Promise<Explanation> => explaining(name, [one]);

const OTHER = "other.tail1a2b3.ts.net";
const refusal = (kind: string, key: string): unknown => ({
  issuer: "letsencrypt",
  kind,
  key,
  retryAtMs: NOW_MS + DAY_MS,
  seenAtMs: NOW_MS - HOUR_MS,
  cluster: "prod",
  where: "tailscale/pg-0/tailscale",
  burst: 5,
});
const account = { thumbprint: "t", copy: null, notKept: { reason: "store_failed" } };
const gap = (held: ReturnType<typeof issued> | null) => ({
  tls: {
    state: "empty" as const,
    domain: NAME,
    reasons: ["empty"],
    since: iso(NOW_MS - 2 * DAY_MS),
    held,
  },
});

const STATES: readonly (readonly [string, StateDocument])[] = [
  [
    "a log about names without a Secret",
    state(
      {},
      observed({
        signs: [
          sign("store_write_failed", { domain: OTHER }),
          sign("dns_failed", { domain: "third.tail1a2b3.ts.net" }),
          sign("rate_limited", { code: "set", domain: "Fourth.tail1a2b3.ts.net" }),
          ...Array.from({ length: 30 }, (_, i) =>
            sign("store_write_failed", { domain: `n${i}.tail1a2b3.ts.net` }),
          ),
        ],
      }),
    ),
  ],
  [
    "refusals of names and domains that nothing holds",
    state(
      {},
      {
        ...observed(),
        evidence: { refusals: [refusal("set", OTHER), refusal("domain", "tail1a2b3.ts.net")] },
      },
    ),
  ],
  [
    "a Secret that holds an account key alone",
    state({
      "tailscale/pg-0": secret({
        certificates: {},
        accounts: { "acme-account.key.pem": account },
      }),
    }),
  ],
  [
    "a Secret that was never filled",
    state({ [KEY]: secret({ certificates: {}, gaps: gap(null) }) }),
  ],
  [
    "a Secret that was emptied",
    state({ [KEY]: secret({ certificates: {}, gaps: gap(issued(9 * DAY_MS, "a1")) }) }),
  ],
  [
    "a certificate that is denied, immutable and overdue",
    state(
      { [KEY]: secret({ immutable: true, certificates: { tls: issued(80 * DAY_MS, "a1") } }) },
      observed({
        access: [answer("patch", false)],
        events: [event("TailscaleStateUpdateFailed")],
        signs: [sign("replaces_refused"), sign("paused", { domain: null })],
      }),
    ),
  ],
  [
    "accounts that were only assumed",
    state(
      { [KEY]: secret(), "tailscale/b": secret({ uid: "u2" }) },
      observed({
        access: [KEY, "tailscale/b"].map((one) =>
          answer("patch", false, { secret: one, assumed: true }),
        ),
      }),
    ),
  ],
  [
    "names that were issued and lost",
    state(
      { [KEY]: secret({ certificates: { tls: issued(HOUR_MS, "b2") } }) },
      {
        evidence: history([
          [3 * DAY_MS, "a1"],
          [2 * DAY_MS, "a2"],
          [DAY_MS, "a3"],
        ]),
      },
    ),
  ],
  [
    "parts that couldn't be read",
    state(
      { [KEY]: secret() },
      {
        audit: {
          startedAt: NOW,
          finishedAt: NOW,
          complete: false,
          lastCompleteAt: null,
          lastReachedAt: NOW,
          unread: [
            { scope: "namespace shop", code: "cluster_forbidden", message: "no", since: NOW },
            { scope: "Secret tailscale/x", code: "cluster_forbidden", message: "no", since: NOW },
          ],
          secrets: 1,
          foreign: 0,
        },
      },
    ),
  ],
];

describe("each command that a finding offers", () => {
  it.each(STATES)("of %s", async (_, one) => {
    const { findings } = await explain("prod", one);
    expect(findings.length).toBeGreaterThan(0);
    for (const { id, actions } of findings) {
      await expect(explain(id, one)).resolves.toMatchObject({ kind: "finding" });
      for (const action of actions) {
        if (action.kind !== "explain") continue;
        const explanation = await explain(action.name, one);
        expect(explainText(explanation, { width: 80, style: PLAIN })).toContain(action.name);
        expect(explanation.findings.length + explanation.diagnoses.length).toBeGreaterThan(0);
      }
    }
  });
});

describe("explain of a Secret that audits skip", () => {
  const skipping = state({
    "shop/shop-tls": secret({ shape: "tls", foreign: true, certificates: {} }),
  });

  it.each(["shop/shop-tls", "shop-tls"])("says why: %s", async (name) => {
    await expect(explain(name, skipping)).rejects.toThrow(
      "explain shop/shop-tls: skipped, since its certificate is from a private CA. " +
        "To include it, list the CA under issuers: in certkeep.yaml",
    );
  });

  it.each(["shop/shop-tl", "op-tls", "tls", "web/shop-tls"])("not of another: %s", async (name) => {
    await expect(explain(name, skipping)).rejects.toThrow("no match for");
  });
});

/** The pages of `explain` that are recorded under fixtures/, and what each must and must not say. */
import { describe, expect, it } from "vitest";
import { explaining } from "../support/explaining.ts";
import { explainText } from "../../lib/report/explain.ts";
import type { Explanation } from "../../lib/report/explain/explanation.ts";
import { PLAIN } from "../../lib/report/text.ts";
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
  look,
  MINUTE,
  NAME,
  observed,
  sign,
} from "../diagnosis/support.ts";
import { copy, NOW_MS, secret, state } from "../finding/fixture.ts";

const POD = "tailscale/ingress-proxies-0/tailscale";
const ACCOUNT = "system:serviceaccount:tailscale:ingress-proxies";

/** A backup of `issued(agoMs, serial)`. */
function backedUp(agoMs: number, serial: string, version: string): StateDocument["copies"] {
  const { notBefore, notAfter, issuedAt, sha256 } = issued(agoMs, serial);
  const at = iso(NOW_MS - agoMs);
  const times = { notBefore, notAfter, issuedAt, recordedAt: at, liveFrom: at, liveUntil: at };
  return { [version]: copy({ serial: `00${serial}`, sha256, key: `k-${version}`, ...times }) };
}

/** Secret and RoleBinding deleted, five certificates issued and lost, and a 429 that still runs. */
function lostSecret(): StateDocument {
  const held = issued(30 * DAY_MS, "56a42fbcca2f");
  const lostAt = iso(NOW_MS - 2 * HOUR_MS);
  const claims = history(
    [50, 45, 40, 35, 30].map((minutes, i) => [minutes * MINUTE, `c1a${i}99f3b2`] as const),
    { claimedBy: "prod", where: POD },
  ) as { issuances: unknown[] };
  const denied = { secret: KEY, account: ACCOUNT, sinceMs: NOW_MS - 3 * HOUR_MS };
  return state(
    {},
    {
      ...observed({
        access: ["get", "update", "patch"].map((verb) => answer(verb, verb === "get", denied)),
        looks: [look("logs", { scope: POD }), look("events"), look("access")],
        signs: [
          sign("issued", {
            where: POD,
            count: 5,
            firstMs: NOW_MS - 50 * MINUTE,
            lastMs: NOW_MS - 30 * MINUTE,
          }),
          sign("store_write_failed", {
            where: POD,
            code: "forbidden",
            count: 5,
            firstMs: NOW_MS - 50 * MINUTE,
            lastMs: NOW_MS - 30 * MINUTE,
            sample:
              `cert("${NAME}"): failed to write certificate to Secret: secrets "${NAME}" is ` +
              `forbidden: User "${ACCOUNT}" cannot patch resource "secrets" in API group "" in ` +
              'the namespace "tailscale"',
          }),
          sign("rate_limited", {
            where: POD,
            code: "set",
            count: 2,
            firstMs: NOW_MS - 20 * MINUTE,
            lastMs: NOW_MS - 10 * MINUTE,
            sample:
              `cert("${NAME}"): getCertPEM: 429 urn:ietf:params:acme:error:rateLimited: too many ` +
              "certificates (5) already issued for this exact set of identifiers in the last " +
              "168h0m0s, retry after 2026-11-24 19:16:00 UTC",
          }),
        ],
        events: [event("TailscaleStateUpdateFailed", { object: "Pod/ingress-proxies-0" })],
      }),
      copies: backedUp(30 * DAY_MS, "56a42fbcca2f", "09ac2a96d2f3"),
      lost: {
        [KEY]: {
          how: "lost",
          incident: null,
          lostAt,
          lastSeenAt: iso(NOW_MS - 3 * HOUR_MS),
          record: secret({ certificates: { tls: held } }),
        },
      },
      evidence: {
        issuances: claims.issuances,
        refusals: [
          {
            issuer: "letsencrypt",
            kind: "set",
            key: NAME,
            retryAtMs: NOW_MS + 31 * HOUR_MS + 16 * MINUTE,
            seenAtMs: NOW_MS - 10 * MINUTE,
            cluster: "prod",
            where: POD,
            burst: 5,
          },
        ],
      },
    },
  );
}

/** Valid and backed up; every source was read. */
function healthy(): StateDocument {
  return state(
    { [KEY]: secret({ certificates: { tls: issued(20 * DAY_MS, "b2aa47c1") } }) },
    { ...observed(), copies: backedUp(20 * DAY_MS, "b2aa47c1", "v1") },
  );
}

/** Five days left, and its renewal is overdue. */
function nearExpiry(): StateDocument {
  return state(
    { [KEY]: secret({ certificates: { tls: issued(85 * DAY_MS, "7a01bb42") } }) },
    { ...observed(), copies: backedUp(85 * DAY_MS, "7a01bb42", "v1") },
  );
}

/** Two Secrets request the same name, each for itself: one issuance is left. */
function nearLimit(): StateDocument {
  const other = "tailscale/shop-canary";
  return state(
    {
      [KEY]: secret({ certificates: { tls: issued(3 * HOUR_MS, "d4") } }),
      [other]: secret({ uid: "u2", certificates: { tls: issued(2 * HOUR_MS, "d5") } }),
    },
    {
      ...observed(),
      copies: backedUp(3 * HOUR_MS, "d4", "v1"),
      evidence: history([
        [30 * HOUR_MS, "d1"],
        [29 * HOUR_MS, "d2"],
      ]),
    },
  );
}

const SECRETS: readonly (readonly [string, StateDocument, string])[] = [
  ["lost", lostSecret(), NAME],
  ["healthy", healthy(), NAME],
  ["near-expiry", nearExpiry(), NAME],
  ["near-limit", nearLimit(), NAME],
  ["domain", nearLimit(), "tail1a2b3.ts.net"],
  ["cluster", lostSecret(), "prod"],
];

const explain = (
  one: StateDocument,
  name: string,
  plan: number | null = null,
): Promise<Explanation> => explaining(name, [one], plan);

describe("the page of a name", () => {
  it.each(SECRETS.flatMap((one) => [80, 120].map((width) => [...one, width] as const)))(
    "is as recorded: %s",
    async (title, one, name, width) => {
      const text = explainText(await explain(one, name), { width, style: PLAIN });
      await expect(`${text}\n`).toMatchFileSnapshot(`fixtures/explain-${title}-${width}.txt`);
    },
  );

  it("is as recorded with a plan, and with -v", async () => {
    const page = { width: 80, style: PLAIN };
    const planned = explainText(await explain(nearLimit(), NAME, 3), page);
    await expect(`${planned}\n`).toMatchFileSnapshot("fixtures/explain-plan-80.txt");
    const all = explainText(await explain(lostSecret(), NAME), { ...page, verbose: true });
    await expect(`${all}\n`).toMatchFileSnapshot("fixtures/explain-lost-verbose-80.txt");
  });

  it.each(SECRETS)("fits one screen and says each fact once: %s", async (_, one, name) => {
    const text = explainText(await explain(one, name), { width: 80, style: PLAIN });
    const lines = text.split("\n");
    expect(lines.length).toBeLessThanOrEqual(32);
    expect(
      lines.filter((line) => line.length > 80 && !/ (?:certkeep|kubectl) /.test(line)),
    ).toEqual([]);
    const sentences = text
      .replaceAll(/\s+/g, " ")
      .split(/(?<=[.;:]) /)
      .filter((part) => part.length > 40);
    expect(new Set(sentences).size).toBe(sentences.length);
    expect((text.match(/\(estimate/g) ?? []).length).toBeLessThanOrEqual(1);
  });

  it("suggests the name that begins so", async () => {
    await expect(explain(healthy(), "shop")).rejects.toThrow(
      /^explain: no match for "shop"\. Did you mean shop\.tail1a2b3\.ts\.net\?$/,
    );
  });

  it("shows a refusal that still runs as 0 with its end", async () => {
    const text = explainText(await explain(lostSecret(), NAME), { width: 80, style: PLAIN });
    expect(text).toContain("Limit   0 of 5 left until Nov 24 19:16 UTC (429 in the log of");
    expect(text).not.toContain("5 of 5");
  });

  it("calls content that is there and can't be read unreadable, not missing", async () => {
    const gap = {
      domain: NAME,
      state: "unreadable",
      reasons: ["certificate_malformed"],
      since: iso(NOW_MS - HOUR_MS),
      held: issued(9 * DAY_MS, "a1"),
    };
    const one = state({ [KEY]: secret({ certificates: {}, gaps: { tls: gap } }) });
    const text = explainText(await explain(one, NAME), { width: 80, style: PLAIN });
    expect(text).toContain("Status  UNREADABLE since Nov 23 11:00 UTC: the first certificate");
    expect(text).not.toMatch(/gone|missing/i);
  });

  it("cuts nothing where there is room, as in a pipe", async () => {
    const view = await explain(nearLimit(), NAME);
    const text = explainText(view, { width: 80, room: Infinity, style: PLAIN, verbose: true });
    expect(text).not.toContain("…");
    expect(text).toContain("2026-11-23T10:00:00Z  d5");
  });
});

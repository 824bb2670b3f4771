import { describe, expect, it } from "vitest";
import { explaining, issuers } from "../support/explaining.ts";
import { createAcross, partOf } from "../../lib/finding/across.ts";
import { explainText } from "../../lib/report/explain.ts";
import type { Explanation } from "../../lib/report/explain/explanation.ts";
import { PLAIN } from "../../lib/report/text.ts";
import { summarize } from "../../lib/report/summary.ts";
import { type CopyRecord, type StateDocument } from "../../lib/state/document.ts";
import { explainDocument } from "../../lib/usecases/explain/document.ts";
import { certificate, copy, NOW_MS, secret, state } from "../finding/fixture.ts";
import { findingDocument } from "../../lib/report/phrases.ts";

const explain = (
  name: string,
  plan: number | null,
  ...states: readonly StateDocument[]
): Promise<Explanation> => explaining(name, states, plan);

function backup(): CopyRecord {
  const { names, issuer, serial, sha256, notBefore, notAfter } = certificate();
  return {
    ...{ names, issuer, serial, sha256, notBefore, notAfter, issuedAt: notBefore, account: null },
    namespace: "tailscale",
    secret: "shop.tail1a2b3.ts.net",
    shape: "ha-ingress",
    fieldBase: "tls",
    kind: "certificate",
    digest: "d1",
    key: "k1",
    recordedAt: notBefore,
    seenValid: true,
    liveFrom: notBefore,
    liveUntil: notBefore,
  };
}

const page = (explanation: Explanation): string =>
  explainText(explanation, { width: 80, style: PLAIN, verbose: true });

const HOSTILE = "evil\u001b[2J\u202e\u0007\n<script>`";

describe("the page", () => {
  it("shows what a cluster made up escaped, and offers no command with it", async () => {
    const key = `tail${HOSTILE}/${HOSTILE}`;
    const one = state({
      [key]: secret({
        certificates: {
          tls: certificate({
            domain: HOSTILE,
            names: [HOSTILE, "shop.tail1a2b3.ts.net"],
            keyFits: true,
            windows: [],
            reasons: ["key_mismatch"],
          }),
        },
      }),
    });
    const explanation = await explain("shop.tail1a2b3.ts.net", 3, one);
    for (const text of [
      page(explanation),
      page(await explain("certificate_invalid", null, one)),
      page(await explain(HOSTILE, null, one)),
      page(await explain("prod", null, one)),
    ]) {
      // oxlint-disable-next-line no-control-regex
      expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
      expect(text).toContain("evil\\u{1b}[2J\\u{202e}\\u{7}\\u{a}");
      expect(text).not.toMatch(/certkeep (explain|restore)[^\n]*evil/);
    }
    expect(page(explanation)).toMatch(/certkeep explain certificate_invalid:[0-9a-f]{12}\n/);
    expect(JSON.parse(JSON.stringify(explainDocument(explanation)))).toMatchObject({
      kind: "certificate",
    });
  });

  it("finds that finding again by the reference that the command names", async () => {
    const one = state({
      "tailscale/x": secret({
        certificates: {
          tls: certificate({ domain: HOSTILE, windows: [], reasons: ["key_mismatch"] }),
        },
      }),
    });
    const [reference = ""] =
      /certificate_invalid:[0-9a-f]{12}/.exec(
        page(await explain("certificate_invalid", null, one)),
      ) ?? [];
    expect((await explain(reference, null, one)).findings).toMatchObject([
      { code: "certificate_invalid", subject: { name: HOSTILE } },
    ]);
  });

  it(
    "shows the newest twenty of a thousand issuances, and a set of a hundred names in a few " +
      "words",
    async () => {
      const names = Array.from(
        { length: 100 },
        (_, i) => `n${String(i).padStart(3, "0")}.example.com`,
      );
      const history = Array.from({ length: 1000 }, (_, i) => ({
        issuer: "letsencrypt",
        serial: (i + 1).toString(16),
        names,
        notBeforeMs: NOW_MS - (1000 - i) * 3_600_000,
        notAfterMs: NOW_MS + 86_400_000,
        sctMs: null,
        backdateMs: 0,
        sources: [
          {
            kind: "secret",
            cluster: "prod",
            where: "shop/x",
            firstSeenMs: NOW_MS,
          },
        ],
        claimedBy: null,
      }));
      const text = page(
        await explain("n050.example.com", null, state({}, { evidence: { issuances: history } })),
      );
      expect(text).toContain("Issued by Let's Encrypt (1000)\n  980 earlier ones, then:");
      expect(text.replaceAll(/\s+/g, " ")).toContain(
        "n000.example.com and 99 other names: 0 of 5 left, next available",
      );
      expect(text).toContain("No Secret holds it now;");
      expect(text.split("\n").length).toBeLessThan(90);
    },
  );

  it(
    "says what isn't known: an issuer without limits, one that nobody knows, a certificate that " +
      "never was",
    async () => {
      const corp = page(
        await explain(
          "a.example.com",
          2,
          state({
            "x/a": secret({
              certificates: {
                tls: certificate({ domain: null, names: ["a.example.com"], issuer: "corp" }),
              },
            }),
          }),
        ),
      );
      expect(corp).toContain(
        "no limit of corp is known for a.example.com; set limits: in certkeep.yaml",
      );
      expect(corp).toContain("Its issuer's limit is unknown.");
      const unknown = await explain(
        "a.example.com",
        null,
        state({
          "x/a": secret({
            certificates: {
              tls: certificate({
                domain: null,
                names: ["a.example.com"],
                issuer: null,
                windows: [],
                reasons: ["unknown_issuer"],
              }),
            },
          }),
        }),
      );
      expect(page(unknown).replaceAll(/\s+/g, " ")).toContain(
        "No usable backup, and the issuer is unknown: find out how to get a new certificate.",
      );
      const pending = await explain(
        "x.ts.net",
        null,
        state({
          "x/a": secret({
            certificates: {},
            gaps: {
              tls: {
                domain: "x.ts.net",
                state: "empty",
                reasons: [],
                since: "2026-11-20T00:00:00Z",
                held: null,
              },
            },
          }),
        }),
      );
      expect(page(pending)).toContain("no certificate has been seen in it");
    },
  );

  it.each([
    ["without a backup", {}, "reissue", "certkeep explain shop.tail1a2b3.ts.net"],
    ["with one", { v1: backup() }, "restore", "certkeep restore prod shop.tail1a2b3.ts.net"],
  ])("says what `report` says of a Secret that was emptied, then deleted, %s", async (...given) => {
    const [, copies, action, offered] = given;
    const held = certificate({ copy: null });
    const record = secret({
      certificates: {},
      gaps: {
        tls: {
          domain: held.domain,
          state: "empty",
          reasons: ["certificate_empty"],
          since: "2026-11-22T08:00:00Z",
          held,
        },
      },
    });
    const lost = {
      how: "lost",
      incident: null,
      lostAt: "2026-11-23T08:00:00Z",
      lastSeenAt: "2026-11-22T20:00:00Z",
      record,
    };
    const one = state({}, { lost: { "tailscale/shop.tail1a2b3.ts.net": lost }, copies });
    const told = summarize(one, {
      atMs: NOW_MS,
      ignore: [],
      across: createAcross([partOf(one, NOW_MS)], {
        issuers,
        overrides: [],
        atMs: NOW_MS,
        nowMs: NOW_MS,
      }),
    });
    expect(told.findings).toMatchObject([{ code: "secret_lost", severity: "critical" }]);
    const [{ subject, advice = "", command = "" } = {}] = told.findings.map(findingDocument);
    expect(command).toBe(offered);
    for (const name of [subject?.name ?? "", `${subject?.namespace}/${subject?.secret}`]) {
      const explanation = await explain(name, null, one);
      expect(explanation.places).toMatchObject([
        { entry: { condition: "lost", record: { serial: held.serial } }, advice: { action } },
      ]);
      expect(explanation.findings.map(findingDocument)).toMatchObject([
        { code: "secret_lost", advice },
      ]);
      const text = page(explanation).replaceAll(/\s+/g, " ");
      expect(text).toContain("Status MISSING (last seen Nov 22 20:00 UTC)");
      expect(text).toContain(advice.split(". ")[0]);
      expect(text).toContain(
        action === "restore"
          ? `Restore ${offered} --apply`
          : "Fix Open https://shop.tail1a2b3.ts.net once; Tailscale requests a new certificate",
      );
      expect(text).not.toMatch(/Nothing|No Secret holds it/);
      expect(explainDocument(explanation)).toMatchObject({
        places: [{ state: "lost", since: "2026-11-23T08:00:00Z", certificate: { serial: "0a" } }],
      });
    }
  });

  it.each([
    ["2026-11-23T11:30:00Z", true],
    ["2026-11-23T10:30:00Z", false],
  ])("says that it was restored until an audit has seen it: %s", async (restoredAt, isSaid) => {
    const one = state(undefined, { copies: { v1: copy({ restoredAt }) } });
    const audit = one.audit === null ? null : { ...one.audit, finishedAt: "2026-11-23T11:00:00Z" };
    const text = page(await explain("shop.tail1a2b3.ts.net", null, { ...one, audit }));
    const said = "Restored Nov 23 11:30 UTC; the next audit checks it";
    expect(/Restored [^;]*; the next audit checks it/.exec(text)?.[0]).toBe(
      isSaid ? said : undefined,
    );
  });

  it("says “as last seen” of a cluster that can't be reached", async () => {
    const one = state();
    const unread = [
      {
        scope: "cluster",
        code: "cluster_unreachable",
        message: "no",
        since: "2026-11-23T10:00:00Z",
      },
    ];
    const gone = {
      ...one,
      audit:
        one.audit === null
          ? null
          : { ...one.audit, complete: false, lastReachedAt: "2026-11-23T09:00:00Z", unread },
    };
    const text = page(await explain("shop.tail1a2b3.ts.net", null, gone)).replaceAll(/\s+/g, " ");
    expect(text).toContain("as last seen Nov 23 09:00 UTC, the cluster can't be reached now");
    expect(text).toContain("Secrets of prod (cluster unreachable since 2026-11-23T10:00:00Z)");
  });
});

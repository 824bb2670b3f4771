/**
 * Causes as people read them: what the page says of each, and text of a log in a terminal, in Slack
 * and in a browser.
 */
import { NOW_MS } from "../finding/fixture.ts";
import { describe, expect, it } from "vitest";
import { explaining } from "../support/explaining.ts";
import { attachCauses } from "../../lib/diagnosis/attach.ts";
import { evaluateState } from "../../lib/finding/evaluate.ts";
import { createFinding, type Finding } from "../../lib/finding/finding.ts";
import { issuanceFindings } from "../../lib/finding/issuance.ts";
import { explainText } from "../../lib/report/explain.ts";
import { itemsOf } from "../../lib/report/items.ts";
import { itemLines } from "../../lib/report/items/lines.ts";
import { pageHtml } from "../../lib/report/html/page.ts";
import { certificateRows } from "../../lib/report/rows.ts";
import { slackMessage } from "../../lib/report/slack/blocks.ts";
import { PLAIN } from "../../lib/report/text.ts";
import { summarize } from "../../lib/report/summary.ts";
import { takeMessage } from "../support/slack.ts";
import { type StateDocument } from "../../lib/state/document.ts";
import { explainDocument } from "../../lib/usecases/explain/document.ts";
import {
  acrossOf,
  answer,
  DAY_MS,
  event,
  history,
  HOUR_MS,
  issued,
  KEY,
  look,
  NAME,
  observed,
  sign,
  window,
} from "../diagnosis/support.ts";
import { NOW, secret, state } from "../finding/fixture.ts";
import { planDigest } from "../../lib/report/digest.ts";
import { ROUTE, SETTINGS } from "./support.ts";
import { findingDocument } from "../../lib/report/phrases.ts";

async function explain(
  name: string,
  ...states: readonly StateDocument[]
): Promise<{
  readonly text: string;
  readonly words: string;
  readonly json: {
    issuances: { budget: object | null }[];
    diagnoses: {
      verdict: string;
      causes: {
        code: string;
        confidence: string;
        evidence: { source: string; text: string; at: string }[];
        measures: { command: string | null }[];
      }[];
      missing: { code: string }[];
    }[];
    looks: unknown[];
  };
}> {
  const explanation = await explaining(name, states);
  const text = explainText(explanation, { width: 80, style: PLAIN, verbose: true });
  return {
    text,
    words: text.replaceAll(/\s+/g, " "),
    json: JSON.parse(JSON.stringify(explainDocument(explanation))),
  };
}

const reissued = (
  over: Parameters<typeof observed>[0] = {},
  rest: Parameters<typeof secret>[0] = {},
): StateDocument =>
  state(
    { [KEY]: secret({ certificates: { tls: issued(3 * HOUR_MS, "b2") }, ...rest }) },
    { ...observed(over), evidence: history([[2 * DAY_MS, "a1"]]) },
  );

function codeAndWhy(finding: Finding): readonly [string, string | null] {
  return [finding.code, findingDocument(finding).why];
}

describe("the section Why", () => {
  it("tells the cause, its evidence, how sure it is, and what to do", async () => {
    const { text, words, json } = await explain(
      NAME,
      reissued({
        access: [answer("patch", false)],
        signs: [
          sign("issued"),
          sign("store_write_failed", { code: "forbidden", firstMs: NOW_MS - 4 * HOUR_MS }),
        ],
      }),
    );
    expect(text).toContain("\nWhy\n");
    expect(words).toContain(
      "1 certificate reissued needlessly within a week, last at 2026-11-23T09:00:00Z.",
    );
    expect(words).toContain(
      "Storage, proven: because the Secret can't be written (denied since 2026-11-23T07:00:00Z).",
    );
    expect(words).toContain(
      `· access review of ${KEY}: system:serviceaccount:tailscale:pg isn't allowed to patch it, since ` +
        "2026-11-23T07:00:00Z or earlier; asked at 2026-11-23T11:59:00Z.",
    );
    expect(words).toContain(
      "· log of tailscale/pg-0/tailscale: 3 times from 2026-11-23T08:00:00Z to " +
        "2026-11-23T11:00:00Z:",
    );
    expect(text).toContain(`    kubectl get rolebinding ${NAME} -n tailscale -o yaml\n`);
    expect(json.diagnoses).toMatchObject([
      { verdict: "caused", causes: [{ code: "storage", confidence: "proven" }], missing: [] },
    ]);
    expect(json.diagnoses[0]?.causes[0]?.evidence[0]).toMatchObject({
      source: "access",
      at: "2026-11-23T11:59:00Z",
    });
  });

  it("knows a name that no Secret holds, of which a finding tells", async () => {
    const lost = "lost.tail1a2b3.ts.net";
    const signs = [sign("issued", { domain: lost }), sign("store_write_failed", { domain: lost })];
    const quiet = state(
      { [KEY]: secret({ certificates: { tls: issued(3 * HOUR_MS, "b2") } }) },
      observed({ signs }),
    );
    const { words, json } = await explain(lost, quiet);
    expect(words).toContain("No Secret holds it now;");
    expect(words).toContain("issued_not_stored");
    expect(json.diagnoses).toMatchObject([{ causes: [{ code: "storage" }] }]);
    // A Secret that holds no certificate, of which an audit could tell something, is one as well.
    await expect(explain("unheard.tail1a2b3.ts.net", quiet)).rejects.toThrow("no match for");
  });

  it("shows another cluster's claims with that cluster's name, as nothing to do", async () => {
    const held = state(
      { [KEY]: secret({ certificates: { tls: issued(3 * HOUR_MS, "b2") } }) },
      observed(),
    );
    const other = {
      ...state({}, observed({ signs: [sign("store_write_failed", { code: "forbidden" })] })),
      cluster: "dr",
      title: "dr",
    };
    const { words } = await explain(NAME, held, other);
    expect(words).toMatch(/\(dr\) {1,2}3 certificates issued and lost/);
    expect(words.slice(0, words.indexOf(" Why "))).not.toMatch(/(?:Restore|Fix|Prevent) [A-Z]/);
  });

  it("says plainly that no needless reissue was seen, and what would not have shown", async () => {
    const quiet = state(
      { [KEY]: secret({ certificates: { tls: issued(3 * HOUR_MS, "b2") } }) },
      observed(),
    );
    expect((await explain(NAME, quiet)).words).toContain(
      "Why No needless reissue was seen, and nothing that would lead to one. Issued by",
    );
    const blind = await explain(NAME, { ...quiet, observations: undefined });
    expect(blind.words).toContain(
      "No needless reissue was seen. Not checked: logs not enabled, access reviews not " +
        "enabled, Events not enabled. Only logs show certificates that were issued and never " +
        "stored.",
    );
    expect(blind.text).toContain(
      "    certkeep clusters add prod --parts secrets --parts parents --parts diagnosis\n",
    );
  });

  it("says that the cause is unknown, with the setting that would show it", async () => {
    const { words, json } = await explain(
      NAME,
      reissued(
        {
          looks: [
            look("logs", { code: "debug_off", scope: "tailscale/operator-1/operator" }),
            look("events", { code: "timeout", sinceMs: NOW_MS - DAY_MS, unread: "2 pages" }),
            look("access"),
          ],
        },
        { shape: "operator" },
      ),
    );
    expect(words).toContain(
      "Cause unknown: logs without certificate lines, which are logged at debug level only, " +
        "Events timed out since 2026-11-22T12:00:00Z.",
    );
    expect(words).toContain("operatorConfig.logging=debug");
    expect(words).toContain("Not read: events of tailscale (timeout, 2 pages).");
    expect(json.diagnoses).toMatchObject([
      { verdict: "unknown", causes: [], missing: [{ code: "debug_off" }, { code: "timeout" }] },
    ]);
    expect(json.looks).toHaveLength(2);
  });

  it(
    "names each place where several of a source failed, and offers no doctor for what is read " +
      "on next time",
    async () => {
      const { words } = await explain(
        NAME,
        reissued({
          looks: [
            look("logs", { code: "gap", unread: "1 line binary, broken or too long" }),
            look("logs", { code: "gap", scope: "tailscale/pg-0/other", sinceMs: NOW_MS - DAY_MS }),
            look("events"),
            look("access"),
          ],
        }),
      );
      expect(words).toContain(
        "Cause unknown: logs with a gap since 2026-11-22T12:00:00Z. To check it: Wait for the " +
          "next audit, which reads on;",
      );
      expect(words).not.toContain("certkeep doctor");
      expect(words).toContain(
        "Not read: logs of tailscale/pg-0/tailscale (a gap, 1 line binary, broken or too " +
          "long); logs of tailscale/pg-0/other (a gap).",
      );
    },
  );

  it("says once what is silent in many clusters, its own first", async () => {
    const forbidden = (cluster: string): StateDocument => ({
      ...state(
        {},
        observed({ looks: [look("logs", { code: "forbidden", sinceMs: NOW_MS - DAY_MS })] }),
      ),
      cluster,
      title: cluster,
    });
    const { words } = await explain(
      NAME,
      ...["a", "b", "c", "d", "e"].map(forbidden),
      reissued({ looks: [look("logs", { code: "forbidden", sinceMs: NOW_MS - HOUR_MS })] }),
    );
    expect(words).toContain(
      "logs of prod, a, b and 3 more (forbidden since 2026-11-22T12:00:00Z).",
    );
  });

  it("shows a log's claims beside the shared number, and leaves it as it is", async () => {
    const claims = (
      history(
        [
          [2 * HOUR_MS, "d1"],
          [90 * 60_000, "d2"],
          [HOUR_MS, "d3"],
        ],
        { claimedBy: "prod", where: "tailscale/pg-0/tailscale" },
      ) as { issuances: unknown[] }
    ).issuances;
    const lost = {
      ...state({ [KEY]: secret({ certificates: { tls: issued(10 * DAY_MS, "b2") } }) }, observed()),
      evidence: { issuances: claims },
    };
    const { words, json } = await explain(NAME, lost);
    expect(words).toContain(
      `■■□□□ ${NAME}: 2 of 5 left (estimate; counts 3 that only the log shows)`,
    );
    expect(json.issuances[0]?.budget).toMatchObject({
      atMost: 5,
      claimed: [{ cluster: "prod", count: 3, atMost: 2 }],
    });
    // A renewal takes nothing from its domain, whoever claims it.
    expect(words).toContain("new names under tail1a2b3.ts.net: 50 of 50 left (estimate) ");
  });

  it("tells of a limit that a refusal names and that isn't the one counted with", async () => {
    const refusal = {
      issuer: "letsencrypt",
      kind: "domain",
      key: "tail1a2b3.ts.net",
      retryAtMs: NOW_MS + HOUR_MS,
      seenAtMs: NOW_MS - HOUR_MS,
      cluster: "prod",
      where: "tailscale/pg-0/tailscale",
      burst: 300,
    };
    const of = reissued();
    const { words } = await explain(NAME, {
      ...of,
      evidence: { ...(of.evidence as object), refusals: [refusal] },
    });
    expect(words).toContain(
      "new names under tail1a2b3.ts.net: 0 of 50 left until Nov 23 13:00 UTC (429 in the log of " +
        "pg-0)",
    );
    expect(words).toContain(
      "a 429 names a limit of 300 for tail1a2b3.ts.net; certkeep counts with 50. If the issuer " +
        "changed it, set limits: in certkeep.yaml",
    );
    const { words: usual } = await explain(NAME, {
      ...of,
      evidence: { ...(of.evidence as object), refusals: [{ ...refusal, burst: 50 }] },
    });
    expect(usual).toContain("0 of 50 left until Nov 23 13:00 UTC");
    expect(usual).not.toContain("a 429 names a limit");
  });

  it("says of a race once what holds in both clusters", async () => {
    const one = state(
      { [KEY]: secret({ certificates: { tls: issued(3 * HOUR_MS, "b2") } }) },
      observed(),
    );
    const two = {
      ...state(
        { [KEY]: secret({ certificates: { tls: issued(3 * HOUR_MS + 60_000, "c3") } }) },
        observed(),
      ),
      cluster: "dr",
      title: "dr",
    };
    const { text } = await explain(NAME, one, two);
    expect(text.match(/Race, proven/g)).toHaveLength(1);
  });

  it("tells of a cluster and of a domain which names want a cause", async () => {
    const of = reissued({ access: [answer("patch", false)] });
    for (const name of ["prod", "tail1a2b3.ts.net"])
      expect((await explain(name, of)).words).toContain(
        `Why ${NAME}: Because the Secret can't be written`,
      );
  });
});

function terminal(findings: readonly Finding[], width: number): string {
  return itemLines(itemsOf({ findings, nameOf: (cluster) => cluster, nowMs: NOW_MS }), {
    nowMs: NOW_MS,
    width,
    style: PLAIN,
    several: false,
    names: 50,
    verbose: true,
  }).lines.join("\n");
}

describe("a finding's cause in one line", () => {
  it("stands with the finding in a terminal, in a browser and in the digest", () => {
    const of = reissued({ access: [answer("patch", false)] });
    const across = acrossOf(of);
    const summary = summarize(of, { atMs: NOW_MS, ignore: [], across });
    const finding = summary.findings.find(({ code }) => code === "reissued_without_need");
    const why = "Because the Secret can't be written (denied since 2026-11-23T07:00:00Z).";
    const told = finding && findingDocument(finding);
    expect(told).toMatchObject({
      why,
      advice: "Remove the cause: explain says how.",
      cause: "reissued_without_need:storage",
    });
    expect(told?.evidence).toContain("cause storage (proven)");
    expect(terminal(summary.findings, 200)).toContain(
      "    Cause    service account tailscale/pg isn't allowed to patch the Secret (403)",
    );
    const rows = [...certificateRows(of, summary.findings, NOW_MS, true)];
    expect(rows[0]?.why).toBe(why);
    const page = pageHtml({
      summaries: [summary],
      rows,
      budgets: [],
      unregistered: [],
      atMs: NOW_MS,
    });
    expect(page).toContain(
      "<strong>Cause: </strong>Service account tailscale/pg isn&#39;t allowed to patch the Secret (403)",
    );
    const { message } = planDigest({
      summaries: [summary],
      unregistered: [],
      record: null,
      nowMs: NOW_MS,
      settings: SETTINGS,
      route: ROUTE,
    });
    expect(JSON.stringify(message === null ? null : slackMessage(message))).toContain(
      "Service account tailscale/pg isn't allowed to patch the Secret (403)",
    );
  });

  it(
    "says of a needless reissue that its cause is unknown, and of an overdue renewal only a " +
      "cause that is known",
    () => {
      const across = acrossOf(reissued());
      expect(
        attachCauses(issuanceFindings(across, reissued()), reissued(), across).map(codeAndWhy),
      ).toEqual([
        [
          "reissued_without_need",
          "Cause unknown: logs, Events and access reviews were read and name none.",
        ],
      ]);
      const late = state(
        { [KEY]: secret({ certificates: { tls: issued(71 * DAY_MS, "b2") } }) },
        observed(),
      );
      const own = evaluateState(late, NOW_MS, NOW);
      expect(attachCauses(own, late, acrossOf(late)).map(codeAndWhy)).toEqual([
        ["renewal_overdue", null],
      ]);
      const failing = {
        ...late,
        ...observed({ signs: [sign("dns_failed", { code: "resolver" })] }),
      };
      expect(attachCauses(own, failing, acrossOf(failing)).map(findingDocument)[0]?.why).toBe(
        "Because a name can't be looked up (3 times, last at 2026-11-23T11:00:00Z).",
      );
    },
  );
});

const EVIL =
  "\u001b[2J\u001b]0;owned\u0007\u202e<!channel> <@U123> <https://evil.example|ok> *bold* " +
  "`code` </script><img src=x onerror=alert(1)> $(reboot)";

it("is no finding where the issuer asked for the renewal or had revoked the one before", () => {
  const codes = (over: Parameters<typeof observed>[0]): string[] =>
    issuanceFindings(acrossOf(reissued(over)), reissued(over)).map(({ code }) => code);
  expect(codes({})).toEqual(["reissued_without_need"]);
  expect(codes({ windows: [window("00A1", { startMs: NOW_MS - 5 * HOUR_MS })] })).toEqual([]);
  expect(
    codes({
      revocations: [
        {
          issuer: "letsencrypt",
          serial: "a1",
          revokedMs: NOW_MS - 5 * HOUR_MS,
          reason: null,
          list: "",
          askedMs: NOW_MS,
          nextMs: NOW_MS,
        },
      ],
    }),
  ).toEqual([]);
});

it("tells of a domain's budget what uses it up", () => {
  const domain = "tail1a2b3.ts.net";
  const evidence = {
    issuances: Array.from(
      { length: 45 },
      (_, i) =>
        (
          history([[(i + 1) * 60_000, `d${i}`]], {
            names: [`runner-${i}.${domain}`],
            where: `ci/r${i}`,
          }) as { issuances: unknown[] }
        ).issuances,
    ).flat(),
  };
  const of = state({}, { ...observed(), evidence });
  const across = acrossOf(of);
  const [finding] = attachCauses(issuanceFindings(across, of), of, across);
  expect(finding && findingDocument(finding)).toMatchObject({
    code: "domain_budget_low",
    why:
      `Most likely because pods come and go under new names: 45 like runner-*.${domain} within ` +
      "a week, 45 of them gone again, and one more cause.",
  });
});

describe("text that a log made up", () => {
  const forged = reissued(
    {
      signs: [
        sign("store_write_failed", { code: EVIL, sample: EVIL, where: `tailscale/${EVIL}/x` }),
        sign("replaces_refused", { domain: EVIL, sample: EVIL }),
      ],
      access: [
        answer(EVIL, false, { account: `system:serviceaccount:tailscale:${EVIL}`, reason: EVIL }),
      ],
      events: [
        event("HTTPSNotEnabled", {
          namespace: "tailscale",
          object: `Ingress/${EVIL}`,
          message: EVIL,
        }),
      ],
      looks: [
        look("logs", { scope: `tailscale/${EVIL}`, code: EVIL, sinceMs: NOW_MS, unread: EVIL }),
      ],
    },
    {
      parent: {
        apiVersion: "networking.k8s.io/v1",
        kind: "Ingress",
        namespace: "tailscale",
        name: EVIL,
      },
    },
  );
  const across = acrossOf(forged);
  const summary = summarize(forged, { atMs: NOW_MS, ignore: [], across });

  it("moves no cursor and hides nothing in a terminal, and stands in no command", async () => {
    const { text } = await explain(NAME, forged);
    const report = terminal(summary.findings, 80);
    const unreachable = createFinding(
      {
        code: "cluster_unreachable",
        subject: { cluster: "prod", namespace: null, secret: null, name: null },
        params: { code: "cluster_timeout", message: EVIL, lastReachedMs: null },
      },
      NOW,
    );
    const reason = terminal([unreachable], 80);
    for (const shown of [text, report, reason]) {
      // oxlint-disable-next-line no-control-regex
      expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
      expect(shown).toContain("\\u{1b}");
      expect(shown).not.toMatch(/^\s*(certkeep|kubectl) [^\n]*(reboot|evil|\$)/m);
    }
  });

  it("is no markup in a page", () => {
    const page = pageHtml({
      summaries: [summary],
      rows: [...certificateRows(forged, summary.findings, NOW_MS, true)],
      budgets: [],
      unregistered: [],
      atMs: NOW_MS,
    });
    expect(page.match(/<script/g)).toHaveLength(2);
    // oxlint-disable-next-line no-control-regex
    expect(page).not.toMatch(/<img|[\u001b\u202e]/);
    expect(page).toContain("&lt;img src=x");
  });

  it("mentions, links and formats nothing in Slack, which takes it", () => {
    const { message } = planDigest({
      summaries: [summary],
      unregistered: [],
      record: null,
      nowMs: NOW_MS,
      settings: SETTINGS,
      route: ROUTE,
    });
    if (message === null) throw new Error("no message");
    const sent = slackMessage(message);
    expect(takeMessage(JSON.stringify(sent))).toBeTypeOf("object");
    const shown = JSON.stringify(sent);
    expect(shown).not.toMatch(/<(?:!channel|@U|https)/);
    expect(shown).toContain("&lt;!channel&gt;");
    expect(shown).not.toContain("\\u001b[2J");
  });
});

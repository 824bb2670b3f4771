import { NOW_MS } from "../../finding/fixture.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFinding } from "../../../lib/finding/finding.ts";
import { digestText } from "../../../lib/report/digest/text.ts";
import { fitForSlack, lengthOf, slackMessage } from "../../../lib/report/slack/blocks.ts";
import { slackText } from "../../../lib/report/slack/escape.ts";
import { PLAIN } from "../../../lib/report/text.ts";
import type { ClusterSummary } from "../../../lib/report/summary.ts";
import { takeMessage } from "../../support/slack.ts";
import { NOW } from "../../finding/fixture.ts";
import { anyFinding, evil } from "../anyfinding.ts";
import { plan } from "../support.ts";

const summary: fc.Arbitrary<ClusterSummary> = fc
  .record({
    cluster: evil,
    title: evil,
    sight: fc.constantFrom("now", "part", "stale", "unseen", "never", "unreadable"),
    certificates: fc.nat(1000),
    known: fc.boolean(),
    seenAt: fc.option(fc.constantFrom(NOW, "nonsense", "0001-01-01T00:00:00Z")),
  })
  .chain(({ cluster, title, sight, certificates, known, seenAt }) =>
    fc
      .tuple(
        fc.oneof(
          { weight: 5, arbitrary: fc.array(anyFinding(cluster), { maxLength: 8 }) },
          fc.array(anyFinding(cluster), { minLength: 50, maxLength: 120 }),
        ),
        fc.nat(5),
        evil,
      )
      .map(([findings, ignored, name]) => {
        const seen = known && (sight === "now" || sight === "part");
        return {
          cluster,
          title,
          server: "",
          sight,
          seenAt,
          tally: {
            certificates,
            lost: 0,
            backedUp: 0,
            ok: seen ? certificates : 0,
            unknown: seen ? 0 : certificates,
            staging: 0,
            foreign: 0,
            copies: 0,
            critical: 0,
            warning: 0,
            info: 0,
          },
          findings,
          ignored,
          upcoming: [{ cluster, name, namespace: name, secret: name, notAfter: NOW }],
        } satisfies ClusterSummary;
      }),
  );
const budget = fc.record({
  name: evil,
  kind: fc.constantFrom("set" as const, "domain" as const),
  remaining: fc.nat(60),
  atLeast: fc.option(fc.nat(60)),
  capacity: fc.integer({ min: 1, max: 60 }),
  overshot: fc.boolean(),
  nextSlotMs: fc.option(fc.constantFrom(NOW_MS, -1, 1e15, Number.NaN)),
  fullAtMs: fc.option(fc.constantFrom(NOW_MS)),
  levels: fc.constant([]),
  clusters: fc.constant([]),
});
const input = fc.record({
  summaries: fc.array(summary, { maxLength: 25 }),
  budgets: fc.array(budget, { maxLength: 30 }),
  unregistered: fc.array(evil, { maxLength: 6 }),
});

/** One of certkeep's, or the restoring function's, with nothing in it that a shell would act on. */
const COMMAND =
  /^certkeep [A-Za-z0-9._/*:=@' -]+$|^aws lambda invoke --function-name certkeep-restore --region eu-west-1 --cli-read-timeout 900 --cli-binary-format raw-in-base64-out --payload '\{[A-Za-z0-9._/*:=@,"{}[\]-]+\}' \/dev\/stdout$/;

/** What Slack's own tokens look like in a message of ours: dates alone. */
const TOKEN = /<(?!!date\^\d+\^\{date_short_pretty\} \{time\}\|\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC>)/;

describe("a digest of any states whatsoever", () => {
  it("is within Slack's limits, and Slack takes it", () => {
    fc.assert(
      fc.property(input, (given) => {
        const { message } = plan([], given);
        if (message === null) throw new Error("a first digest is always sent");
        const sent = slackMessage(message);
        expect(takeMessage(JSON.stringify(sent))).toMatchObject({ text: message.verdict });
        expect(lengthOf(sent)).toBeLessThanOrEqual(10_000);
        expect(message.verdict.length).toBeLessThanOrEqual(150);
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });

  it("holds no token, command or formatting of anybody else's", () => {
    fc.assert(
      fc.property(input, (given) => {
        const { message } = plan([], given);
        if (message === null) return;
        for (const block of slackMessage(message).blocks) {
          const texts =
            block.type === "context"
              ? block.elements.map(({ text }) => text)
              : block.type === "divider"
                ? []
                : [block.text.text];
          for (const text of texts) {
            expect(text).not.toMatch(TOKEN);
            if (text.startsWith("```")) {
              for (const line of text.split("\n").slice(1, -1)) expect(line).toMatch(COMMAND);
              expect(text.endsWith("\n```")).toBe(true);
            } else if (block.type !== "header") expect((text.match(/`/g)?.length ?? 0) % 2).toBe(0);
          }
        }
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });

  it("counts every critical finding, and every finding that it leaves out", () => {
    fc.assert(
      fc.property(input, (given) => {
        const { message } = plan([], given);
        if (message === null) return;
        const critical = given.summaries.reduce(
          (sum, { findings }) =>
            sum + findings.filter(({ severity }) => severity === "critical").length,
          0,
        );
        if (critical > 0)
          expect(message.verdict).toMatch(
            new RegExp(`^${critical.toLocaleString("en-US")} critical`),
          );
        const fitted = fitForSlack(message);
        const today = fitted.sections.filter(({ title }) => title.startsWith("Today: "));
        const told = today.reduce((sum, { total }) => sum + total, 0);
        const dropped = fitted.notes
          .map((note) => note.join(""))
          .find((note) => note.startsWith("Not shown here"));
        if (dropped === undefined) expect(told).toBe(critical);
        for (const { items, total, rest } of fitted.sections) {
          const shown = items.reduce((sum, { weight }) => sum + weight, 0);
          if (shown < total)
            expect(rest?.join("")).toContain((total - shown).toLocaleString("en-US"));
          else expect(rest).toBeNull();
        }
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });

  it("never calls OK what isn't known", () => {
    fc.assert(
      fc.property(input, (given) => {
        const { message } = plan([], given);
        const ok = given.summaries.reduce((sum, { tally }) => sum + tally.ok, 0);
        if (ok === 0) expect(message?.verdict).not.toContain("OK");
        if (given.summaries.every(({ sight }) => sight !== "now" && sight !== "part"))
          expect(message?.verdict).not.toContain("Nothing critical");
      }),
      { numRuns: 200, endOnFailure: true },
    );
  });

  it("reads the same in a terminal, without control characters", () => {
    fc.assert(
      fc.property(input, (given) => {
        const { message } = plan([], given);
        if (message === null) return;
        expect(digestText(message, { width: 80, style: PLAIN })).not.toMatch(
          /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/,
        );
      }),
      { numRuns: 50, endOnFailure: true },
    );
  });

  const certificate = {
    serial: "1",
    notAfterMs: NOW_MS,
    owner: "tailscale",
    backup: "none",
  } as const;
  it("of ten thousand findings still says what matters first", () => {
    const findings = Array.from({ length: 10_000 }, (_, i) => {
      const subject = { cluster: "c", namespace: "n", secret: `s${i}`, name: `s${i}` };
      return createFinding(
        i === 9_999
          ? { code: "expiring", subject, params: certificate }
          : { code: "renewal_overdue", subject, params: { ...certificate, renewalMs: NOW_MS } },
        NOW,
      );
    });
    const one: ClusterSummary = {
      cluster: "c",
      title: "c",
      server: "",
      sight: "now",
      seenAt: NOW,
      tally: {
        certificates: 10_000,
        lost: 0,
        backedUp: 0,
        ok: 0,
        unknown: 0,
        staging: 0,
        foreign: 0,
        copies: 0,
        critical: 1,
        warning: 9_999,
        info: 0,
      },
      findings,
      ignored: 0,
      upcoming: [],
    };
    const { message, record } = plan([], { summaries: [one] });
    expect(message?.verdict).toBe("1 critical, 9,999 warnings");
    expect(message?.sections[0]?.items[0]?.weight).toBe(1);
    expect(Object.keys(record.said)).toHaveLength(10_000);
    expect(plan([], { summaries: [one], record, nowMs: NOW_MS + 60_000 }).message).toBeNull();
  });
});

describe("text for Slack", () => {
  it.each([
    [{ name: "<!channel>" }, "`&lt;!channel&gt;`"],
    [{ name: "a`b" }, "`a'b`"],
    [{ name: "" }, "`(empty)`"],
    [{ name: "x".repeat(253) }, `\`${"x".repeat(54)}…${"x".repeat(35)}\``],
    [
      { said: "5 > 4 & <@U1> *b* _i_ ~s~" },
      "5 &gt; 4 &amp; &lt;@U1&gt; \u200b*\u200bb\u200b*\u200b \u200b_\u200bi\u200b_\u200b " +
        "\u200b~\u200bs\u200b~\u200b",
    ],
    [{ said: "שלום" }, "\u2068שלום\u2069"],
    [{ said: "\u202eevil" }, "\\u{202e}evil"],
    [{ atMs: 0 }, "<!date^0^{date_short_pretty} {time}|1970-01-01 00:00 UTC>"],
    [{ atMs: Number.NaN }, "an unknown time"],
    ["<b>", "&lt;b&gt;"],
  ])("shows %j as %s", (part, text) => {
    expect(slackText([part])).toBe(text);
  });
});

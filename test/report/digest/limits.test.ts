import { NOW_MS, NOW } from "../../finding/fixture.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFinding } from "../../../lib/finding/finding.ts";
import { digestText } from "../../../lib/report/digest/text.ts";
import {
  type Block,
  fitForSlack,
  lengthOf,
  slackMessage,
} from "../../../lib/report/slack/blocks.ts";
import { itemsOf } from "../../../lib/report/items.ts";
import { plainText } from "../../../lib/report/part.ts";
import { slackText, slackTitle } from "../../../lib/report/slack/escape.ts";
import { PLAIN } from "../../../lib/report/text.ts";
import { type ClusterSummary, titleIn, problemsText } from "../../../lib/report/summary.ts";
import { takeMessage } from "../../support/slack.ts";
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
const input = fc.record({
  summaries: fc.array(summary, { maxLength: 25 }),
  unregistered: fc.array(evil, { maxLength: 6 }),
});

/** One of certkeep's, or the restoring function's, with nothing in it that a shell would act on. */
const COMMAND =
  /^certkeep [A-Za-z0-9._/*:=@' -]+$|^aws lambda invoke --function-name certkeep-restore --region eu-west-1 --cli-read-timeout 900 --cli-binary-format raw-in-base64-out --payload '\{[A-Za-z0-9._/*:=@,"{}[\]-]+\}' \/dev\/stdout$/;

/** What Slack's own tokens look like in a message of ours: dates alone. */
const TOKEN = /<(?!!date\^\d+\^\{date_short_pretty\} \{time\}\|\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC>)/;

function textsOf(block: Block): readonly string[] {
  return block.type === "section" ? [block.text.text] : block.elements.map(({ text }) => text);
}

describe("a digest of any states whatsoever", () => {
  it("is within Slack's limits, and Slack takes it", () => {
    fc.assert(
      fc.property(input, (given) => {
        const { message } = plan([], { ...given, anyway: true });
        if (message === null) throw new Error("a message was asked for");
        const sent = slackMessage(message);
        expect(takeMessage(JSON.stringify(sent))).toMatchObject({
          text: slackTitle(message.title),
        });
        expect(lengthOf(sent)).toBeLessThanOrEqual(10_000);
        expect(sent.text.length).toBeLessThanOrEqual(700);
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });

  it("holds no token, command or formatting of anybody else's", () => {
    fc.assert(
      fc.property(input, (given) => {
        const { message } = plan([], { ...given, anyway: true });
        if (message === null) return;
        const sent = slackMessage(message);
        expect(sent.text).not.toMatch(TOKEN);
        for (const text of sent.blocks.flatMap(textsOf)) {
          expect(text).not.toMatch(TOKEN);
          const [words = "", code, ...others] = text.split("```");
          expect((words.match(/`/g)?.length ?? 0) % 2).toBe(0);
          if (code === undefined) continue;
          // Commands stand in code of their own, which ends what is said.
          expect(others).toEqual([""]);
          const lines = code.split("\n");
          expect([lines[0], lines.at(-1)]).toEqual(["", ""]);
          for (const line of lines.slice(1, -1)) expect(line).toMatch(COMMAND);
        }
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });

  it("counts problems as an audit does, and every problem that it leaves out", () => {
    fc.assert(
      fc.property(input, (given) => {
        const { message } = plan([], { ...given, anyway: true });
        if (message === null) return;
        const worst = given.summaries
          .flatMap(({ findings }) => findings)
          .filter(({ severity }) => severity === "critical");
        const fleet = plainText(message.notes[0] ?? []);
        const findings = given.summaries.flatMap((one) => one.findings);
        const items = itemsOf({ findings, nameOf: titleIn(given.summaries), nowMs: NOW_MS });
        expect(message.notices.map(({ severity }) => severity)).toEqual(
          items.map(({ severity }) => severity),
        );
        expect(fleet).toContain(problemsText(items));
        expect(message.notices.some(({ severity }) => severity === "critical")).toBe(
          worst.length > 0,
        );
        const { notices, rest } = fitForSlack(message);
        const left = message.notices.length - notices.length;
        if (left === 0) expect(rest).toBeNull();
        else expect(rest).toContain(`${left.toLocaleString("en-US")} more`);
        // The worst is never left out for something less severe.
        expect(notices).toEqual(message.notices.slice(0, notices.length));
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });

  it("is read in ten lines or so", () => {
    fc.assert(
      fc.property(input, (given) => {
        const { message } = plan([], { ...given, anyway: true });
        if (message === null) return;
        const [, ...others] = fitForSlack(message).notices;
        const lines = others.flatMap(({ title, lines: said, commands }) => [
          title,
          ...said,
          ...commands,
        ]);
        expect(lines.length).toBeLessThan(10);
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });

  it("never calls OK what isn't known", () => {
    fc.assert(
      fc.property(input, (given) => {
        const { message } = plan([], { ...given, anyway: true });
        const ok = given.summaries.reduce((sum, { tally }) => sum + tally.ok, 0);
        if (ok === 0)
          expect(JSON.stringify(message?.notes[0])).not.toMatch(
            /(?<!of )\b[1-9][\d,]* certificates? OK/,
          );
      }),
      { numRuns: 200, endOnFailure: true },
    );
  });

  it("reads the same in a terminal, without control characters", () => {
    fc.assert(
      fc.property(input, (given) => {
        const { message } = plan([], { ...given, anyway: true });
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
        {
          code: i === 9_999 ? "expiring" : "renewal_overdue",
          subject,
          params: { ...certificate, renewalMs: NOW_MS },
        },
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
    expect(message?.notices[0]?.severity).toBe("critical");
    expect(message?.notices).toHaveLength(2);
    expect(plainText(message?.notes[0] ?? [])).toBe(
      "c: 2 problems; 0 of 10,000 certificates OK, none backed up",
    );
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

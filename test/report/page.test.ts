import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { html, scriptJson } from "../../lib/report/html/escape.ts";
import { pageHtml } from "../../lib/report/html/page.ts";
import { secret, NOW_MS } from "../finding/fixture.ts";
import { type Scenario, SCENARIOS } from "../support/scenarios.ts";
import { fleet, fleetCluster, smallFleet } from "./fleet.ts";
import { cluster, lasting } from "./support.ts";

const EVIL = `</script><script>alert(1)</script><img src=x onerror=alert(1)>"'&\u202e<!--`;

function between(text: string, from: string, to: string): string {
  const start = text.indexOf(from) + from.length;
  return text.slice(start, text.indexOf(to, start));
}

function pageOf({ summaries, rows, budgets, nowMs }: Scenario): string {
  return pageHtml({ summaries, rows, budgets, unregistered: [], atMs: nowMs });
}

describe("the page", () => {
  const page = pageHtml(smallFleet());

  it("allows its own script and style by their digests, and nothing else", () => {
    const policy = between(page, 'http-equiv="Content-Security-Policy" content="', '"');
    const digest = (content: string): string =>
      `'sha256-${createHash("sha256").update(content).digest("base64")}'`;
    expect(policy).toBe(
      "default-src 'none'; script-src " +
        `${digest(between(page, "</script>\n<script>", "</script>"))}; style-src ` +
        `${digest(between(page, "<style>", "</style>"))}; base-uri 'none'; form-action 'none'`,
    );
    expect(page.match(/<script/g)).toHaveLength(2);
    expect(page).not.toMatch(/ style="| on[a-z]+="|javascript:/);
  });

  it("names no address", () => {
    // What a person is told to open is text, no link.
    const told = page.replaceAll(/Open https:\/\/[a-z0-9.-]+ once/g, "");
    expect(told).not.toMatch(/https?:\/\/|url\(|@import|<link|<img|<iframe|<a [^>]*href="[^#]/);
  });

  it("says what needs people, what isn't known, and what is locked out, without its script", () => {
    const text = page.slice(0, page.indexOf('<script type="application/json"'));
    expect(between(text, "<h1>", "</h1>")).toBe(
      "3 clusters: 4 problems; 236 of 252 certificates OK, 12 unknown, all 252 backed up",
    );
    expect(text).toContain("<h3>edge: the API server doesn&#39;t answer; last seen ");
    expect(text).toContain("certkeep explain soon0.prod.example");
    expect(text).toContain("0 of 5 issuances left; next available");
    expect(text).toContain("Left out, since no longer registered: old.");
  });

  it("breaks no option of a command after a hyphen, and says after it what it shows", () => {
    const bad = pageOf(SCENARIOS.badDay());
    expect(bad).toContain(
      '<code class="cmd">certkeep restore prod shop.tail1a2b3.ts.net <span>--apply</span></code>',
    );
    expect(bad).toContain(
      'explain shop.tail1a2b3.ts.net</code> <span class="soft">(the missing permission)</span>',
    );
  });

  it("of 59 certificates with one cause has one block, folded beyond five", () => {
    const first = pageOf(SCENARIOS.firstAudit());
    const blocks = [...first.matchAll(/<article class="item critical">.*?<\/article>/gs)].map(
      ([block]) => block,
    );
    expect(blocks).toHaveLength(4);
    const [of59 = ""] = blocks.filter((block) => block.includes("<h3>59 certificates in prod: "));
    expect(of59.match(/<li>/g)).toHaveLength(59);
    expect(of59.slice(0, of59.indexOf("<details>")).match(/<li>/g)).toHaveLength(5);
    expect(of59).toContain("<summary>54 more</summary>");
  });

  it("holds the worst certificates in its table without its script", () => {
    const rows = between(pageOf(SCENARIOS.firstAudit()), '<tbody id="rows">', "</tbody>");
    expect(rows.match(/<tr>/g)).toHaveLength(200);
    expect(rows.match(/<span class="tag critical">Critical<\/span>/g)).toHaveLength(150);
  });

  it("calls what an incident took critical and backed up", () => {
    const { rows } = SCENARIOS.badDay();
    const taken = rows.filter(({ cluster: name }) => name === "eu");
    expect(taken).toHaveLength(14);
    expect(taken.every(({ status, copied, gone }) => status === "critical" && copied && gone)).toBe(
      true,
    );
  });

  it("holds every certificate once", () => {
    const data = JSON.parse(
      between(page, '<script type="application/json" id="data">', "</script>"),
    ) as { rows: unknown[][] };
    expect(data.rows).toHaveLength(252);
  });

  it("shows hostile text as text", () => {
    const bad = pageHtml(
      fleet([
        cluster(EVIL, 1, { [`a/${EVIL}`]: secret({ certificates: { tls: lasting(3, EVIL) } }) }),
      ]),
    );
    expect(bad.match(/<script/g)).toHaveLength(2);
    expect(bad).not.toMatch(/<img|<!--|\u202e/);
    expect(bad).toContain("&lt;img src=x onerror=alert(1)&gt;");
  });

  it("stays below 4 MB for ten thousand certificates", () => {
    const size = Buffer.byteLength(pageHtml(fleet([fleetCluster("prod", 10_000)])));
    expect(size).toBeLessThan(4_000_000);
  });

  it("of nothing says that no cluster was audited", () => {
    const empty = pageHtml({
      summaries: [],
      rows: [],
      budgets: [],
      unregistered: [],
      atMs: NOW_MS,
    });
    expect(empty).toContain("<h1>No cluster was audited yet</h1>");
  });
});

describe("escaping", () => {
  it("leaves no markup in any text, in elements, attributes and scripts", () => {
    fc.assert(
      fc.property(fc.oneof(fc.constant(EVIL), fc.string({ unit: "binary" })), (text) => {
        expect(html(text)).not.toMatch(/[<>"']/);
        expect(scriptJson({ text })).not.toMatch(/[<>\u2028\u2029]/);
        if (text.isWellFormed()) expect(JSON.parse(scriptJson({ text }))).toEqual({ text });
      }),
    );
  });
});

import { describe, expect, it } from "vitest";
import { limitOverrides } from "../../lib/wiring/kit.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { problemLine } from "../../lib/config/problem.ts";

const HOUR_NS = 3_600_000_000_000n;

function problems(text: string): string[] {
  const result = parseConfig(text, "c.yaml");
  return result.ok ? [] : result.problems.map(problemLine);
}

describe("limits", () => {
  it("become the buckets of a registered domain and of an exact set", () => {
    const result = parseConfig(
      "limits:\n" +
        "  - {domain: Shop.Tail1a2b3.ts.net, count: 300}\n" +
        "  - {names: [B.example.com, a.example.com], count: 2, hours: 0.5}\n",
      "c.yaml",
    );
    expect(result.ok && limitOverrides(result.config)).toEqual([
      // A name under it stands for the registered domain, which is what the issuer counts.
      {
        issuer: "letsencrypt",
        kind: "domain",
        key: "tail1a2b3.ts.net",
        limit: { count: 300, burst: 300, periodNs: 168n * HOUR_NS },
      },
      {
        issuer: "letsencrypt",
        kind: "set",
        key: "a.example.com,b.example.com",
        limit: { count: 2, burst: 2, periodNs: HOUR_NS / 2n },
      },
    ]);
  });

  it.each([
    [
      "neither domain nor names",
      "{count: 5}",
      "c.yaml:2:6: limits[0] has no domain and no names. Give it one of the two",
    ],
    [
      "both",
      "{domain: a.example.com, names: [a.example.com], count: 5}",
      "c.yaml:2:6: limits[0] has both domain and names. Give it one of the two",
    ],
    [
      "an issuer that nobody knows",
      "{issuer: corp, domain: a.example.com, count: 5}",
      'c.yaml:2:14: limits[0].issuer is "corp". It must be an issuer\'s id: letsencrypt, ' +
        "letsencrypt-staging",
    ],
    [
      "no count",
      "{domain: a.example.com}",
      "c.yaml:2:6: limits[0].count is missing. It must be a whole number from 1 to 1000000",
    ],
    [
      "a count of none",
      "{domain: a.example.com, count: 0}",
      "c.yaml:2:36: limits[0].count is 0. It must be a whole number from 1 to 1000000",
    ],
    [
      "half a certificate",
      "{domain: a.example.com, count: 0.5}",
      "It must be a whole number from 1 to 1000000",
    ],
    [
      "no time at all",
      "{domain: a.example.com, count: 5, hours: 0}",
      "It must be a number of hours above 0, at most 8784",
    ],
    [
      "words for hours",
      "{domain: a.example.com, count: 5, hours: week}",
      "It must be a number of hours above 0, at most 8784",
    ],
    ["a domain that is none", "{domain: localhost, count: 5}", "It must be a registered domain"],
    ["names that are none", "{names: [a b], count: 5}", "It must be a host name"],
    ["a misspelt key", "{domian: a.example.com, count: 5}", 'Did you mean "domain"?'],
  ])("are refused with %s", (_what, entry, message) => {
    expect(problems(`limits:\n  - ${entry}\n`).join("\n")).toContain(message);
  });

  it("of an issuer of one's own are refused where they say nothing that can be computed", () => {
    const issuer = (limits: string): string =>
      `issuers:\n  - id: corp\n    anchors: a.pem\n    limits: ${limits}\n`;
    expect(problems(issuer("{perSet: {count: 5}, perDomain: {count: 50, hours: 168}}"))).toEqual(
      [],
    );
    expect(problems(issuer("{perSet: 5}")).join()).toContain(
      "It must be the settings count and hours",
    );
    expect(problems(issuer("{perName: {count: 5}}")).join()).toContain(
      "Use one of perSet, perDomain",
    );
  });
});

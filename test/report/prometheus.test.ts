import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { metricsText } from "../../lib/report/prometheus.ts";
import { fleet, smallFleet } from "./fleet.ts";
import { cluster, lasting } from "./support.ts";
import { secret, NOW_MS } from "../finding/fixture.ts";

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * By the grammar of OpenMetrics 1.0, strictly: every line, families together, metadata first, no
 * sample twice, `# EOF` last.
 */
function parse(text: string): readonly Sample[] {
  expect(text.endsWith("# EOF\n")).toBe(true);
  const lines = text.slice(0, -"# EOF\n".length).split("\n").slice(0, -1);
  const samples: Sample[] = [];
  const families = new Map<string, Set<string>>();
  const seen = new Set<string>();
  let family = "";
  for (const line of lines) {
    const meta = /^# (TYPE|UNIT|HELP) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (meta !== null) {
      const [, kind = "", name = "", rest = ""] = meta;
      if (kind === "TYPE") {
        expect(families.has(name)).toBe(false);
        families.set(name, new Set());
        family = name;
        expect(rest).toBe("gauge");
      }
      expect(name).toBe(family);
      if (kind === "UNIT") expect(name.endsWith(`_${rest}`)).toBe(true);
      expect(families.get(name)?.has(kind)).toBe(false);
      families.get(name)?.add(kind);
      continue;
    }
    const sample =
      /^([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*",?)*)\} (-?\d+(?:\.\d+)?(?:e[+-]\d+)?|NaN)$/.exec(
        line,
      );
    if (sample === null) throw new Error(`no line of OpenMetrics: ${JSON.stringify(line)}`);
    const [, name = "", labelText = "", value = ""] = sample;
    expect(name).toBe(family);
    expect(seen.has(`${name}{${labelText}}`)).toBe(false);
    seen.add(`${name}{${labelText}}`);
    const labels = Object.fromEntries(
      [...labelText.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"/g)].map(
        ([, key = "", raw = ""]) => [
          key,
          raw.replace(/\\([\\n"])/g, (_, c: string) => (c === "n" ? "\n" : c)),
        ],
      ),
    );
    samples.push({ name, labels, value: Number(value) });
  }
  return samples;
}

describe("metrics", () => {
  const samples = parse(metricsText(smallFleet()));
  const of = (name: string, labels: Readonly<Record<string, string>> = {}): number | undefined =>
    samples.find(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    )?.value;

  it("count what is OK, what isn't known, and findings by severity", () => {
    for (const name of ["certkeep_certificates_ok", "certkeep_certificates_fine"])
      expect(of(name, { cluster: "prod" })).toBe(177);
    expect(of("certkeep_certificates_unknown", { cluster: "edge" })).toBe(12);
    expect(of("certkeep_cluster_seen", { cluster: "edge" })).toBe(0);
    expect(of("certkeep_findings", { cluster: "prod", severity: "critical" })).toBe(2);
  });

  it("give instants in seconds", () => {
    expect(
      of("certkeep_certificate_not_after_timestamp_seconds", { name: "soon0.prod.example" }),
    ).toBe(NOW_MS / 1000 + 3 * 86_400);
    expect(of("certkeep_cluster_last_seen_timestamp_seconds", { cluster: "edge" })).toBe(
      NOW_MS / 1000 - 9 * 3600,
    );
  });

  it("have no value for what isn't known", () => {
    expect(
      samples.filter(
        ({ name, labels }) => name === "certkeep_certificate_valid" && labels["cluster"] === "edge",
      ),
    ).toEqual([]);
    expect(of("certkeep_budget_remaining_at_least", { name: "tail1a2b3.ts.net" })).toBeUndefined();
    expect(of("certkeep_budget_remaining_at_most", { name: "tail1a2b3.ts.net" })).toBe(9);
  });

  it("give names back as they were", () => {
    const name = 'a"b\\c\nd';
    const found = parse(
      metricsText(
        fleet([cluster("c", 0, { "a/b": secret({ certificates: { tls: lasting(3, name) } }) })]),
      ),
    );
    expect(found.some(({ labels }) => labels["name"] === name)).toBe(true);
  });

  it("are valid for any names", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.constantFrom('"', "\\", "\n", "\r", '\\"', "\u2028", "# EOF\n"),
        ),
        fc.string({ unit: "binary" }),
        (name, title) => {
          parse(
            metricsText(
              fleet([
                cluster(title, 1, {
                  [`a/${name}`]: secret({ certificates: { tls: lasting(3, name) } }),
                }),
              ]),
            ),
          );
        },
      ),
      { endOnFailure: true },
    );
  });
});

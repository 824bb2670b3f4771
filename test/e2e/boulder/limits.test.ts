/**
 * The bucket and the registered domain against Let's Encrypt's own limiter, over timelines that are
 * new in each run (the seed is in the test's name; `BOULDER_SEED=n` repeats one).
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { bucket, ceilMs } from "../../../lib/ratelimit/bucket.ts";
import { registeredDomain } from "../../../lib/ratelimit/limit.ts";
import { askIssuer, createQuestion } from "./timelines.ts";

function built(): string | null {
  const required = process.env["CI"] === "true" || process.env["E2E_REQUIRED"] === "1";
  try {
    return execFileSync(join(import.meta.dirname, "build.sh"), required ? [] : ["--if-cached"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    }).trim();
  } catch {
    if (required) throw new Error("the comparison with boulder could not be built: see above");
    return null;
  }
}

const program = built();
const seed = Number(process.env["BOULDER_SEED"] ?? Date.now() % 1_000_000);

describe.skipIf(program === null)("Let's Encrypt's own limiter", () => {
  test(`answers as we do over 3,000 timelines, seed ${seed}`, () => {
    const question = createQuestion(seed, 3_000);
    const reply = askIssuer(program ?? "", question);
    let refused = 0;
    const differing = question.timelines.flatMap((timeline, i) => {
      const limit = {
        count: timeline.count,
        burst: timeline.burst,
        periodNs: BigInt(timeline.periodNs),
      };
      const spends = timeline.spends.map(BigInt);
      return (reply.timelines[i] ?? []).flatMap((answer) => {
        if (!answer.allowed) refused++;
        const ours = bucket(limit, spends, BigInt(answer.at));
        const same =
          ours.remaining === answer.remaining &&
          ours.allowed === answer.allowed &&
          ours.retryInMs === ceilMs(BigInt(answer.retryInNs)) &&
          ours.tat === (answer.tat === null ? null : BigInt(answer.tat));
        return same ? [] : [{ timeline, answer, ours }];
      });
    });
    expect(differing).toEqual([]);
    expect(refused).toBeGreaterThan(200);
  });

  // `npm exec -- vitest run --project e2e test/e2e/boulder -u` writes them again.
  test("gave the vectors that the unit tests hold", async () => {
    const module = /github\.com\/letsencrypt\/boulder v\S+/.exec(
      readFileSync(join(import.meta.dirname, "go.mod"), "utf8"),
    )?.[0];
    const question = createQuestion(1, 60);
    const reply = askIssuer(program ?? "", question);
    const lines = question.timelines.map(
      ({ asks: _asks, ...timeline }, i) =>
        `    ${JSON.stringify({ ...timeline, answers: reply.timelines[i] })}`,
    );
    const domains = Object.entries(reply.domains).map(
      ([name, domain]) => `    ${JSON.stringify(name)}: ${JSON.stringify(domain)}`,
    );
    const text =
      "{\n" +
      `  "madeWith": ${JSON.stringify(module)},\n` +
      `  "timelines": [\n` +
      `${lines.join(",\n")}\n` +
      "  ],\n" +
      `  "domains": {\n` +
      `${domains.join(",\n")}\n` +
      "  }\n" +
      "}\n";
    await expect(text).toMatchFileSnapshot("../../ratelimit/vectors.json");
  });

  test("counts the same names under the same domains", () => {
    const { domains } = askIssuer(program ?? "", createQuestion(1, 0));
    expect(
      Object.fromEntries(Object.keys(domains).map((name) => [name, registeredDomain(name)])),
    ).toEqual(domains);
    expect(Object.keys(domains).length).toBeGreaterThan(30);
  });
});

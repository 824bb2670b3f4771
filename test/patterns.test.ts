/**
 * Every regular expression of the program takes time in proportion to its text, whatever the text
 * is: names, logs, messages and documents are written by others. They are found in the sources, so
 * that a new one is tested as well.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { parsers } from "prettier/plugins/babel";
import { describe, expect, it } from "vitest";

interface Pattern {
  readonly place: string;
  readonly regex: RegExp;
}

const ROOT = join(import.meta.dirname, "..");

function patternsIn(node: unknown, place: string, found: Pattern[]): void {
  if (Array.isArray(node)) for (const one of node) patternsIn(one, place, found);
  if (typeof node !== "object" || node === null || !("type" in node)) return;
  if (node.type === "RegExpLiteral") {
    const { pattern, flags } = node as unknown as { pattern: string; flags: string };
    found.push({ place, regex: new RegExp(pattern, flags) });
  }
  for (const [key, value] of Object.entries(node))
    if (key !== "extra" && key !== "loc") patternsIn(value, place, found);
}

function allPatterns(): Pattern[] {
  const found: Pattern[] = [];
  for (const room of ["lib", "functions", "stack"]) {
    for (const file of readdirSync(join(ROOT, room), { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".ts")) continue;
      const text = readFileSync(join(ROOT, room, file), "utf8");
      if (!text.includes("/")) continue;
      const tree = parsers["babel-ts"].parse(text, {} as never) as unknown as { program: unknown };
      patternsIn(tree.program, `${room}/${file}`, found);
    }
  }
  return found;
}

/** Without an end to what it repeats, it may begin again at each character. */
function isOpen(regex: RegExp): boolean {
  const bare = regex.source.replaceAll(/\\.|\[(?:\\.|[^\]\\])*\]/g, "x");
  return (
    /[*+]|\{\d+,\}/.test(bare) ||
    [...bare.matchAll(/\{(?:\d+,)?(\d+)\}/g)].some(([, n]) => Number(n) > 1_000)
  );
}

/**
 * A pattern that fast-check makes matching texts of: without what it doesn't know, and with few
 * repetitions.
 */
function simplified(regex: RegExp): RegExp {
  let source = regex.source;
  for (let at = source.search(/\(\?<?[=!]/); at !== -1; at = source.search(/\(\?<?[=!]/)) {
    let depth = 0;
    let end = at;
    for (let inClass = false; end < source.length; end += 1) {
      const sign = source[end];
      if (sign === "\\") end += 1;
      else if (sign === "[") inClass = true;
      else if (sign === "]") inClass = false;
      else if (!inClass && sign === "(") depth += 1;
      else if (!inClass && sign === ")" && (depth -= 1) === 0) break;
    }
    source = source.slice(0, at) + source.slice(end + 1);
  }
  source = source
    .replaceAll(/\\[bB]/g, "")
    .replaceAll(/\\p\{[^}]*\}/g, "x")
    .replaceAll(
      /\{(\d+),(\d+)\}/g,
      (_, least: string, most: string) =>
        `{${Math.min(3, Number(least))},${Math.min(5, Number(most))}}`,
    )
    .replaceAll(
      /\{(\d+)(,?)\}/g,
      (_, least: string, comma: string) => `{${Math.min(5, Number(least))}${comma}}`,
    )
    .replaceAll("()", "");
  return new RegExp(source, regex.flags.replaceAll(/[giy]/g, ""));
}

/** Texts that begin well, go round and round, and end badly. */
function attacksOn(regex: RegExp): readonly (readonly [string, string, string])[] {
  const samples = fc.sample(fc.stringMatching(simplified(regex), { size: "small" }), {
    numRuns: 10,
    seed: 42,
  });
  const attacks: [string, string, string][] = [];
  for (const sign of " aA0-._/{[(\"'\\:,;=<>\t\n*`e\u001b\u00e9")
    attacks.push(["", sign, "\u0000"]);
  const random = fc.sample(fc.tuple(fc.nat(), fc.nat(), fc.nat()), { numRuns: 60, seed: 42 });
  for (const [which, from, size] of random) {
    const sample = samples[which % samples.length] ?? "";
    const [start, end] = [
      from % (sample.length + 1),
      (from % (sample.length + 1)) + 1 + (size % 40),
    ];
    const round = sample.slice(start, end);
    if (round === "") continue;
    attacks.push(
      ["", round, "\u0000"],
      [sample.slice(0, start), round, "\u0000"],
      [sample.slice(0, start), round, sample.slice(end, -1)],
    );
  }
  for (const sample of samples)
    if (sample !== "")
      attacks.push(["", sample, "\u0000"], ["", sample.slice(0, -1) || sample, ""]);
  return attacks;
}

function msOf(regex: RegExp, text: string): number {
  regex.lastIndex = 0;
  const from = performance.now();
  if (regex.global) text.replace(regex, "");
  else regex.exec(text);
  return performance.now() - from;
}

const built = ([start, round, end]: readonly [string, string, string], length: number): string =>
  start + round.repeat(Math.ceil(length / round.length)) + end;

/** Milliseconds; the least of some, as others use the machine too. */
const least = (regex: RegExp, text: string): number =>
  Math.min(...Array.from({ length: 4 }, () => msOf(regex, text)));

/** The attack that takes more than its share; `null`: none does. */
function slowest(regex: RegExp): string | null {
  for (const attack of attacksOn(regex)) {
    // What grows exponentially shows in a few characters, and would not end with many.
    for (const length of [24, 200, 2_000, 10_000, 60_000]) {
      if (msOf(regex, built(attack, length)) < 10) continue;
      const whole = least(regex, built(attack, length));
      if (whole > 10 && whole > 3 * least(regex, built(attack, length / 2)))
        return `${JSON.stringify(attack)} of ${length}: ${whole.toFixed(0)} ms`;
    }
  }
  return null;
}

const patterns = allPatterns();
const open = patterns.filter(({ regex }) => isOpen(regex));

describe("regular expressions", () => {
  it("are found", () => {
    expect(patterns.length).toBeGreaterThan(300);
    expect(open.length).toBeGreaterThan(120);
  });
  it.each(open)("$place $regex takes time in proportion", ({ regex }) => {
    expect(slowest(regex)).toBeNull();
  });
});

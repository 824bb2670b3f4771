/**
 * `npm run words`: phrases that CONTRIBUTING.md rules out, in the program's messages and comments
 * and in the docs. Exits with 1 where there is one.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const SELF = "scripts/words.ts";
const PHRASES = [
  ...["anew", "mend(?:s|ed|ing)?", "thereof", "for want of", "bears? out", "speaks? against"],
  ...["have it issued", "its owner", "sealed cop(?:y|ies)", "good cop(?:y|ies)", "needs? you"],
  "(?<!may or )may not",
];
/** A field such as `.sealed` is no phrase. */
const RULED_OUT = new RegExp(`(?<![.\\w])(?:${PHRASES.join("|")})\\b`, "gi");
const TEXT = /\.(?:ts|cjs|md|ya?ml)$/;

const paths = execFileSync(
  "git",
  ["ls-files", "bin", "lib", "functions", "stack", "scripts", "docs", "*.md", "serverless.yml"],
  { cwd: root, encoding: "utf8" },
)
  .split("\n")
  .filter((path) => TEXT.test(path) && path !== SELF);

/** A phrase may run over a line's end, and over the `*` or `#` of a comment's next line. */
const found = paths.flatMap((path) => {
  const text = readFileSync(join(root, path), "utf8").replaceAll(/\s+(?:[*#/]+ )?\s*/g, " ");
  return [...text.matchAll(RULED_OUT)].map(([phrase]) => `${path}: ${phrase}`);
});

/** Errors say what to do, not what was expected. */
const SENTENCES = /^(?:bin|lib|functions|stack)\//;
const EXPECTED = /; expected /g;
const riddles = paths
  .filter((path) => SENTENCES.test(path))
  .flatMap((path) =>
    [...readFileSync(join(root, path), "utf8").matchAll(EXPECTED)].map(
      ([phrase]) => `${path}: ${phrase}`,
    ),
  );

for (const line of [...found, ...riddles]) console.log(line);
if (found.length + riddles.length > 0) process.exitCode = 1;

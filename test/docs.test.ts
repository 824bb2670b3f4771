/** The docs agree with the repository: links, tables of codes, commands, and the files they name. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { Readable, Writable } from "node:stream";
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Io } from "../lib/cli/io.ts";
import { parseConfig } from "../lib/config/parse.ts";
import { docTables, tablesOf, withTables } from "../scripts/doctables.ts";
import type { Given } from "../stack/parameters.ts";

const ROOT = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const PAGES = [...globSync("*.md", { cwd: ROOT }), ...globSync("docs/*.md", { cwd: ROOT })];

/** Text without code, whose brackets and hashes mean something else. */
function prose(page: string): string {
  return read(page)
    .replaceAll(/^ *```.*?^ *```/gms, "")
    .replaceAll(/`[^`\n]*`/g, "");
}

/** GitHub's ids of headings. */
function anchorsOf(page: string): Set<string> {
  const seen = new Map<string, number>();
  const headings = read(page)
    .replaceAll(/^ *```.*?^ *```/gms, "")
    .matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, title = ""]) => {
      const id = title
        .toLowerCase()
        .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-");
      const count = seen.get(id) ?? 0;
      seen.set(id, count + 1);
      return count === 0 ? id : `${id}-${count}`;
    }),
  );
}

interface Link {
  readonly target: string;
  readonly anchor: string | null;
}

function linksOf(page: string): Link[] {
  return [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, href = ""]) => href)
    .filter((href) => !/^[a-z]+:/.test(href))
    .map((href) => {
      const [path = "", anchor = null] = href.split("#");
      return { target: path === "" ? page : relative(".", join(dirname(page), path)), anchor };
    });
}

describe("links", () => {
  it.each(PAGES)("of %s lead to files and headings that exist", (page) => {
    const broken = linksOf(page).filter(
      ({ target, anchor }) =>
        !existsSync(join(ROOT, target)) || (anchor !== null && !anchorsOf(target).has(anchor)),
    );
    expect(broken).toEqual([]);
  });

  it("are in a README that fits on a few screens", () => {
    expect(read("README.md").split("\n").length).toBeLessThan(120);
  });

  it("lead from the README to every page", () => {
    const reached = new Set(["README.md"]);
    for (const page of reached)
      for (const { target } of linksOf(page)) if (target.endsWith(".md")) reached.add(target);
    expect(PAGES.filter((page) => !reached.has(page))).toEqual([]);
  });
});

describe("tables of codes", () => {
  const { params } = parse(read("serverless.yml")) as { params: { default: Given } };
  const tables = docTables(params.default);

  it.each(PAGES)("of %s are those of the code (npm run docs)", (page) => {
    expect(read(page)).toBe(withTables(read(page), tables));
  });

  it("stand in one page each", () => {
    expect(PAGES.flatMap((page) => tablesOf(read(page))).toSorted()).toEqual(
      Object.keys(tables).toSorted(),
    );
  });
});

/** Words of a command line as a shell splits them, up to a pipe, a redirection or a comment. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [token] of line.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'|>;&])+|[|>;&]/g)) {
    if (/^[|>;&#]/.test(token)) break;
    words.push(token.replaceAll(/["']/g, ""));
  }
  return words;
}

interface Shown {
  readonly page: string;
  readonly line: string;
}

/** Each `certkeep …` in a block of shell, in a sentence or in a pod; `…` stands for anything. */
const shown: readonly Shown[] = PAGES.filter((page) => page !== "CHANGELOG.md").flatMap((page) => {
  const blocks = [...read(page).matchAll(/^ *```sh\n(.*?)^ *```/gms)].flatMap(([, block = ""]) =>
    block.replaceAll("\\\n", " ").split("\n"),
  );
  const inline = [
    ...read(page)
      .replaceAll(/^ *```.*?^ *```/gms, "")
      .matchAll(/`([^`]+)`/g),
  ].map(([, text = ""]) => text.replaceAll(/\s+/g, " "));
  const pods = [...read(page).matchAll(/^ *args: \[(.*)\]$/gm)].map(
    ([, list = ""]) => `certkeep ${list.replaceAll(", ", " ")}`,
  );
  return [...blocks, ...inline, ...pods].flatMap((text) =>
    [...text.matchAll(/(?<![\w./=-])(?:certkeep|npm run (?:-s )?certkeep --) ([a-z].*)/g)].map(
      ([, line = ""]) => ({ page, line }),
    ),
  );
});

const io = {
  stdin: Readable.from([]),
  stdout: new Writable(),
  stderr: new Writable(),
  env: {},
  cwd: "/",
} as unknown as Io;

/** Reads a line as the command does, and runs nothing. Values may be placeholders. */
function accept(command: Command): Command {
  for (const option of command.options) option.parseArg = undefined as never;
  for (const one of command.registeredArguments) one.parseArg = undefined as never;
  for (const below of command.commands) accept(below);
  return command
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} })
    .action(() => {});
}

async function program(): Promise<Command> {
  const all = accept(
    new Command("certkeep").version("0", "-V, --version"),
  ).enablePositionalOptions();
  for (const file of globSync("lib/cli/*.ts", { cwd: ROOT })) {
    const exported = (await import(join(ROOT, file))) as Record<string, unknown>;
    for (const [name, make] of Object.entries(exported))
      if (name.endsWith("Command"))
        all.addCommand(accept((make as (world: Io, line: unknown) => Command)(io, null)));
  }
  return all;
}

describe("commands", () => {
  it("are shown", () => {
    expect(shown.length).toBeGreaterThan(100);
  });

  it.each(shown)("$page: certkeep $line", async ({ line }) => {
    const root = await program();
    const words = wordsOf(line);
    // The name of a command alone, as in “`clusters add` refuses”.
    let named: Command | undefined = root;
    for (const word of words) named = named?.commands.find((one) => one.name() === word);
    if (named !== undefined) return;
    const error = await root.parseAsync(words, { from: "user" }).then(
      () => "",
      (thrown: Error) => thrown.message,
    );
    if (line.includes("…") && /too many arguments|missing required|required option/.test(error))
      return;
    expect(error).toBe("");
  });
});

const RECIPIENT = "age1z2lrvsqly5snu93xzzlcwqvatvcct8znj5plhq5mh6k0nvs8usyqfrwzcx";

/** Each block of settings; blocks for Kubernetes are no settings of certkeep. */
const settings = PAGES.flatMap((page) =>
  [...read(page).matchAll(/^ *```yaml\n(.*?)^ *```/gms)]
    .map(([, text = ""]) => ({ page, text }))
    .filter(({ text }) => !/^(apiVersion|args):/.test(text)),
);

it.each(settings)("$page shows settings that certkeep.yaml may have", ({ page, text }) => {
  const given = text.replace(/\n {2}- age1….*/, "").replaceAll("age1…", RECIPIENT);
  const result = parseConfig(given, page);
  expect(result.ok ? [] : result.problems).toEqual([]);
});

describe("codes", () => {
  const code = globSync("{lib,functions,stack}/**/*.{ts,cjs}", { cwd: ROOT }).map(read).join("\n");
  const named = (pattern: RegExp): string[] =>
    PAGES.filter((page) => page !== "CHANGELOG.md")
      .flatMap((page) => [...read(page).matchAll(pattern)])
      .map(([, name = ""]) => name);

  it("in sentences are those of the code", () => {
    const codes = named(/`([a-z]+(?:_[a-z]+)+)`/g);
    expect(codes.length).toBeGreaterThan(100);
    expect(codes.filter((name) => !new RegExp(`(?<![a-z])${name}\\b`).test(code))).toEqual([]);
  });

  it("of environment variables are those of the code", () => {
    const variables = named(/\b(CERTKEEP_[A-Z_]+)\b/g);
    expect(variables.filter((name) => !code.includes(name))).toEqual([]);
  });
});

describe("docs/design.md", () => {
  const text = read("docs/design.md");
  const pathsOf = (part: string): string[] =>
    [...part.matchAll(/`((?:lib|functions|stack|test|scripts)\/[\w./-]+)`/g)].map(
      ([, path = ""]) => path,
    );

  it("names files and folders that exist", () => {
    const paths = pathsOf(text);
    expect(paths.length).toBeGreaterThan(20);
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it("walks from a cluster to Slack, and from a name to a Secret, in a dozen files at most", () => {
    const [, walks = ""] = /## Two walks\n(.*?)\n## /s.exec(text) ?? [];
    const [, ...each] = walks.split(/^\*\*/m);
    expect(each).toHaveLength(2);
    for (const walk of each) {
      expect(new Set(pathsOf(walk)).size).toBeGreaterThan(5);
      expect(new Set(pathsOf(walk)).size).toBeLessThanOrEqual(12);
    }
  });
});

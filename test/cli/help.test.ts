/** Every help page, and what is said of a command line that can't be understood. */
import { describe, expect, it } from "vitest";
import { type Ended, runIn } from "../support/cli.ts";
import { VERSION } from "../../lib/version.ts";

const certkeep = (...args: readonly string[]): Promise<Ended> =>
  runIn("/", args, { columns: 80, nowMs: () => 0 });

/** Names in the lists of commands on a help page, and what each says. */
function commandsOn(page: string): readonly (readonly [name: string, says: string])[] {
  return page
    .split(/\n(?=\S)/)
    .filter((part) => /^(?:Inspect|Restore|Set up|Commands):/.test(part))
    .flatMap((part) => [...part.matchAll(/^ {2}([a-z]+) {2,}(.*)$/gm)])
    .map(([, name = "", says = ""]) => [name, says] as const);
}

/** Every command with its own commands, as the help itself lists them. */
async function pages(path: readonly string[] = []): Promise<readonly (readonly string[])[]> {
  const { out } = await certkeep(...path, "--help");
  const below = commandsOn(out)
    .map(([name]) => name)
    .filter((name) => name !== "help");
  return [path, ...(await Promise.all(below.map((name) => pages([...path, name])))).flat()];
}

const PATHS = await pages();
const VERBS =
  /^(?:Audit|Back up|Check|Encrypt|Explain|List|Lose|Mark|Post|Print|Register|Remove|Run|Show|Test|Write) /;

describe("help", () => {
  it("lists every command", () => {
    expect(PATHS.map((path) => path.join(" ")).toSorted()).toEqual([
      "",
      "audit",
      "backups",
      "backups import",
      "backups rekey",
      "backups retire",
      "backups verify",
      "check",
      "clusters",
      "clusters add",
      "clusters remove",
      "demo",
      "digest",
      "doctor",
      "drill",
      "explain",
      "init",
      "report",
      "restore",
      "version",
    ]);
  });

  it.each(PATHS.map((path) => [path.join(" "), path] as const))(
    "certkeep %s: starts with an imperative, fits 80 columns, and has an example",
    async (_name, path) => {
      const { code, out, err } = await certkeep(...path, "--help");
      expect([code, err]).toEqual([0, ""]);
      const [usage = "", description = ""] = out.split("\n\n");
      expect(usage).toMatch(new RegExp(`^Usage: certkeep ${path.join(" ")}`));
      expect(description).toMatch(VERBS);
      expect(out.split("\n").filter((line) => line.length > 80)).toEqual([]);
      const examples = /\nExamples?:\n((?: {2}.+\n?)+)/.exec(out)?.[1]?.trimEnd() ?? "";
      expect(examples.split("\n").length).toBeLessThanOrEqual(2);
      expect(examples).toContain(["certkeep", ...path].join(" "));
    },
  );

  it("says what a command does in the list as on its own page", async () => {
    const { out } = await certkeep("--help");
    const listed = commandsOn(out).filter(([name]) => name !== "help");
    const own = await Promise.all(listed.map(([name]) => certkeep(name, "--help")));
    expect(own.map((page, index) => [listed[index]?.[0], page.out.split("\n\n")[1]])).toEqual(
      listed,
    );
  });

  it("is the same by help COMMAND", async () => {
    expect(await certkeep("help", "audit")).toEqual(await certkeep("audit", "--help"));
  });
});

describe("a command line that can't be understood", () => {
  it.each([
    [["audi"], "certkeep: unknown command 'audi'. Did you mean audit? See: certkeep --help"],
    [["audit", "--nope"], "certkeep audit: unknown option '--nope'. See: certkeep audit --help"],
    [
      ["clusters", "add", "x", "--paths"],
      "certkeep clusters add: unknown option '--paths'. Did you mean --parts? See: certkeep " +
        "clusters add --help",
    ],
    [
      ["digest", "--context", "x"],
      "certkeep digest: --context has no meaning here. See: certkeep digest --help",
    ],
    ...["-n", "--namespace", "-A", "--context"].map((option): [string[], string] => [
      ["report", option, "x"],
      `certkeep report: ${option} has no meaning here, since it shows all clusters and ` +
        "namespaces. To look at one: certkeep audit --context CONTEXT -n NAMESPACE",
    ]),
    [
      ["check", "x", "-o", "wide"],
      "certkeep check: option '-o, --output <format>' argument 'wide' is invalid. Expected json " +
        "or yaml. See: certkeep check --help",
    ],
    [
      ["audit", "-A", "-n", "x"],
      "certkeep audit: option '-n, --namespace <namespace>' cannot be used with option '-A, " +
        "--all-namespaces'. See: certkeep audit --help",
    ],
    [["check"], "certkeep check: missing required argument 'cert'. See: certkeep check --help"],
    [
      ["restore"],
      "certkeep restore: no cluster is named. Name it: certkeep restore CLUSTER, or certkeep " +
        "restore --context CONTEXT",
    ],
    [
      ["audit", "prod", "--context", "x"],
      "certkeep: --context x: it is given together with prod. Name the cluster once.",
    ],
    [
      ["version", "--json", "-o", "yaml"],
      "certkeep: --json with -o yaml: two formats. Leave one of them out.",
    ],
  ])("%j", async (args, expected) => {
    expect(await certkeep(...args)).toEqual({ code: 2, out: "", err: `${expected}\n` });
  });
});

describe("the version", () => {
  it.each([["-V"], ["--version"], ["version"]])("%s", async (word) => {
    expect(await certkeep(word)).toEqual({ code: 0, out: `${VERSION}\n`, err: "" });
  });

  it("is a document too", async () => {
    expect(await certkeep("version", "-o", "yaml")).toMatchObject({
      code: 0,
      out: `schema: certkeep.version/v1\nversion: ${VERSION}\nnode: ${process.versions.node}\n`,
    });
    expect(JSON.parse((await certkeep("version", "-o", "json")).out)).toEqual(
      JSON.parse((await certkeep("version", "--json")).out),
    );
  });
});

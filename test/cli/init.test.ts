/** `certkeep init` as a process of its own, with a home of its own and nobody at the keyboard. */
import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseConfig } from "../../lib/config/parse.ts";

const MAIN = fileURLToPath(new URL("../../lib/cli/main.ts", import.meta.url));

let root: string;
let home: string;
let work: string;
let identity: string;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "certkeep-init-")));
  home = join(root, "home");
  work = join(root, "work");
  identity = join(home, ".config/certkeep/identity/identity.txt");
  mkdirSync(join(home, ".kube"), { recursive: true });
  mkdirSync(work);
  writeFileSync(
    join(home, ".kube/config"),
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "arn:aws:eks:eu-west-1:1:cluster/Prod",
      contexts: ["arn:aws:eks:eu-west-1:1:cluster/Prod", "other"].map((name) => ({
        name,
        context: { cluster: "c", user: "u" },
      })),
    }),
  );
});

afterEach(() => {
  chmodSync(work, 0o700);
  rmSync(root, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function certkeep(args: readonly string[], input = ""): Promise<Ended> {
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    XDG_CONFIG_HOME: join(home, ".config"),
    XDG_DATA_HOME: join(home, ".local/share"),
  };
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: work, env, stdio: "pipe" });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  return new Promise((resolve) =>
    child.on("close", (code) =>
      resolve({
        code,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      }),
    ),
  );
}

function configIn(file: string) {
  const result = parseConfig(readFileSync(file), file);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

describe("certkeep init", () => {
  it("without a terminal and without --yes is a usage error that names --yes, and writes nothing", async () => {
    const { code, stdout, stderr } = await certkeep(["init"], "\n\n\n");
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("certkeep init --yes");
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect([existsSync(join(work, "certkeep.yaml")), existsSync(identity)]).toEqual([false, false]);
  });

  it("with --aws names what else it would ask for", async () => {
    const { code, stderr } = await certkeep(["init", "--aws"]);
    expect(code).toBe(2);
    expect(stderr).toContain("certkeep init --aws --yes --region REGION --webhook env:NAME");
  });

  it("--yes makes an identity that only its user may read, and its configuration", async () => {
    const { code, stdout, stderr } = await certkeep(["init", "--yes"]);
    expect([code, stdout]).toEqual([0, ""]);
    expect(statSync(identity).mode & 0o777).toBe(0o600);
    expect(statSync(join(home, ".config/certkeep/identity")).mode & 0o777).toBe(0o700);
    const lines = readFileSync(identity, "utf8").split("\n");
    const recipient = lines[1]?.replace("# public key: ", "") ?? "";
    expect(lines).toEqual([
      expect.stringMatching(/^# created: \d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/),
      `# public key: ${recipient}`,
      expect.stringMatching(/^# /),
      expect.stringMatching(/^AGE-SECRET-KEY-1[0-9A-Z]{58}$/),
      "",
    ]);
    expect(configIn(join(work, "certkeep.yaml"))).toMatchObject({
      recipients: [recipient],
      identity: "file:~/.config/certkeep/identity/identity.txt",
      clusters: [],
    });
    for (const said of [
      "~/.config/certkeep/identity/identity.txt",
      "It decrypts every backup",
      "no backup can be restored",
      "password manager",
      recipient,
      "certkeep audit",
    ])
      expect(stderr).toContain(said);
    expect(stderr).not.toContain("AGE-SECRET-KEY");
  });

  it("--json gives one document on standard output, and the same when it is run again", async () => {
    const first = await certkeep(["init", "--yes", "--json"]);
    const document = JSON.parse(first.stdout) as Record<string, unknown>;
    expect(document).toEqual({
      schema: "certkeep.init/v1",
      config: join(work, "certkeep.yaml"),
      identity,
      recipient: expect.stringMatching(/^age1[0-9a-z]{58}$/),
      recipients: [document["recipient"]],
      clusters: [],
      actions: { config: "created", identity: "created" },
      next: ["certkeep audit", "certkeep backups"],
    });
    const files = [readFileSync(identity), readFileSync(join(work, "certkeep.yaml"))];
    const second = await certkeep(["init", "--yes", "--json"]);
    expect(JSON.parse(second.stdout)).toEqual({
      ...document,
      clusters: [],
      actions: { config: "kept", identity: "kept" },
    });
    expect([readFileSync(identity), readFileSync(join(work, "certkeep.yaml"))]).toEqual(files);
  });

  it("adds recipients to a configuration that is there, and keeps its mode and the rest", async () => {
    const file = join(work, "certkeep.yaml");
    writeFileSync(file, "# ours\nbackups: {perDay: 3} # few\n");
    chmodSync(file, 0o640);
    expect((await certkeep(["init", "--approve"])).code).toBe(0);
    expect((await certkeep(["init", "--yes"])).code).toBe(0);
    expect(readFileSync(file, "utf8")).toMatch(
      /^# ours\nrecipients: \[age1[0-9a-z]{58}\]\nidentity: file:~\/\S+\nbackups: \{perDay: 3\} # few\n$/,
    );
    expect(statSync(file).mode & 0o777).toBe(0o640);
    // What it wrote is approved.
    expect((await certkeep(["backups"])).code).toBe(0);
  });

  it("puts both where they are wanted, and names that place in what comes next", async () => {
    const { code, stdout } = await certkeep([
      "init",
      "--yes",
      "--json",
      "--config",
      "sub/mine.yaml",
      "--identity",
      "../key/id.txt",
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      config: join(work, "sub/mine.yaml"),
      identity: join(root, "key/id.txt"),
      next: [
        `certkeep audit --config ${join(work, "sub/mine.yaml")}`,
        `certkeep backups --config ${join(work, "sub/mine.yaml")}`,
      ],
    });
    expect(configIn(join(work, "sub/mine.yaml")).identity).toBe(`file:${join(root, "key/id.txt")}`);
    expect(existsSync(identity)).toBe(false);
  });

  it.each([
    ["the home folder", () => join(home, ".git"), []],
    ["the folder that --identity names", () => join(work, ".git"), ["--identity", "id.txt"]],
  ])("refuses an identity in a git work tree: %s", async (_name, git, args) => {
    mkdirSync(git());
    const { code, stderr } = await certkeep(["init", "--yes", ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain("certkeep init --identity FILE");
    expect([
      existsSync(join(work, "certkeep.yaml")),
      existsSync(identity),
      existsSync(join(work, "id.txt")),
    ]).toEqual([false, false, false]);
  });

  it("tells the mistakes of a configuration that is there, and makes no identity", async () => {
    writeFileSync(join(work, "certkeep.yaml"), "recipents: []\n");
    const { code, stderr } = await certkeep(["init", "--yes", "--config", "certkeep.yaml"]);
    expect(code).toBe(2);
    expect(stderr).toContain("certkeep.yaml:1:1: recipents isn't a setting");
    expect(existsSync(identity)).toBe(false);
  });

  it("tells a folder where nothing can be written", async () => {
    writeFileSync(join(root, "file"), "");
    const { code, stderr } = await certkeep([
      "init",
      "--yes",
      "--identity",
      join(root, "file/id.txt"),
    ]);
    expect(code).toBe(3);
    expect(stderr).toContain("a file is where a folder must be");
    expect(existsSync(join(work, "certkeep.yaml"))).toBe(false);
  });

  it("two at once end with one identity, which the configuration names", async () => {
    const ends = await Promise.all([
      certkeep(["init", "--yes"]),
      certkeep(["init", "--yes"]),
      certkeep(["init", "--yes"]),
    ]);
    expect(ends.some(({ code }) => code === 0)).toBe(true);
    const recipient = /^# public key: (\S+)$/m.exec(readFileSync(identity, "utf8"))?.[1];
    expect(configIn(join(work, "certkeep.yaml")).recipients).toEqual([recipient]);
  });
});

/**
 * The package as people get it: packed, installed offline into an empty folder (it has no
 * dependencies), and run there with this Node; with an older one it says so.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAuthority } from "../support/pki.ts";
import { VERSION } from "../../lib/version.ts";
import { type Ended, runProgram } from "./support/run.ts";
import { requireTool } from "./support/tools.ts";

const root = join(import.meta.dirname, "../..");
const DAY_MS = 86_400_000;
const OLDEST = [22, 19] as const;

describe("the packed package, installed elsewhere", () => {
  const folder = mkdtempSync(join(tmpdir(), "certkeep-package-"));
  const home = join(folder, "home");
  const work = join(folder, "work");
  const installed = join(work, "node_modules/certkeep");
  const env = {
    PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}`,
    HOME: home,
    XDG_DATA_HOME: join(home, "data"),
    XDG_CONFIG_HOME: join(home, "config"),
    npm_config_cache: join(folder, "cache"),
  };
  const certkeep = (...args: string[]): Promise<Ended> =>
    runProgram(join(work, "node_modules/.bin/certkeep"), args, {
      env,
      cwd: work,
      timeoutMs: 110_000,
    });

  beforeAll(async () => {
    for (const made of [home, work]) mkdirSync(made);
    const packed = await runProgram("npm", ["pack", "--pack-destination", folder], {
      cwd: root,
      env: { ...process.env, ...env },
      timeoutMs: 100_000,
    });
    if (packed.code !== 0) throw new Error(`npm pack: ${packed.stderr}`);
    writeFileSync(join(work, "package.json"), "{}");
    const tarball = join(folder, `certkeep-${VERSION}.tgz`);
    const done = await runProgram(
      "npm",
      ["install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts", tarball],
      { cwd: work, env, timeoutMs: 100_000 },
    );
    if (done.code !== 0) throw new Error(`npm install: ${done.stderr}`);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("holds what runs and what it says of itself, and neither sources nor tests", () => {
    expect(readdirSync(installed).toSorted()).toEqual([
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "bin",
      "dist",
      "package.json",
      "schema",
    ]);
    expect(readdirSync(join(work, "node_modules")).filter((name) => !name.startsWith("."))).toEqual(
      ["certkeep"],
    );
  });

  test("says its version", async () => {
    expect(await certkeep("--version")).toMatchObject({
      code: 0,
      stdout: `${VERSION}\n`,
      stderr: "",
    });
  });

  test("is a plugin of kubectl", async () => {
    const bin = join(work, "node_modules/.bin");
    const ended = await runProgram(requireTool("kubectl"), ["certkeep", "version", "-o", "json"], {
      env: { ...env, PATH: `${bin}${delimiter}${env.PATH}` },
      cwd: work,
    });
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(ended.stdout)).toMatchObject({ version: VERSION });
  });

  test("judges files", async () => {
    const now = Date.now();
    const authority = createAuthority({ name: "Pack" });
    const issued = authority.issue({
      names: ["app.example.com"],
      notBefore: new Date(now - DAY_MS),
      notAfter: new Date(now + DAY_MS),
    });
    for (const [name, text] of [
      ["tls.crt", issued.certificatePem],
      ["tls.key", issued.keyPem],
      ["root.pem", authority.root.pem],
    ] as const)
      writeFileSync(join(work, name), text);
    const good = await certkeep("check", "tls.crt", "tls.key", "--anchors", "root.pem", "--json");
    expect(good.stderr).toBe("");
    expect(JSON.parse(good.stdout)).toMatchObject({
      schema: "certkeep.check/v1",
      results: [{ valid: true, names: ["app.example.com"] }],
    });
    expect(good.code).toBe(0);
    const untrusted = await certkeep("check", "tls.crt", "tls.key", "--json");
    expect(JSON.parse(untrusted.stdout)).toMatchObject({
      results: [{ valid: false, reasons: ["unknown_issuer"] }],
    });
    expect(untrusted.code).toBe(1);
  });

  test("runs the demo", async () => {
    const demo = await certkeep("demo");
    expect(demo.stderr).not.toContain("internal error");
    expect(demo.stdout).toContain("certkeep");
    expect([0, 1]).toContain(demo.code);
  });

  test("writes a configuration whose schema an editor finds", async () => {
    const made = await certkeep("init", "--yes");
    expect(made).toMatchObject({ code: 0 });
    const config =
      [join(work, "certkeep.yaml"), join(home, "config/certkeep/certkeep.yaml")].find((path) =>
        existsSync(path),
      ) ?? "";
    const schema =
      /^# yaml-language-server: \$schema=(.+)$/mu.exec(readFileSync(config, "utf8"))?.[1] ?? "";
    const found = resolve(dirname(config), schema);
    expect(JSON.parse(readFileSync(found, "utf8"))).toMatchObject({ type: "object" });
  });

  test("says plainly that a Node is too old", async () => {
    const entry = join(installed, "bin/certkeep.cjs");
    const pretend = await runProgram(
      process.execPath,
      [
        "-e",
        `Object.defineProperty(process.versions, "node", { value: "22.18.9" }); ` +
          `require(${JSON.stringify(entry)})`,
      ],
      { env, cwd: work },
    );
    expect(pretend).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("this is Node.js 22.18.9, and certkeep needs 22.19 or newer"),
    });

    // And where this machine has an old one, that one.
    for (const program of (process.env["PATH"] ?? "")
      .split(delimiter)
      .map((path) => join(path, "node"))
      .filter((path) => existsSync(path))) {
      const version = (await runProgram(program, ["--version"], { env })).stdout.trim();
      const [major = 0, minor = 0] = version.slice(1).split(".").map(Number);
      if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) continue;
      const old = await runProgram(program, [entry, "--version"], { env, cwd: work });
      expect(old).toMatchObject({
        code: 2,
        stdout: "",
        stderr: expect.stringContaining(
          `this is Node.js ${version.slice(1)}, and certkeep needs 22.19 or newer`,
        ),
      });
    }
  });
});

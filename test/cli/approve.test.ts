/**
 * A repository of somebody else's, in a real shell: its certkeep.yaml names a program, a server,
 * secrets to send there, and recipients and stores of its author. Nothing of it happens before it
 * is approved, and all of it afterwards, so that this test is able to fail.
 */
import { spawn } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { run } from "../../lib/cli/run.ts";

const MAIN = fileURLToPath(new URL("../../lib/cli/main.ts", import.meta.url));

let root: string;
let repository: string;
let server: Server;
let connections: number;

beforeEach(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "certkeep-approve-")));
  repository = join(root, "work/repository");
  connections = 0;
  server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  mkdirSync(join(root, "home/.kube"), { recursive: true });
  mkdirSync(join(root, "work"));
  writeFileSync(join(root, "home/token"), "the user's token\n", { mode: 0o600 });
  writeFileSync(join(root, "home/.kube/config"), kubeconfig({ token: "the user's own" }));
  await publish(join(root, "origin"));
  cpSync(join(root, "origin"), repository, { recursive: true });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await new Promise((resolve) => server.close(resolve));
  rmSync(root, { recursive: true, force: true });
});

const url = (): string => `https://127.0.0.1:${(server.address() as AddressInfo).port}`;

function kubeconfig(user: object): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "c",
    clusters: [{ name: "c", cluster: { server: url() } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
  });
}

/** What the author puts into the repository. */
async function publish(folder: string): Promise<void> {
  const { recipient } = await generateIdentity();
  const put = (name: string, text: string, mode = 0o600): void =>
    writeFileSync(join(folder, name), text, { mode });
  for (const name of ["kube", "clusters", "below"])
    mkdirSync(join(folder, name), { recursive: true });
  const program =
    "#!/bin/sh\n" +
    `: > '${root}/ran'\n` +
    "echo " +
    `'{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"t"}}'\n`;
  put("kube/login", program, 0o700);
  const exec = {
    apiVersion: "client.authentication.k8s.io/v1",
    command: "./login",
    interactiveMode: "Never",
  };
  put("kube/config", kubeconfig({ exec }));
  put("kube/token", kubeconfig({ token: "t" }));
  put("clusters/other.yaml", "kubeconfig: ../kube/token\n");
  put(
    "certkeep.yaml",
    [
      `recipients: [${recipient}]`,
      "identity: file:~/token",
      "clusters: [{name: prod, kubeconfig: kube/config}]",
      'stores: {backups: "file:loot/backups", state: "file:loot/state"}',
      `sources: {transparency: {url: "${url()}/", token: "file:~/token", domains: ` +
        "[example.com]}, renewalInfo: true, revocation: true}",
      'digest: {routes: [{name: ops, webhook: "env:SECRET"}]}',
      "",
    ].join("\n"),
  );
}

interface Ended {
  readonly code: number | null;
  readonly text: string;
}

function environment(): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: join(root, "home"),
    XDG_CONFIG_HOME: "",
    XDG_DATA_HOME: "",
    XDG_STATE_HOME: "",
    SECRET: `${url()}/hook`,
    AWS_REGION: "eu-west-1",
    AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
    AWS_SECRET_ACCESS_KEY: "secret",
    AWS_ENDPOINT_URL: url(),
  };
}

/** A line for a shell in the repository, in which `certkeep` is a command. */
function shell(line: string): Promise<Ended> {
  const child = spawn(
    "/bin/sh",
    ["-c", `certkeep() { '${process.execPath}' '${MAIN}' "$@"; }\n${line}`],
    {
      cwd: repository,
      env: environment(),
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const parts: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (part: Buffer) => parts.push(part));
  return new Promise((resolve) =>
    child.on("close", (code) => resolve({ code, text: Buffer.concat(parts).toString() })),
  );
}

/**
 * In this process; `keys`: what somebody at a terminal types once he is asked, `null` for nobody.
 */
async function inProcess(
  args: readonly string[],
  keys: string | null = null,
): Promise<Ended & { readonly out: string }> {
  for (const [name, value] of Object.entries(environment())) vi.stubEnv(name, value);
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  let [text, out] = ["", ""];
  stdout.on("data", (part: Buffer) => {
    out += part.toString();
    text += part.toString();
  });
  stderr.on("data", (part: Buffer) => {
    const isAsked = (): boolean => /should it be used|Use it as it is now/.test(text);
    const before = isAsked();
    text += part.toString();
    if (!before && isAsked()) setImmediate(() => stdin.write(keys ?? "n"));
  });
  const code = await run(args, {
    stdin,
    stdout,
    stderr,
    env: environment(),
    cwd: repository,
    interactive: keys !== null,
    errTty: false,
    outTty: false,
    columns: 100,
    nowMs: () => Date.now(),
  });
  await new Promise((resolve) => setImmediate(resolve));
  return { code, text, out };
}

/** A program ran, something was sent, or a place of the author's was written to. */
const happened = (): Record<string, boolean> => ({
  ran: existsSync(join(root, "ran")),
  sent: connections > 0,
  stored: existsSync(join(repository, "loot")),
});
const NOTHING = { ran: false, sent: false, stored: false };

describe("somebody else's repository", () => {
  const REFUSED = "certkeep uses nothing in it, because it isn't approved";
  const untouched = (): void => {
    expect(happened()).toEqual(NOTHING);
    const names = (folder: string): string[] =>
      readdirSync(folder, { recursive: true }) as string[];
    expect(names(repository).toSorted()).toEqual(names(join(root, "origin")).toSorted());
  };

  it("decides nothing in a shell: no program runs, nothing is sent, nothing is written", async () => {
    for (const line of [
      "certkeep audit",
      "cd below && certkeep doctor",
      "certkeep restore prod --all --apply",
    ]) {
      const { code, text } = await shell(line);
      expect([code, text.replaceAll(/\s+/g, " ")]).toEqual([
        2,
        expect.stringContaining(`${repository}/certkeep.yaml: ${REFUSED}`),
      ]);
    }
    untouched();
  }, 60_000);

  it.each([
    "audit prod",
    "audit --at 2026-12-24T00:00:00Z",
    "doctor --send-test",
    "restore prod --all --offline out",
    "report",
    "report --format prometheus",
    "digest",
    "explain example.com",
    "backups",
    "backups verify",
    "backups rekey",
    "backups rekey --from s3://author/b",
    "backups retire 0123abcd --reason leaked",
    "backups import kube/config kube/config --for a/b",
    "drill",
    "clusters",
    "clusters add mine --context c --yes",
    "clusters add mine --print",
    "clusters remove other --revoke",
    "init --yes",
    "init --aws --yes --region eu-west-1 --webhook none",
  ])("decides nothing of certkeep %s", async (line) => {
    const { code, text } = await inProcess(line.split(" "));
    expect([code, text.replaceAll(/\s+/g, " ")]).toEqual([2, expect.stringContaining(REFUSED)]);
    untouched();
  });

  it("decides nothing either where it names stores and a registry of its author's on AWS", async () => {
    writeFileSync(
      join(repository, "certkeep.yaml"),
      "stores: {backups: s3://author/b, state: s3://author/s, registry: secretsmanager://author}\n",
    );
    for (const line of ["audit", "clusters", "backups"])
      expect(await inProcess([line])).toMatchObject({ code: 2 });
    expect(happened()).toEqual(NOTHING);
    await shell("certkeep init --approve; certkeep clusters");
    expect(happened()).toEqual({ ...NOTHING, sent: true });
  }, 60_000);

  it("decides what it says once it was read and approved, by the command that the refusal offers", async () => {
    const refused = await shell("certkeep audit");
    const command = /run: (certkeep init --approve \S+)/.exec(refused.text)?.[1] ?? "";
    const approved = await shell(`cd / && ${command}`);
    expect(approved).toMatchObject({ code: 0 });
    for (const file of ["certkeep.yaml", "kube/config", "kube/token", "clusters/other.yaml"])
      expect(approved.text).toContain(`${repository}/${file}\n`);
    expect(happened()).toEqual(NOTHING);
    const audit = await shell("certkeep audit -v");
    expect(audit.text).toContain(`configuration in use: ${repository}/certkeep.yaml`);
    expect(happened()).toEqual({ ran: true, sent: true, stored: true });
  }, 60_000);

  it("has to be approved again after its author changed what it runs", async () => {
    await inProcess(["init", "--approve"]);
    writeFileSync(join(repository, "kube/config"), kubeconfig({ token: "other" }));
    const { code, text } = await inProcess(["audit"]);
    expect([code, text]).toEqual([2, expect.stringContaining("kube/config (changed)")]);
    expect(happened()).toEqual(NOTHING);
  });

  it("is shown first by doctor, approved or not", async () => {
    expect((await inProcess(["doctor"])).text.replaceAll(/\s+/g, " ")).toMatch(
      /^1 problem, .* Problems configuration \S+\/certkeep\.yaml: certkeep uses nothing in it/,
    );
    await inProcess(["init", "--approve"]);
    expect((await inProcess(["doctor", "-v"])).text.replaceAll(/\s+/g, " ")).toContain(
      `configuration ${repository}/certkeep.yaml (approved by you)`,
    );
  }, 60_000);

  it.each(["report", "digest --dry-run", "backups", "clusters", "clusters add x --print", "drill"])(
    "is named by certkeep %s -v, once it is approved",
    async (line) => {
      await inProcess(["init", "--approve"]);
      const { text } = await inProcess([...line.split(" "), "-v"]);
      expect(text.split(`configuration in use: ${repository}/certkeep.yaml\n`)).toHaveLength(2);
    },
  );

  it.each([
    ["audit nowhere", "no such cluster in the configuration"],
    ["clusters add prod --print", "has a cluster of this name"],
    ["restore prod x", "identity"],
    ["audit --config broken.yaml", "broken.yaml:1:1"],
  ])("is named by what certkeep %s says is wrong", async (line, words) => {
    writeFileSync(join(repository, "broken.yaml"), "recipents: []\n");
    await inProcess(["init", "--approve"]);
    const { code, text } = await inProcess(line.split(" "));
    expect([code, text]).toEqual([2, expect.stringContaining(words)]);
    expect(text).toContain(`${repository}/${line.includes("broken") ? "broken" : "certkeep"}.yaml`);
  });

  it("is left alone by a check without --config", async () => {
    const { code, text } = await inProcess(["check", "kube/config"]);
    expect(code).toBe(2);
    expect(text).not.toContain("approve");
  });
});

describe("certkeep init", () => {
  it("approves what it writes, and nothing that lies beside it", async () => {
    rmSync(join(repository, "certkeep.yaml"));
    expect((await inProcess(["init", "--yes"])).code).toBe(0);
    const { code, text } = await inProcess(["backups"]);
    expect([code, text]).toEqual([2, expect.stringContaining("clusters/other.yaml (new)")]);
    rmSync(join(repository, "clusters"), { recursive: true });
    expect((await inProcess(["backups"])).code).toBe(0);
  });

  it("that only says what is there already approves nothing", async () => {
    expect((await inProcess(["init", "--yes", "--config", "certkeep.yaml"])).code).toBe(0);
    expect((await inProcess(["backups"])).text).toContain("certkeep uses nothing in it");
  });

  it("--approve tells where there is nothing to approve, and takes no other option", async () => {
    rmSync(repository, { recursive: true });
    mkdirSync(repository);
    expect(await inProcess(["init", "--approve"])).toMatchObject({
      code: 2,
      text: expect.stringContaining("no certkeep.yaml in this folder or above it") as string,
    });
    expect((await inProcess(["init", "--approve", "x.yaml"])).text).toContain("no such file");
    expect((await inProcess(["init", "--approve", "--aws"])).code).toBe(2);
  });

  it("--approve --json lists what is approved", async () => {
    const { out } = await inProcess(["init", "--approve", "--json"]);
    expect(JSON.parse(out)).toEqual({
      schema: "certkeep.init-approved/v1",
      config: join(repository, "certkeep.yaml"),
      files: expect.arrayContaining([join(repository, "kube/config")]) as string[],
    });
  });
});

describe("without a home folder", () => {
  const homeless = (line: string): Promise<Ended> => shell(`export HOME=/nowhere/home\n${line}`);

  it("a configuration that is named is used, and nothing is written but to its stores", async () => {
    const { code, text } = await homeless("certkeep clusters --config certkeep.yaml");
    expect([code, text]).toEqual([0, expect.stringContaining("prod")]);
    expect(existsSync("/nowhere")).toBe(false);
  });

  it("a configuration that is found isn't", async () => {
    expect((await homeless("certkeep clusters")).text).toContain("certkeep uses nothing in it");
  });
});

describe("on a terminal", () => {
  it("asks about a new configuration and a changed one, and takes no for an answer", async () => {
    const no = await inProcess(["clusters"], "n");
    expect(no.code).toBe(2);
    expect(no.text.replaceAll(/[\s│]+/g, " ")).toContain(
      "isn't approved. It decides which programs run, who can decrypt backups, and where data " +
        "is sent.",
    );
    expect((await inProcess(["clusters"], "y")).code).toBe(0);
    const again = await inProcess(["clusters"], "n");
    expect([again.code, again.text]).toEqual([0, expect.not.stringContaining("approved")]);
    writeFileSync(join(repository, "clusters/new.yaml"), "kubeconfig: ../kube/token\n");
    const changed = await inProcess(["clusters"], "\r");
    expect([changed.code, changed.text.replaceAll(/[\s│]+/g, " ")]).toEqual([
      2,
      expect.stringContaining("isn't as you approved it: clusters/new.yaml (new)"),
    ]);
    rmSync(join(repository, "clusters/new.yaml"));
    appendFileSync(join(repository, "certkeep.yaml"), "# edited\n");
    const edited = (await inProcess(["clusters"], "\r")).text.replaceAll(/[\s│]+/g, " ");
    expect(edited).toContain("certkeep.yaml changed since you approved it. Use it as it is now?");
    expect(edited).not.toContain("(changed)");
    expect(statSync(join(root, "home/.local/state/certkeep/approvals")).mode & 0o777).toBe(0o700);
    expect(happened()).toEqual(NOTHING);
  });
});

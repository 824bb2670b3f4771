/** Each question that a person is asked at a terminal, word for word, and what `no` does. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Io } from "../../lib/cli/io.ts";
import { askApproval, createQuestions } from "../../lib/cli/questions.ts";
import { run } from "../../lib/cli/run.ts";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { startSandbox, type Sandbox } from "../fake-apiserver/api.ts";

const [ENTER, CTRL_C] = ["\r", "\u0003"];

/** A terminal at which somebody types the next of `keys` at each question. */
function terminal(keys: readonly string[]) {
  const stdin = new PassThrough();
  const stderr = Object.assign(new PassThrough(), { columns: 200 });
  let [text, typed] = ["", 0];
  stderr.on("data", (part: Buffer) => {
    text += part.toString();
    for (; typed < text.split("└").length - 1; typed += 1) {
      const key = keys[typed] ?? CTRL_C;
      setImmediate(() => stdin.write(key));
    }
  });
  return {
    stdin,
    stderr,
    text: () => stripVTControlCharacters(text),
    /** The lines of each question, as they were first shown. */
    questions: () =>
      stripVTControlCharacters(text)
        .split("◆")
        .slice(1)
        .map((frame) =>
          (frame.split("└")[0] ?? "")
            .trim()
            .split("\n")
            .map((line) => line.replace(/^│\s*/u, "")),
        ),
  };
}

type Questions = ReturnType<typeof createQuestions>;

const CANCELLED = /^certkeep init: cancelled\. Nothing was replaced; run it again at any time$/;
const approval = { config: "/home/me/certkeep.yaml", isNew: false };

const ASKED: readonly {
  readonly what: string;
  readonly ask: (questions: Questions, io: Io) => Promise<unknown>;
  readonly shows: readonly string[];
  readonly key: string;
  /** What the key answers, or the message of what it throws. */
  readonly answers: unknown;
}[] = [
  {
    what: "where the configuration goes",
    ask: (questions) =>
      questions.configPlace(["/repo/certkeep.yaml", "/home/me/.config/certkeep/certkeep.yaml"]),
    shows: [
      "Where should certkeep.yaml go?",
      "● this folder (for a project; found from here and below)",
      "○ ~/.config/certkeep/certkeep.yaml",
      "↑/↓ to navigate • Enter: confirm",
    ],
    key: CTRL_C,
    answers: CANCELLED,
  },
  {
    what: "which clusters are audited",
    ask: (questions) =>
      questions.contexts([
        { name: "dev", current: false },
        { name: "prod", current: true },
      ]),
    shows: [
      "Which clusters should be audited? (contexts of your kubeconfig)",
      "◻ dev",
      "◼ prod (current)",
      "↑/↓ to navigate • Space: select • Enter: confirm",
    ],
    key: CTRL_C,
    answers: CANCELLED,
  },
  {
    what: "where the identity goes",
    ask: (questions) => questions.identityPlace("/home/me/identity.txt"),
    shows: [
      "Where should the identity be saved? It decrypts every backup; choose a path outside any " +
        "git work tree",
      "~/identity.txt",
    ],
    key: CTRL_C,
    answers: CANCELLED,
  },
  {
    what: "whether the configuration gets a recipient",
    ask: (questions) => questions.addRecipient("/home/me/certkeep.yaml", "age1example"),
    shows: [
      "~/certkeep.yaml names no recipients, so nothing is backed up. Add age1example to it? " +
        "Nothing else in it changes.",
      "● Yes / ○ No",
    ],
    key: "n",
    answers: false,
  },
  {
    what: "for a passphrase",
    ask: (questions) => questions.passphrase("/home/me/identity.age"),
    shows: ["Passphrase of ~/identity.age", "_"],
    key: CTRL_C,
    answers:
      /^~\/identity\.age: no passphrase was given\. Nothing was changed; run it again at any time$/,
  },
  {
    what: "for the webhook",
    ask: (questions) => questions.webhook(() => "not a webhook"),
    shows: [
      "URL of the Slack webhook that digests are posted to (typing is hidden; leave it empty to " +
        "set it later)",
      "_",
    ],
    key: ENTER,
    answers: null,
  },
  {
    what: "whether AWS gets the identity",
    ask: (questions) => questions.identity(),
    shows: [
      "Store the identity in Secrets Manager too, so that functions can restore and drill? It " +
        "decrypts every backup. Without it there, both run from your machine.",
      "○ Yes / ● No",
    ],
    key: ENTER,
    answers: false,
  },
  {
    what: "whether a new configuration is approved",
    ask: (_, io) => askApproval(io, { ...approval, isNew: true, doubts: [] }),
    shows: [
      "~/certkeep.yaml isn't approved. It decides which programs run, who can decrypt backups, " +
        "and where data is sent. Did you read it, and should it be used from now on?",
      "○ Yes / ● No",
    ],
    key: ENTER,
    answers: false,
  },
  {
    what: "whether an edited configuration is approved",
    ask: (_, io) => askApproval(io, { ...approval, doubts: ["certkeep.yaml (changed)"] }),
    shows: ["~/certkeep.yaml changed since you approved it. Use it as it is now?", "○ Yes / ● No"],
    key: ENTER,
    answers: false,
  },
  {
    what: "whether a configuration with other files is approved",
    ask: (_, io) => askApproval(io, { ...approval, doubts: ["kube/config (new)"] }),
    shows: [
      "~/certkeep.yaml isn't as you approved it: kube/config (new). Did you read it, and should " +
        "it be used from now on?",
      "○ Yes / ● No",
    ],
    key: CTRL_C,
    answers: false,
  },
];

it.each(ASKED)("certkeep asks $what", async ({ ask, shows, key, answers }) => {
  const { stdin, stderr, questions } = terminal([key]);
  const io = { stdin, stderr, env: { HOME: "/home/me" }, cwd: "/repo" } as unknown as Io;
  const answer = await ask(createQuestions(io), io).catch((error: unknown) => error);
  expect(questions()).toEqual([shows]);
  if (answers instanceof RegExp) expect((answer as Error).message).toMatch(answers);
  else expect(answer).toBe(answers);
});

describe("no changes nothing:", () => {
  let sandbox: Sandbox;
  let folder: string;
  let recipient: string;

  beforeEach(async () => {
    sandbox = await startSandbox({ namespaces: ["default", "tailscale"] });
    folder = await mkdtemp(join(tmpdir(), "certkeep-cli-questions-"));
    const identity = await generateIdentity();
    recipient = identity.recipient;
    const written = {
      kubeconfig: sandbox.kubeconfig({ context: "prod" }),
      "identity.txt": `${identity.secret}\n`,
    };
    for (const [name, text] of Object.entries(written))
      await writeFile(join(folder, name), text, { mode: 0o600 });
  });
  afterEach(async () => {
    await sandbox.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function files(): Promise<readonly unknown[]> {
    const found = await readdir(folder, { recursive: true, withFileTypes: true });
    return Promise.all(
      found.map(async (one) => {
        const path = join(one.parentPath, one.name);
        return [path, one.isFile() ? await readFile(path, "utf8") : null];
      }),
    );
  }

  const stores = 'stores: {backups: "file:backups", state: "file:state"}\n';

  it.each<{
    readonly args: readonly string[];
    readonly keys: readonly string[];
    readonly config: string | null;
    readonly code: number;
    readonly asks: readonly (string | RegExp)[];
    readonly says: string;
  }>([
    {
      args: ["init"],
      keys: [ENTER, ENTER, CTRL_C],
      config: null,
      code: 2,
      asks: [/^Where should certkeep/, /^Which clusters/, /^Where should the identity/],
      says: "certkeep init: cancelled. Nothing was replaced",
    },
    {
      args: ["init", "--config", "certkeep.yaml", "--identity", "identity.txt"],
      keys: ["n"],
      config: stores,
      code: 0,
      asks: [/certkeep\.yaml names no recipients, so nothing is backed up\. Add age1/],
      says: "certkeep.yaml was left as it is",
    },
    {
      args: ["audit"],
      keys: ["n"],
      config: `${stores}recipients: [RECIPIENT]\n`,
      code: 2,
      asks: [/certkeep\.yaml isn't approved\./],
      says: "certkeep uses nothing in it, because it isn't approved",
    },
    {
      args: ["clusters", "add", "prod", "--config", "certkeep.yaml"],
      keys: ["n"],
      config: `${stores}recipients: [RECIPIENT]\n`,
      code: 2,
      asks: ["Apply this, and store the credentials?"],
      says: "cluster prod: cancelled. Nothing was changed",
    },
    {
      args: ["clusters", "add", "prod", "--config", "certkeep.yaml", "--no-apply"],
      keys: [CTRL_C],
      config: `${stores}recipients: [RECIPIENT]\n`,
      code: 2,
      asks: ["Store the credentials?"],
      says: "cluster prod: cancelled. Nothing was changed",
    },
  ])("certkeep $args", async ({ args, keys, config, code, asks, says }) => {
    if (config !== null)
      await writeFile(join(folder, "certkeep.yaml"), config.replace("RECIPIENT", recipient));
    const before = await files();
    const { stdin, stderr, text, questions } = terminal(keys);
    const ended = await run(args, {
      stdin,
      stdout: new PassThrough(),
      stderr,
      env: { HOME: folder, KUBECONFIG: join(folder, "kubeconfig") },
      cwd: folder,
      interactive: true,
      errTty: false,
      outTty: false,
      columns: 100,
      nowMs: Date.now,
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([ended, text()]).toEqual([code, expect.stringContaining(says)]);
    expect(questions().map(([question]) => question)).toEqual(
      asks.map((one) => (typeof one === "string" ? one : expect.stringMatching(one))),
    );
    expect(await files()).toEqual(before);
    expect(sandbox.requests.filter(({ method }) => method !== "GET")).toEqual([]);
  });
});

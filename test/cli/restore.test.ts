/** Restore, drill and the rest of the backups' commands as a person runs them. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import stringWidth from "string-width";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Ended, runIn } from "../support/cli.ts";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { createAuthority } from "../support/pki.ts";
import { DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";
import { accountPem, operatorSecret, proxySecret, tlsSecret } from "../support/restoring.ts";
import { named } from "../support/named.ts";

const DOMAIN = "shop.tail1a2b3.ts.net";
const OPERATOR = "operator.tail1a2b3.ts.net";
let world: World;
let folder: string;
let identity: { readonly secret: string; readonly recipient: string };
/** Key bytes that must never be said. */
let keys: string[];

/** Runs a command, and looks that nothing it says holds a key. */
async function certkeep(
  args: readonly string[],
  choice: Parameters<typeof runIn>[2] = {},
): Promise<Ended> {
  const ended = await runIn(folder, named(folder, args), {
    columns: 80,
    nowMs: () => world.nowMs,
    ...choice,
  });
  for (const key of keys) expect(ended.out + ended.err).not.toContain(key);
  expect(ended.out + ended.err).not.toContain(identity.secret);
  expect(ended.err).not.toContain("internal error");
  return ended;
}

beforeEach(async () => {
  world = await startWorld();
  folder = await mkdtemp(join(tmpdir(), "certkeep-cli-restore-"));
  identity = await generateIdentity();
  await writeFile(join(folder, "identity.txt"), `${identity.secret}\n`, { mode: 0o600 });
  await writeFile(join(folder, "kubeconfig"), world.sandbox.kubeconfig({ context: "here" }), {
    mode: 0o600,
  });
  await writeFile(join(folder, "anchors.pem"), world.authority.root.pem);
  await writeFile(
    join(folder, "certkeep.yaml"),
    `recipients: [${identity.recipient}]\n` +
      "identity: file:identity.txt\n" +
      "clusters:\n" +
      "  - {name: prod, kubeconfig: kubeconfig}\n" +
      `stores: {backups: "file:backups", state: "file:state"}\n` +
      "issuers:\n" +
      "  - {id: test, anchors: anchors.pem}\n",
  );
  const [shop, operator] = [world.issue([DOMAIN]), world.issue([OPERATOR])];
  const account = accountPem();
  world.put(
    ingressSecret(DOMAIN, shop),
    operatorSecret(OPERATOR, operator, account),
    proxySecret("ts-web-aaaaa-0", "web", "web.tail1a2b3.ts.net", {
      pair: world.issue(["web.tail1a2b3.ts.net"]),
      device: "web.tail1a2b3.ts.net",
    }),
    tlsSecret("shop", "web-tls", world.issue(["a.example.com"])),
  );
  keys = [shop.keyPem, operator.keyPem, account].flatMap((pem) => [
    pem.split("\n")[1] ?? pem,
    Buffer.from(pem).toString("base64").slice(40, 100),
  ]);
  if ((await certkeep(["audit"])).code !== 0) throw new Error("the audit failed");
});
afterEach(async () => {
  await world.stop();
  await rm(folder, { recursive: true, force: true });
});

function lose(): void {
  for (const [namespace, name] of [
    ["tailscale", DOMAIN],
    ["tailscale", "operator"],
    ["tailscale", "ts-web-aaaaa-0"],
    ["shop", "web-tls"],
  ] as const)
    world.sandbox.remove(namespace, name);
}

describe("certkeep restore", () => {
  it(
    "shows a plan that fits 80 columns, names what to run, and writes nothing; the line that it " +
      "prints does it",
    async () => {
      lose();
      const plan = await certkeep(["restore", "prod", DOMAIN, OPERATOR]);
      expect(plan.code).toBe(0);
      const offered = /^ {2}(certkeep restore .*--apply)$/m.exec(plan.out)?.[1] ?? "";
      for (const line of plan.out.replace(offered, "").split("\n"))
        expect(stringWidth(line), `${line}`).toBeLessThanOrEqual(80);
      expect(plan.out.split("\n")[0]).toBe("Restore plan: prod");
      expect(plan.out.match(/ create Secret /g)).toHaveLength(3);
      expect(plan.out).toContain("Saves 2 issuances. Nothing written yet. To apply:\n  certkeep");
      const details = await certkeep(["restore", "prod", DOMAIN, OPERATOR, "-v"]);
      expect(details.out).toContain("  Fields   tls.crt, tls.key\n");
      expect(world.sandbox.all()).toEqual([]);
      expect(offered).toBe(
        `certkeep restore prod ${DOMAIN} ${OPERATOR} --config ${join(folder, "certkeep.yaml")} ` +
          "--apply",
      );
      const done = await certkeep(offered.split(" ").slice(1));
      expect([done.code, done.out]).toEqual([
        0,
        expect.stringMatching(/^Restored 3 of 3; read back and verified\. Saved 2 issuances\.$/m),
      ]);
      expect((await certkeep(["restore", "prod", DOMAIN, "--apply"])).out).toBe(
        `Restore: prod\nNothing to restore. ${DOMAIN}: up to date.\n`,
      );
    },
  );

  /** The commands that an output offers, without the program's name. */
  const offered = (out: string): readonly string[][] =>
    [...out.matchAll(/^ +certkeep (.*)$/gm)].map(([, line = ""]) => line.split(" "));

  it("offers a command with the context and kubeconfig that were given", async () => {
    const given = ["--context", "here", "--kubeconfig", join(folder, "kubeconfig")];
    expect((await certkeep(["audit", ...given])).code).toBe(0);
    lose();
    const [command = []] = offered((await certkeep(["restore", DOMAIN, ...given])).out);
    expect(command.slice(0, 6)).toEqual(["restore", DOMAIN, ...given]);
    expect((await certkeep(command)).out).toContain("Restored 1 of 1; read back and verified.");
    expect((await certkeep(["restore", "nothing.example", ...given])).err).toMatch(
      /^certkeep: cluster prod: no match for nothing\.example\. Name a domain/m,
    );
  });

  it("offers for a missing namespace and an immutable Secret what restores them", async () => {
    world.sandbox.remove("shop", "web-tls");
    world.sandbox.remove(null, "shop", "Namespace");
    world.put({ ...ingressSecret(DOMAIN, null), immutable: true });
    const plan = await certkeep(["restore", "prod", "shop/web-tls", DOMAIN]);
    expect([plan.code, plan.out]).toEqual([
      3,
      expect.stringContaining("Namespace shop is missing."),
    ]);
    expect(plan.out).not.toContain("To apply:");
    const commands = offered(plan.out);
    expect(commands.map((words) => words.filter((word) => word.startsWith("--")))).toEqual([
      ["--create-namespace", "--config", "--apply"],
      ["--replace", "--config"],
    ]);
    const created = await certkeep(commands[0] ?? []);
    expect(created.out).toContain("Restored 1 of 2; read back and verified.");
    const replacing = await certkeep(commands[1] ?? []);
    expect([replacing.code, replacing.out]).toEqual([
      0,
      expect.stringContaining(" recreate Secret "),
    ]);
    const [apply = []] = offered(replacing.out);
    expect((await certkeep(apply)).out).toContain("Restored 1 of 1; read back and verified.");
  });

  it("gives one JSON document and nothing else there; names of fields, no value", async () => {
    lose();
    const { code, out, err } = await certkeep(["restore", "prod", "--all", "--apply", "--json"]);
    const document = JSON.parse(out) as {
      schema: string;
      saved: number;
      counts: Record<string, number>;
      items: { fields: string[] }[];
    };
    expect(document).toMatchObject({
      schema: "certkeep.restore/v1",
      saved: 3,
      counts: { done: 4, later: 1 },
    });
    expect(document.items.flatMap(({ fields }) => fields)).toContain("acme-account.key.pem");
    expect(err).toBe("");
    expect(code).toBe(3);
    expect((await certkeep(["restore", "prod", "--all", "--apply", "--allow-later"])).code).toBe(0);
  });

  it.each([
    ["nothing named", ["restore", "prod"], 2, /nothing to restore/],
    ["an unknown cluster", ["restore", "prd", "--all"], 2, /Did you mean prod\?/],
    [
      "an unknown name",
      ["restore", "prod", "shp.tail1a2b3.ts.net"],
      2,
      /did you mean shop\.tail1a2b3\.ts\.net\?/,
    ],
    [
      "a code that nobody may override",
      ["restore", "prod", "--all", "--force", "copy_revoked"],
      2,
      /Expected one or more of/,
    ],
    [
      "a place that is none",
      ["restore", "prod", DOMAIN, "--as", "x"],
      2,
      /Expected NAMESPACE\/NAME/,
    ],
    ["a time that is none", ["restore", "prod", "--all", "--as-of", "yesterday"], 2, /RFC 3339/],
    [
      "a span that is none",
      ["restore", "prod", "--all", "--apply", "--follow", "soon"],
      2,
      /such as 30m/,
    ],
    [
      "following without writing",
      ["restore", "prod", "--all", "--follow", "30m"],
      2,
      /Add --apply/,
    ],
    [
      "two ways at once",
      ["restore", "prod", "--all", "--apply", "--dry-run=server"],
      2,
      /one of them/,
    ],
    [
      "an identity file that isn't there",
      ["restore", "prod", "--all", "--identity", "nowhere.txt"],
      2,
      /nowhere\.txt: there is no such file\. Name the identity with --identity FILE \(your password manager may have it\)\.$/m,
    ],
    [
      "an environment variable that isn't set",
      ["restore", "prod", "--all", "--identity", "env:NOPE"],
      2,
      /environment variable is missing or empty/,
    ],
    [
      "a version that nothing has",
      ["restore", "prod", "--version", "0123456789ab"],
      2,
      /cluster prod: no match for 0123456789ab/,
    ],
    [
      "a domain without its cluster",
      ["restore", "shop.example.com", "tailscale/x"],
      2,
      /shop\.example\.com isn't a cluster\. .*The cluster comes first: certkeep restore prod shop\.example\.com tailscale\/x$/m,
    ],
    [
      "a cluster that there isn't",
      ["restore", "elsewhere", "shop.example.com"],
      2,
      /cluster elsewhere: there is no such cluster.*Use one of: prod, or a context of your kubeconfig/,
    ],
  ] as const)("%s: one plain message", async (_name, args, code, words) => {
    const ended = await certkeep(args);
    expect(ended.code).toBe(code);
    expect(ended.err).toMatch(words);
    expect(ended.out).toBe("");
  });

  it(
    "takes the identity from standard input, the environment or a file; a wrong one opens " +
      "nothing",
    async () => {
      lose();
      await writeFile(
        join(folder, "certkeep.yaml"),
        `recipients: [${identity.recipient}]\n` +
          "clusters:\n" +
          "  - {name: prod, kubeconfig: kubeconfig}\n" +
          `stores: {backups: "file:backups", state: "file:state"}\n` +
          "issuers:\n" +
          "  - {id: test, anchors: anchors.pem}\n",
      );
      const plan = ["restore", "prod", DOMAIN] as const;
      const config = { env: { XDG_CONFIG_HOME: join(folder, "config") } };
      expect((await certkeep(plan, config)).err).toMatch(
        /identity\.txt: there is no such file\. .*--identity FILE/s,
      );
      expect(
        (await certkeep([...plan, "--identity", "-"], { stdin: `# mine\n${identity.secret}\n` }))
          .code,
      ).toBe(0);
      expect(
        (await certkeep([...plan, "--identity", "env:ID"], { env: { ID: identity.secret } })).code,
      ).toBe(0);
      expect((await certkeep([...plan, "--identity", "file:identity.txt"])).code).toBe(0);
      const other = await generateIdentity();
      const wrong = await certkeep([...plan, "--identity", "env:ID"], {
        env: { ID: other.secret },
      });
      expect([
        wrong.code,
        / wrong identity /.test(wrong.out),
        wrong.out.replaceAll(/\s+/g, " ").includes("The backup is encrypted for other recipients"),
      ]).toEqual([3, true, true]);
      expect(
        (await certkeep([...plan, "--identity", "-"], { stdin: identity.recipient })).err,
      ).toMatch(/a recipient, which can only encrypt/);
    },
  );

  it("writes manifests to a folder without a cluster", async () => {
    world.sandbox.intercept(() => ({ kind: "status", status: 500 }));
    const ended = await certkeep(["restore", "prod", DOMAIN, "--offline", "out"]);
    // Where the person stands, and nowhere else: it holds a private key.
    expect(await readdir(join(folder, "out"))).toEqual([`tailscale_${DOMAIN}.json`]);
    expect(ended).toMatchObject({
      code: 0,
      err: "",
      out: expect.stringMatching(
        /^Manifests written for 1 of 1; nothing is restored yet\.[\s\S]*^ {2}kubectl apply --server-side .* -f /m,
      ) as string,
    });
  });
});

describe("certkeep drill, backups retire, backups import", () => {
  it("open everything, say what has none, and end with 1 where a copy can't be used", async () => {
    const fine = await certkeep(["drill"]);
    expect([fine.code, fine.out.split("\n")[0]]).toEqual([
      0,
      "4 of 4 certificates can be restored",
    ]);
    expect(fine.out).toContain("5 backups tested: 5 OK");
    for (const line of fine.out.split("\n"))
      expect(stringWidth(line), `${line}`).toBeLessThanOrEqual(80);
    const { secret } = await generateIdentity();
    expect((await certkeep(["drill", "--identity", "env:ID"], { env: { ID: secret } })).code).toBe(
      1,
    );
    const json = JSON.parse((await certkeep(["drill", "--json", DOMAIN])).out) as {
      schema: string;
      copies: object[];
    };
    expect([json.schema, json.copies.length]).toEqual(["certkeep.drill/v1", 1]);
  });

  it("a retired copy is never planned; the drill says that its certificate has none", async () => {
    const listed = JSON.parse((await certkeep(["backups", DOMAIN, "--json"])).out) as {
      copies: { version: string }[];
    };
    const version = listed.copies[0]?.version ?? "";
    expect((await certkeep(["backups", "retire", version.slice(0, 12)])).code).toBe(2);
    expect(
      (await certkeep(["backups", "retire", version.slice(0, 12), "--reason", "leaked"])).out,
    ).toContain("it is never restored again");
    lose();
    expect((await certkeep(["restore", "prod", DOMAIN])).out.replaceAll(/\s+/g, " ")).toContain(
      "The backup was retired: leaked.",
    );
    expect((await certkeep(["drill", DOMAIN])).out).toContain("No usable backup (1)");
    expect(
      (await certkeep(["backups", "retire", version, "--reason", "leaked", "--purge"])).out,
    ).toContain("Purged: removed from file://");
  });

  it("a standby is kept and restored when it is asked for", async () => {
    const corp = createAuthority({ name: "Corp" });
    const pair = corp.issue({
      names: ["a.example.com"],
      notBefore: new Date(world.nowMs - DAY_MS),
      notAfter: new Date(world.nowMs + 90 * DAY_MS),
    });
    await writeFile(join(folder, "corp.crt"), pair.certificatePem);
    await writeFile(join(folder, "corp.key"), pair.keyPem);
    expect(
      (await certkeep(["backups", "import", "corp.crt", "corp.key", "--for", "shop/web-tls"])).out,
    ).toMatch(
      /^Backed up standby [0-9a-f]{12} for shop\/web-tls[^\n]*\n.*\n {2}certkeep restore prod shop\/web-tls --standby\n/,
    );
    expect(
      (await certkeep(["backups", "import", "corp.crt", "corp.key", "--for", "nonsense"])).err,
    ).toContain("NAMESPACE/SECRET");
    expect(
      (await certkeep(["backups", "import", "corp.crt", "nothing.key", "--for", "shop/web-tls"]))
        .code,
    ).toBe(3);
  });
});

it(
  "the first Ctrl-C ends a restore in order: what is under way is finished, and the rest is " +
    "said",
  async () => {
    lose();
    let interrupt = (): void => {};
    world.sandbox.intercept(({ verb }) => {
      if (verb === "create") interrupt();
      return undefined;
    });
    const { code, out } = await certkeep(
      ["restore", "prod", "--all", "--apply", "--follow", "1h"],
      { onInterrupt: (stop) => ((interrupt = stop), () => {}) },
    );
    expect(code).toBe(3);
    expect(out).toContain("To do what is left (it repeats nothing):");
  },
);

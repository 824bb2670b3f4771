/**
 * Doctor on a set-up that is right, and on the same broken in each of many ways: each is named, and
 * nothing else.
 */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Ended, runIn } from "../support/cli.ts";
import { parse, stringify } from "yaml";
import { questionsOf, type AccessPlan } from "../../lib/rbac/rules.ts";
import type { Bearer } from "../../lib/rbac/table.ts";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { createFileStates } from "../../lib/adapters/file/stores.ts";
import { DRILL_NAME, formatDrill } from "../../lib/usecases/drill/record.ts";
import { serviceAccount, startSandbox, type Sandbox } from "../fake-apiserver/api.ts";
import type { AccessRule } from "../fake-apiserver/access.ts";
import { createAuthority, type Authority } from "../support/pki.ts";
import { ingressSecret, OWNERS } from "../support/world.ts";
import { named } from "../support/named.ts";

const DAY_MS = 86_400_000;
const PLAN: AccessPlan = {
  parts: ["secrets", "parents", "diagnosis", "restore"],
  namespaces: ["tailscale", "shop"],
  secrets: [],
};

interface Line {
  readonly id: string;
  readonly level: string;
  readonly cluster: string | null;
  readonly text: string;
  readonly command: string | null;
}

interface Setup {
  readonly folder: string;
  readonly sandbox: Sandbox;
  readonly authority: Authority;
  nowMs: number;
  readonly env: Record<string, string>;
  readonly file: (name: string) => string;
  /** Changes a YAML file of the set-up. */
  readonly edit: (name: string, change: (value: Record<string, unknown>) => void) => void;
  /** Changes cluster and user of a kubeconfig. */
  readonly rewire: (name: string, cluster: object, user?: object) => void;
}

const BASE64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
/** A token that says when it ends, as a service account's does. */
const tokenUntil = (endMs: number, mark: string): string =>
  `${BASE64({ alg: "none" })}.${BASE64({ exp: Math.floor(endMs / 1000), sub: mark })}.c2ln`;

function rulesFor(bearer: Bearer): AccessRule[] {
  return questionsOf(PLAN, bearer).map(({ verb, group, resource, namespace, name }) => ({
    verbs: [verb],
    apiGroups: [group],
    resources: [resource],
    ...(namespace === null || resource === "namespaces" ? {} : { namespace }),
    ...(name === null ? {} : { resourceNames: [name] }),
  }));
}

let setup: Setup;

const command = (args: readonly string[]): Promise<Ended> =>
  runIn(setup.folder, named(setup.folder, args), { env: setup.env, nowMs: () => setup.nowMs });

async function doctor(): Promise<{ readonly code: number; readonly lines: readonly Line[] }> {
  const said = await command(["doctor", "--json"]);
  return { code: said.code, lines: (JSON.parse(said.out) as { lines: Line[] }).lines };
}

const short = ({ level, id, cluster }: Line): string =>
  `${level} ${cluster === null ? "" : `${cluster} `}${id}`;
const amiss = (lines: readonly Line[]): string[] =>
  lines.filter(({ level }) => level !== "pass").map(short);

beforeEach(async () => {
  const folder = mkdtempSync(join(tmpdir(), "certkeep-doctor-"));
  const sandbox = await startSandbox({
    namespaces: ["default", "kube-system", "tailscale", "shop"],
    tokens: OWNERS,
  });
  const authority = createAuthority({ name: "Doctor" });
  const nowMs = Date.now();
  const file = (name: string): string => join(folder, name);
  const read = tokenUntil(nowMs + 300 * DAY_MS, "read");
  const restore = tokenUntil(nowMs + 300 * DAY_MS, "restore");
  sandbox.setToken(read, serviceAccount("certkeep", "read", rulesFor("read")));
  sandbox.setToken(restore, serviceAccount("certkeep", "restore", rulesFor("restore")));
  const pair = authority.issue({
    names: ["a.tail1a2b3.ts.net"],
    notBefore: new Date(nowMs - 10 * DAY_MS),
    notAfter: new Date(nowMs + 80 * DAY_MS),
  });
  sandbox.put([ingressSecret("a.tail1a2b3.ts.net", pair)]);
  const { secret, recipient } = await generateIdentity();
  mkdirSync(file("clusters"));
  mkdirSync(file("keys"));
  writeFileSync(file("keys/identity.txt"), `${secret}\n`, { mode: 0o600 });
  writeFileSync(file("anchors.pem"), authority.root.pem);
  writeFileSync(
    file("certkeep.yaml"),
    stringify({
      recipients: [recipient],
      identity: "file:keys/identity.txt",
      stores: { backups: "file:backups", state: "file:state" },
      issuers: [{ id: "test", anchors: "anchors.pem" }],
      digest: { routes: [{ name: "ops", webhook: "env:HOOK" }] },
    }),
  );
  for (const [bearer, token] of [
    ["read", read],
    ["restore", restore],
  ])
    writeFileSync(
      file(`clusters/prod.${bearer}.kubeconfig`),
      sandbox.kubeconfig({ ...(token === undefined ? {} : { token }), context: "prod" }),
      { mode: 0o600 },
    );
  writeFileSync(
    file("clusters/prod.yaml"),
    stringify({
      kubeconfig: "prod.read.kubeconfig",
      restoreKubeconfig: "prod.restore.kubeconfig",
      namespaces: PLAN.namespaces,
      access: { kind: "token", parts: PLAN.parts },
    }),
  );
  const edit: Setup["edit"] = (name, change) => {
    const value = parse(readFileSync(file(name), "utf8")) as Record<string, unknown>;
    change(value);
    writeFileSync(file(name), stringify(value), { mode: 0o600 });
  };
  setup = {
    folder,
    sandbox,
    authority,
    nowMs,
    env: { HOME: folder, HOOK: "https://hooks.slack.com/services/T000/B000/XXXXXXXX" },
    file,
    edit,
    rewire: (name, cluster, user) =>
      edit(name, (config) => {
        const [first] = config["clusters"] as { cluster: object }[];
        const [who] = config["users"] as { user: object }[];
        if (first !== undefined) first.cluster = { ...first.cluster, ...cluster };
        if (who !== undefined && user !== undefined) who.user = user;
      }),
  };
  for (const args of [["audit"], ["drill"]]) {
    const { code: ended, err } = await command(args);
    if (ended !== 0) throw new Error(err);
  }
});
afterEach(async () => {
  await setup.sandbox.stop();
  rmSync(setup.folder, { recursive: true, force: true });
});

/** What a healthy set-up is still told: no digest was ever posted. */
const ALWAYS = ["warn digest"];

describe("doctor", () => {
  it(
    "finds nothing amiss where all is right, changes nothing in the cluster, and takes its " +
      "probe away",
    async () => {
      setup.sandbox.forgetRequests();
      const { code, lines } = await doctor();
      expect(lines.filter(({ level }) => level === "fail").map(({ text }) => text)).toEqual([]);
      expect(amiss(lines)).toEqual(ALWAYS);
      expect(code).toBe(0);
      const posted = setup.sandbox.requests
        .filter(({ method }) => method !== "GET")
        .map(({ path }) => path.replace("/apis/authorization.k8s.io/v1/", ""));
      expect(new Set(posted)).toEqual(
        new Set(["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
      );
      expect(
        readdirSync(setup.file("backups"))
          .filter((name) => name === "doctor")
          .flatMap((name) => readdirSync(setup.file(`backups/${name}`))),
      ).toEqual([]);
    },
  );

  it("shows no credential, webhook or identity, whatever is broken", async () => {
    setup.rewire("clusters/prod.read.kubeconfig", { server: "https://127.0.0.1:1" });
    for (const args of [["doctor"], ["doctor", "--json"], ["clusters"], ["clusters", "--json"]]) {
      const { out, err } = await command(args);
      expect(out + err).not.toMatch(/AGE-SECRET|hooks\.slack|eyJ|XXXXXXXX/);
    }
  });

  it("ends with a plain message for a cluster that isn't there", async () => {
    const said = await command(["doctor", "nowhere"]);
    expect(said.code).toBe(2);
    expect(said.err).toContain("certkeep clusters add nowhere");
  });
});

interface Break {
  readonly name: string;
  readonly do: (to: Setup) => void | Promise<void>;
  /** `level id` of a line, with the cluster between where it is one's. */
  readonly line: string;
  readonly text: RegExp;
  readonly command?: RegExp;
  readonly code: number;
}

/** Registered without `--with restore`. */
function readOnly(entry: Record<string, unknown>, access: object = { kind: "token" }): void {
  delete entry["restoreKubeconfig"];
  entry["access"] = { ...access, parts: PLAN.parts.filter((part) => part !== "restore") };
}

const servers: Server[] = [];
const impostors: Sandbox[] = [];

const BREAKS: readonly Break[] = [
  {
    name: "a configuration with a mistake",
    do: ({ file }) => writeFileSync(file("certkeep.yaml"), "recipents: []\n"),
    line: "fail config",
    text: /Did you mean "recipients"/,
    code: 2,
  },
  {
    name: "no recipients",
    do: ({ edit }) => edit("certkeep.yaml", (config) => delete config["recipients"]),
    line: "fail prod recipients",
    text: /No recipients: nothing is backed up/,
    command: /certkeep init/,
    code: 1,
  },
  {
    name: "an identity that isn't where it is said to be",
    do: ({ file }) => renameSync(file("keys/identity.txt"), file("keys/away")),
    line: "fail identity",
    text: /no such file\. Name the identity with --identity FILE/,
    code: 2,
  },
  {
    name: "an identity of somebody else",
    do: async ({ file }) =>
      writeFileSync(file("keys/identity.txt"), `${(await generateIdentity()).secret}\n`, {
        mode: 0o600,
      }),
    line: "fail prod identity",
    text: /can't open this cluster's backups/,
    command: /^$/,
    code: 1,
  },
  {
    name: "an identity that others may read",
    do: ({ file }) => chmodSync(file("keys/identity.txt"), 0o644),
    line: "fail identity",
    text: /Other users can read/,
    command: /chmod 600/,
    code: 1,
  },
  {
    name: "an identity in a git work tree",
    do: ({ file }) => mkdirSync(file("keys/.git")),
    line: "fail identity",
    text: /git work tree/,
    command: /^mv -n \S+\/keys\/identity\.txt \S+\/certkeep-identity\.txt$/,
    code: 1,
  },
  {
    name: "a store of copies that can't be written",
    do: ({ file, edit }) => (
      writeFileSync(file("plain"), ""),
      edit("certkeep.yaml", (config) =>
        Object.assign(config["stores"] as object, { backups: "file:plain/backups" }),
      )
    ),
    line: "fail backups",
    text: /a file is where a folder must be/,
    code: 3,
  },
  {
    name: "a store of states that can't be written",
    do: ({ file, edit }) => (
      writeFileSync(file("plain"), ""),
      edit("certkeep.yaml", (config) =>
        Object.assign(config["stores"] as object, { state: "file:plain/state" }),
      )
    ),
    line: "fail state",
    text: /a file is where a folder must be/,
    code: 3,
  },
  {
    name: "a damaged state",
    do: ({ file }) =>
      void readdirSync(file("state/cluster-prod")).forEach((name) =>
        writeFileSync(file(`state/cluster-prod/${name}`), "{"),
      ),
    line: "fail prod state",
    text: /cut off|damaged/,
    code: 3,
  },
  {
    name: "a registration with a mistake",
    do: ({ edit }) =>
      edit("clusters/prod.yaml", (entry) => Object.assign(entry, { namespace: "shop" })),
    line: "fail prod registration",
    text: /Did you mean "namespaces"/,
    command: /^$/,
    code: 2,
  },
  {
    name: "a registration whose credential is gone",
    do: ({ file }) => unlinkSync(file("clusters/prod.read.kubeconfig")),
    line: "fail prod registration",
    text: /no such file/,
    command: /clusters add prod/,
    code: 2,
  },
  {
    name: "a credential that others may read",
    do: ({ file }) => chmodSync(file("clusters/prod.read.kubeconfig"), 0o640),
    line: "fail prod registration",
    text: /other users can read or write this credential \(mode 640\)/,
    code: 2,
  },
  {
    name: "a stored credential that runs a program",
    do: ({ rewire }) =>
      rewire(
        "clusters/prod.read.kubeconfig",
        {},
        { exec: { apiVersion: "client.authentication.k8s.io/v1", command: "aws" } },
      ),
    line: "fail prod reach",
    text: /credential plugin aws, which certkeep doesn't run here/,
    code: 2,
  },
  {
    name: "a server that isn't checked",
    do: ({ rewire }) =>
      rewire("clusters/prod.read.kubeconfig", {
        "insecure-skip-tls-verify": true,
        "certificate-authority-data": "",
      }),
    line: "fail prod reach",
    text: /insecure-skip-tls-verify/,
    code: 2,
  },
  {
    name: "a context that points nowhere",
    do: ({ edit }) =>
      edit("clusters/prod.read.kubeconfig", (config) =>
        Object.assign(config, { "current-context": "prd" }),
      ),
    line: "fail prod reach",
    text: /no context prd.*Did you mean prod/,
    code: 2,
  },
  {
    name: "a server that is gone",
    do: ({ rewire }) => rewire("clusters/prod.read.kubeconfig", { server: "https://127.0.0.1:1" }),
    line: "fail prod reach",
    text: /connection refused/,
    code: 3,
  },
  {
    name: "a proxy that isn't there",
    do: ({ rewire }) =>
      rewire("clusters/prod.read.kubeconfig", { "proxy-url": "http://127.0.0.1:1" }),
    line: "fail prod reach",
    text: /proxy/,
    code: 3,
  },
  {
    name: "a CA that doesn't fit",
    do: ({ rewire, authority }) =>
      rewire("clusters/prod.read.kubeconfig", {
        "certificate-authority-data": Buffer.from(authority.root.pem).toString("base64"),
      }),
    line: "fail prod reach",
    text: /isn't signed by the authority that the kubeconfig names/,
    command: /^certkeep clusters add prod$/,
    code: 3,
  },
  {
    name: "a name that the server's certificate hasn't",
    do: ({ rewire }) =>
      rewire("clusters/prod.read.kubeconfig", { "tls-server-name": "elsewhere.example" }),
    line: "fail prod reach",
    text: /for another name/,
    code: 3,
  },
  {
    name: "a server that takes connections and never answers",
    do: async ({ rewire }) => {
      const server = createServer(() => {});
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      rewire("clusters/prod.read.kubeconfig", {
        server: `https://127.0.0.1:${(server.address() as { port: number }).port}`,
      });
    },
    line: "fail prod reach",
    text: /couldn't be connected to within/,
    code: 3,
  },
  {
    name: "a credential that was revoked",
    do: ({ rewire, nowMs }) =>
      rewire(
        "clusters/prod.read.kubeconfig",
        {},
        { token: tokenUntil(nowMs + 300 * DAY_MS, "revoked") },
      ),
    line: "fail prod credential",
    text: /rejected the credential/,
    command: /clusters add prod/,
    code: 3,
  },
  {
    name: "a credential about to end",
    do: ({ rewire, sandbox, nowMs }) => (
      sandbox.setToken(
        tokenUntil(nowMs + 10 * DAY_MS, "short"),
        serviceAccount("certkeep", "read", rulesFor("read")),
      ),
      rewire(
        "clusters/prod.read.kubeconfig",
        {},
        { token: tokenUntil(nowMs + 10 * DAY_MS, "short") },
      )
    ),
    line: "warn prod credential",
    text: /expires in (?:9|10) days \(/,
    command: /clusters add prod/,
    code: 0,
  },
  {
    name: "another cluster under the name",
    do: ({ sandbox }) => (
      sandbox.remove(null, "kube-system", "Namespace"),
      void sandbox.put([
        {
          kind: "Namespace",
          metadata: { name: "kube-system", uid: "11111111-2222-3333-4444-555555555555" },
        },
      ])
    ),
    line: "fail prod identity",
    text: /another cluster answers/,
    command: /clusters add prod --rebuilt/,
    code: 1,
  },
  {
    name: "a server with the cluster's uid and another CA",
    do: async ({ sandbox, rewire }) => {
      const liar = await startSandbox({ tokens: OWNERS });
      impostors.push(liar);
      const { uid } = sandbox.get(null, "kube-system", "Namespace")?.metadata ?? {};
      liar.put([
        {
          kind: "Namespace",
          metadata: { name: "kube-system", ...(uid === undefined ? {} : { uid }) },
        },
      ]);
      rewire(
        "clusters/prod.read.kubeconfig",
        {
          server: liar.url,
          "certificate-authority-data": Buffer.from(liar.caPem).toString("base64"),
        },
        { token: liar.adminToken },
      );
    },
    line: "fail prod identity",
    text: /the recorded uid under another CA/,
    command: /clusters add prod$/,
    code: 1,
  },
  {
    name: "a uid that can't be read any more",
    do: ({ sandbox, nowMs }) =>
      sandbox.setToken(
        tokenUntil(nowMs + 300 * DAY_MS, "restore"),
        serviceAccount(
          "certkeep",
          "restore",
          rulesFor("restore").filter(({ resources }) => !resources.includes("namespaces")),
        ),
      ),
    line: "fail prod permission",
    text: /The restoring credential lacks permission to get namespaces.* audits and restores refuse it/,
    command: /clusters add prod/,
    code: 1,
  },
  {
    name: "a right that is missing",
    do: ({ sandbox, nowMs }) =>
      sandbox.setToken(
        tokenUntil(nowMs + 300 * DAY_MS, "read"),
        serviceAccount(
          "certkeep",
          "read",
          rulesFor("read").filter(({ resources }) => !resources.includes("pods/log")),
        ),
      ),
    line: "fail prod permission",
    text: /lacks permission to get pods\/log in namespace .*\. Without it certkeep misses what the controllers log/,
    command: /clusters add prod/,
    code: 1,
  },
  {
    name: "a right too many",
    do: ({ sandbox, nowMs }) =>
      sandbox.setToken(
        tokenUntil(nowMs + 300 * DAY_MS, "read"),
        serviceAccount("certkeep", "read", [
          ...rulesFor("read"),
          { verbs: ["delete"], apiGroups: [""], resources: ["secrets"], namespace: "shop" },
        ]),
      ),
    line: "fail prod excess",
    text: /can do more than needed: delete secrets in namespace shop/,
    command: /clusters add prod/,
    code: 1,
  },
  {
    name: "a restoring credential that was revoked",
    do: ({ rewire, nowMs }) =>
      rewire(
        "clusters/prod.restore.kubeconfig",
        {},
        { token: tokenUntil(nowMs + 300 * DAY_MS, "revoked") },
      ),
    line: "fail prod restore-credential",
    text: /rejected the credential/,
    command: /clusters add prod/,
    code: 3,
  },
  {
    name: "a restoring credential about to end",
    do: ({ rewire, sandbox, nowMs }) => (
      sandbox.setToken(
        tokenUntil(nowMs + 10 * DAY_MS, "short-restore"),
        serviceAccount("certkeep", "restore", rulesFor("restore")),
      ),
      rewire(
        "clusters/prod.restore.kubeconfig",
        {},
        { token: tokenUntil(nowMs + 10 * DAY_MS, "short-restore") },
      )
    ),
    line: "warn prod restore-credential",
    text: /restoring credential expires in (?:9|10) days \(/,
    command: /clusters add prod/,
    code: 0,
  },
  {
    name: "a restoring credential that isn't apart",
    do: ({ edit }) => edit("clusters/prod.yaml", (entry) => delete entry["restoreKubeconfig"]),
    line: "warn prod restore-credential",
    text: /Restores use the reading credential/,
    code: 0,
  },
  {
    name: "a registration without a restoring credential",
    do: ({ edit }) => edit("clusters/prod.yaml", (entry) => readOnly(entry)),
    line: "warn prod restore-credential",
    text: /^No restoring credential, so a restore from here is refused$/,
    command: /^certkeep clusters add prod --with restore$/,
    code: 0,
  },
  {
    name: "a registration with brought credentials, and none that restores",
    do: ({ edit }) =>
      edit("clusters/prod.yaml", (entry) => readOnly(entry, { kind: "certificate" })),
    line: "warn prod restore-credential",
    text: /^No restoring credential, so a restore from here is refused$/,
    command:
      /^certkeep clusters add prod --with restore --credential FILE --restore-credential FILE$/,
    code: 0,
  },
  {
    name: "a cluster that is registered twice",
    do: ({ file }) =>
      writeFileSync(file("clusters/twin.yaml"), readFileSync(file("clusters/prod.yaml"))),
    line: "warn twin identity",
    text: /Same cluster as prod/,
    command: /clusters remove twin/,
    code: 0,
  },
  {
    name: "a webhook that isn't set",
    do: ({ env }) => void delete env["HOOK"],
    line: "fail digest",
    text: /environment variable is missing or empty/,
    code: 3,
  },
  {
    name: "no digest at all",
    do: ({ edit }) => edit("certkeep.yaml", (config) => delete config["digest"]),
    line: "warn digest",
    text: /add a webhook under digest: in certkeep\.yaml/,
    code: 0,
  },
  {
    name: "a drill that was long ago",
    do: ({ file }) => rmSync(file("state/drill"), { recursive: true }),
    line: "warn drill",
    text: /Never run: unknown whether backups can be restored/,
    command: /certkeep drill/,
    code: 0,
  },
  {
    name: "a drill by a clock that was ahead",
    do: async ({ file, nowMs }) => {
      const states = createFileStates(file("state"));
      const at = new Date(nowMs + 400 * DAY_MS).toISOString();
      const text = formatDrill({ at, copies: 1, unreadable: 0 });
      await states.write(DRILL_NAME, text, (await states.read(DRILL_NAME))?.revision ?? null);
    },
    line: "warn drill",
    text: /Dated (?:399|400) days in the future/,
    command: /certkeep drill/,
    code: 0,
  },
  {
    name: "an audit that never was",
    do: ({ file }) => rmSync(file("state/cluster-prod"), { recursive: true }),
    line: "warn prod audit",
    text: /Never audited/,
    command: /certkeep audit prod/,
    code: 0,
  },
];

describe("doctor names what is broken:", () => {
  afterEach(async () => {
    for (const server of servers.splice(0)) server.close();
    for (const impostor of impostors.splice(0)) await impostor.stop();
  });
  it.each(BREAKS)(
    "$name",
    async ({ do: breakIt, line, text, command: fixes, code }) => {
      await breakIt(setup);
      const said = await doctor();
      const found = said.lines.filter((one) => short(one) === line);
      expect(said.lines.map(short)).toContain(line);
      expect(found.map((one) => one.text).join("\n")).toMatch(text);
      const offered = found[0]?.command ?? "";
      const configured = ` --config ${setup.file("certkeep.yaml")}`;
      if (offered.startsWith("certkeep ")) expect(offered.endsWith(configured)).toBe(true);
      if (fixes !== undefined) expect(offered.replace(configured, "")).toMatch(fixes);
      expect(said.code).toBe(code);
    },
    60_000,
  );

  it("no missing restoring credential where the reading one may restore", async () => {
    setup.edit("clusters/prod.yaml", (entry) => {
      readOnly(entry);
      entry["kubeconfig"] = "prod.restore.kubeconfig";
    });
    expect(amiss((await doctor()).lines)).not.toContain("warn prod restore-credential");
  });

  it("no missing drill where no backup was made yet", async () => {
    rmSync(setup.file("state/drill"), { recursive: true });
    expect(amiss((await doctor()).lines)).toContain("warn drill");
    rmSync(setup.file("backups"), { recursive: true });
    expect(amiss((await doctor()).lines)).not.toContain("warn drill");
  });

  it("a clock that is six minutes off, and one that is a minute off", async () => {
    setup.nowMs += 60_000;
    expect(amiss((await doctor()).lines)).toContain("warn prod clock");
    setup.nowMs += 300_000;
    const { lines, code } = await doctor();
    expect(lines.find(({ id }) => id === "clock")?.text).toMatch(/differ by [56] minutes/);
    expect(amiss(lines)).toContain("fail prod clock");
    expect(code).toBe(1);
  });

  it("an audit that was long ago", async () => {
    setup.nowMs += 27 * 3_600_000;
    expect(amiss((await doctor()).lines)).toContain("warn prod audit");
    setup.nowMs += 7 * DAY_MS;
    expect(amiss((await doctor()).lines)).toContain("fail prod audit");
  });
});

/**
 * Which configurations may be used: named, the user's own, or approved byte by byte; and nothing
 * else.
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createApprovals } from "../../../lib/adapters/file/approvals.ts";
import { loadConfig } from "../../../lib/adapters/file/config.ts";
import type { Approving, Question } from "../../../lib/adapters/file/configfiles.ts";
import { localPaths } from "../../../lib/adapters/file/paths.ts";
import { CertkeepError } from "../../../lib/error.ts";

const PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

let root: string;
let asked: Question[];

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "certkeep-approval-")));
  asked = [];
  put(
    "project/certkeep.yaml",
    [
      "clusters:",
      "  - {name: a, kubeconfig: kube/a, restoreKubeconfig: kube/restore}",
      "  - {name: b, kubeconfig: ../beside/b}",
      `  - {name: c, kubeconfig: ${root}/project/kube/absolute}`,
      `  - {name: mine, kubeconfig: ${root}/elsewhere/config}`,
      "  - {name: late, kubeconfig: kube/late}",
      "issuers: [{id: corp, anchors: roots.pem, intermediates: more.pem}]",
      "",
    ].join("\n"),
  );
  for (const file of ["kube/a", "kube/restore", "../beside/b", "kube/absolute", "kube/prod"])
    put(`project/${file}`, `# ${file}\n`);
  put("elsewhere/config", "# the user's own\n");
  put("project/roots.pem", PEM);
  put("project/more.pem", PEM);
  put("project/clusters/prod.yaml", "kubeconfig: ../kube/prod\n");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

function put(path: string, text: string, mode = 0o600): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

interface Choice extends Partial<Pick<Approving, "accept">> {
  readonly cwd?: string;
  readonly explicit?: string;
  /** What the person answers; default: nobody is there. */
  readonly answer?: boolean;
}

function load({ cwd = "project", explicit, accept = false, answer }: Choice = {}) {
  return loadConfig(
    {
      explicit: explicit === undefined ? null : join(root, explicit),
      cwd: join(root, cwd),
      homeFolder: join(root, "home"),
      userFolder: () => join(root, "home/.config/certkeep"),
    },
    {
      approvals: createApprovals(() => join(root, "state/approvals")),
      ask:
        answer === undefined
          ? null
          : async (question) => {
              asked.push(question);
              return answer;
            },
      accept,
    },
  );
}

async function refusal(choice: Choice = {}): Promise<string> {
  const error = await load(choice).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof CertkeepError)) throw new Error("expected a refusal", { cause: error });
  expect([error.code, error.exitCode]).toEqual(["config_unapproved", 2]);
  return error.message;
}

describe("a configuration that was only found", () => {
  it("isn't used before it is approved, and is then, with every file that belongs to it", async () => {
    const message = await refusal();
    expect(message).toBe(
      `${root}/project/certkeep.yaml: certkeep uses nothing in it, because it isn't approved. Read ` +
        `it, then run: certkeep init --approve ${root}/project/certkeep.yaml (a script names ` +
        "the file with --config)",
    );
    const { approved } = await load({ accept: true });
    expect(approved.map((file) => file.slice(root.length)).toSorted()).toEqual([
      "/beside/b",
      "/project/certkeep.yaml",
      "/project/clusters/prod.yaml",
      "/project/kube/a",
      "/project/kube/absolute",
      "/project/kube/prod",
      "/project/kube/restore",
      "/project/more.pem",
      "/project/roots.pem",
    ]);
    mkdirSync(join(root, "project/below"));
    for (const cwd of ["project", "project/below"])
      expect(await load({ cwd })).toMatchObject({
        file: join(root, "project/certkeep.yaml"),
        trust: "approved",
        registered: ["prod"],
      });
  });

  it.each<readonly [string, () => void, string]>([
    [
      "the configuration",
      () => put("project/certkeep.yaml", "recipients: []\n"),
      "it changed since you approved it",
    ],
    [
      "a registration",
      () => put("project/clusters/prod.yaml", "{}\n"),
      "clusters/prod.yaml (changed)",
    ],
    ["a new registration", () => put("project/clusters/x.yaml", "{}\n"), "clusters/x.yaml (new)"],
    ["a misnamed one", () => put("project/clusters/x.yml", "{}\n"), "clusters/x.yml (new)"],
    ["a kubeconfig", () => put("project/kube/a", "# x\n"), "kube/a (changed)"],
    ["a restoring one", () => put("project/kube/restore", "# x\n"), "kube/restore (changed)"],
    ["one that a registration names", () => put("project/kube/prod", ""), "kube/prod (changed)"],
    ["one by an absolute path", () => put("project/kube/absolute", ""), "kube/absolute (changed)"],
    ["one beside the folder", () => put("beside/b", "# x\n"), "../beside/b (changed)"],
    ["one that was missing", () => put("project/kube/late", "# x\n"), "kube/late (new)"],
    ["anchors", () => put("project/roots.pem", `${PEM}\n`), "roots.pem (changed)"],
    ["intermediates", () => put("project/more.pem", `${PEM}\n`), "more.pem (changed)"],
    [
      "a link to the same bytes elsewhere",
      () => {
        cpSync(join(root, "project/kube/a"), join(root, "copy"));
        rmSync(join(root, "project/kube/a"));
        symlinkSync(join(root, "copy"), join(root, "project/kube/a"));
      },
      "kube/a (changed)",
    ],
  ])(
    "isn't used any more once %s changed, until it is approved again",
    async (_, change, words) => {
      await load({ accept: true });
      await load();
      change();
      expect(await refusal()).toContain(
        `because ${words.includes("since") ? "" : "you haven't approved "}${words}`,
      );
      await load({ accept: true });
      await load();
    },
  );

  it("needs no new approval for the user's own kubeconfig elsewhere, nor for a file that went", async () => {
    await load({ accept: true });
    put("elsewhere/config", "# another context is the current one\n");
    rmSync(join(root, "project/clusters/prod.yaml"));
    rmSync(join(root, "project/kube/a"));
    expect((await load()).registered).toEqual([]);
  });

  it("is approved at its place: a copy of it elsewhere isn't", async () => {
    await load({ accept: true });
    cpSync(join(root, "project"), join(root, "other"), { recursive: true });
    expect(await refusal({ cwd: "other" })).toContain("it isn't approved");
  });

  it("is used as it was checked, whatever stands in the files since", async () => {
    await load({ accept: true });
    const { admitted, config } = await load();
    const kubeconfig = config.clusters[0]?.kubeconfig ?? "";
    put("project/kube/a", "# other\n");
    put("project/certkeep.yaml", "# other\n");
    put("project/kube/late", "# other\n");
    expect((await admitted(kubeconfig))?.toString()).toBe("# kube/a\n");
    expect((await admitted(join(root, "project/certkeep.yaml")))?.toString()).toMatch(/^clusters:/);
    await expect(admitted(join(root, "project/kube/late"))).rejects.toThrow("ENOENT");
    expect(await admitted(join(root, "elsewhere/config"))).toBeNull();
  });

  it("is never passed over for another: neither for an approved one above nor for the user's own", async () => {
    await load({ accept: true });
    put("home/.config/certkeep/certkeep.yaml", "");
    put("project/below/certkeep.yaml", "");
    expect(await refusal({ cwd: "project/below" })).toContain(
      "/project/below/certkeep.yaml: certkeep uses nothing in it",
    );
    symlinkSync("/nowhere/certkeep.yaml", join(root, "project/below/certkeep.link"));
    rmSync(join(root, "project/below/certkeep.yaml"));
    symlinkSync("/nowhere/certkeep.yaml", join(root, "project/below/certkeep.yaml"));
    await expect(load({ cwd: "project/below" })).rejects.toThrow("the file doesn't exist");
  });

  it("counts by its bytes alone, whoever may write it", async () => {
    chmodSync(join(root, "project/certkeep.yaml"), 0o664);
    expect(await refusal()).toContain("it isn't approved");
    await load({ accept: true });
    expect(await load()).toMatchObject({ trust: "approved" });
  });

  it("isn't approved where it has a mistake", async () => {
    put("project/certkeep.yaml", "recipents: []\n");
    await expect(load({ accept: true })).rejects.toThrow("certkeep.yaml:1:1");
    expect(await refusal()).toContain("it isn't approved");
  });

  it("is told with names that no terminal acts on", async () => {
    await load({ accept: true });
    put("project/clusters/\u001b[31m.yaml", "{}\n");
    expect(await refusal()).toContain("clusters/\\u{1b}[31m.yaml (new)");
  });

  it("that is a pipe is told, and hangs nothing", async () => {
    rmSync(join(root, "project/certkeep.yaml"));
    expect(spawnSync("/bin/sh", ["-c", `mkfifo ${root}/project/certkeep.yaml`]).status).toBe(0);
    await expect(load({ answer: true })).rejects.toThrow("neither a file nor a folder");
  });

  it("is asked about once on a terminal; yes approves it, no is a refusal", async () => {
    expect(await refusal({ answer: false })).toContain("it isn't approved");
    expect(await load({ answer: true })).toMatchObject({ trust: "approved", registered: ["prod"] });
    put("project/clusters/x.yaml", "kubeconfig: ../kube/x\n");
    put("project/kube/x", "# x\n");
    await load({ answer: true });
    await load({ answer: true });
    const config = join(root, "project/certkeep.yaml");
    expect(asked).toEqual([
      { config, isNew: true, doubts: ["certkeep.yaml (new)"] },
      { config, isNew: true, doubts: ["certkeep.yaml (new)"] },
      { config, isNew: false, doubts: ["clusters/x.yaml (new)"] },
    ]);
  });
});

describe("an approval", () => {
  it("lies in the state folder, for the user alone, and never in the project", async () => {
    const before = readdirSync(join(root, "project"));
    await load({ accept: true });
    expect(readdirSync(join(root, "project"))).toEqual(before);
    const folder = join(root, "state/approvals");
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const files = readdirSync(folder);
    expect(files).toHaveLength(9);
    for (const file of files) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
  });

  it.each<readonly [string, (file: string) => void]>([
    ["that others can write", (file) => chmodSync(file, 0o620)],
    ["that is cut", (file) => writeFileSync(file, readFileSync(file, "utf8").slice(0, 40))],
    [
      "of another configuration",
      (file) => writeFileSync(file, readFileSync(file, "utf8").replaceAll("/project/", "/other/")),
    ],
    [
      "that is a link",
      (file) => {
        cpSync(file, join(root, "approval"));
        rmSync(file);
        symlinkSync(join(root, "approval"), file);
      },
    ],
  ])("%s approves nothing", async (_, damage) => {
    await load({ accept: true });
    const folder = join(root, "state/approvals");
    for (const file of readdirSync(folder)) damage(join(folder, file));
    expect(await refusal()).toContain("it isn't approved");
  });
});

describe("the user's own configuration folder", () => {
  const OWN = "home/.config/certkeep";
  beforeEach(() => {
    rmSync(join(root, "project"), { recursive: true });
    mkdirSync(join(root, "project"));
  });

  it("counts, with its registrations, where nobody else can write them", async () => {
    put(`${OWN}/certkeep.yaml`, "");
    put(`${OWN}/clusters/prod.yaml`, "context: x\n", 0o644);
    expect(await load()).toMatchObject({ trust: "user", registered: ["prod"] });
    // Also where it is met on the way up.
    expect(await load({ cwd: OWN })).toMatchObject({ trust: "user", registered: ["prod"] });
  });

  it.each<readonly [string, () => void, string]>([
    [
      "the file",
      () => chmodSync(join(root, OWN, "certkeep.yaml"), 0o664),
      "others can write it (mode 664)",
    ],
    [
      "its folder",
      () => chmodSync(join(root, OWN), 0o777),
      "others can write its folder (mode 777)",
    ],
    [
      "a registration",
      () => chmodSync(join(root, OWN, "clusters/prod.yaml"), 0o666),
      "clusters/prod.yaml: others can write it (mode 666)",
    ],
    [
      "the registrations' folder",
      () => chmodSync(join(root, OWN, "clusters"), 0o775),
      "clusters/prod.yaml: others can write its folder (mode 775)",
    ],
  ])("has to be approved where others can write %s", async (_, change, words) => {
    put(`${OWN}/certkeep.yaml`, "");
    put(`${OWN}/clusters/prod.yaml`, "context: x\n");
    change();
    const message = await refusal();
    expect(message).toContain(words);
    expect(message).toContain(`certkeep init --approve ${root}/${OWN}/certkeep.yaml`);
    await load({ accept: true });
    expect(await load()).toMatchObject({ trust: "approved", registered: ["prod"] });
  });

  it("counts by its bytes once it had to be approved, with all that is new in it", async () => {
    put(`${OWN}/certkeep.yaml`, "", 0o664);
    await load({ accept: true });
    put(`${OWN}/clusters/prod.yaml`, "context: x\n");
    expect(await refusal()).toContain("clusters/prod.yaml (new)");
  });

  it("without a configuration has registrations that nobody else can write, or none is used", async () => {
    put(`${OWN}/clusters/prod.yaml`, "context: x\n");
    expect(await load()).toMatchObject({ file: null, registered: ["prod"] });
    chmodSync(join(root, OWN, "clusters/prod.yaml"), 0o622);
    expect(await refusal()).toMatch(/prod\.yaml: others can write it.*chmod go-w, chown\)$/);
  });

  it("isn't one in whatever folder certkeep runs in", () => {
    vi.stubEnv("HOME", "relative");
    for (const name of ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "APPDATA"])
      vi.stubEnv(name, "relative");
    const paths = localPaths();
    for (const path of ["config", "approvals", "states"] as const)
      expect(() => paths[path]).toThrow("this user has none");
  });
});

describe("a configuration that --config names", () => {
  it("counts as it is, and needs no place for approvals", async () => {
    chmodSync(join(root, "project/certkeep.yaml"), 0o666);
    expect(await load({ explicit: "project/certkeep.yaml" })).toMatchObject({
      trust: "named",
      registered: ["prod"],
      approved: [],
    });
    expect(() => statSync(join(root, "state"))).toThrow("ENOENT");
  });

  it("has registrations beside it that nobody else can write, since it doesn't name them", async () => {
    const explicit = "project/certkeep.yaml";
    chmodSync(join(root, "project/clusters/prod.yaml"), 0o666);
    expect(await refusal({ explicit })).toContain("prod.yaml: others can write it (mode 666)");
    chmodSync(join(root, "project/clusters/prod.yaml"), 0o644);
    chmodSync(join(root, "project/clusters"), 0o1777);
    expect(await refusal({ explicit })).toContain("others can write its folder (mode 1777)");
    // Whoever can write the configuration decides as much.
    chmodSync(join(root, "project/certkeep.yaml"), 0o666);
    expect((await load({ explicit })).registered).toEqual(["prod"]);
    chmodSync(join(root, "project/certkeep.yaml"), 0o644);
    await load({ explicit, accept: true });
    expect((await load({ explicit })).registered).toEqual(["prod"]);
  });
});

describe.runIf(process.geteuid?.() === 0)("for root", () => {
  const own = (path: string): void => chownSync(join(root, path), 12_345, 12_345);
  const files = [
    "project",
    "project/certkeep.yaml",
    "project/clusters",
    "project/clusters/prod.yaml",
  ];

  it("another user's configuration isn't used before it is approved", async () => {
    for (const path of files) own(path);
    expect(await refusal()).toContain("it isn't approved");
  });

  it("another user's folder isn't root's own, and his approvals aren't either", async () => {
    put("home/.config/certkeep/certkeep.yaml", "");
    own("home/.config/certkeep/certkeep.yaml");
    mkdirSync(join(root, "empty"));
    expect(await refusal({ cwd: "empty" })).toContain("it belongs to another user (uid 12345)");
    await load({ accept: true });
    for (const file of readdirSync(join(root, "state/approvals"))) own(`state/approvals/${file}`);
    expect(await refusal()).toContain("it isn't approved");
  });

  it(
    "another user's registrations beside a configuration that was named aren't used, unless it " +
      "is his as well",
    async () => {
      const explicit = "project/certkeep.yaml";
      own("project/clusters/prod.yaml");
      expect(await refusal({ explicit })).toContain("it belongs to another user (uid 12345)");
      for (const path of files) own(path);
      expect((await load({ explicit })).registered).toEqual(["prod"]);
    },
  );
});

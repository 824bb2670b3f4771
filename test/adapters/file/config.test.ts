import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createApprovals } from "../../../lib/adapters/file/approvals.ts";
import { loadConfig, type LoadedConfig } from "../../../lib/adapters/file/config.ts";
import type { ConfigPlaces } from "../../../lib/adapters/file/paths.ts";
import { CertkeepError } from "../../../lib/error.ts";

let root: string;
let places: ConfigPlaces;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "certkeep-config-")));
  places = {
    explicit: null,
    cwd: join(root, "work/a/b"),
    homeFolder: join(root, "home"),
    userFolder: () => join(root, "home/.config/certkeep"),
  };
  mkdirSync(places.cwd, { recursive: true });
});

/** Approves whatever is found: what is tested here is what is in it. */
function load(change: Partial<ConfigPlaces> = {}): Promise<LoadedConfig> {
  const approvals = createApprovals(() => join(root, "state"));
  return loadConfig({ ...places, ...change }, { approvals, ask: async () => true, accept: false });
}

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function put(path: string, text: string | Uint8Array, mode = 0o600): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

async function refusal(change: Partial<ConfigPlaces> = {}): Promise<CertkeepError> {
  try {
    await load(change);
  } catch (error) {
    if (error instanceof CertkeepError) return error;
    throw error;
  }
  throw new Error("expected a refusal");
}

describe("where the configuration is", () => {
  it("is the nearest one upwards, then the user's, then none", async () => {
    expect(await load()).toMatchObject({
      file: null,
      registered: [],
      broken: [],
      config: { clusters: [] },
    });
    const user = put("home/.config/certkeep/certkeep.yaml", "");
    expect((await load()).file).toBe(user);
    const far = put("work/certkeep.yaml", "");
    expect((await load()).file).toBe(far);
    const near = put("work/a/b/certkeep.yaml", "");
    expect((await load()).file).toBe(near);
    const named = put("other.yaml", "");
    expect((await load({ explicit: "../../../other.yaml" })).file).toBe(named);
    const home = put("home/mine.yaml", "");
    expect((await load({ explicit: "~/mine.yaml" })).file).toBe(home);
  });

  it("tells a named file that isn't there", async () => {
    const error = await refusal({ explicit: "x.yaml" });
    expect(error.code).toBe("config_missing");
    expect(error.message).toBe(
      "x.yaml: there is no such file. Correct the path, or make one with: certkeep init",
    );
  });

  it("tells a URL", async () => {
    expect((await refusal({ explicit: "s3://bucket/certkeep.yaml" })).code).toBe("usage");
  });

  it("tells a folder, and a file of another name", async () => {
    mkdirSync(join(root, "work/certkeep.yaml"));
    expect((await refusal()).message).toContain("a folder");
    rmSync(join(root, "work/certkeep.yaml"), { recursive: true });
    put("work/certkeep.yml", "");
    expect((await refusal()).message).toContain("Rename it to certkeep.yaml");
  });
});

describe("what is wrong in it", () => {
  it("is told all at once, a line each", async () => {
    put("work/a/b/certkeep.yaml", "recipents: []\nbackups: {perDay: 0}\n");
    expect((await refusal()).message.split("\n")).toEqual([
      "certkeep.yaml: invalid configuration (2 mistakes)",
      expect.stringMatching(
        /^ {2}certkeep\.yaml:1:1: recipents isn't a setting\. .* Did you mean "recipients"\?$/,
      ),
      expect.stringMatching(
        /^ {2}certkeep\.yaml:2:19: backups\.perDay is 0\. It must be a whole number/,
      ),
    ]);
  });

  it("is cut after forty, and the rest is counted", async () => {
    put("work/certkeep.yaml", Array.from({ length: 50 }, (_, n) => `key${n}: 1\n`).join(""));
    expect((await refusal()).message.split("\n").at(-1)).toBe("  and 10 more");
  });

  it("may be its bytes or its size", async () => {
    put("work/certkeep.yaml", new Uint8Array([0x61, 0xff]));
    expect((await refusal()).message).toContain("certkeep.yaml:1:2: the bytes here aren't UTF-8");
    put("work/certkeep.yaml", "#".repeat((1 << 20) + 1));
    expect((await refusal()).message).toContain("at most");
  });
});

describe("its paths", () => {
  it("begin at the file, or at home", async () => {
    const pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    put("work/roots.pem", pem);
    put(
      "work/certkeep.yaml",
      "identity: file:~/id.txt\n" +
        "clusters:\n" +
        "  - {name: a, kubeconfig: kube/a}\n" +
        "  - {name: b, kubeconfig: ~/.kube/config}\n" +
        "  - {name: c, kubeconfig: /etc/kube}\n" +
        "stores: {backups: 'file:b', state: 'file:///var/state'}\n" +
        "issuers: [{id: corp, anchors: roots.pem}]\n",
    );
    const { config } = await load();
    expect(config.identity).toBe(`file:${root}/home/id.txt`);
    expect(config.clusters.map(({ kubeconfig }) => kubeconfig)).toEqual([
      join(root, "work/kube/a"),
      join(root, "home/.kube/config"),
      "/etc/kube",
    ]);
    expect(config.stores).toEqual({
      backups: `file:${root}/work/b`,
      state: "file:/var/state",
      registry: null,
    });
    expect(config.issuers[0]?.anchors).toEqual({ kind: "pem", pem });
  });

  it("can't begin at a home that isn't", async () => {
    put("work/certkeep.yaml", "clusters: [{name: a, kubeconfig: ~/x}]");
    expect((await refusal({ homeFolder: null })).message).toContain("no home folder");
  });

  it("lead to anchors, or it is told which don't", async () => {
    put("work/certkeep.yaml", "issuers: [{id: corp, anchors: roots.pem}]");
    expect((await refusal()).message).toMatch(
      /issuers\[0\]\.anchors: .*roots\.pem: the file doesn't exist/,
    );
    put("work/roots.pem", "nothing");
    expect((await refusal()).message).toContain("no certificate");
  });
});

describe("registrations", () => {
  it("join the clusters; a bad one hides no other", async () => {
    put("work/certkeep.yaml", "clusters: [{name: own}]");
    put("work/prod.kubeconfig", "x");
    put("work/open.kubeconfig", "x", 0o644);
    put("work/clusters/prod.yaml", "kubeconfig: ../prod.kubeconfig\ncontext: reader\n");
    put("work/clusters/slip.yaml", "kubeconfg: x\n");
    put("work/clusters/own.yaml", "");
    put("work/clusters/Bad_name.yaml", "");
    put("work/clusters/other.yml", "");
    put("work/clusters/open.yaml", "kubeconfig: ../open.kubeconfig\n");
    put("work/clusters/gone.yaml", "kubeconfig: gone\n");
    put("work/clusters/.hidden.yaml", "x");
    put("work/clusters/README.md", "x");
    const { config, registered, broken } = await load();
    expect(registered).toEqual(["prod"]);
    expect(
      config.clusters.map(({ name, kubeconfig, context }) => [name, kubeconfig, context]),
    ).toEqual([
      ["own", null, null],
      ["prod", join(root, "work/prod.kubeconfig"), "reader"],
    ]);
    expect(
      Object.fromEntries(broken.map(({ name, error }) => [name, error.message.split("\n").at(-1)])),
    ).toEqual({
      slip: expect.stringContaining('Did you mean "kubeconfig"?'),
      own: expect.stringContaining("the configuration has a cluster own already"),
      Bad_name: expect.stringContaining("no cluster can have this name"),
      other: expect.stringContaining("Rename it"),
      open: expect.stringContaining("mode 644"),
      gone: expect.stringContaining("there is no such file"),
    });
    expect(broken.every(({ error }) => error.code === "config_invalid")).toBe(true);
  });

  it("lie in the user's folder where there is no configuration", async () => {
    put("home/.config/certkeep/clusters/prod.yaml", "context: x\n");
    expect((await load()).registered).toEqual(["prod"]);
  });

  it("are told as unreadable where the folder is a link in a circle", async () => {
    put("work/certkeep.yaml", "");
    symlinkSync("clusters", join(root, "work/clusters"));
    expect((await refusal()).message).toContain("can't be read");
  });
});

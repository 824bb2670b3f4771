import { describe, expect, it } from "vitest";
import { parseConfig } from "../../lib/config/parse.ts";
import { CertkeepError } from "../../lib/error.ts";
import {
  runInit,
  type InitPlaces,
  type InitPorts,
  type InitQuestions,
} from "../../lib/usecases/init.ts";

const MINE = "age1z2lrvsqly5snu93xzzlcwqvatvcct8znj5plhq5mh6k0nvs8usyqfrwzcx";
const OTHER = "age1daq8cqv9438g8yq0l66ymda7ku5f792gv4jrthyklwvq9l4w6a7qpfjrh2";
const CONFIG = "/srv/certkeep.yaml";
const USER_CONFIG = "/users/me/.config/certkeep/certkeep.yaml";
const IDENTITY = "/users/me/.config/certkeep/identity/identity.txt";

/** A disk in memory; folders in `trees` are git work trees. */
function world(
  files: Record<string, string> = {},
  options: {
    trees?: string[];
    questions?: Partial<InitQuestions>;
    contexts?: InitPorts["listContexts"];
    places?: Partial<InitPlaces>;
  } = {},
) {
  const disk = new Map(Object.entries(files));
  const access = new Map<string, string>();
  const notes: string[] = [];
  const order: string[] = [];
  const ask = (name: string) => (): never => {
    throw new Error(`nobody was to be asked for ${name}`);
  };
  const ports: InitPorts = {
    files: {
      read: async (path) => disk.get(path) ?? null,
      create: async (path, text, kind) => {
        if (disk.has(path)) return "exists";
        disk.set(path, text);
        access.set(path, kind);
        order.push(path);
        return "created";
      },
      replace: async (path, before, after) => {
        if (disk.get(path) !== before) return "changed";
        disk.set(path, after);
        order.push(path);
        return "replaced";
      },
      workTreeOf: async (path) =>
        options.trees?.find((tree) => path.startsWith(`${tree}/`)) ?? null,
    },
    identities: {
      generate: async () => ({ identity: "AGE-SECRET-KEY-1MINE", recipient: MINE }),
      recipientsOf: async (text, path) => {
        const found = [...text.matchAll(/^AGE-SECRET-KEY-1(MINE|OTHER)$/gm)].map(([, who]) =>
          who === "MINE" ? MINE : OTHER,
        );
        if (found.length === 0)
          throw new CertkeepError("identity_invalid", {
            where: path,
            found: "comments only",
          });
        return found;
      },
    },
    listContexts:
      options.contexts ??
      (async () => [
        { name: "prod", current: true },
        { name: "Prod!", current: false },
      ]),
    questions:
      options.questions === undefined
        ? null
        : {
            configPlace: ask("the place"),
            contexts: ask("contexts"),
            identityPlace: ask("the identity"),
            addRecipient: ask("recipients"),
            ...options.questions,
          },
    clock: { nowMs: () => 1_763_924_645_123 },
    note: (message) => notes.push(message),
  };
  const places: InitPlaces = {
    existing: disk.has(CONFIG) ? CONFIG : null,
    configs: [CONFIG, USER_CONFIG],
    identities: [IDENTITY],
    identityChosen: false,
    contexts: null,
    schemaPath: () => null,
    reference: (path) => `file:${path}`,
    ...options.places,
  };
  return { disk, access, notes, order, run: () => runInit(places, ports) };
}

function configIn(disk: Map<string, string>, path = CONFIG) {
  const result = parseConfig(disk.get(path) ?? "recipients: none", path);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

async function refusal(run: () => Promise<unknown>): Promise<CertkeepError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof CertkeepError) return error;
    throw error;
  }
  throw new Error("expected a refusal");
}

describe("on a machine without anything", () => {
  it("makes the identity first, then a configuration for it, and asks nothing with --yes", async () => {
    const { disk, access, order, run } = world();
    expect(await run()).toEqual({
      config: { path: CONFIG, action: "created" },
      identity: expect.objectContaining({ path: IDENTITY, action: "created" }),
      recipients: [MINE],
      clusters: [],
      opens: true,
    });
    expect(order).toEqual([IDENTITY, CONFIG]);
    expect(access.get(IDENTITY)).toBe("private");
    expect(disk.get(IDENTITY)?.split("\n")).toEqual([
      "# created: 2025-11-23T19:04:05Z",
      `# public key: ${MINE}`,
      expect.stringMatching(/^# certkeep: /),
      "AGE-SECRET-KEY-1MINE",
      "",
    ]);
    expect(configIn(disk)).toMatchObject({
      recipients: [MINE],
      identity: `file:${IDENTITY}`,
      clusters: [],
    });
    expect(disk.get(CONFIG)).not.toContain("AGE-SECRET-KEY");
  });

  it("changes nothing when it is run again", async () => {
    const { disk, run } = world();
    await run();
    const before = new Map(disk);
    const again = world(Object.fromEntries(before));
    expect(await again.run()).toMatchObject({
      config: { action: "kept" },
      identity: { action: "kept" },
      recipients: [MINE],
      opens: true,
    });
    expect(again.disk).toEqual(before);
  });

  it("completes what was interrupted after the identity", async () => {
    const { disk, run } = world({ [IDENTITY]: "AGE-SECRET-KEY-1OTHER\n" });
    expect(await run()).toMatchObject({
      config: { action: "created" },
      identity: { action: "kept" },
      recipients: [OTHER],
    });
    expect(disk.get(IDENTITY)).toBe("AGE-SECRET-KEY-1OTHER\n");
    expect(configIn(disk).recipients).toEqual([OTHER]);
  });

  it("asks for three things, and names contexts that look alike apart", async () => {
    const { disk, run } = world(
      {},
      {
        questions: {
          configPlace: async (choices) => choices[1] ?? "",
          contexts: async (choices) => choices.map(({ name }) => name),
          identityPlace: async () => "/media/usb/id.txt",
        },
      },
    );
    expect(await run()).toMatchObject({
      config: { path: USER_CONFIG },
      identity: { path: "/media/usb/id.txt" },
      clusters: ["prod", "prod-2"],
    });
    expect(configIn(disk, USER_CONFIG).clusters).toMatchObject([
      { name: "prod", context: "prod" },
      { name: "prod-2", context: "Prod!" },
    ]);
  });

  it("pins the context that a person chose, also where it is the current one", async () => {
    const chosen = world(
      {},
      {
        questions: {
          configPlace: async () => CONFIG,
          contexts: async () => ["prod"],
          identityPlace: async () => IDENTITY,
        },
      },
    );
    expect((await chosen.run()).clusters).toEqual(["prod"]);
    expect(configIn(chosen.disk).clusters).toMatchObject([{ name: "prod", context: "prod" }]);
    const told = world({}, { places: { contexts: ["prod"] } });
    expect((await told.run()).clusters).toEqual(["prod"]);
    // Nobody named one: the file follows the current context.
    expect((await world().run()).clusters).toEqual([]);
    const unknown = world({}, { places: { contexts: ["nope"] } });
    expect((await refusal(unknown.run)).message).toContain("no context nope");
  });

  it("puts the contexts into a configuration without clusters, and into no other", async () => {
    const places = { contexts: ["Prod!"] };
    const there = world({ [CONFIG]: `# ours\nrecipients: [${MINE}]\n` }, { places });
    expect(await there.run()).toMatchObject({ config: { action: "updated" }, clusters: ["prod"] });
    expect(there.disk.get(CONFIG)).toContain("# ours");
    expect(configIn(there.disk)).toMatchObject({
      recipients: [MINE],
      clusters: [{ name: "prod", context: "Prod!" }],
    });
    const named = world({ [CONFIG]: "clusters:\n  - {name: a, context: b}\n" }, { places });
    expect((await refusal(named.run)).message).toContain("clusters: a");
  });

  it("does without a kubeconfig, and says so where one is broken", async () => {
    const questions = {
      configPlace: async () => CONFIG,
      identityPlace: async () => IDENTITY,
    };
    const none = world({}, { questions, contexts: async () => [] });
    expect(await none.run()).toMatchObject({ clusters: [] });
    const broken = world(
      {},
      {
        questions,
        contexts: async () => {
          throw new CertkeepError("kubeconfig_invalid", {
            where: "~/.kube/config",
            found: "broken YAML",
          });
        },
      },
    );
    expect(await broken.run()).toMatchObject({ config: { action: "created" }, clusters: [] });
    expect(broken.notes).toEqual([expect.stringContaining("broken YAML")]);
  });

  it("puts nothing over a configuration that appears meanwhile", async () => {
    const { disk, run } = world({}, { places: { existing: null } });
    disk.set(CONFIG, "clusters: []\n");
    expect((await refusal(run)).message).toContain("appeared in the meantime");
    expect(disk.get(CONFIG)).toBe("clusters: []\n");
  });
});

describe("git work trees", () => {
  it("gets no identity: with --yes another place is named as the way out", async () => {
    const { disk, run } = world({}, { trees: ["/users/me"] });
    const error = await refusal(run);
    expect([error.code, error.message]).toEqual([
      "usage",
      expect.stringContaining("certkeep init --identity FILE"),
    ]);
    expect(disk.size).toBe(0);
  });

  it("gets no identity: the next place is taken, and said", async () => {
    const { notes, run } = world(
      {},
      { trees: ["/users/me"], places: { identities: [IDENTITY, "/var/id.txt"] } },
    );
    expect(await run()).toMatchObject({ identity: { path: "/var/id.txt" } });
    expect(notes).toEqual([expect.stringContaining("/var/id.txt instead")]);
  });

  it("gets no identity: asked again until it is outside", async () => {
    const answers = ["/srv/id.txt", "/media/id.txt"];
    const { disk, notes, run } = world(
      {},
      {
        trees: ["/srv"],
        questions: {
          configPlace: async () => CONFIG,
          contexts: async () => [],
          identityPlace: async () => answers.shift() ?? "",
        },
      },
    );
    expect(await run()).toMatchObject({ identity: { path: "/media/id.txt" } });
    expect(notes).toEqual([expect.stringContaining("/srv/id.txt lies in the git work tree /srv")]);
    expect(disk.has("/srv/id.txt")).toBe(false);
  });

  it("keeps an identity that is in one, with a warning", async () => {
    const { notes, run } = world(
      { [IDENTITY]: "AGE-SECRET-KEY-1MINE\n" },
      { trees: ["/users/me"] },
    );
    expect(await run()).toMatchObject({ identity: { action: "kept" } });
    expect(notes).toEqual([expect.stringContaining("a commit could publish it")]);
  });
});

describe("an identity file that isn't one", () => {
  it("is told with what to do, and nothing is written", async () => {
    const { disk, run } = world({ [IDENTITY]: "# created: 2026\n" });
    expect((await refusal(run)).message).toContain("remove it and run certkeep init again");
    expect([...disk.keys()]).toEqual([IDENTITY]);
  });
});

describe("a configuration that is there", () => {
  it("gains recipients and loses nothing", async () => {
    const before = "# ours\nclusters:\n  - name: prod # big\n";
    const { disk, run } = world({ [CONFIG]: before });
    expect(await run()).toMatchObject({
      config: { action: "updated" },
      identity: { action: "created" },
      recipients: [MINE],
      opens: true,
    });
    expect(disk.get(CONFIG)).toBe(
      before.replace("clusters:", `recipients: [${MINE}]\nidentity: file:${IDENTITY}\nclusters:`),
    );
  });

  it("is left alone where the person says no; the line to add is said", async () => {
    const { disk, notes, run } = world(
      { [CONFIG]: "clusters: []\n" },
      {
        questions: {
          identityPlace: async (suggested) => suggested,
          addRecipient: async () => false,
        },
      },
    );
    expect(await run()).toMatchObject({ config: { action: "kept" }, recipients: [], opens: false });
    expect(disk.get(CONFIG)).toBe("clusters: []\n");
    expect(notes).toEqual([expect.stringContaining(`recipients: [${MINE}]`)]);
  });

  it("is left alone where a line can't be inserted; nobody is asked", async () => {
    const { disk, notes, run } = world(
      { [CONFIG]: "{clusters: []}\n" },
      { questions: { identityPlace: async (suggested) => suggested } },
    );
    expect(await run()).toMatchObject({ config: { action: "kept" }, opens: false });
    expect(disk.get(CONFIG)).toBe("{clusters: []}\n");
    expect(notes).toHaveLength(1);
  });

  it("with recipients is left alone, and gets no identity that would open nothing", async () => {
    const { disk, run } = world({ [CONFIG]: `recipients: [${OTHER}]\n` });
    expect(await run()).toEqual({
      config: { path: CONFIG, action: "kept" },
      identity: null,
      recipients: [OTHER],
      clusters: [],
      opens: false,
    });
    expect([...disk.keys()]).toEqual([CONFIG]);
  });

  it("says whether the identity that is there opens its backups", async () => {
    expect(
      await world({
        [CONFIG]: `recipients: [${OTHER}]\n`,
        [IDENTITY]: "AGE-SECRET-KEY-1MINE\n",
      }).run(),
    ).toMatchObject({ identity: { path: IDENTITY }, opens: false });
    expect(
      await world({
        [CONFIG]: `recipients: [${OTHER}, ${MINE}]\n`,
        [IDENTITY]: "AGE-SECRET-KEY-1MINE\n",
      }).run(),
    ).toMatchObject({ opens: true });
  });

  it("with mistakes is left alone: all are told, and no identity is made", async () => {
    const { disk, run } = world({ [CONFIG]: "recipents: []\nclusers: []\n" });
    const error = await refusal(run);
    expect([error.code, error.message.split("\n").length]).toEqual(["config_invalid", 3]);
    expect([...disk.keys()]).toEqual([CONFIG]);
  });
});

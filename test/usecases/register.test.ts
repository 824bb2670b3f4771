/**
 * Registering over ports in memory: whatever fails, nothing is half registered, and no token is
 * told.
 */
import { exposuresOf } from "../../lib/usecases/register/check.ts";
import { describe, expect, it } from "vitest";
import type { AccessObject } from "../../lib/rbac/manifest.ts";
import type { Question } from "../../lib/rbac/rules.ts";
import type { Bearer } from "../../lib/rbac/table.ts";
import { parseRegistration } from "../../lib/config/parse.ts";
import { CertkeepError } from "../../lib/error.ts";
import type { ObjectName, Registrar, SelfAccess, ClusterReader } from "../../lib/ports/cluster.ts";
import type { Registrations } from "../../lib/ports/registry.ts";
import { runRegister } from "../../lib/usecases/register.ts";
import type {
  OpenedCredential,
  Preview,
  RegisterPorts,
  RegisterRequest,
} from "../../lib/usecases/register/context.ts";
import { listClusters } from "../../lib/usecases/register/list.ts";
import { loadState } from "../../lib/usecases/states.ts";
import { createMemoryStates, Faults } from "../support/memory.ts";

const NOW_MS = 1_800_000_000_000;
const DAY_MS = 86_400_000;
const UID = "11111111-2222-3333-4444-555555555555";
const TOKEN = "canary-token-of-the-cluster";

interface FakeCluster {
  version: string | null;
  uid: string | null;
  caSha256: string;
  /** uid as the credentials see it; absent: as the administrator does. */
  seenUid?: string | null;
  dead: string[];
  /** Questions answered with no. */
  denied: (question: Question) => boolean;
  /** Beyond the plan. */
  extra: { verbs: string[]; apiGroups: string[]; resources: string[] }[];
  tokenDays: number;
  server: string;
  /** What asking the cluster who it is ends with; `null`: with an answer. */
  refusal: CertkeepError | null;
  consents: boolean;
  /** Namespaces that aren't there. */
  absent: string[];
  /** The n-th call from 1 fails. */
  failAt: number;
}

function world(change: Partial<FakeCluster> = {}) {
  const cluster: FakeCluster = {
    version: "v1.34.4",
    uid: UID,
    caSha256: "aa",
    dead: [],
    denied: () => false,
    extra: [],
    tokenDays: 365,
    server: "https://203.0.113.7:6443",
    refusal: null,
    consents: true,
    absent: [],
    failAt: 0,
    ...change,
  };
  const objects = new Map<string, ObjectName>();
  const texts = new Map<string, string>();
  const credentials = new Map<string, string>();
  const notes: string[] = [];
  const previews: Preview[] = [];
  const states = createMemoryStates(new Faults());
  let calls = 0;
  let serial = 0;
  const call = <T>(value: T): T => {
    calls += 1;
    if (calls === cluster.failAt)
      throw new CertkeepError("cluster_timeout", {
        where: "cluster prod",
        found: "failed on purpose",
      });
    return value;
  };
  const keyOf = (name: ObjectName): string => `${name.kind}/${name.namespace ?? ""}/${name.name}`;
  const nameOf = (object: AccessObject): ObjectName => ({
    apiVersion: object.apiVersion,
    kind: object.kind,
    namespace: object.metadata.namespace ?? null,
    name: object.metadata.name,
  });
  const registrar: Registrar = {
    apply: async (object) => {
      call(null);
      const key = keyOf(nameOf(object));
      const there = objects.has(key);
      objects.set(key, nameOf(object));
      return there ? "there" : "created";
    },
    find: async () => call([...objects.values()].filter(({ kind }) => kind !== "Namespace")),
    annotationsOf: async () => ({}),
    remove: async (name) => void objects.delete(keyOf(name)),
    requestToken: async () =>
      call({ token: TOKEN, expiresAtMs: NOW_MS + cluster.tokenDays * DAY_MS }),
    readToken: async () => call({ token: TOKEN, expiresAtMs: null }),
    everybodysRules: async (namespace) => call({ namespace, rules: [], incomplete: false }),
    close: async () => {},
  };
  const self: SelfAccess = {
    facts: async () => call({ version: cluster.version, clockOffsetMs: 0 }),
    whoAmI: async () => call("system:serviceaccount:certkeep:x"),
    isAllowed: async (question) => !cluster.denied(question as Question),
    rulesIn: async (namespace) => ({ namespace, rules: cluster.extra, incomplete: false }),
    deadGroups: async () => cluster.dead,
    close: async () => {},
  };
  const reader = {
    identity: async () => call({ uid: cluster.uid, caSha256: cluster.caSha256, host: "api" }),
    presence: async ({ name }: { name: string }) => ({
      state: cluster.absent.includes(name) ? "absent" : "present",
    }),
    listMetadata: async function* () {
      yield [];
    },
    close: async () => {},
  } as unknown as ClusterReader;
  const seeing = {
    ...reader,
    identity: async () => {
      const { uid, seenUid = uid, caSha256 } = cluster;
      return call({ uid: seenUid, caSha256, host: "api" });
    },
  } as unknown as ClusterReader;
  const refusing = {
    ...reader,
    identity: async () => Promise.reject(cluster.refusal as CertkeepError),
  } as unknown as ClusterReader;
  const registrations: Registrations = {
    place: "clusters",
    where: (name) => `clusters/${name}.yaml`,
    read: async (name) => {
      const text = texts.get(name);
      return text === undefined ? null : { revision: text, text };
    },
    write: async (name, before, { credentials: given, text }) => {
      call(null);
      if ((texts.get(name) ?? null) !== (before?.revision ?? null)) return "changed";
      const fileOf = (bearer: Bearer): string =>
        `${name}.${bearer}-${String((serial += 1)).padStart(8, "0")}.kubeconfig`;
      const names = {
        read: fileOf("read"),
        restore: given.restore === null ? null : fileOf("restore"),
      };
      texts.set(name, text(names));
      credentials.set(names.read, given.read);
      if (names.restore !== null && given.restore !== null)
        credentials.set(names.restore, given.restore);
      return "written";
    },
    tidy: async (name, before) => {
      call(null);
      const kept = `${texts.get(name)}${before?.text}`;
      for (const file of credentials.keys()) if (!kept.includes(file)) credentials.delete(file);
    },
    remove: async (name) => void texts.delete(name),
  };
  const ports: RegisterPorts = {
    registrar,
    self,
    reader,
    place: { server: cluster.server, caPem: null, tlsServerName: null, proxyUrl: null },
    brought: { read: null, restore: null },
    open: async (): Promise<OpenedCredential> => ({
      self,
      reader: cluster.refusal === null ? seeing : refusing,
      expiresAtMs: null,
      close: async () => {},
    }),
    registrations,
    states,
    configured: null,
    otherNames: [],
    clock: { nowMs: () => NOW_MS },
    timer: { sleep: async () => {} },
    consent: async (preview) => {
      previews.push(preview);
      return cluster.consents;
    },
    schema: null,
    note: (message) => void notes.push(message),
  };
  return {
    cluster,
    ports,
    objects,
    texts,
    credentials,
    notes,
    previews,
    states,
    calls: () => calls,
    reset: () => (calls = 0),
  };
}

const REQUEST: RegisterRequest = {
  name: "prod",
  kind: "token",
  plan: { parts: ["secrets", "parents", "restore"], namespaces: ["shop"], secrets: [] },
  eks: null,
  knownNamespaces: [],
  tokenDays: 365,
  apply: true,
  allowBroad: false,
  rebuilt: false,
};

const refusal = async (work: Promise<unknown>): Promise<CertkeepError> => {
  const error = await work.then(() => null).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CertkeepError);
  return error as CertkeepError;
};

describe("registering", () => {
  it(
    "writes credentials apart, then the registration, and pins which cluster it is; no token is " +
      "told",
    async () => {
      const at = world();
      const result = await runRegister(REQUEST, at.ports);
      expect(JSON.stringify(result) + at.notes.join() + at.texts.get("prod")).not.toContain(
        "canary",
      );
      expect([...at.credentials.values()].every((text) => text.includes(TOKEN))).toBe(true);
      expect([...at.credentials.keys()]).toEqual([
        "prod.read-00000001.kubeconfig",
        "prod.restore-00000002.kubeconfig",
      ]);
      expect(parseRegistration(at.texts.get("prod") ?? "", "prod.yaml")).toMatchObject({
        ok: true,
        entry: { access: { kind: "token", since: "2027-01-15T08:00:00Z" } },
      });
      expect((await loadState(at.states, "prod"))?.state.identity).toMatchObject({
        uid: UID,
        key: `uid-${UID}`,
        pin: { caSha256: "aa", by: "person" },
      });
    },
  );

  it("is whole or nothing, whichever call fails", async () => {
    const whole = world();
    await runRegister(REQUEST, whole.ports);
    const total = whole.calls();
    expect(total).toBeGreaterThan(15);
    let undone = 0;
    for (let n = 1; n <= total; n += 1) {
      const at = world({ failAt: n });
      const failed = await runRegister(REQUEST, at.ports)
        .then(() => false)
        .catch(() => true);
      if (failed) {
        undone += 1;
        expect({
          n,
          left: [...at.objects.values()].filter(({ kind }) => kind !== "Namespace"),
        }).toEqual({ n, left: [] });
        expect({ n, credentials: at.credentials.size, registrations: at.texts.size }).toEqual({
          n,
          credentials: 0,
          registrations: 0,
        });
      } else
        expect({ n, registrations: at.texts.size, credentials: at.credentials.size }).toEqual({
          n,
          registrations: 1,
          credentials: 2,
        });
    }
    expect(undone).toBeGreaterThan(15);
  });

  it("stays whole where its identity could not be recorded, and is fixed by doing it again", async () => {
    const at = world();
    const broken = {
      ...at.ports,
      states: {
        ...at.states,
        write: async () =>
          Promise.reject(new CertkeepError("store_full", { where: "memory:", found: "full" })),
      },
    };
    expect((await refusal(runRegister(REQUEST, broken))).code).toBe("store_full");
    expect({ registrations: at.texts.size, credentials: at.credentials.size }).toEqual({
      registrations: 1,
      credentials: 2,
    });
    await runRegister(REQUEST, at.ports);
    expect((await loadState(at.states, "prod"))?.state.identity?.uid).toBe(UID);
  });

  it("that fails when it was only to rotate leaves what was there", async () => {
    const at = world();
    await runRegister(REQUEST, at.ports);
    const before = {
      text: at.texts.get("prod"),
      credentials: [...at.credentials.keys()],
      objects: [...at.objects.keys()],
    };
    at.cluster.tokenDays = 1;
    expect((await refusal(runRegister(REQUEST, at.ports))).message).toContain(
      "the server caps tokens",
    );
    expect({
      text: at.texts.get("prod"),
      credentials: [...at.credentials.keys()],
      objects: [...at.objects.keys()],
    }).toEqual(before);
  });

  it(
    "keeps the credentials before until the next rotation, and takes away what it no longer " +
      "wants",
    async () => {
      const at = world();
      await runRegister(REQUEST, at.ports);
      await runRegister(REQUEST, at.ports);
      expect(at.credentials.size).toBe(4);
      await runRegister({ ...REQUEST, plan: { ...REQUEST.plan, parts: ["secrets"] } }, at.ports);
      expect([...at.credentials.keys()]).toEqual([
        "prod.read-00000003.kubeconfig",
        "prod.restore-00000004.kubeconfig",
        "prod.read-00000005.kubeconfig",
      ]);
      expect([...at.objects.keys()].filter((key) => key.includes("restore"))).toEqual([]);
    },
  );

  it("by a token in a Secret keeps the newest two", async () => {
    const at = world();
    let nowMs = NOW_MS;
    const ports = { ...at.ports, clock: { nowMs: () => (nowMs += 60_000) * 1 } };
    for (let n = 0; n < 3; n += 1)
      await runRegister(
        { ...REQUEST, kind: "token-secret", plan: { ...REQUEST.plan, parts: ["secrets"] } },
        ports,
      );
    expect([...at.objects.values()].filter(({ kind }) => kind === "Secret").length).toBe(2);
  });

  it("replaces an entry of the same name in certkeep.yaml, and says so", async () => {
    const at = world();
    const configured = { file: "/c/certkeep.yaml", settings: "", remove: async () => true };
    await runRegister(REQUEST, { ...at.ports, configured });
    expect(at.notes).toContain(
      "cluster prod: this registration replaces its entry in /c/certkeep.yaml",
    );
  });

  it("without consent changes nothing", async () => {
    const at = world({ consents: false });
    expect((await refusal(runRegister(REQUEST, at.ports))).message).toContain(
      "cancelled. Nothing was changed",
    );
    expect(at.objects.size + at.texts.size + at.credentials.size).toBe(0);
    expect(at.previews[0]?.objects.length).toBeGreaterThan(5);
  });

  it("tells of two writers the one who came second, and leaves the other's", async () => {
    const at = world();
    const ports = {
      ...at.ports,
      registrations: {
        ...at.ports.registrations,
        write: async () => (at.texts.set("prod", "context: theirs\n"), "changed" as const),
      },
    };
    expect((await refusal(runRegister(REQUEST, ports))).code).toBe("state_conflict");
    expect(at.texts.get("prod")).toBe("context: theirs\n");
    expect(at.credentials.size).toBe(0);
    // The other's registration rests on the same objects.
    expect(
      [...at.objects.values()].filter(({ kind }) => kind === "RoleBinding").length,
    ).toBeGreaterThan(0);
  });
});

const EKS = {
  kind: "eks" as const,
  eks: {
    cluster: "prod",
    region: "eu-west-1",
    role: "arn:aws:iam::123456789012:role/r",
    restoreRole: null,
  },
  plan: { ...REQUEST.plan, parts: ["secrets" as const] },
};

describe("one plain message for", () => {
  it.each([
    [
      "a server that is too old",
      { version: "v1.18.20" },
      {},
      /version v1\.18\.20, and certkeep needs 1\.22 or later/,
    ],
    [
      "a token without rights",
      { denied: ({ resource }: Question) => resource === "secrets" },
      {},
      /the reading credential: it has no permission to list secrets in namespace shop; get secrets in namespace shop\. Nothing was registered/,
    ],
    [
      "a credential that can do too much",
      { extra: [{ verbs: ["delete"], apiGroups: [""], resources: ["pods"] }] },
      {},
      /has more permissions than it needs: delete pods in every namespace/,
    ],
    [
      "a token that ends tomorrow",
      { tokenDays: 1 },
      {},
      /in 24 hours, though 365 days were asked for.*needs at least 30 days/,
    ],
    [
      "a role that EKS doesn't let in",
      {
        refusal: new CertkeepError("cluster_unauthorized", {
          where: "cluster prod",
          found: "the server rejected the credential",
          answered: true,
        }),
      },
      EKS,
      /EKS denied the role[\s\S]*aws eks create-access-entry --cluster-name prod --region eu-west-1 --principal-arn arn:aws:iam::123456789012:role\/r --kubernetes-groups certkeep-prod-read/,
    ],
    [
      "a role that AWS doesn't let this process take on",
      {
        refusal: new CertkeepError("cluster_unauthorized", {
          where: "role r",
          found: "AWS denied assuming it",
        }),
      },
      EKS,
      /^role r: AWS denied assuming it$/,
    ],
  ])("%s", async (_name, change, request, message) => {
    const at = world(change as Partial<FakeCluster>);
    expect((await refusal(runRegister({ ...REQUEST, ...request }, at.ports))).message).toMatch(
      message,
    );
    expect(at.texts.size + at.credentials.size).toBe(0);
  });

  it("a namespace that isn't there, with those in which certificates are", async () => {
    const at = world({ absent: ["shop"] });
    const reader = {
      ...at.ports.reader,
      listMetadata: async function* () {
        yield [{ namespace: "web" }, { namespace: "api" }, { namespace: "web" }];
      },
    } as unknown as ClusterReader;
    const error = await refusal(runRegister(REQUEST, { ...at.ports, reader }));
    expect(error.message).toMatch(
      /no namespace shop\. Certificates are in: --namespace api --namespace web\. Or create it/,
    );
    expect([at.texts.size, at.credentials.size, at.objects.size]).toEqual([0, 0, 0]);
  });

  it("a name that is another cluster's", async () => {
    const at = world();
    await runRegister(REQUEST, at.ports);
    at.cluster.uid = "99999999-2222-3333-4444-555555555555";
    expect((await refusal(runRegister(REQUEST, at.ports))).message).toMatch(
      /the name is another cluster's.*--rebuilt/,
    );
  });
});

describe("registering again pins what answers now", () => {
  const pinned = async (at: ReturnType<typeof world>) =>
    (await loadState(at.states, "prod"))?.state.identity;

  it.each([
    ["another CA, since it was renewed", { caSha256: "bb" }, { uid: UID, pin: { caSha256: "bb" } }],
    ["no uid, since it may not be read any more", { uid: null }, { uid: null }],
    [
      "no uid, where its credentials alone may not read it",
      { seenUid: null },
      { uid: null, pin: { caSha256: "aa" } },
    ],
  ])("%s, under the key that it had", async (_name, change, expected) => {
    const at = world();
    await runRegister(REQUEST, at.ports);
    Object.assign(at.cluster, change);
    await runRegister(REQUEST, at.ports);
    expect(await pinned(at)).toMatchObject({ ...expected, key: `uid-${UID}` });
    expect(at.notes.join("\n")).toMatch(/pinned as it is now|its CA and its address alone tell/);
    expect(await at.states.names()).toEqual(["cluster-prod"]);
  });

  it("but no other CA whose server hides the uid, unless it was rebuilt", async () => {
    const at = world();
    await runRegister(REQUEST, at.ports);
    Object.assign(at.cluster, { uid: null, caSha256: "bb" });
    expect((await refusal(runRegister(REQUEST, at.ports))).message).toContain("--rebuilt");
    expect(await pinned(at)).toMatchObject({ uid: UID, pin: { caSha256: "aa" } });
    await runRegister({ ...REQUEST, rebuilt: true }, at.ports);
    expect(await pinned(at)).toMatchObject({ uid: null, key: "ca-bb", pin: { by: "person" } });
    expect(await at.states.names()).toContain(`predecessor-prod-uid-${UID}`);
  });

  it("refuses a credential that leads to a server of another CA than the context's", async () => {
    const at = world();
    const ports: RegisterPorts = {
      ...at.ports,
      reader: {
        ...at.ports.reader,
        identity: async () => ({ uid: UID, caSha256: "cc", host: "api" }),
      },
    };
    expect((await refusal(runRegister(REQUEST, ports))).message).toContain(
      "leads to another cluster than the context",
    );
    expect(at.texts.size).toBe(0);
  });
});

describe("what is worth knowing is said, and keeps nobody", () => {
  it("names Secrets beside certificates, and none that Tailscale keeps its own in", async () => {
    const at = world();
    const meta = (name: string, dataKeys: readonly string[], labels: object = {}) => ({
      ...{ namespace: "tailscale", name, type: "Opaque", labels, annotations: {}, dataKeys },
      ...{ uid: name, resourceVersion: "1", createdAt: null, immutable: false, owners: [] },
    });
    const managed = { "tailscale.com/managed": "true" };
    const reader = {
      ...at.ports.reader,
      listMetadata: async function* () {
        yield [
          meta("operator", ["_machinekey", "_profiles"]),
          meta("operator-oauth", ["client_id", "client_secret"]),
          meta("pg-0", ["_machinekey"], { ...managed, "tailscale.com/secret-type": "state" }),
          meta("database", ["password"]),
        ];
      },
    } as unknown as ClusterReader;
    const exposed = await exposuresOf(reader, {
      ...{ parts: ["secrets"], namespaces: ["tailscale"], secrets: [] },
    });
    expect(exposed).toEqual([
      { namespace: "tailscale", others: 2, names: ["operator-oauth", "database"] },
    ]);
  });

  it.each([
    [
      "a newer server",
      { version: "v1.99.0" },
      /newer than those that this certkeep was tested with/,
    ],
    [
      "an aggregated API that is down",
      { dead: ["metrics.k8s.io/v1beta1"] },
      /metrics\.k8s\.io\/v1beta1 doesn't answer/,
    ],
    ["a server under .ts.net", { server: "https://api.tail1a2b3.ts.net:443" }, /ends in \.ts\.net/],
    ["an identity that can't be seen", { uid: null }, /its CA and its address alone tell/],
  ])("%s", async (_name, change, note) => {
    const at = world(change as Partial<FakeCluster>);
    await runRegister(REQUEST, at.ports);
    expect(at.notes.join("\n")).toMatch(note);
    expect(at.texts.size).toBe(1);
  });

  it("a part that isn't granted, where it isn't applied here", async () => {
    const at = world({ denied: ({ capability }) => capability.part === "parents" });
    const result = await runRegister({ ...REQUEST, apply: false }, at.ports);
    expect(
      new Set(
        result.credentials.flatMap(({ missing }) =>
          missing.map(({ capability }) => capability.part),
        ),
      ),
    ).toEqual(new Set(["parents"]));
    expect(at.objects.size).toBe(0);
  });
});

describe("the list", () => {
  it("tells what can't be used beside what can", async () => {
    const at = world();
    await runRegister(REQUEST, at.ports);
    const parsed = parseRegistration(at.texts.get("prod") ?? "", "prod.yaml");
    if (!parsed.ok) throw new Error("no registration");
    const rows = await listClusters(
      [{ name: "prod", ...parsed.entry }],
      ["prod"],
      [
        {
          name: "bad",
          error: new CertkeepError("config_invalid", {
            where: "clusters/bad.yaml",
            found: "invalid configuration (1 mistake)",
          }),
        },
      ],
      {
        states: at.states,
        describe: async () => ({ server: "https://203.0.113.7:6443", expiresAtMs: NOW_MS }),
      },
    );
    expect(rows).toMatchObject([
      { name: "bad", problems: ["clusters/bad.yaml: invalid configuration (1 mistake)"] },
      {
        name: "prod",
        kind: "token",
        identity: `uid-${UID}`,
        restores: true,
        credentialEndsAt: "2027-01-15T08:00:00.000Z",
        problems: [],
      },
    ]);
  });
});

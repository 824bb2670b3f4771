/** The rules of a plan as tables: per shape, per copy, per what is there. */
import { describe, expect, it } from "vitest";
import { noteText } from "../../lib/report/phrases/plannotes.ts";
import type { BackupRecord, CopyFacts, CopyKind } from "../../lib/backup/record.ts";
import { FORCIBLE, PLAN_CODES, type PlanCode } from "../../lib/restoreplan/objection.ts";
import { grantManifest } from "../../lib/restoreplan/grant.ts";
import { planRestore } from "../../lib/restoreplan/plan.ts";
import type { PlanOptions } from "../../lib/restoreplan/decide.ts";
import type {
  JudgedPair,
  Live,
  LiveSecret,
  LiveViews,
  OpenedCopy,
  Wanted,
} from "../../lib/restoreplan/view.ts";
import type { Shape } from "../../lib/secret/shapes.ts";
import { parse } from "yaml";

const DAY_MS = 86_400_000;
const NOW_MS = 20_000 * DAY_MS;
const NAME = "shop.tail1a2b3.ts.net";
const ACCOUNTS = ["A".repeat(43), "B".repeat(43)] as const;

/** A judged pair that ends in `days`; below zero it has expired. */
function pair(days: number, more: Partial<JudgedPair> = {}): JudgedPair {
  const expired = days < 0;
  return {
    verdict: expired ? { valid: false, reasons: ["expired"] } : { valid: true, reasons: [] },
    everHolds: true,
    keyFits: true,
    names: [NAME],
    sha256: `leaf ${days}`,
    serial: "05",
    notBeforeMs: NOW_MS - 10 * DAY_MS,
    notAfterMs: NOW_MS + days * DAY_MS,
    staging: false,
    issuer: "letsencrypt",
    ...more,
  };
}

const broken = (reason: string): Partial<JudgedPair> => ({
  verdict: { valid: false, reasons: [reason] },
});

interface CopyChoice {
  readonly shape?: Shape;
  readonly kind?: CopyKind;
  readonly days?: number;
  readonly pair?: Partial<JudgedPair>;
  readonly header?: Partial<CopyFacts>;
  readonly record?: Partial<Omit<BackupRecord, "header">>;
  readonly more?: Partial<OpenedCopy>;
}

function copy({
  shape = "ha-ingress",
  kind = "certificate",
  days = 60,
  pair: judged = {},
  header = {},
  record = {},
  more = {},
}: CopyChoice = {}): OpenedCopy {
  const tls = ["ha-ingress", "apiserver-proxygroup", "tls"].includes(shape);
  const base = kind === "account-key" ? "acme-account" : tls ? "tls" : NAME;
  const data =
    kind === "account-key"
      ? { "acme-account.key.pem": "YQ==" }
      : { [`${base}.crt`]: "Yw==", [`${base}.key`]: "aw==" };
  return {
    version: "a".repeat(64),
    shape,
    pair: kind === "account-key" ? null : pair(days, judged),
    recorded: true,
    retired: null,
    revocation: { state: "good" },
    record: {
      header: {
        cluster: "prod",
        clusterIdentity: "uid-1",
        namespace: "tailscale",
        secret: tls && shape !== "tls" ? NAME : "state-0",
        shape,
        fieldBase: base,
        kind,
        names: [NAME],
        issuer: "letsencrypt",
        issuerName: "",
        serial: "05",
        leafSha256: null,
        notBefore: null,
        notAfter: null,
        issuedAt: null,
        accountThumbprint: kind === "account-key" ? ACCOUNTS[0] : null,
        ...header,
      },
      type: tls ? "kubernetes.io/tls" : "Opaque",
      labels: {},
      annotations: {},
      data,
      ...record,
    },
    ...more,
  };
}

function wantedOf(one: OpenedCopy, more: Partial<Wanted> = {}): Wanted {
  const { namespace, fieldBase, kind } = one.record.header;
  return {
    namespace,
    secret: one.record.header.secret,
    fieldBase,
    kind,
    title: kind === "account-key" ? "ACME account key" : NAME,
    lastNames: kind === "account-key" ? null : [NAME],
    knownAccounts: kind === "account-key" ? [ACCOUNTS[0]] : [],
    lastShape: one.shape,
    unkept: [],
    named: true,
    versionNamed: false,
    copies: [one],
    unusable: [],
    ...more,
  };
}

function secret(of: OpenedCopy, more: Partial<LiveSecret> = {}): LiveSecret {
  return {
    namespace: of.record.header.namespace,
    name: of.record.header.secret,
    uid: "u",
    resourceVersion: "7",
    type: of.record.type,
    immutable: false,
    deleting: false,
    finalizers: [],
    labels: {},
    annotations: {},
    fields: [],
    data: {},
    pairs: {},
    accounts: {},
    deviceName: null,
    hostName: null,
    ...more,
  };
}

const GONE: Live = { state: "absent", namespace: "present" };

function views(live: Live | LiveSecret, managed: readonly LiveSecret[] = []): LiveViews {
  const at: Live = "state" in live ? live : { state: "present", secret: live };
  return {
    at: () => at,
    managed: () => managed,
    sharing: () => [],
    accountOf: () => null,
    object: () => "unknown",
  };
}

const OPTIONS: PlanOptions = {
  nowMs: NOW_MS,
  as: null,
  force: new Set(),
  unrecorded: false,
  standby: false,
  replace: false,
  createNamespace: false,
};

function decide(
  one: OpenedCopy,
  live: Live | LiveSecret,
  choice: {
    readonly options?: Partial<PlanOptions>;
    readonly wanted?: Partial<Wanted>;
    readonly managed?: readonly LiveSecret[];
  } = {},
): string {
  const plan = planRestore([wantedOf(one, choice.wanted)], views(live, choice.managed), {
    ...OPTIONS,
    ...choice.options,
  });
  const [item] = plan.items;
  expect(plan.writes).toHaveLength(item?.action === "none" ? 0 : 1);
  return `${item?.rule} ${item?.action} ${item?.why.map(({ code }) => code).join("+")}`;
}

describe("per shape, where nothing is there", () => {
  it.each<[Shape, string]>([
    ["operator", "restore create secret_absent"],
    ["standalone", "later none owner_makes_it"],
    ["ha-ingress", "restore create secret_absent"],
    ["apiserver-proxygroup", "restore create secret_absent"],
    ["recorder", "later none owner_makes_it"],
    ["sidecar", "restore create secret_absent"],
    ["tls", "restore create secret_absent"],
  ])("%s: %s", (shape, expected) => {
    expect(decide(copy({ shape }), GONE)).toBe(expected);
    const nowhere = decide(copy({ shape }), { state: "absent", namespace: "absent" });
    expect(nowhere).toBe(expected.startsWith("later") ? expected : "refuse none namespace_absent");
    expect(
      decide(
        copy({ shape }),
        { state: "absent", namespace: "absent" },
        { options: { createNamespace: true } },
      ),
    ).toBe(expected);
  });

  it.each<[Shape, string]>([
    ["operator", "restore create account_absent"],
    ["standalone", "later none owner_makes_it"],
    ["proxygroup-state", "later none owner_makes_it"],
    ["sidecar", "restore create account_absent"],
  ])("an account key of %s: %s", (shape, expected) => {
    expect(decide(copy({ shape, kind: "account-key" }), GONE)).toBe(expected);
  });
});

describe("a proxy's Secret of a new name", () => {
  const labels = {
    "tailscale.com/parent-resource": "web",
    "tailscale.com/parent-resource-ns": "shop",
    "tailscale.com/parent-resource-type": "ingress",
  };
  const one = copy({
    shape: "standalone",
    record: { labels },
    header: { secret: "ts-web-aaaaa-0" },
  });
  const made = (more: Partial<LiveSecret>, name = "ts-web-bbbbb-0"): LiveSecret =>
    secret(one, { name, labels: { ...labels, "tailscale.com/managed": "true" }, ...more });
  it.each<[string, LiveSecret[], string]>([
    [
      "it ran under the certificate's name",
      [made({ deviceName: NAME })],
      "restore patch fields_absent",
    ],
    [
      "it hasn't run, and will ask for the name",
      [made({ hostName: "shop" })],
      "restore patch fields_absent",
    ],
    ["it hasn't got its configuration yet", [made({})], "later none owner_makes_it"],
    [
      "it has become another machine",
      [made({ deviceName: `shop-1.tail1a2b3.ts.net` })],
      "refuse none device_renamed",
    ],
    ["it will ask for another name", [made({ hostName: "other" })], "refuse none device_renamed"],
    [
      "two fit",
      [made({ deviceName: NAME }), made({ hostName: "shop" }, "ts-web-ccccc-0")],
      "refuse none several_places",
    ],
    [
      "another parent's",
      [
        made({
          deviceName: NAME,
          labels: {
            ...labels,
            "tailscale.com/managed": "true",
            "tailscale.com/parent-resource": "other",
          },
        }),
      ],
      "later none owner_makes_it",
    ],
    [
      "another namespace's parent",
      [
        made({
          deviceName: NAME,
          labels: {
            ...labels,
            "tailscale.com/managed": "true",
            "tailscale.com/parent-resource-ns": "prod",
          },
        }),
      ],
      "later none owner_makes_it",
    ],
    [
      "it is on its way out",
      [made({ deviceName: NAME, deleting: true })],
      "later none owner_makes_it",
    ],
  ])("%s", (_name, managed, expected) => {
    expect(decide(one, GONE, { managed })).toBe(expected);
  });
});

describe("what is there against the copy", () => {
  const one = copy();
  const there = (
    days: number,
    more: Partial<JudgedPair> = {},
    live: Partial<LiveSecret> = {},
  ): LiveSecret =>
    secret(one, {
      pairs: { tls: pair(days, more) },
      data: { "tls.crt": "bGl2ZQ==", "tls.key": "bGl2ZQ==" },
      fields: ["tls.crt", "tls.key"],
      ...live,
    });
  it.each<[string, LiveSecret, string]>([
    ["fields are empty", secret(one), "restore patch fields_absent"],
    ["valid, ends a day earlier", there(59), "restore patch copy_longer"],
    ["valid, ends with it", there(60), "keep none live_valid"],
    ["valid, ends a day later", there(61), "keep none live_valid"],
    ["expired", there(-1), "restore patch live_invalid"],
    ["another's key", there(90, broken("key_mismatch")), "restore patch live_invalid"],
    ["the very bytes", there(60, {}, { data: one.record.data }), "keep none already_there"],
    [
      "the very bytes, though invalid",
      there(-1, {}, { data: one.record.data }),
      "keep none already_there",
    ],
    ["being deleted", there(-1, {}, { deleting: true }), "refuse none live_deleting"],
    ["immutable", there(-1, {}, { immutable: true }), "refuse none secret_immutable"],
    ["immutable, but valid", there(61, {}, { immutable: true }), "keep none live_valid"],
    ["of another type", there(-1, {}, { type: "Opaque" }), "refuse none type_differs"],
    [
      "immutable, with fields that a copy doesn't hold",
      there(-1, {}, { immutable: true, fields: ["tls.crt", "other"] }),
      "refuse none secret_immutable",
    ],
  ])("%s", (_name, live, expected) => {
    expect(decide(one, live)).toBe(expected);
  });

  const same = { data: one.record.data, immutable: true };
  const byCertManager = { "cert-manager.io/certificate-name": "web" };
  const generic = copy({ shape: "tls" });
  it.each<[string, OpenedCopy, LiveSecret, string]>([
    ["broken", one, there(-1, {}, { immutable: true }), "restore replace live_invalid"],
    ["the very bytes", one, there(60, {}, same), "restore replace secret_recreated"],
    [
      "valid for longer",
      one,
      there(61, {}, { immutable: true }),
      "restore replace secret_recreated",
    ],
    ["not immutable", one, there(60, {}, { data: one.record.data }), "keep none already_there"],
    [
      "with a finalizer",
      one,
      there(60, {}, { ...same, finalizers: ["example.com/x"] }),
      "refuse none replace_would_lose",
    ],
    ["being deleted", one, there(60, {}, { ...same, deleting: true }), "refuse none live_deleting"],
    ["of another type", one, there(-1, {}, { type: "Opaque" }), "restore replace live_invalid"],
    // Nobody has to write it: whoever made it immutable meant it.
    ["of no controller", generic, there(60, {}, same), "keep none already_there"],
    [
      "of cert-manager",
      generic,
      there(60, {}, { ...same, annotations: byCertManager }),
      "restore replace secret_recreated",
    ],
  ])("with --replace, immutable, %s", (_name, of, live, expected) => {
    expect(decide(of, live, { options: { replace: true } })).toBe(expected);
  });

  it("what nobody could read is not written to", () => {
    expect(decide(one, { state: "unknown", found: "forbidden" })).toBe("refuse none live_unknown");
  });

  it("the instant decides: valid for a millisecond longer is longer, no less", () => {
    const longer = copy({ pair: { notAfterMs: NOW_MS + 60 * DAY_MS + 1 } });
    expect(decide(longer, there(60))).toBe("restore patch copy_longer");
    expect(decide(copy({ pair: { notAfterMs: NOW_MS + 60 * DAY_MS } }), there(60))).toBe(
      "keep none live_valid",
    );
  });
});

describe("the copy itself", () => {
  const cases: [string, CopyChoice, string][] = [
    ["expired", { days: -1 }, "copy_expired"],
    [
      "not yet valid",
      { pair: { ...broken("not_yet_valid"), notBeforeMs: NOW_MS + 1 } },
      "copy_not_yet_valid",
    ],
    [
      "a key that doesn't fit",
      { pair: { keyFits: false, ...broken("key_mismatch") } },
      "copy_key_mismatch",
    ],
    ["refused by its controller", { pair: broken("missing_intermediate") }, "copy_invalid"],
    ["staging", { pair: { staging: true, ...broken("unknown_issuer") } }, "copy_staging"],
    ["revoked", { more: { revocation: { state: "revoked", at: null } } }, "copy_revoked"],
    ["retired", { more: { retired: "leaked" } }, "copy_retired"],
    ["not recorded", { more: { recorded: false } }, "copy_unrecorded"],
    ["for other names", { pair: { names: ["other.example.com"] } }, "names_differ"],
    ["a standby", { kind: "standby", shape: "tls" }, "standby_not_asked"],
  ];
  it.each(cases)("%s: refused, unless what is there is valid already", (_name, choice, code) => {
    const one = copy(choice);
    expect(decide(one, GONE)).toBe(`refuse none ${code}`);
    expect(decide(one, secret(one, { pairs: { tls: pair(1) } }))).toBe("keep none live_valid");
  });

  it.each(cases)(
    "%s: --force overrides it only where its table says so, and the plan names what it overrode",
    (_name, choice, code) => {
      const plan = planRestore([wantedOf(copy(choice))], views(GONE), {
        ...OPTIONS,
        force: new Set(Object.keys(PLAN_CODES) as PlanCode[]),
      });
      const forcible = FORCIBLE.includes(code as PlanCode);
      expect(plan.items[0]?.rule).toBe(forcible ? "restore" : "refuse");
      expect(plan.items[0]?.overridden).toEqual(forcible ? [code] : []);
    },
  );

  it("the next good one is taken where the first can't be, and that is said", () => {
    const [bad, fine] = [
      copy({ days: 80, more: { retired: "leaked", version: "b".repeat(64) } }),
      copy(),
    ];
    const plan = planRestore(
      [
        {
          ...wantedOf(fine),
          copies: [bad, fine],
          unusable: [
            {
              version: "c".repeat(64),
              code: "copy_damaged",
              detail: { kind: "error", found: "cut" },
            },
          ],
        },
      ],
      views(GONE),
      OPTIONS,
    );
    expect(plan.items[0]).toMatchObject({ rule: "restore", version: fine.version });
    expect(plan.items[0]?.notes).toMatchObject([
      { note: "older_copy" },
      { note: "passed_over", version: "c".repeat(64), code: "copy_damaged" },
    ]);
    expect(plan.items[0]?.notes.map(noteText).join(" ")).toMatch(
      /an older backup is used.* backup cccccccccccc was skipped: the backup is damaged \(cut\)/,
    );
  });
});

it("planning twice gives the same, and a plan that was carried out leaves nothing to do", () => {
  for (const shape of ["operator", "ha-ingress", "sidecar", "tls"] as const) {
    const one = copy({ shape });
    const plan = planRestore([wantedOf(one)], views(GONE), OPTIONS);
    expect(planRestore([wantedOf(one)], views(GONE), OPTIONS)).toEqual(plan);
    const done = secret(one, {
      data: plan.writes[0]?.data ?? {},
      pairs: { [one.record.header.fieldBase]: one.pair as JudgedPair },
    });
    expect(planRestore([wantedOf(one)], views(done), OPTIONS).writes).toEqual([]);
  }
});

describe("the manifest that grants a verb", () => {
  it(
    "is what Kubernetes takes, for service accounts and users, in a namespace and for the " +
      "cluster",
    () => {
      const documents = grantManifest({
        verb: "delete",
        resource: "secrets",
        namespace: "tailscale",
        user: "system:serviceaccount:certkeep:restorer",
      })
        ?.split("\n---\n")
        .map((text) => parse(text) as Record<string, unknown>);
      expect(documents).toEqual([
        {
          apiVersion: "rbac.authorization.k8s.io/v1",
          kind: "Role",
          metadata: { name: "certkeep-restore", namespace: "tailscale" },
          rules: [
            {
              apiGroups: [""],
              resources: ["secrets"],
              verbs: ["get", "list", "create", "patch", "delete"],
            },
          ],
        },
        {
          apiVersion: "rbac.authorization.k8s.io/v1",
          kind: "RoleBinding",
          metadata: { name: "certkeep-restore", namespace: "tailscale" },
          roleRef: {
            apiGroup: "rbac.authorization.k8s.io",
            kind: "Role",
            name: "certkeep-restore",
          },
          subjects: [{ kind: "ServiceAccount", namespace: "certkeep", name: "restorer" }],
        },
      ]);
      expect(
        grantManifest({
          verb: "create",
          resource: "namespaces",
          namespace: null,
          user: "jane@example.com",
        }),
      ).toContain('name: "jane@example.com"');
    },
  );

  it.each([
    ["get\nverbs: ['*']", "secrets", "a"],
    ["get", "*", "a"],
    ["get", "secrets", "a\nb"],
    ["get", "secrets", "../x"],
  ])("holds nothing of %j %j %j", (verb, resource, namespace) => {
    expect(grantManifest({ verb, resource, namespace, user: null })).toBeNull();
  });
});

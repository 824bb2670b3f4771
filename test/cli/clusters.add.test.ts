/** What the options of `clusters add` ask for, and what it prints in place of registering. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runIn } from "../support/cli.ts";
import { parseAllDocuments } from "yaml";
import {
  type AddOptions,
  daysAsked,
  eksOf,
  kindOf,
  parseDays,
  parseEks,
  planOf,
} from "../../lib/cli/clusters/plan.ts";
import type { ClusterEntry } from "../../lib/config/cluster.ts";
import { parseRegistration } from "../../lib/config/parse.ts";

const RECIPIENT = "age1z2lrvsqly5snu93xzzlcwqvatvcct8znj5plhq5mh6k0nvs8usyqfrwzcx";
const READ = "arn:aws:iam::123456789012:role/read";
const WEB = { namespace: "shop", name: "web-tls" };

type Existing = Omit<ClusterEntry, "name">;

/** A registration with these settings. */
function registered(settings: object): Existing {
  const parsed = parseRegistration(JSON.stringify(settings), "prod.yaml");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed));
  return parsed.entry;
}

const asked = (options: Partial<AddOptions>): AddOptions => ({
  apply: true,
  color: false,
  ...options,
});
const token = { access: { kind: "token", parts: ["secrets", "restore"] } };
const listing = registered({ namespaces: ["shop", "web"], ...token });
const byName = registered({ discover: false, secrets: ["shop/web-tls"] });

describe("the permissions that are asked for", () => {
  it.each<[string, Partial<AddOptions>, Existing | null, unknown]>([
    ["a new registration", {}, null, [["secrets", "parents", "diagnosis"], ["tailscale"], 0]],
    [
      "namespaces",
      { namespace: ["a", "b"] },
      null,
      [["secrets", "parents", "diagnosis"], ["a", "b"], 0],
    ],
    [
      "all namespaces",
      { allNamespaces: true },
      null,
      [["secrets", "parents", "diagnosis"], null, 0],
    ],
    [
      "Secrets alone: nothing is listed",
      { secret: [WEB] },
      null,
      [["named", "parents", "diagnosis"], [], 1],
    ],
    [
      "Secrets beside a namespace",
      { secret: [WEB], namespace: ["a"] },
      null,
      [["secrets", "named", "parents", "diagnosis"], ["a"], 1],
    ],
    ["what was registered", {}, listing, [["secrets", "restore"], ["shop", "web"], 0]],
    [
      "a Secret more",
      { secret: [WEB] },
      listing,
      [["secrets", "named", "restore"], ["shop", "web"], 1],
    ],
    [
      "a part more",
      { parts: ["secrets", "restore", "parents"] },
      listing,
      [["secrets", "parents", "restore"], ["shop", "web"], 0],
    ],
    ["by name from now on", { parts: ["named"], secret: [WEB] }, listing, [["named"], [], 1]],
    ["what was registered by name", {}, byName, [["named", "parents", "diagnosis"], [], 1]],
    [
      "listing from now on",
      { parts: ["secrets"] },
      byName,
      [["secrets", "named"], ["tailscale"], 1],
    ],
  ])("of %s", (_what, options, existing, expected) => {
    const { parts, namespaces, secrets } = planOf(asked(options), existing);
    expect([parts, namespaces, secrets.length]).toEqual(expected);
  });

  it.each<[string, Partial<AddOptions>, RegExp]>([
    [
      "nothing to read",
      { parts: ["parents"] },
      /--parts: certkeep could read nothing without the part secrets or a --secret/,
    ],
    [
      "names without a Secret",
      { parts: ["named"] },
      /--parts: certkeep could read nothing without the part secrets or a --secret/,
    ],
    [
      "a pattern",
      { namespace: ["shop-*"] },
      /namespace shop-\*: this is a pattern, and RBAC has no patterns/,
    ],
  ])("are refused for %s", (_what, options, message) => {
    expect(() => planOf(asked(options), null)).toThrow(message);
  });
});

describe("the credential that is asked for", () => {
  const eks = { cluster: "prod", region: "eu-west-1" };
  const own = registered({ access: { kind: "certificate", parts: ["secrets"] } });
  const secretToken = registered({ access: { kind: "token-secret", parts: ["secrets"] } });

  it.each<[string, Partial<AddOptions>, Existing | null, string, number]>([
    ["a token of a year", {}, null, "token", 365],
    ["a token of some days", { days: 90 }, null, "token", 90],
    ["a token without an end", { days: "never" }, null, "token-secret", 365],
    ["the kind that is registered", {}, secretToken, "token-secret", 365],
    ["a token in its place", { days: 365 }, secretToken, "token", 365],
    ["IAM on EKS", { eks, role: READ }, listing, "eks", 365],
    ["a token in place of one's own", { days: 30 }, own, "token", 30],
  ])("is %s", (_what, options, existing, kind, days) => {
    expect(kindOf(asked(options), existing, null)).toBe(kind);
    expect(daysAsked(asked(options))).toBe(days);
  });

  it("is the one that is brought", () => {
    expect(kindOf(asked({}), null, "pair")).toBe("certificate");
    expect(kindOf(asked({ days: 1 }), null, "token")).toBe("kubeconfig");
    expect(() => kindOf(asked({}), own, null)).toThrow(
      /--credential: a registration of the kind .* needs the new credential/,
    );
  });

  it("of EKS keeps what isn't given again, and needs a role", () => {
    const existing = registered({ eks: { ...eks, role: READ, restoreRole: `${READ}-restore` } });
    expect(eksOf(asked({}), existing, "eks")).toEqual({
      ...eks,
      role: READ,
      restoreRole: `${READ}-restore`,
    });
    expect(eksOf(asked({}), existing, "token")).toBeNull();
    expect(() => eksOf(asked({ eks }), null, "eks")).toThrow(
      /--eks: the cluster or the role is missing/,
    );
  });

  it("takes days and ARMs, and refuses what is neither", () => {
    expect(["1", "3650", "never"].map(parseDays)).toEqual([1, 3650, "never"]);
    for (const wrong of ["0", "3651", "1.5", "", "x"])
      expect(() => parseDays(wrong)).toThrow("Expected a whole number of days");
    expect(parseEks("arn:aws:eks:eu-west-1:123456789012:cluster/prod")).toEqual(eks);
    expect(parseEks("arn:aws-cn:eks:cn-north-1:123456789012:cluster/a_b")).toEqual({
      cluster: "a_b",
      region: "cn-north-1",
    });
    for (const wrong of [
      "prod",
      "arn:aws:iam::123456789012:role/x",
      "arn:aws:eks:eu-west-1:1:cluster/x",
    ])
      expect(() => parseEks(wrong)).toThrow("Expected arn:aws:eks:REGION:ACCOUNT:cluster/NAME");
  });
});

describe("what is printed", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "certkeep-add-"));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  async function add(config: object, ...args: readonly string[]) {
    writeFileSync(join(folder, "certkeep.yaml"), JSON.stringify(config));
    return runIn(folder, ["clusters", "add", "lab", "--config", "certkeep.yaml", ...args]);
  }

  const config = {
    recipients: [RECIPIENT],
    stores: { backups: "s3://bucket/backups", state: "s3://bucket/state" },
    aws: { stage: "prod", region: "eu-west-1" },
  };

  it(
    "for --in-cluster is RBAC, a ConfigMap, a CronJob with the image, and the IAM policy beside " +
      "them",
    async () => {
      const { code, out, err } = await add(
        config,
        "--in-cluster",
        "example/certkeep:1",
        "--role",
        READ,
      );
      expect({ code, err }).toEqual({ code: 0, err: "" });
      const objects = parseAllDocuments(out).map((document) => document.toJS() as { kind: string });
      expect(objects.map(({ kind }) => kind)).toEqual(
        expect.arrayContaining(["Namespace", "ServiceAccount", "ConfigMap", "CronJob"]),
      );
      expect(out).toContain("image: example/certkeep:1");
      expect(out).toContain(`eks.amazonaws.com/role-arn: ${READ}`);
      expect(out).not.toContain("${");
      expect(out).toContain("# The IAM policy of the role that the pod needs");
      const alone = await add(config, "--print", "policy");
      expect((JSON.parse(alone.out) as { Statement: unknown[] }).Statement).not.toEqual([]);
    },
  );

  it.each<[string, object, readonly string[], RegExp]>([
    [
      "a folder of this machine",
      { ...config, stores: { backups: "file:b", state: "s3://bucket/s" } },
      [],
      /--backups: it is a folder of this machine/,
    ],
    [
      "a bucket that is no state's",
      config,
      ["--state", "secretsmanager://x"],
      /--state: it is the URL of an unknown kind of store/,
    ],
    [
      "backups in Secrets Manager",
      config,
      ["--backups", "secretsmanager://x"],
      /--backups: in Secrets Manager, a pod/,
    ],
    [
      "nobody who can decrypt",
      { ...config, recipients: [] },
      [],
      /recipients: certkeep.yaml names none.*certkeep init/,
    ],
    ["no ARN", config, ["--role", "x"], /--role: it isn't the ARN of an IAM role/],
  ])("for --in-cluster is refused with %s", async (_what, settings, args, message) => {
    const { code, out, err } = await add(settings, "--in-cluster", "image", ...args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err.replaceAll("\n", " ")).toMatch(message);
  });

  it("for EKS binds groups, and says where the registration lies", async () => {
    const { out } = await add(
      config,
      "--print",
      "--eks",
      "arn:aws:eks:eu-west-1:123456789012:cluster/lab",
      "--role",
      READ,
    );
    expect(out).toContain("kind: Group");
    expect(out).not.toContain("kind: ServiceAccount");
    expect(out).toContain("# The registration, ");
    expect(out).toContain(`#   role: ${READ}`);
  });
});

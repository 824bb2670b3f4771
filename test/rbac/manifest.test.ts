/** Manifests: what would be applied, and by what it is found again. */
import { describe, expect, it } from "vitest";
import { parseAllDocuments, type Document } from "yaml";
import {
  accessObjects,
  insideObjects,
  kubeconfigText,
  manifestText,
  tokenSecret,
} from "../../lib/rbac/manifest.ts";
import type { AccessPlan } from "../../lib/rbac/rules.ts";
import { connect } from "../../lib/adapters/kubernetes/context.ts";
import { parseKubeconfig } from "../../lib/adapters/kubernetes/kubeconfig.ts";
import { parseConfig } from "../../lib/config/parse.ts";

const PLAN: AccessPlan = {
  parts: ["secrets", "parents", "diagnosis", "restore"],
  namespaces: ["shop"],
  secrets: [],
};
const RECIPIENT = "age1z2lrvsqly5snu93xzzlcwqvatvcct8znj5plhq5mh6k0nvs8usyqfrwzcx";

describe("the objects of a registration", () => {
  it(
    "are a service account for each credential, with no token mounted anywhere, and roles of " +
      "its own",
    () => {
      const objects = accessObjects("prod", PLAN, { kind: "ServiceAccount" });
      const accounts = objects.filter((object) => object.kind === "ServiceAccount");
      expect(
        accounts.map(({ metadata, automountServiceAccountToken }) => [
          metadata.name,
          automountServiceAccountToken,
        ]),
      ).toEqual([
        ["certkeep-prod-read", false],
        ["certkeep-prod-restore", false],
      ]);
      for (const object of objects) {
        expect(object.metadata.labels?.["app.kubernetes.io/managed-by"]).toBe("certkeep");
        if ("subjects" in object)
          expect(object.subjects?.map(({ name }) => name)).toEqual([object.metadata.name]);
      }
    },
  );

  it("for IAM bind groups, and give the restoring role nothing where there is none", () => {
    const objects = accessObjects("prod", PLAN, {
      kind: "Group",
      names: { read: "certkeep-prod-read", restore: null },
    });
    expect(objects.some(({ kind }) => kind === "ServiceAccount" || kind === "Namespace")).toBe(
      false,
    );
    expect(objects.some(({ metadata }) => metadata.name === "certkeep-prod-restore")).toBe(false);
  });

  it("are YAML that comes back the same", () => {
    const objects = accessObjects("prod", PLAN, { kind: "ServiceAccount" });
    const read = (parseAllDocuments(manifestText(objects)) as Document[]).map(
      (document) => document.toJS() as unknown,
    );
    expect(read).toEqual(JSON.parse(JSON.stringify(objects)));
  });

  it("name each token again, so that the one before isn't ended by the next", () => {
    expect(tokenSecret("prod", "read", "20261123200000").metadata.name).not.toBe(
      tokenSecret("prod", "read", "20261123200001").metadata.name,
    );
  });
});

describe("the manifest for the inside", () => {
  it("audits from inside with the reading rights alone, a projected token, and stores outside", () => {
    const objects = insideObjects("lab", PLAN, {
      image: "example/certkeep:1",
      recipients: [RECIPIENT],
      backups: "file:/mnt/backups",
      state: "file:/mnt/state",
      region: null,
      role: null,
    });
    const text = JSON.stringify(objects);
    expect(text).not.toContain("certkeep-lab-restore");
    expect(text).not.toMatch(/"(patch|delete|update)"/);
    const roles = objects.filter((object) =>
      (object as { kind: string }).kind.endsWith("Role"),
    ) as { rules: { verbs: string[]; resources: string[] }[] }[];
    expect(
      roles
        .flatMap(({ rules }) => rules)
        .filter(({ verbs }) => verbs.includes("create"))
        .flatMap(({ resources }) => resources),
    ).toEqual(["subjectaccessreviews"]);
    const job = objects.find((object) => (object as { kind: string }).kind === "CronJob");
    expect(job).toMatchObject({
      spec: {
        concurrencyPolicy: "Forbid",
        jobTemplate: {
          spec: {
            template: {
              spec: { serviceAccountName: "certkeep-lab-read", automountServiceAccountToken: true },
            },
          },
        },
      },
    });
    const config = objects.find((object) => (object as { kind: string }).kind === "ConfigMap") as {
      data: Record<string, string>;
    };
    expect(parseConfig(config.data["certkeep.yaml"] ?? "", "inside")).toMatchObject({
      ok: true,
      config: {
        recipients: [RECIPIENT],
        clusters: [{ name: "lab", kubeconfig: null, namespaces: ["shop"] }],
      },
    });
    expect(text).not.toContain("AWS_REGION");
    expect(text).not.toContain("role-arn");
  });

  it("takes an IAM role by its service account, and knows the region of its stores", () => {
    const role = "arn:aws:iam::123456789012:role/certkeep-lab-inside";
    const objects = insideObjects("lab", PLAN, {
      image: "example/certkeep:1",
      recipients: [RECIPIENT],
      backups: "s3://bucket/backups",
      state: "s3://bucket/state",
      region: "eu-west-1",
      role,
    });
    const accounts = objects.filter(
      (object) => (object as { kind: string }).kind === "ServiceAccount",
    );
    expect(accounts).toMatchObject([
      { metadata: { annotations: { "eks.amazonaws.com/role-arn": role } } },
    ]);
    expect(JSON.stringify(objects)).toContain('{"name":"AWS_REGION","value":"eu-west-1"}');
    const config = objects.find((object) => (object as { kind: string }).kind === "ConfigMap") as {
      data: Record<string, string>;
    };
    expect(parseConfig(config.data["certkeep.yaml"] ?? "", "inside")).toMatchObject({
      ok: true,
      config: { aws: { region: "eu-west-1" }, stores: { backups: "s3://bucket/backups" } },
    });
  });
});

describe("a kubeconfig of a credential", () => {
  it("reads back as what it was made of", async () => {
    const text = kubeconfigText(
      "prod",
      {
        server: "https://203.0.113.7:6443",
        caPem: null,
        tlsServerName: "kubernetes",
        proxyUrl: "http://proxy.example:3128/",
      },
      { kind: "token", token: "canary" },
    );
    const connection = await connect(parseKubeconfig(text, "test"), null, {
      environment: {},
      nowMs: () => 0,
      allowExec: false,
    });
    expect(connection).toMatchObject({
      title: "prod",
      tlsServerName: "kubernetes",
      usesExec: false,
      insecure: false,
    });
    expect(connection.server.host).toBe("203.0.113.7:6443");
    expect(connection.proxyUrl?.host).toBe("proxy.example:3128");
    expect((await connection.credentials()).headers["authorization"]).toBe("Bearer canary");
  });
});

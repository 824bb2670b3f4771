/**
 * A registration as JSON: what isn't granted and what is more than needed, in the fields that it
 * always had.
 */
import { expect, it } from "vitest";
import { excessOf } from "../../lib/rbac/excess.ts";
import { questionsOf, type AccessPlan } from "../../lib/rbac/rules.ts";
import { type ClusterRow, clustersText, registeredDocument } from "../../lib/report/clusters.ts";

const PLAN: AccessPlan = { parts: ["secrets"], namespaces: ["shop"], secrets: [] };

it("says what certkeep can't do without a permission, and each excess in words", () => {
  const [question] = questionsOf(PLAN, "read").filter(({ resource }) => resource === "secrets");
  const rules = [{ verbs: ["delete"], apiGroups: [""], resources: ["pods"] }];
  const excess = excessOf(PLAN, ["read"], [{ namespace: "shop", rules, incomplete: false }], []);
  const credential = {
    bearer: "read",
    user: "reader",
    expiresAtMs: null,
    missing: question === undefined ? [] : [question],
    excess,
  } as const;
  const found = { name: "prod", credentials: [credential] };
  expect(registeredDocument(found)).toMatchObject({
    name: "prod",
    credentials: [
      {
        user: "reader",
        missing: [
          {
            verb: question?.verb,
            resource: "secrets",
            capability: {
              id: question?.capability.id,
              without: expect.stringMatching(
                /^only Secrets that the registration names|^the content of Secrets/,
              ) as string,
            },
          },
        ],
        excess: [{ text: "delete pods in namespace shop", dangerous: true }],
      },
    ],
  });
});

const ROW: ClusterRow = {
  name: "prod-eu",
  registered: true,
  server: "https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com",
  identity: "uid-2f6c1f6e-5c1a-4f57-9a9e-0d1f3c5b7a90",
  kind: "eks",
  parts: ["secrets"],
  namespaces: ["tailscale", "shop"],
  restores: true,
  lastAudit: { at: "2026-11-23T11:59:48Z", complete: true },
  credentialEndsAt: null,
  problems: [],
};

it.each([80, 120, Infinity])("lists clusters as recorded at %d columns", async (room) => {
  const text = clustersText(
    [
      ROW,
      {
        ...ROW,
        name: "lab",
        server: "https://10.0.0.1:6443",
        kind: "token-secret",
        namespaces: null,
        restores: false,
        lastAudit: { at: "2026-11-22T09:00:00Z", complete: false },
      },
    ],
    { nowMs: Date.UTC(2026, 10, 23, 12), room, verbose: room === Infinity },
  );
  await expect(`${text}\n`).toMatchFileSnapshot(`fixtures/clusters-${room}.txt`);
});

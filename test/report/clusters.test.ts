/**
 * A registration as JSON: what isn't granted and what is more than needed, in the fields that it
 * always had.
 */
import { expect, it } from "vitest";
import { excessOf } from "../../lib/rbac/excess.ts";
import { questionsOf, type AccessPlan } from "../../lib/rbac/rules.ts";
import { registeredDocument } from "../../lib/report/clusters.ts";

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

/** From the table to RBAC and to questions: what each credential gets, and what it never does. */
import { describe, expect, it } from "vitest";
import { questionsOf, rulesOf, type AccessPlan } from "../../lib/rbac/rules.ts";
import { CAPABILITIES, PARTS } from "../../lib/rbac/table.ts";
import { questionText, withoutText } from "../../lib/report/phrases/permissions.ts";

const ALL: AccessPlan = {
  parts: PARTS,
  namespaces: ["shop", "tailscale"],
  secrets: [{ namespace: "shop", name: "web-tls" }],
};
const READS = ["get", "list", "watch"];

describe("the table", () => {
  it(
    "gives the reading credential no verb that changes anything but access reviews, which store " +
      "nothing",
    () => {
      const changing = CAPABILITIES.filter(
        ({ bearers, verbs }) =>
          bearers.includes("read") && verbs.some((verb) => !READS.includes(verb)),
      );
      expect(changing.map(({ verbs, resource }) => `${verbs.join()} ${resource}`)).toEqual([
        "create subjectaccessreviews",
      ]);
    },
  );

  it("keeps deleting and making namespaces apart from restoring", () => {
    const of = (part: string): string[] =>
      CAPABILITIES.filter((capability) => capability.part === part)
        .flatMap(({ verbs, resource }) => verbs.map((verb) => `${verb} ${resource}`))
        .toSorted();
    expect(of("restore")).toEqual([
      "create secrets",
      "get secrets",
      "list secrets",
      "patch secrets",
    ]);
    expect(of("replace")).toEqual(["delete secrets"]);
    expect(of("create-namespace")).toEqual(["create namespaces"]);
    expect(of("follow")).toEqual(["watch secrets"]);
  });

  it("says of every capability what certkeep can't do without it", () => {
    for (const one of CAPABILITIES) expect(withoutText(one).length).toBeGreaterThan(20);
    expect(new Set(CAPABILITIES.map(({ id }) => id)).size).toBe(CAPABILITIES.length);
  });
});

describe("rules", () => {
  it("stand in the namespaces; reading those themselves is granted at the cluster scope, by name", () => {
    const plan: AccessPlan = { parts: ["secrets"], namespaces: ["tailscale"], secrets: [] };
    expect(rulesOf(plan, "read")).toEqual([
      {
        namespace: null,
        rules: [
          {
            apiGroups: [""],
            resources: ["namespaces"],
            resourceNames: ["kube-system", "tailscale"],
            verbs: ["get"],
          },
        ],
      },
      {
        namespace: "tailscale",
        rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get", "list"] }],
      },
    ]);
    expect(rulesOf(plan, "restore")).toEqual([]);
  });

  it("by name list nothing, and name the Secrets", () => {
    const plan: AccessPlan = {
      parts: ["named"],
      namespaces: [],
      secrets: [
        { namespace: "shop", name: "b" },
        { namespace: "shop", name: "a" },
      ],
    };
    const rules = rulesOf(plan, "read").flatMap((place) => place.rules);
    expect(rules.flatMap(({ verbs }) => verbs)).not.toContain("list");
    expect(rules.find(({ resources }) => resources.includes("secrets"))).toEqual({
      apiGroups: [""],
      resources: ["secrets"],
      resourceNames: ["a", "b"],
      verbs: ["get"],
    });
  });

  it("for all namespaces are one ClusterRole", () => {
    const places = rulesOf(
      { parts: ["secrets", "diagnosis"], namespaces: null, secrets: [] },
      "read",
    ).map(({ namespace }) => namespace);
    expect(places).toEqual([null]);
  });

  it("never hold a wildcard, and cover every question", () => {
    for (const bearer of ["read", "restore"] as const) {
      const places = rulesOf(ALL, bearer);
      expect(JSON.stringify(places)).not.toContain("*");
      for (const { verb, group, resource, namespace, name } of questionsOf(ALL, bearer)) {
        const covered = places
          .filter((place) => place.namespace === (resource === "namespaces" ? null : namespace))
          .flatMap(({ rules }) => rules)
          .some(
            (rule) =>
              rule.verbs.includes(verb) &&
              rule.apiGroups.includes(group) &&
              rule.resources.includes(resource) &&
              (name === null
                ? rule.resourceNames === undefined
                : rule.resourceNames?.includes(name) === true),
          );
        expect({ verb, resource, namespace, name, covered }).toEqual({
          verb,
          resource,
          namespace,
          name,
          covered: true,
        });
      }
    }
  });
});

describe("a question in words", () => {
  it.each([
    [
      { verb: "list", group: "", resource: "secrets", namespace: "shop", name: null },
      "list secrets in namespace shop",
    ],
    [
      {
        verb: "get",
        group: "",
        resource: "namespaces",
        namespace: "kube-system",
        name: "kube-system",
      },
      "get namespaces kube-system",
    ],
    [
      {
        verb: "create",
        group: "authorization.k8s.io",
        resource: "subjectaccessreviews",
        namespace: null,
        name: null,
      },
      "create subjectaccessreviews.authorization.k8s.io in the whole cluster",
    ],
  ])("%#", (question, text) => {
    expect(questionText(question)).toBe(text);
  });
});

/** What a credential can do beyond its need, from the rules that a server tells. */
import { describe, expect, it } from "vitest";
import { excessOf, parseRules, type GrantedRules } from "../../lib/rbac/excess.ts";
import { excessText } from "../../lib/report/phrases/permissions.ts";
import { questionsOf, type AccessPlan, type Rule } from "../../lib/rbac/rules.ts";

const PLAN: AccessPlan = { parts: ["secrets"], namespaces: ["shop"], secrets: [] };
const needed: Rule[] = questionsOf(PLAN, "read")
  .filter(({ namespace }) => namespace === "shop")
  .map(({ verb, group, resource, name }) => ({
    verbs: [verb],
    apiGroups: [group],
    resources: [resource],
    ...(name === null ? {} : { resourceNames: [name] }),
  }));
const rule = (verbs: string, resources: string, group = "", names?: string[]): Rule => ({
  verbs: verbs.split(","),
  apiGroups: [group],
  resources: resources.split(","),
  ...(names === undefined ? {} : { resourceNames: names }),
});
const granted = (shop: readonly Rule[], others: readonly Rule[] = []): GrantedRules[] => [
  { namespace: "shop", rules: [...needed, ...shop], incomplete: false },
  { namespace: "default", rules: others, incomplete: false },
];
const found = (
  shop: readonly Rule[],
  others: readonly Rule[] = [],
  everybody: readonly GrantedRules[] = [],
): string[] =>
  excessOf(PLAN, ["read"], granted(shop, others), everybody).map(
    (excess) => `${excess.dangerous ? "! " : ""}${excessText(excess)}`,
  );

describe("excess", () => {
  it("is none where there is what is needed, and what everybody has", () => {
    const basic = rule(
      "create",
      "selfsubjectaccessreviews,selfsubjectrulesreviews",
      "authorization.k8s.io",
    );
    expect(found([basic], [basic])).toEqual([]);
  });

  it.each([
    ["a write", [rule("delete", "secrets")], ["! delete secrets in namespace shop"]],
    [
      "a read of something harmless",
      [rule("get", "configmaps")],
      ["get configmaps in namespace shop"],
    ],
    ["a shell", [rule("get", "pods/exec")], ["! get pods/exec in namespace shop"]],
    [
      "another identity",
      [rule("create", "serviceaccounts/token")],
      ["! create serviceaccounts/token in namespace shop"],
    ],
    [
      "everything",
      [rule("*", "*", "*")],
      ["! do anything with every resource of every group in namespace shop"],
    ],
    [
      "a verb too many in one rule",
      [rule("get,list,update", "secrets")],
      ["! update secrets in namespace shop"],
    ],
    [
      "one object",
      [rule("patch", "secrets", "", ["web"])],
      ["! patch secrets web in namespace shop"],
    ],
    [
      "a group of its own",
      [rule("get", "secrets", "example.com")],
      ["! get secrets.example.com in namespace shop"],
    ],
  ])("is %s", (_name, rules, expected) => {
    expect(found(rules)).toEqual(expected);
  });

  it("is what is needed in one namespace and had in another", () => {
    expect(found([], [rule("get", "secrets")])).toEqual(["! get secrets in namespace default"]);
  });

  it("had everywhere is told once, the dangerous first", () => {
    const rules = [rule("get", "configmaps"), rule("delete", "pods")];
    expect(found(rules, rules)).toEqual([
      "! delete pods in every namespace that was looked at",
      "get configmaps in every namespace that was looked at",
    ]);
  });

  it("isn't what anyone in the cluster may do", () => {
    const own = rule("create", "projectrequests", "project.openshift.io");
    expect(found([own])).toEqual([
      "! create projectrequests.project.openshift.io in namespace shop",
    ]);
    expect(found([own], [], [{ namespace: "shop", rules: [own], incomplete: false }])).toEqual([]);
  });

  it("isn't the right to get a namespace by its name, wherever it was given", () => {
    expect(found([], [rule("get", "namespaces", "", ["shop"])])).toEqual([]);
    expect(found([], [rule("get", "namespaces", "", ["other"])])).toEqual([
      "get namespaces other in namespace default",
    ]);
  });
});

describe("rules of an answer", () => {
  it.each([[null], ["x"], [[null, 1, "a", { verbs: "get" }]], [{ length: 3 }]])(
    "are read whatever comes: %j",
    (raw) => {
      for (const one of parseRules(raw)) expect(one.verbs).toEqual([]);
    },
  );
  it("keep their names", () => {
    expect(
      parseRules([
        { verbs: ["get"], apiGroups: [""], resources: ["secrets"], resourceNames: ["a", 1] },
      ]),
    ).toEqual([rule("get", "secrets", "", ["a"])]);
  });
});

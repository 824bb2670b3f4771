/** What a restoring credential may not do is part of the plan, with the command that changes it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CertkeepError } from "../../lib/error.ts";
import type { SelfAccess } from "../../lib/ports/cluster.ts";
import { deniedText } from "../../lib/report/phrases/permissions.ts";
import { restoreExit } from "../../lib/usecases/restore/context.ts";
import type { RestoreAccess } from "../../lib/usecases/restore/permissions.ts";
import type { Part } from "../../lib/rbac/table.ts";
import { outcomes, restore, tlsSecret } from "../support/restoring.ts";
import { startWorld, type World } from "../support/world.ts";

const NAME = "web.example.com";
const READING: readonly Part[] = ["secrets", "parents", "diagnosis"];

let world: World;
beforeEach(async () => {
  world = await startWorld();
  world.put(tlsSecret("shop", "web-tls", world.issue([NAME])));
  await world.audit();
  world.sandbox.remove("shop", "web-tls");
});
afterEach(() => world.stop());

type Registration = RestoreAccess["registration"];

function access(
  registration: Registration,
  isAllowed: SelfAccess["isAllowed"],
): { readonly target: { readonly access: RestoreAccess } } {
  const self = { isAllowed, whoAmI: async () => "jane" } as unknown as SelfAccess;
  return { target: { access: { self, cluster: "prod", registration } } };
}

describe("a plan asks first what its credential may do", () => {
  it("refuses a write by the reading credential, offers a restoring one, and writes nothing", async () => {
    const reading = access({ kind: "token", parts: READING, isApart: false }, async () => false);
    for (const mode of ["plan", "apply"] as const) {
      const report = await restore(world, { names: [NAME], mode }, reading);
      expect(outcomes(report)).toEqual([`${NAME} restore refused secret_absent`]);
      expect(report.items[0]?.message).toBe(
        "prod is registered to be read: it has no restoring credential, and the reading one has " +
          "no permission to create secrets in namespace shop. Add one:\n" +
          "certkeep clusters add prod --with restore",
      );
      expect(restoreExit(report, false)).toBe(3);
    }
    expect(world.sandbox.get("shop", "web-tls")).toBe(null);
  });

  it("does what is allowed, and asks about each namespace once", async () => {
    let asked = 0;
    const allowed = access({ kind: "token", parts: ["restore"], isApart: true }, async () => {
      asked += 1;
      return true;
    });
    const report = await restore(world, { names: [NAME], mode: "apply" }, allowed);
    expect([outcomes(report), asked]).toEqual([[`${NAME} restore done secret_absent`], 1]);
  });

  it("goes on where the server doesn't say", async () => {
    const silent = access(null, async () => {
      throw new CertkeepError("cluster_forbidden", { where: "prod", found: "no reviews" });
    });
    const report = await restore(world, { names: [NAME], mode: "apply" }, silent);
    expect(outcomes(report)).toEqual([`${NAME} restore done secret_absent`]);
  });
});

describe("the way on", () => {
  const question = (verb: string, resource: string, namespace: string | null) => ({
    verb,
    group: "",
    resource,
    namespace,
    name: null,
  });
  const told = (registration: Registration, ...denied: ReturnType<typeof question>[]): string =>
    deniedText(denied, { cluster: "prod", registration, user: "jane" });

  const bringsBoth = "--credential FILE --restore-credential FILE";
  it.each([
    ["token", READING, false, "create", "secrets", "--with restore"],
    ["token", ["restore"], true, "create", "namespaces", "--with create-namespace"],
    ["token", ["restore"], true, "delete", "secrets", "--with replace"],
    ["token", ["restore"], true, "patch", "secrets", ""],
    ["eks", READING, false, "create", "secrets", "--with restore --restore-role ARN"],
    ["eks", ["restore"], true, "delete", "secrets", "--with replace"],
    ["kubeconfig", READING, false, "create", "secrets", `--with restore ${bringsBoth}`],
    ["certificate", ["restore"], true, "delete", "secrets", `--with replace ${bringsBoth}`],
    ["certificate", ["restore"], true, "patch", "secrets", bringsBoth],
  ] as const)("%s, %j %s: %s %s -> %s", (kind, parts, isApart, verb, resource, options) => {
    const text = told({ kind, parts, isApart }, question(verb, resource, "shop"));
    expect(text.split("\n").at(-1)).toBe(`certkeep clusters add prod ${options}`.trim());
  });

  it("of a person's own credential is a manifest for that person", () => {
    const text = told(null, question("create", "secrets", "shop"));
    expect(text).toContain(
      "Your credential has no permission to create secrets in namespace shop.",
    );
    expect(text).toContain('name: "jane"');
  });
});

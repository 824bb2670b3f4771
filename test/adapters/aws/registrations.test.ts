/** The registry in memory: the contract, answers that are lost, and who is denied. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { scheduledForDeletion } from "../../../lib/adapters/aws/secretsmanager.ts";
import { createSecretRegistry } from "../../../lib/adapters/aws/registry.ts";
import { createSecretRegistrations } from "../../../lib/adapters/aws/registrations.ts";
import { CertkeepError, isCertkeepError } from "../../../lib/error.ts";
import type { NextRegistration } from "../../../lib/ports/registry.ts";
import { registrationsContract } from "../../contract/registrations.ts";
import { startFakeAws, type AwsAnswer, type FakeAws } from "../../support/aws.ts";

const URL = "secretsmanager://certkeep/prod";

let aws: FakeAws;
beforeAll(async () => {
  aws = await startFakeAws();
});
afterAll(() => aws?.stop());
beforeEach(() => aws.reset());

const registrations = () => createSecretRegistrations(URL, aws.world);
const registry = () => createSecretRegistry(URL, aws.world);
const next = (label: string): NextRegistration => ({
  credentials: { read: `canary read ${label}`, restore: `canary restore ${label}` },
  text: ({ restore }) => `# ${label}\nrestoreKubeconfig: ${restore}\n`,
});
const inEffect = async (): Promise<readonly (string | undefined)[]> => [
  (await registrations().read("prod"))?.text.split("\n")[0],
  (await registry().read("prod"))?.kubeconfig,
  await registry().restoring("prod"),
];
const all = (label: string): readonly string[] => [
  `# ${label}`,
  `canary read ${label}`,
  `canary restore ${label}`,
];

registrationsContract("secretsmanager, in memory", async () => {
  aws.secrets.clear();
  return {
    registrations: registrations(),
    again: registrations,
    credential: async (name, bearer) => {
      if (bearer === "read") return (await registry().read(name))?.kubeconfig ?? null;
      return registry()
        .restoring(name)
        .catch((error: unknown) =>
          isCertkeepError(error, "config_invalid") ? null : Promise.reject(error),
        );
    },
  };
});

const broken: AwsAnswer = {
  status: 500,
  headers: { "content-type": "application/x-amz-json-1.1" },
  body: JSON.stringify({ __type: "InternalServiceError", message: "canary" }),
};
const denied: AwsAnswer = {
  status: 400,
  headers: { "content-type": "application/x-amz-json-1.1" },
  body: JSON.stringify({ __type: "AccessDeniedException", message: "canary" }),
};

describe("a registration whose answer is lost", () => {
  it.each(["CreateSecret", "PutSecretValue", "UpdateSecretVersionStage", "DescribeSecret"])(
    "at %s is written all the same, once",
    async (action) => {
      for (const label of ["first", "second"]) {
        let left = 1;
        aws.lose((request) => (request.action === action && left-- > 0 ? broken : null));
        expect(
          await registrations().write("prod", await registrations().read("prod"), next(label)),
        ).toBe("written");
        expect(await inEffect()).toEqual(all(label));
      }
    },
  );
});

describe("a registration that is denied", () => {
  it.each(["CreateSecret", "PutSecretValue", "UpdateSecretVersionStage", "DescribeSecret"])(
    "%s says so, shows no value, and leaves what was there",
    async (action) => {
      await registrations().write("prod", null, next("first"));
      const before = await registrations().read("prod");
      aws.fault((request) => (request.action === action ? denied : null));
      const error = await registrations()
        .write("prod", before, next("second"))
        .catch((reason: unknown) => reason);
      aws.fault(() => null);
      // Without a look at the restoring secret, the registration is written and its restoring
      // credential isn't: told, and fixed by doing it again.
      if (action === "DescribeSecret")
        expect(await inEffect()).toEqual([
          "# second",
          "canary read second",
          "canary restore first",
        ]);
      else expect(await inEffect()).toEqual(all("first"));
      expect(error).toBeInstanceOf(CertkeepError);
      expect((error as CertkeepError).message).toContain(`secretsmanager:${action}`);
      expect((error as CertkeepError).message).not.toContain("canary");
      expect(
        await registrations().write("prod", await registrations().read("prod"), next("third")),
      ).toBe("written");
      expect(await inEffect()).toEqual(all("third"));
    },
  );

  it("where its own secret can't be made leaves no restoring credential", async () => {
    aws.fault((request) =>
      request.action === "CreateSecret" && request.body.includes("/clusters/") ? denied : null,
    );
    await expect(registrations().write("prod", null, next("first"))).rejects.toMatchObject({
      code: "store_unavailable",
    });
    expect([...aws.secrets.keys()]).toEqual([]);
  });
});

it("asks no value of whoever wants names, and one secret of whoever wants one cluster", async () => {
  for (const name of ["a", "b"]) await registrations().write(name, null, next(name));
  aws.fault(() => null);
  expect(await registry().names()).toEqual(["a", "b"]);
  expect(aws.requests.map(({ action }) => action)).toEqual(["ListSecrets"]);
  aws.fault(() => null);
  await registry().read("a");
  expect(
    aws.requests.map(({ action, body }) => [
      action,
      (JSON.parse(body.toString()) as Record<string, unknown>)["SecretId"],
      (JSON.parse(body.toString()) as Record<string, unknown>)["VersionStage"],
    ]),
  ).toEqual([["GetSecretValue", "certkeep/prod/clusters/a", "AWSCURRENT"]]);
});

it("is told to wait where a name is being deleted", async () => {
  await registrations().write("prod", null, next("first"));
  for (const secret of aws.secrets.values()) secret.deleted = true;
  await expect(registrations().write("prod", null, next("second"))).rejects.toThrow(
    /AWS is still deleting a secret of this name/,
  );
  await expect(registry().read("prod")).rejects.toThrow(/scheduled for deletion/);
});

it("names both ways out of a scheduled deletion", () => {
  expect(scheduledForDeletion("certkeep/prod").parts.todo).toBe(
    "Delete it now (aws secretsmanager delete-secret --force-delete-without-recovery " +
      "--secret-id certkeep/prod), or restore it: aws secretsmanager restore-secret " +
      "--secret-id certkeep/prod",
  );
});

/** Whatever answers in place of Secrets Manager: an error of certkeep's own, or nothing wrong. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSecretRegistry } from "../../../lib/adapters/aws/registry.ts";
import { createSecretRegistrations } from "../../../lib/adapters/aws/registrations.ts";
import { createSecretBlobs } from "../../../lib/adapters/aws/secretblobs.ts";
import {
  createSecretKeeper,
  createSecretValues,
} from "../../../lib/adapters/aws/secretsmanager.ts";
import { isCertkeepError } from "../../../lib/error.ts";
import { startFakeAws, type FakeAws } from "../../support/aws.ts";

const URL = "secretsmanager://certkeep/prod";
const ODD: readonly unknown[] = [
  5,
  true,
  null,
  {},
  [],
  [null],
  [5],
  { a: 5 },
  { a: null },
  [{ Name: 5 }],
  [[]],
  "CANARY",
];
const MEMBERS = [
  "SecretString",
  "SecretBinary",
  "VersionId",
  "Name",
  "ARN",
  "NextToken",
  "SecretList",
  "Tags",
  "VersionIdsToStages",
  "VersionStages",
  "DeletedDate",
  "DeletionDate",
];
/** What every answer has besides, so that as much of it as possible is read. */
const USUAL = {
  SecretString: "{}",
  VersionId: "1",
  SecretList: [{ Name: "certkeep/prod/clusters/prod", Tags: [{ Key: "a", Value: "b" }] }],
  VersionIdsToStages: { "1": ["AWSCURRENT"] },
};

let aws: FakeAws;
beforeAll(async () => {
  aws = await startFakeAws();
});
afterAll(() => aws?.stop());

const OPERATIONS: Readonly<Record<string, () => Promise<unknown>>> = {
  "a value": () => createSecretValues(aws.world).read("certkeep/webhook"),
  "whether a secret exists": () => createSecretKeeper(aws.world).exists("certkeep/webhook"),
  "a new secret": () => createSecretKeeper(aws.world).create("certkeep/webhook", "x", "d"),
  "a backup": () => createSecretBlobs(URL, aws.world).read("a/b.json"),
  "a new backup": () => createSecretBlobs(URL, aws.world).create("a/b.json", Buffer.from("x")),
  "a removed backup": () => createSecretBlobs(URL, aws.world).remove("a/b.json"),
  "a list of backups": async () => {
    for await (const { key } of createSecretBlobs(URL, aws.world).list(""))
      expect(typeof key).toBe("string");
  },
  "the registered clusters": () => createSecretRegistry(URL, aws.world).names(),
  "a registered cluster": () => createSecretRegistry(URL, aws.world).read("prod"),
  "a restoring credential": () => createSecretRegistry(URL, aws.world).restoring("prod"),
  "a registration": () => createSecretRegistrations(URL, aws.world).read("prod"),
  "a new registration": () =>
    createSecretRegistrations(URL, aws.world).write(
      "prod",
      { revision: "1", text: "a: 1" },
      {
        credentials: { read: "r", restore: "w" },
        text: () => "a: 1\n",
      },
    ),
  "a tidied registration": () => createSecretRegistrations(URL, aws.world).tidy("prod", null),
  "a removed registration": () => createSecretRegistrations(URL, aws.world).remove("prod"),
};

describe.each(Object.entries(OPERATIONS))("%s", (_name, work) => {
  it.each(MEMBERS)("of an answer whose %s is of another type", async (member) => {
    for (const odd of ODD) {
      aws.reset();
      aws.fault((_, seen) => ({
        status: 200,
        headers: { "content-type": "application/x-amz-json-1.1" },
        // A token that leads on would let a listing go on for as long as it is given.
        body: JSON.stringify(seen > 20 ? {} : { ...USUAL, [member]: odd }),
      }));
      const error = await work().then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (error === null) continue;
      expect(isCertkeepError(error)).toBe(true);
      expect((error as Error).message).not.toContain("TypeError");
    }
  });
});

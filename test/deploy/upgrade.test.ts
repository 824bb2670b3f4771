/**
 * A standing stack, as the version before this deployed it, is updated in place. CloudFormation
 * deletes what has no logical id in the new template, and replaces what changes one of the
 * properties below ("Update requires: Replacement" in its reference). Roles of EKS clusters trust
 * a role's unique id: a recreated one isn't trusted any more.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { FUNCTIONS } from "../../stack/names.ts";
import { packageStack, type Template } from "./support.ts";

const REPLACED_ON_CHANGE: Readonly<Record<string, readonly string[]>> = {
  "AWS::CloudWatch::Alarm": ["AlarmName"],
  "AWS::Events::Rule": ["Name", "EventBusName"],
  "AWS::IAM::Role": ["RoleName", "Path"],
  "AWS::Lambda::EventInvokeConfig": ["FunctionName", "Qualifier"],
  "AWS::Lambda::EventSourceMapping": ["EventSourceArn", "StartingPosition"],
  "AWS::Lambda::Function": ["FunctionName", "PackageType"],
  "AWS::Lambda::Permission": ["Action", "FunctionName", "Principal", "SourceArn"],
  "AWS::Logs::LogGroup": ["LogGroupName"],
  "AWS::S3::Bucket": ["BucketName", "ObjectLockEnabled"],
  "AWS::S3::BucketPolicy": ["Bucket"],
  "AWS::SNS::Topic": ["TopicName", "FifoTopic"],
  "AWS::SNS::TopicPolicy": [],
  "AWS::SQS::Queue": ["QueueName", "FifoQueue"],
  "AWS::SQS::QueuePolicy": [],
};

const previous = JSON.parse(
  readFileSync(join(import.meta.dirname, "fixtures/previous.json"), "utf8"),
) as Template;

/** What makes a resource the one that stands. */
const identities = ({ Resources }: Template): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(Resources).map(([id, { Type, Properties, ...rest }]) => [
      id,
      {
        Type,
        DeletionPolicy: rest.DeletionPolicy,
        fixed: REPLACED_ON_CHANGE[Type]?.map((name) => Properties[name]),
      },
    ]),
  );

describe("an update of a standing stack", () => {
  let template: Template;
  let moved: Template;
  beforeAll(async () => {
    const [plain, path] = await Promise.all([
      packageStack({}, { "certkeep.yaml": "recipients: []\n" }),
      packageStack({ rolePath: "/teams/tls/" }, { "certkeep.yaml": "recipients: []\n" }),
    ]);
    for (const { code, said } of [plain, path]) if (code !== 0) throw new Error(said);
    template = plain.template;
    moved = path.template;
  }, 200_000);

  it("replaces and deletes nothing that the previous version made", () => {
    const kinds = new Set(Object.values(previous.Resources).map(({ Type }) => Type));
    expect([...kinds].filter((kind) => !(kind in REPLACED_ON_CHANGE))).toEqual([]);
    expect(identities(template)).toMatchObject(identities(previous));
  });

  it("keeps each function on its role, by logical id and name", () => {
    const rolesOf = ({ Resources }: Template): Record<string, unknown> =>
      Object.fromEntries(
        Object.entries(Resources)
          .filter(([, { Type }]) => Type === "AWS::IAM::Role")
          .map(([id, { Properties }]) => [id, Properties["RoleName"]]),
      );
    const expected = {
      DispatchIamRoleLambdaExecution: "certkeep-prod-dispatch-eu-west-1",
      AuditIamRoleLambdaExecution: "certkeep-prod-audit-eu-west-1",
      DigestIamRoleLambdaExecution: "certkeep-prod-digest-eu-west-1",
      DrillIamRoleLambdaExecution: "certkeep-prod-drill-eu-west-1",
      RestoreIamRoleLambdaExecution: "certkeep-prod-restore-eu-west-1",
    };
    for (const made of [previous, template, moved]) expect(rolesOf(made)).toEqual(expected);
    for (const name of FUNCTIONS) {
      const id = `${name[0]?.toUpperCase()}${name.slice(1)}`;
      expect(template.Resources[`${id}LambdaFunction`]?.Properties["Role"]).toEqual({
        "Fn::GetAtt": [`${id}IamRoleLambdaExecution`, "Arn"],
      });
    }
    const pathsOf = ({ Resources }: Template): unknown[] =>
      Object.keys(expected).map((id) => Resources[id]?.Properties["Path"]);
    expect(pathsOf(template)).toEqual(FUNCTIONS.map(() => "/"));
    expect(pathsOf(moved)).toEqual(FUNCTIONS.map(() => "/teams/tls/"));
  });

  it("keeps the outputs that people and scripts read", () => {
    expect(Object.keys(template.Outputs)).toEqual(
      expect.arrayContaining(Object.keys(previous.Outputs)),
    );
  });
});

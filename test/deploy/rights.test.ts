/** What each role may do, asked one by one. */
import { describe, expect, it } from "vitest";
import { FUNCTIONS, type FunctionName } from "../../stack/names.ts";
import { BUCKET, mayDo, renderStack, type Request } from "./iam.ts";

const object = (key: string): string => `arn:aws:s3:::${BUCKET}/${key}`;
const secret = (path: string): string =>
  `arn:aws:secretsmanager:eu-west-1:123456789012:secret:certkeep/prod/${path}-AbCdEf`;
const role = (name: string): string => `arn:aws:iam::123456789012:role/${name}`;
const queue = (name: string): string => `arn:aws:sqs:eu-west-1:123456789012:${name}`;
const log = (name: string): string =>
  `arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/certkeep-prod-${name}:log-stream:x`;
const bucket = `arn:aws:s3:::${BUCKET}`;

/** A question and who may: with backups in Secrets Manager, and in S3 where that differs. */
type Row = readonly [
  action: string,
  resource: string,
  context: Request["context"],
  secrets: readonly FunctionName[],
  s3?: readonly FunctionName[],
];
const none: readonly FunctionName[] = [];
const copies = ["audit", "drill", "restore"] as const;
const creators = ["audit", "restore"] as const;
const isNew = { "s3:if-none-match": "*" };

const rows: readonly Row[] = [
  // States and the documents beside them
  ["s3:PutObject", object("state/cluster-prod.json"), {}, copies],
  ["s3:PutObject", object("state/cluster-prod.json"), isNew, copies],
  ["s3:PutObject", object("state/ct-example.com.json"), {}, ["audit"]],
  ["s3:PutObject", object("state/digest.json"), {}, ["digest"]],
  ["s3:PutObject", object("state/drill.json"), {}, ["drill"]],
  ["s3:PutObject", object("state/lease-prod.json"), {}, ["restore"]],
  ["s3:PutObject", object("state/doctor.json"), {}, none],
  ["s3:PutObject", object("certkeep.yaml"), {}, ["dispatch"]],
  ["s3:PutObject", object("anything"), {}, none],
  ["s3:DeleteObject", object("state/cluster-prod.json"), {}, none],
  ["s3:GetObject", object("state/cluster-prod.json"), {}, FUNCTIONS],
  ["s3:GetObject", object("state/digest.json"), {}, FUNCTIONS],
  ["s3:GetObject", object("certkeep.yaml"), {}, ["dispatch"]],
  ["s3:GetObject", object("anything"), {}, none],
  ["s3:ListBucket", bucket, {}, none],
  ["s3:ListBucket", bucket, { "s3:prefix": "" }, none],
  ["s3:ListBucket", bucket, { "s3:prefix": "state/" }, FUNCTIONS],
  ["s3:ListBucket", bucket, { "s3:prefix": "state/cluster-prod.json" }, FUNCTIONS],
  ["s3:ListBucket", bucket, { "s3:prefix": "certkeep.yaml" }, ["dispatch"]],
  ["s3:ListBucket", bucket, { "s3:prefix": "backups/" }, none, copies],
  ["s3:ListBucketVersions", bucket, {}, none],
  ["s3:ListBucketVersions", bucket, { "s3:prefix": "state/" }, none],
  ["s3:ListBucketVersions", bucket, { "s3:prefix": "backups/a" }, none, ["drill"]],
  // Backups
  ["s3:PutObject", object("backups/prod/a/b/c.json"), isNew, none, creators],
  ["s3:PutObject", object("backups/prod/a/b/c.json"), {}, none],
  ["s3:GetObject", object("backups/prod/a/b/c.json"), {}, none, copies],
  ["s3:DeleteObject", object("backups/prod/a/b/c.json"), {}, none, ["drill"]],
  ["s3:DeleteObjectVersion", object("backups/prod/a/b/c.json"), {}, none, ["drill"]],
  ["s3:PutObjectTagging", object("backups/prod/a/b/c.json"), {}, none],
  ["s3:PutObjectRetention", object("backups/prod/a/b/c.json"), {}, none],
  ["s3:BypassGovernanceRetention", object("backups/prod/a/b/c.json"), {}, none],
  ["secretsmanager:CreateSecret", secret("backups/prod/a/b/c.json"), {}, creators, none],
  ["secretsmanager:GetSecretValue", secret("backups/prod/a/b/c.json"), {}, copies, none],
  ["secretsmanager:DeleteSecret", secret("backups/prod/a/b/c.json"), {}, ["drill"], none],
  ["secretsmanager:PutSecretValue", secret("backups/prod/a/b/c.json"), {}, none],
  ["secretsmanager:UpdateSecret", secret("backups/prod/a/b/c.json"), {}, none],
  ["secretsmanager:UpdateSecretVersionStage", secret("backups/prod/a/b/c.json"), {}, none],
  ["secretsmanager:RestoreSecret", secret("backups/prod/a/b/c.json"), {}, none],
  ["secretsmanager:TagResource", secret("backups/prod/a/b/c.json"), {}, none],
  ["secretsmanager:UntagResource", secret("backups/prod/a/b/c.json"), {}, none],
  ["secretsmanager:PutResourcePolicy", secret("backups/prod/a/b/c.json"), {}, none],
  // Credentials and the identity
  ["secretsmanager:GetSecretValue", secret("clusters/prod"), {}, creators],
  ["secretsmanager:GetSecretValue", secret("restoring/prod"), {}, ["restore"]],
  ["secretsmanager:GetSecretValue", secret("identity"), {}, ["drill", "restore"]],
  ["secretsmanager:GetSecretValue", secret("slack/ops"), {}, ["digest"]],
  ["secretsmanager:GetSecretValue", secret("sources/certspotter"), {}, ["audit"]],
  ["secretsmanager:GetSecretValue", secret("other"), {}, none],
  [
    "secretsmanager:GetSecretValue",
    secret("clusters/prod").replace("certkeep/prod", "certkeep/dev"),
    {},
    none,
  ],
  ["secretsmanager:CreateSecret", secret("clusters/prod"), {}, none],
  ["secretsmanager:PutSecretValue", secret("clusters/prod"), {}, none],
  ["secretsmanager:DeleteSecret", secret("clusters/prod"), {}, none],
  ["secretsmanager:PutSecretValue", secret("identity"), {}, none],
  ["secretsmanager:ListSecrets", "*", {}, FUNCTIONS, ["dispatch", "audit", "digest", "restore"]],
  ["sts:AssumeRole", role("certkeep-prod-read"), {}, creators],
  ["sts:AssumeRole", role("certkeep-prod-restore"), {}, ["restore"]],
  ["sts:AssumeRole", role("admin"), {}, none],
  ["iam:PassRole", role("certkeep-prod-read"), {}, none],
  // Queue and logs
  ["sqs:SendMessage", queue("AuditQueue"), {}, ["dispatch"]],
  ["sqs:ReceiveMessage", queue("AuditQueue"), {}, ["audit"]],
  ["sqs:DeleteMessage", queue("AuditQueue"), {}, ["audit"]],
  ["sqs:PurgeQueue", queue("AuditQueue"), {}, none],
  ["sqs:SendMessage", queue("DeadLetters"), {}, none],
  ["sqs:ReceiveMessage", queue("DeadLetters"), {}, none],
  ["logs:CreateLogGroup", log("audit"), {}, none],
  ["logs:PutLogEvents", log("audit"), {}, ["audit"]],
  ["logs:CreateLogStream", log("restore"), {}, ["restore"]],
  ["logs:GetLogEvents", log("audit"), {}, none],
  // What the stack is made of
  ["s3:PutBucketPolicy", bucket, {}, none],
  ["s3:PutLifecycleConfiguration", bucket, {}, none],
  ["s3:DeleteBucket", bucket, {}, none],
  ["lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:123456789012:function:x", {}, none],
  ["kms:Decrypt", "arn:aws:kms:eu-west-1:123456789012:key/1", {}, none],
];

const lineOf = ([action, resource, context = {}]: Row): string =>
  `${action} ${resource.split(":").slice(5).join(":")} ${JSON.stringify(context)}`;

describe.each(["secretsmanager", "s3"] as const)("backups in %s", (backups) => {
  const stack = renderStack({ backups });
  it.each(rows.map((row) => [lineOf(row), row] as const))("%s", (_, row) => {
    const [action, resource, context, secrets, s3 = secrets] = row;
    const request = { action, resource, ...(context === undefined ? {} : { context }) };
    expect(FUNCTIONS.filter((name) => mayDo(stack, name, request))).toEqual(
      backups === "s3" ? s3 : secrets,
    );
  });
});

describe("a key of one's own", () => {
  const key = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555";
  const stack = renderStack({ kmsKey: key });
  it.each([
    ["kms:Decrypt", "s3.eu-west-1.amazonaws.com", FUNCTIONS],
    ["kms:GenerateDataKey", "sqs.eu-west-1.amazonaws.com", FUNCTIONS],
    ["kms:Decrypt", "ec2.eu-west-1.amazonaws.com", none],
    ["kms:Decrypt", undefined, none],
    ["kms:ScheduleKeyDeletion", "s3.eu-west-1.amazonaws.com", none],
  ] as const)("%s through %s", (action, via, who) => {
    const context = via === undefined ? {} : { "kms:ViaService": via };
    expect(
      FUNCTIONS.filter((name) => mayDo(stack, name, { action, resource: key, context })),
    ).toEqual(who);
  });
});

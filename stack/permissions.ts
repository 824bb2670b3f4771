/**
 * What each function may do on AWS: only what its use case does.
 *
 * What must not be: an audit that deletes or overwrites a copy, or reads an identity or a restoring
 * credential; a digest that reads a credential or writes anything but what it remembers of itself;
 * anybody but restore and drill with the identity; anybody but restore with the restoring
 * credentials; anybody but drill who deletes.
 */
import { att, bucketArn, secretArn, sub, type FunctionName, type Value } from "./names.ts";
import type { Parameters } from "./parameters.ts";

export interface Statement {
  readonly Sid: string;
  readonly Effect: "Allow";
  readonly Action: readonly string[];
  readonly Resource: readonly Value[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

function allow(
  Sid: string,
  Action: readonly string[],
  Resource: readonly Value[],
  Condition?: Statement["Condition"],
): Statement {
  return {
    Sid,
    Effect: "Allow",
    Action,
    Resource,
    ...(Condition === undefined ? {} : { Condition }),
  };
}

// AWS limits listing names to no part of an account; values are another action.
const names = allow("ListNames", ["secretsmanager:ListSecrets"], ["*"]);
const receive = allow(
  "Receive",
  ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
  [att("AuditQueue")],
);

/** The function's own log group, which the stack makes. */
export function writeLog({ stage }: Parameters, name: FunctionName): Statement {
  const group = `/aws/lambda/certkeep-${stage}-${name}`;
  return allow(
    "Log",
    ["logs:CreateLogStream", "logs:CreateLogGroup", "logs:PutLogEvents"],
    [sub(`arn:\${AWS::Partition}:logs:\${AWS::Region}:\${AWS::AccountId}:log-group:${group}:*:*`)],
  );
}

/** Statements by function, beside writing its log. */
export function permissions(
  parameters: Parameters,
): Readonly<Record<FunctionName, readonly Statement[]>> {
  const secrets = (Sid: string, name: string): Statement =>
    allow(Sid, ["secretsmanager:GetSecretValue"], [secretArn(parameters, name)]);
  const objects = (Sid: string, actions: readonly string[], name: string): Statement =>
    allow(Sid, actions, [bucketArn(parameters, name)]);
  const list = (...prefixes: readonly string[]): Statement => listBucket(parameters, prefixes);
  const registered = secrets("ReadRegistrations", "clusters/*");
  const readStates = objects("ReadStates", ["s3:GetObject"], "state/*");
  const copies = copyStatements(parameters);
  const listed = list("state/*", ...(parameters.backups === "s3" ? ["backups/*"] : []));
  // Not `identity-??????`: where there is none, AWS has no six characters to compare with, and
  // refusing isn't saying so.
  const opening = [names, secrets("ReadIdentity", "identity*"), registered];
  const writeStates = objects("WriteStates", ["s3:PutObject"], "state/*");
  const stores = [readStates, writeStates, listed, ...copies.read];
  const { readRoles, restoreRoles } = parameters;
  const key = useKey(parameters.kmsKey);
  return {
    dispatch: [
      names,
      readStates,
      list("state/*", "certkeep.yaml"),
      objects("Publish", ["s3:GetObject", "s3:PutObject"], "certkeep.yaml"),
      // AWS checks sqs:SendMessage for a batch too; others check the batch's own name.
      allow("Queue", ["sqs:SendMessage*"], [att("AuditQueue")]),
      ...key,
    ],
    audit: [
      receive,
      names,
      registered,
      secrets("ReadSourceTokens", "sources/*"),
      ...stores,
      ...copies.create,
      ...assume("AssumeReadRoles", readRoles),
      ...key,
    ],
    digest: [
      names,
      readStates,
      objects("WriteOutbox", ["s3:PutObject"], "state/digest.json"),
      list("state/*"),
      secrets("ReadWebhooks", "slack/*"),
      ...key,
    ],
    drill: [...opening, ...stores, ...copies.remove, ...key],
    restore: [
      ...opening,
      secrets("ReadRestoringCredentials", "restoring/*"),
      ...stores,
      ...copies.create,
      ...assume("AssumeRoles", [...readRoles, ...restoreRoles]),
      ...key,
    ],
  };
}

function listBucket(parameters: Parameters, prefixes: readonly string[]): Statement {
  // Where there is no prefix, it is S3 that asks, whether it may say that an object isn't there.
  return allow("ListBucket", ["s3:ListBucket"], [bucketArn(parameters)], {
    StringLikeIfExists: { "s3:prefix": prefixes },
  });
}

function useKey(kmsKey: string | null): Statement[] {
  if (kmsKey === null) return [];
  const services = ["s3", "secretsmanager", "sqs"].map((service) => `${service}.*.amazonaws.com*`);
  return [
    allow("UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], [kmsKey], {
      StringLike: { "kms:ViaService": services },
    }),
  ];
}

function assume(Sid: string, patterns: readonly string[]): Statement[] {
  if (patterns.length === 0) return [];
  const roles = patterns.map((pattern) =>
    pattern.startsWith("arn:")
      ? pattern
      : sub(`arn:\${AWS::Partition}:iam::\${AWS::AccountId}:role/${pattern}`),
  );
  return [allow(Sid, ["sts:AssumeRole"], roles)];
}

interface CopyStatements {
  readonly read: readonly Statement[];
  readonly create: readonly Statement[];
  readonly remove: readonly Statement[];
}

/** What reading, creating and removing copies needs. Overwriting is in none of them. */
function copyStatements(parameters: Parameters): CopyStatements {
  if (parameters.backups === "s3") {
    const objects = [bucketArn(parameters, "backups/*")];
    return {
      read: [allow("ReadCopies", ["s3:GetObject"], objects)],
      create: [
        allow("CreateCopies", ["s3:PutObject"], objects, { Null: { "s3:if-none-match": "false" } }),
      ],
      // Versions too, or until when a lock keeps them.
      remove: [
        allow(
          "RemoveCopies",
          [
            "s3:DeleteObject",
            "s3:DeleteObjectVersion",
            "s3:GetObjectVersion",
            "s3:GetObjectRetention",
            "s3:GetObjectLegalHold",
          ],
          objects,
        ),
        allow("ListVersions", ["s3:ListBucketVersions"], [bucketArn(parameters)], {
          StringLike: { "s3:prefix": ["backups/*"] },
        }),
      ],
    };
  }
  const secrets = [secretArn(parameters, "backups/*")];
  return {
    read: [allow("ReadCopies", ["secretsmanager:GetSecretValue"], secrets)],
    create: [
      allow("CreateCopies", ["secretsmanager:CreateSecret", "secretsmanager:TagResource"], secrets),
    ],
    remove: [allow("RemoveCopies", ["secretsmanager:DeleteSecret"], secrets)],
  };
}

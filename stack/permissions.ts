/**
 * What each function may do on AWS: a role of its own, and in it only what its use case does.
 * Beside these stand the function's own log group and, for the audit, receiving from its queue.
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

/** Statements by function. */
export function permissions(
  parameters: Parameters,
): Readonly<Record<FunctionName, readonly Statement[]>> {
  const registered = allow(
    "ReadRegistrations",
    ["secretsmanager:GetSecretValue"],
    [secretArn(parameters, "clusters/*")],
  );
  // AWS limits listing names to no part of an account; values are another action.
  const names = allow("ListNames", ["secretsmanager:ListSecrets"], ["*"]);
  // Not `identity-??????`: where there is none, AWS has no six characters to compare with, and
  // refusing isn't saying so.
  const identity = allow(
    "ReadIdentity",
    ["secretsmanager:GetSecretValue"],
    [secretArn(parameters, "identity*")],
  );
  const readStates = allow("ReadStates", ["s3:GetObject"], [bucketArn(parameters, "state/*")]);
  const writeStates = allow("WriteStates", ["s3:PutObject"], [bucketArn(parameters, "state/*")]);
  const list = (...prefixes: readonly string[]): Statement =>
    // Where there is no prefix, it is S3 that asks, whether it may say that an object isn't there.
    allow("ListBucket", ["s3:ListBucket"], [bucketArn(parameters)], {
      StringLikeIfExists: { "s3:prefix": prefixes },
    });
  const sources = allow(
    "ReadSourceTokens",
    ["secretsmanager:GetSecretValue"],
    [secretArn(parameters, "sources/*")],
  );
  const copies = copyStatements(parameters);
  const listed = parameters.backups === "s3" ? ["state/*", "backups/*"] : ["state/*"];
  const key =
    parameters.kmsKey === null
      ? []
      : [
          allow("UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], [parameters.kmsKey], {
            StringLike: {
              "kms:ViaService": [
                "s3.*.amazonaws.com*",
                "secretsmanager.*.amazonaws.com*",
                "sqs.*.amazonaws.com*",
              ],
            },
          }),
        ];
  const roles = (Sid: string, patterns: readonly string[]): Statement[] =>
    patterns.length === 0
      ? []
      : [
          allow(
            Sid,
            ["sts:AssumeRole"],
            patterns.map((pattern) =>
              pattern.startsWith("arn:")
                ? pattern
                : sub(`arn:\${AWS::Partition}:iam::\${AWS::AccountId}:role/${pattern}`),
            ),
          ),
        ];
  const publish = bucketArn(parameters, "certkeep.yaml");
  return {
    dispatch: [
      names,
      readStates,
      list("state/*", "certkeep.yaml"),
      allow("Publish", ["s3:GetObject", "s3:PutObject"], [publish]),
      // AWS checks sqs:SendMessage for a batch too; others check the batch's own name.
      allow("Queue", ["sqs:SendMessage*"], [att("AuditQueue")]),
      ...key,
    ],
    audit: [
      names,
      registered,
      sources,
      readStates,
      writeStates,
      list(...listed),
      ...copies.read,
      ...copies.create,
      ...roles("AssumeReadRoles", parameters.readRoles),
      ...key,
    ],
    digest: [
      names,
      readStates,
      allow("WriteOutbox", ["s3:PutObject"], [bucketArn(parameters, "state/digest.json")]),
      list("state/*"),
      allow("ReadWebhooks", ["secretsmanager:GetSecretValue"], [secretArn(parameters, "slack/*")]),
      ...key,
    ],
    drill: [
      names,
      identity,
      registered,
      readStates,
      writeStates,
      list(...listed),
      ...copies.read,
      ...copies.remove,
      ...key,
    ],
    restore: [
      names,
      identity,
      registered,
      allow(
        "ReadRestoringCredentials",
        ["secretsmanager:GetSecretValue"],
        [secretArn(parameters, "restoring/*")],
      ),
      readStates,
      writeStates,
      list(...listed),
      ...copies.read,
      ...copies.create,
      ...roles("AssumeRoles", [...parameters.readRoles, ...parameters.restoreRoles]),
      ...key,
    ],
  };
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

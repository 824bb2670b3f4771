/**
 * What each function may do on AWS: only what its use case does.
 *
 * What must not be: an audit that deletes or overwrites a copy, or reads an identity or a restoring
 * credential; a digest or a drill that reads a cluster's credential; anybody but restore and drill
 * with the identity; anybody but restore with the restoring credentials; anybody but drill who
 * deletes; anybody who writes another's documents among the states.
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
// AWS checks sqs:SendMessage for a batch too; others check the batch's own name.
const send = allow("Queue", ["sqs:SendMessage*"], [att("AuditQueue")]);

/** Statements by function. */
export function permissions(
  parameters: Parameters,
): Readonly<Record<FunctionName, readonly Statement[]>> {
  const own = ownPermissions(parameters);
  const of = (name: FunctionName): Statement[] => [
    writeLog(parameters, name),
    ...own[name],
    ...useKey(parameters.kmsKey),
  ];
  return {
    dispatch: of("dispatch"),
    audit: of("audit"),
    digest: of("digest"),
    drill: of("drill"),
    restore: of("restore"),
  };
}

function ownPermissions(
  parameters: Parameters,
): Readonly<Record<FunctionName, readonly Statement[]>> {
  const secrets = (Sid: string, name: string): Statement =>
    allow(Sid, ["secretsmanager:GetSecretValue"], [secretArn(parameters, name)]);
  const write = (...documents: readonly string[]): Statement => writeStates(parameters, documents);
  const list = (...prefixes: readonly string[]): Statement => listBucket(parameters, prefixes);
  const registered = secrets("ReadRegistrations", "clusters/*");
  const readStates = allow("ReadStates", ["s3:GetObject"], [bucketArn(parameters, "state/*")]);
  const copies = copyStatements(parameters);
  const listed = list("state/*", ...(parameters.backups === "s3" ? ["backups/*"] : []));
  // Not `identity-??????`: where there is none, AWS has no six characters to compare with, and
  // refusing isn't saying so.
  const identity = secrets("ReadIdentity", "identity*");
  const stores = [readStates, listed, ...copies.read];
  const { readRoles, restoreRoles } = parameters;
  return {
    dispatch: [
      names,
      readStates,
      list("state/*", "certkeep.yaml"),
      allow("Publish", ["s3:GetObject", "s3:PutObject"], [bucketArn(parameters, "certkeep.yaml")]),
      send,
    ],
    audit: [
      receive,
      names,
      ...stores,
      registered,
      secrets("ReadSourceTokens", "sources/*"),
      write("cluster-*", "ct-*"),
      ...copies.create,
      ...assume("AssumeReadRoles", readRoles),
    ],
    digest: [
      names,
      readStates,
      list("state/*"),
      secrets("ReadWebhooks", "slack/*"),
      write("digest.json"),
    ],
    drill: [
      ...copies.list,
      ...stores,
      identity,
      write("cluster-*", "drill.json"),
      ...copies.remove,
    ],
    restore: [
      names,
      ...stores,
      identity,
      registered,
      secrets("ReadRestoringCredentials", "restoring/*"),
      write("cluster-*", "lease-*"),
      ...copies.create,
      ...assume("AssumeRoles", [...readRoles, ...restoreRoles]),
    ],
  };
}

function writeLog({ stage }: Parameters, name: FunctionName): Statement {
  const group = `/aws/lambda/certkeep-${stage}-${name}`;
  return allow(
    "Log",
    ["logs:CreateLogStream", "logs:PutLogEvents"],
    [sub(`arn:\${AWS::Partition}:logs:\${AWS::Region}:\${AWS::AccountId}:log-group:${group}:*:*`)],
  );
}

function writeStates(parameters: Parameters, documents: readonly string[]): Statement {
  const objects = documents.map((name) => bucketArn(parameters, `state/${name}`));
  return allow("WriteStates", ["s3:PutObject"], objects);
}

function listBucket(parameters: Parameters, prefixes: readonly string[]): Statement {
  return allow("ListBucket", ["s3:ListBucket"], [bucketArn(parameters)], {
    StringLike: { "s3:prefix": prefixes },
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
  readonly list: readonly Statement[];
  readonly read: readonly Statement[];
  readonly create: readonly Statement[];
  readonly remove: readonly Statement[];
}

/** What reading, creating and removing copies needs. Overwriting is in none of them. */
function copyStatements(parameters: Parameters): CopyStatements {
  if (parameters.backups === "s3") {
    const objects = [bucketArn(parameters, "backups/*")];
    return {
      list: [],
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
    list: [names],
    read: [allow("ReadCopies", ["secretsmanager:GetSecretValue"], secrets)],
    create: [allow("CreateCopies", ["secretsmanager:CreateSecret"], secrets)],
    remove: [allow("RemoveCopies", ["secretsmanager:DeleteSecret"], secrets)],
  };
}

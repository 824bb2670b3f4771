/**
 * The state bucket, unless one is adopted. It outlives the stack: whoever removes that keeps what
 * was seen, and the copies where they are in S3.
 */
import { att, sub } from "./names.ts";
import type { Parameters } from "./parameters.ts";
import type { Resource, Resources } from "./resource.ts";

/** For how many days an earlier version, or what was removed, can still be brought back. */
const NONCURRENT_DAYS = { "state/": 30, "certkeep.yaml": 30, "backups/": 90 };

export function storage(parameters: Parameters): Resources {
  if (parameters.stateBucket !== null) return {};
  const { kmsKey } = parameters;
  const encryption =
    kmsKey === null
      ? { ServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } }
      : {
          ServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms", KMSMasterKeyID: kmsKey },
          BucketKeyEnabled: true,
        };
  const properties = {
    VersioningConfiguration: { Status: "Enabled" },
    BucketEncryption: { ServerSideEncryptionConfiguration: [encryption] },
    PublicAccessBlockConfiguration: {
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    },
    OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
    LifecycleConfiguration: {
      Rules: [
        ...Object.entries(NONCURRENT_DAYS).map(([Prefix, NoncurrentDays]) => ({
          Id: `noncurrent-${Prefix.replace(/\W.*/, "")}`,
          Prefix,
          Status: "Enabled",
          NoncurrentVersionExpiration: { NoncurrentDays },
          ExpiredObjectDeleteMarker: true,
        })),
        {
          Id: "unfinished",
          Status: "Enabled",
          AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
        },
      ],
    },
  };
  return {
    StateBucket: retained("AWS::S3::Bucket", properties),
    StateBucketPolicy: retained("AWS::S3::BucketPolicy", TLS_ONLY),
  };
}

function retained(Type: string, Properties: Resource["Properties"]): Resource {
  return { Type, DeletionPolicy: "Retain", UpdateReplacePolicy: "Retain", Properties };
}

const TLS_ONLY = {
  Bucket: { Ref: "StateBucket" },
  PolicyDocument: {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "TlsOnly",
        Effect: "Deny",
        Principal: "*",
        Action: "s3:*",
        Resource: [att("StateBucket"), sub("${StateBucket.Arn}/*")],
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ],
  },
};

/**
 * The queue of audits, one message a cluster, and where a message ends that no audit could take.
 */
import { att } from "./names.ts";
import type { Parameters } from "./parameters.ts";
import type { Resource, Resources } from "./resource.ts";

/** The longest that SQS keeps a message: time for people to look at what failed. */
const DEAD_LETTER_SECONDS = 14 * 86_400;
/** The next dispatch queues again whatever is still due. */
const RETENTION_SECONDS = 86_400;

export function queue({ kmsKey, visibilitySeconds, maxReceiveCount }: Parameters): Resources {
  const encryption = kmsKey === null ? { SqsManagedSseEnabled: true } : { KmsMasterKeyId: kmsKey };
  return {
    AuditQueue: {
      Type: "AWS::SQS::Queue",
      Properties: {
        ...encryption,
        VisibilityTimeout: visibilitySeconds,
        // At least as long as its messages may be hidden in all their tries.
        MessageRetentionPeriod: Math.min(
          DEAD_LETTER_SECONDS,
          Math.max(RETENTION_SECONDS, visibilitySeconds * (maxReceiveCount + 1)),
        ),
        RedrivePolicy: { deadLetterTargetArn: att("DeadLetters"), maxReceiveCount },
      },
    },
    DeadLetters: {
      Type: "AWS::SQS::Queue",
      Properties: { ...encryption, MessageRetentionPeriod: DEAD_LETTER_SECONDS },
    },
    QueuePolicy: tlsOnly("AuditQueue"),
    DeadLettersPolicy: tlsOnly("DeadLetters"),
  };
}

function tlsOnly(id: string): Resource {
  return {
    Type: "AWS::SQS::QueuePolicy",
    Properties: {
      Queues: [{ Ref: id }],
      PolicyDocument: {
        Version: "2012-10-17",
        Statement: [
          {
            Sid: "TlsOnly",
            Effect: "Deny",
            Principal: "*",
            Action: "sqs:*",
            Resource: att(id),
            Condition: { Bool: { "aws:SecureTransport": "false" } },
          },
        ],
      },
    },
  };
}

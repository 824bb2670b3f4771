/**
 * What whoever deployed does next, as outputs: `npx serverless info --verbose` prints them again.
 */
import { att, bucketName, roleId, withBucket, type Value } from "./names.ts";
import type { Parameters } from "./parameters.ts";

interface Output {
  readonly Description: string;
  readonly Value: Value;
}

export function outputs(parameters: Parameters): Readonly<Record<string, Output>> {
  const { stage } = parameters;
  return {
    ConfigUrl: {
      Description: "Value for --config of every command",
      Value: withBucket("s3://${Bucket}/certkeep.yaml", parameters),
    },
    Next1Cluster: {
      Description: "Register a cluster; needs no deployment",
      Value: withBucket(
        "certkeep clusters add NAME --context CONTEXT --config s3://${Bucket}/certkeep.yaml",
        parameters,
      ),
    },
    Next3Doctor: {
      Description: "Check the set-up",
      Value: withBucket("certkeep doctor --config s3://${Bucket}/certkeep.yaml", parameters),
    },
    ...(parameters.alarmEmail === null
      ? {
          Next2Alarms: {
            Description: "Subscribe to alarms, then confirm by the link in the mail",
            Value: {
              "Fn::Sub":
                "aws sns subscribe --region ${AWS::Region} --topic-arn ${AlarmTopic} " +
                "--protocol email --notification-endpoint YOU@EXAMPLE.COM",
            },
          },
        }
      : {}),
    Next4Restore: {
      Description: 'Plan a restore; with "apply":true, restore',
      Value:
        `npx serverless invoke -f restore --stage ${stage} --data ` +
        `'{"cluster":"CLUSTER","names":["NAME"]}'`,
    },
    StateBucketName: {
      Description: "Outlives the stack; the parameter stateBucket adopts it again",
      Value: bucketName(parameters),
    },
    AlarmTopicArn: { Description: "Where alarms go", Value: { Ref: "AlarmTopic" } },
    AuditQueueUrl: {
      Description: "Queue of audits: one message a cluster",
      Value: { Ref: "AuditQueue" },
    },
    DeadLettersUrl: {
      Description: "Messages of audits that failed too often",
      Value: { Ref: "DeadLetters" },
    },
    AuditRoleArn: {
      Description: "Trust this in roles that read an EKS cluster",
      Value: att(roleId("audit")),
    },
    RestoreRoleArn: {
      Description: "Trust this in roles that read or restore an EKS cluster",
      Value: att(roleId("restore")),
    },
  };
}

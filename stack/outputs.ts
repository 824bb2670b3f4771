/**
 * What whoever deployed does next, as outputs: `npx serverless info --verbose` prints them again.
 */
import { att, bucketName, withBucket, type Value } from "./names.ts";
import type { Parameters } from "./parameters.ts";

interface Output {
  readonly Description: string;
  readonly Value: Value;
}

export function outputs(parameters: Parameters): Readonly<Record<string, Output>> {
  const { stage } = parameters;
  return {
    ConfigUrl: {
      Description: "For --config of every command, from anywhere with access to this account",
      Value: withBucket("s3://${Bucket}/certkeep.yaml", parameters),
    },
    Next1Cluster: {
      Description: "Register a cluster; no redeploy",
      Value: withBucket(
        "certkeep clusters add NAME --context CONTEXT --config s3://${Bucket}/certkeep.yaml",
        parameters,
      ),
    },
    Next3Doctor: {
      Description: "What is not set up right, and how to fix it",
      Value: withBucket("certkeep doctor --config s3://${Bucket}/certkeep.yaml", parameters),
    },
    ...(parameters.alarmEmail === null
      ? {
          Next2Alarms: {
            Description: "Nobody hears an alarm before this, and a click on the link in the mail",
            Value: {
              "Fn::Sub":
                "aws sns subscribe --region ${AWS::Region} --topic-arn ${AlarmTopic} " +
                "--protocol email --notification-endpoint YOU@EXAMPLE.COM",
            },
          },
        }
      : {}),
    Next4Restore: {
      Description: 'A lost certificate: this plans; with "apply":true it is put back',
      Value:
        `npx serverless invoke -f restore --stage ${stage} --data ` +
        `'{"cluster":"CLUSTER","names":["NAME"]}'`,
    },
    StateBucketName: {
      Description: "Outlives the stack; adopt it again by the parameter stateBucket",
      Value: bucketName(parameters),
    },
    AlarmTopicArn: { Description: "Where alarms go", Value: { Ref: "AlarmTopic" } },
    AuditQueueUrl: { Description: "One message a cluster", Value: { Ref: "AuditQueue" } },
    DeadLettersUrl: {
      Description: "Messages that no audit could take",
      Value: { Ref: "DeadLetters" },
    },
    AuditRoleArn: {
      Description: "To be trusted by roles that read an EKS cluster",
      Value: att("AuditIamRoleLambdaExecution"),
    },
    RestoreRoleArn: {
      Description: "To be trusted by roles that read or restore an EKS cluster",
      Value: att("RestoreIamRoleLambdaExecution"),
    },
  };
}

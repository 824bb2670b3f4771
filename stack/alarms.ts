/**
 * Alarms, and their topic. The topic isn't encrypted with alias/aws/sns: CloudWatch can't publish
 * to it then, and the alarm is lost silently. The user's own key (`topicKey`) must allow
 * cloudwatch.amazonaws.com to use it. Alarms hold names and numbers, no secret.
 */
import type { MetricName } from "../lib/report/metrics.ts";
import { att, FUNCTIONS, logicalName, type FunctionName } from "./names.ts";
import type { Parameters } from "./parameters.ts";
import type { Resource, Resources } from "./resource.ts";

/** Where the functions' own metrics are: see docs/aws.md. */
const METRICS = "Certkeep";
/** The longest that an alarm looks back. */
const DAY_SECONDS = 86_400;

interface Alarm {
  readonly id: string;
  readonly description: string;
  readonly namespace: string;
  readonly metric: string;
  readonly dimensions: Readonly<Record<string, unknown>>;
  readonly periodSeconds: number;
  readonly statistic: "Maximum" | "Sum";
  /** `ignore`: it stays as it is until there is a number again. */
  readonly missing: "breaching" | "notBreaching" | "ignore";
}

export function alarms(parameters: Parameters): Resources {
  const { stage, alarmEmail, intervalMinutes } = parameters;
  const alarmed: readonly Alarm[] = [
    deadLetters,
    {
      id: "AuditingStalled",
      description:
        `No audit finished in two intervals of ${intervalMinutes} minutes, or the digest, which ` +
        "counts that, doesn't run.",
      ...own("AuditingStalled", stage),
      periodSeconds: 900,
      statistic: "Maximum",
      missing: "breaching",
    },
    {
      id: "DigestsUndelivered",
      description: "Slack didn't accept a digest; it waits.",
      ...own("DigestsUndelivered", stage),
      periodSeconds: 900,
      statistic: "Maximum",
      missing: "notBreaching",
    },
    {
      id: "DrillFailed",
      description: "A drill found backups that can't be restored, or didn't finish.",
      ...own("DrillFailed", stage),
      periodSeconds: 3600,
      statistic: "Maximum",
      missing: "ignore",
    },
    ...FUNCTIONS.map((name) => errors(name, intervalMinutes)),
  ];
  return {
    ...topic(parameters),
    ...(alarmEmail === null
      ? {}
      : {
          AlarmSubscription: {
            Type: "AWS::SNS::Subscription",
            Properties: {
              TopicArn: { Ref: "AlarmTopic" },
              Protocol: "email",
              Endpoint: alarmEmail,
            },
          },
        }),
    ...Object.fromEntries(
      alarmed.map((alarm) => [`${alarm.id}Alarm`, alarmResource(alarm, stage)]),
    ),
  };
}

function own(
  metric: MetricName,
  stage: string,
): Pick<Alarm, "namespace" | "metric" | "dimensions"> {
  return { namespace: METRICS, metric, dimensions: { stage } };
}

const deadLetters: Alarm = {
  id: "DeadLetters",
  description: "An audit failed too often: its message is in the dead-letter queue.",
  namespace: "AWS/SQS",
  metric: "ApproximateNumberOfMessagesVisible",
  dimensions: { QueueName: att("DeadLetters", "QueueName") },
  periodSeconds: 300,
  statistic: "Maximum",
  missing: "notBreaching",
};

function errors(name: FunctionName, intervalMinutes: number): Alarm {
  const title = logicalName(name);
  return {
    id: `${title}Errors`,
    description: `The function ${name} failed: its log group says why.`,
    namespace: "AWS/Lambda",
    metric: "Errors",
    dimensions: { FunctionName: { Ref: `${title}LambdaFunction` } },
    // A function that fails at each of its runs stays in alarm, and doesn't mail by turns that it
    // is and that it isn't.
    periodSeconds: name === "dispatch" ? Math.min(DAY_SECONDS, (intervalMinutes + 5) * 60) : 900,
    statistic: "Sum",
    missing: "notBreaching",
  };
}

function alarmResource(alarm: Alarm, stage: string): Resource {
  return {
    Type: "AWS::CloudWatch::Alarm",
    Properties: {
      AlarmName: `certkeep-${stage}-${alarm.id}`,
      AlarmDescription: alarm.description,
      Namespace: alarm.namespace,
      MetricName: alarm.metric,
      Dimensions: Object.entries(alarm.dimensions).map(([Name, Value]) => ({ Name, Value })),
      Statistic: alarm.statistic,
      Period: alarm.periodSeconds,
      EvaluationPeriods: 1,
      Threshold: 0,
      ComparisonOperator: "GreaterThanThreshold",
      TreatMissingData: alarm.missing,
      AlarmActions: [{ Ref: "AlarmTopic" }],
      OKActions: [{ Ref: "AlarmTopic" }],
    },
  };
}

function topic({ topicKey }: Parameters): Resources {
  return {
    AlarmTopic: {
      Type: "AWS::SNS::Topic",
      Properties: topicKey === null ? {} : { KmsMasterKeyId: topicKey },
    },
    AlarmTopicPolicy: {
      Type: "AWS::SNS::TopicPolicy",
      Properties: {
        Topics: [{ Ref: "AlarmTopic" }],
        PolicyDocument: {
          Version: "2012-10-17",
          Statement: [
            {
              Sid: "Alarms",
              Effect: "Allow",
              Principal: { Service: "cloudwatch.amazonaws.com" },
              Action: "sns:Publish",
              Resource: { Ref: "AlarmTopic" },
              Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
            },
            {
              Sid: "TlsOnly",
              Effect: "Deny",
              Principal: "*",
              Action: "sns:Publish",
              Resource: { Ref: "AlarmTopic" },
              Condition: { Bool: { "aws:SecureTransport": "false" } },
            },
          ],
        },
      },
    },
  };
}

/**
 * What a function reports: its log, its metrics, and whether anybody hears its alarms.
 *
 * The log is a JSON line a step on standard output, which Lambda puts into the function's log group. Only what the port takes gets into a line: a logger would write all that an Error or an event holds.
 *
 * Metrics are in CloudWatch's embedded metric format, by `stage` alone: a metric for each cluster would be paid for by the month.
 */
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics as Powertools } from "@aws-lambda-powertools/metrics";
import { paginateListSubscriptionsByTopic, SNSClient } from "@aws-sdk/client-sns";
import type { Log, LogFields, Metrics, AlarmTopic } from "../../ports/runtime.ts";
import { METRICS, type MetricName } from "../../report/metric.ts";
import { type AwsWorld, clientSettings } from "./client.ts";
import { awsFailure } from "./failure.ts";

const SERVICE = "certkeep";
/** A line that is longer than this is cut field by field: Lambda splits lines from 256 KiB on. */
const MAX_TEXT = 2_000;

export interface LogContext {
  readonly stage: string;
  readonly functionName: string;
  /** `null` outside Lambda. */
  readonly requestId: string | null;
}

export function createLog({ stage, functionName, requestId }: LogContext): Log {
  const logger = new Logger({
    serviceName: SERVICE,
    logLevel: "INFO",
    persistentKeys: { stage, function: functionName, ...(requestId === null ? {} : { requestId }) },
  });
  return {
    info: (step, fields) => logger.info(step, cut(fields)),
    warn: (step, fields) => logger.warn(step, cut(fields)),
    error: (step, fields) => logger.error(step, cut(fields)),
  };
}

function cut(fields: LogFields = {}): LogFields {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) =>
      value === null
        ? []
        : [
            [
              name,
              typeof value === "string" && value.length > MAX_TEXT
                ? `${value.slice(0, MAX_TEXT)}…`
                : value,
            ],
          ],
    ),
  );
}

const NAMESPACE = "Certkeep";

/** `write` gets whole lines. */
export function createMetrics(stage: string, write: (line: string) => void): Metrics {
  const powertools = new Powertools({ namespace: NAMESPACE, serviceName: "certkeep" });
  // The service is the namespace already.
  powertools.clearDefaultDimensions();
  // Added up here: from a hundred values of one name on, Powertools would print by itself, and without the stage.
  const sums = new Map<MetricName, number>();
  return {
    put: (name, value) => void sums.set(name, (sums.get(name) ?? 0) + value),
    publish: () => {
      if (sums.size === 0) return;
      for (const [name, sum] of sums) powertools.addMetric(name, METRICS[name], sum);
      sums.clear();
      powertools.addDimension("stage", stage);
      write(`${JSON.stringify(powertools.serializeMetrics())}\n`);
      powertools.clearMetrics();
      powertools.clearDimensions();
    },
  };
}

const PENDING = "PendingConfirmation";
/** An address that unsubscribed is listed so for some days. */
const DELETED = "Deleted";

/** `arn:aws:sns:REGION:ACCOUNT:NAME`; the topic is asked in its own region. */
export function createAlarmTopic(arn: string, world: AwsWorld): AlarmTopic {
  const region = arn.split(":")[3] ?? "";
  return {
    name: arn,
    subscriptions: async () => {
      const client = new SNSClient(
        clientSettings({ ...world, env: { ...world.env, AWS_REGION: region } }, "SNS").config(),
      );
      let confirmed = 0;
      let pending = 0;
      try {
        for await (const page of paginateListSubscriptionsByTopic({ client }, { TopicArn: arn })) {
          for (const { SubscriptionArn } of page.Subscriptions ?? []) {
            if (SubscriptionArn === PENDING) pending += 1;
            else if (SubscriptionArn !== undefined && SubscriptionArn !== DELETED) confirmed += 1;
          }
        }
      } catch (error) {
        throw awsFailure(error, { where: `topic ${arn}`, action: "sns:ListSubscriptionsByTopic" });
      } finally {
        client.destroy();
      }
      return { confirmed, pending };
    },
  };
}

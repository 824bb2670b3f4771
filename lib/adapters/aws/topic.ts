/** An SNS topic and its subscriptions; addresses of people are counted, and never kept or shown. */
import { paginateListSubscriptionsByTopic, SNSClient } from "@aws-sdk/client-sns";
import type { AlarmTopic } from "../../ports/runtime.ts";
import { type AwsWorld, clientSettings } from "./client.ts";
import { awsFailure } from "./failure.ts";

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

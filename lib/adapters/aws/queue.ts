/**
 * A queue on SQS, written to in batches. Messages that a batch refuses for a reason of the queue's
 * own are sent again; a batch that fails as a whole keeps no other from being sent, and its
 * messages are among the refused.
 *
 * An SNS topic and its subscriptions; addresses of people are counted, and never kept or shown.
 */
import { paginateListSubscriptionsByTopic, SNSClient } from "@aws-sdk/client-sns";
import { SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { AlarmTopic, Queue, QueueMessage, RefusedMessage } from "../../ports/runtime.ts";
import { realTimer } from "../timer.ts";
import { type AwsWorld, clientSettings, clientsOf } from "./client.ts";
import { awsFailure } from "./failure.ts";

export const sqsClient = clientsOf("SQS", ({ config }) => new SQSClient(config()));

/**
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
 */
const BATCH = 10;
/** The first try included; the SDK tries whole requests again by itself. */
const TRIES = 4;
const WAIT_MS = 200;

export interface QueueOptions {
  /** Default: real time. */
  readonly sleep?: (ms: number) => Promise<void>;
}

function word(text: unknown, fallback: string): string {
  return typeof text === "string" && /^[A-Za-z0-9._]{1,80}$/.test(text) ? text : fallback;
}

interface Refused {
  /** To be sent again. */
  readonly again: readonly RefusedMessage[];
  /** Never to be taken. */
  readonly never: readonly RefusedMessage[];
}

async function sendBatch(
  url: string,
  client: Pick<SQSClient, "send">,
  batch: readonly QueueMessage[],
): Promise<Refused> {
  try {
    const { Failed = [] } = await client.send(
      new SendMessageBatchCommand({
        QueueUrl: url,
        Entries: batch.map(({ body }, index) => ({ Id: String(index), MessageBody: body })),
      }),
    );
    const again: RefusedMessage[] = [];
    const never: RefusedMessage[] = [];
    for (const { Id, Code, SenderFault } of Failed) {
      const message = batch[Number(Id)];
      if (message !== undefined)
        (SenderFault === true ? never : again).push({
          id: message.id,
          code: word(Code, "refused"),
        });
    }
    return { again, never };
  } catch (error) {
    const code = word((error as { name?: unknown } | null)?.name, "failed");
    return { again: [], never: batch.map(({ id }) => ({ id, code })) };
  }
}

export function createSqsQueue(
  url: string,
  client: Pick<SQSClient, "send">,
  { sleep = realTimer.sleep }: QueueOptions = {},
): Queue {
  return {
    url,
    send: async (messages) => {
      const refused: RefusedMessage[] = [];
      let waiting = messages;
      for (let tries = 1; waiting.length > 0; tries += 1) {
        const again: RefusedMessage[] = [];
        for (let at = 0; at < waiting.length; at += BATCH) {
          const result = await sendBatch(url, client, waiting.slice(at, at + BATCH));
          again.push(...result.again);
          refused.push(...result.never);
        }
        if (tries === TRIES) return [...refused, ...again];
        const ids = new Set(again.map(({ id }) => id));
        waiting = waiting.filter(({ id }) => ids.has(id));
        if (waiting.length > 0) await sleep(WAIT_MS * 2 ** (tries - 1));
      }
      return refused;
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

/** The client of SQS, made once a process. */
import { SQSClient } from "@aws-sdk/client-sqs";
import { type AwsWorld, clientSettings } from "./client.ts";

const clients = new Map<string, SQSClient>();

export function sqsClient(world: AwsWorld): SQSClient {
  const { key, config } = clientSettings(world, "SQS");
  const known = clients.get(key);
  if (known !== undefined) return known;
  const client = new SQSClient(config());
  clients.set(key, client);
  return client;
}

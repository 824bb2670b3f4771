/** The client of SQS. */
import { SQSClient } from "@aws-sdk/client-sqs";
import { clientsOf } from "./client.ts";

export const sqsClient = clientsOf("SQS", ({ config }) => new SQSClient(config()));

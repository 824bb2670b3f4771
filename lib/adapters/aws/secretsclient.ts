/** The client of Secrets Manager. */
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { clientsOf } from "./client.ts";

export const secretsClient = clientsOf(
  "SECRETS_MANAGER",
  ({ config }) => new SecretsManagerClient(config()),
);

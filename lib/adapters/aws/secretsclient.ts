/** The client of Secrets Manager, made once a process. */
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { type AwsWorld, clientSettings } from "./client.ts";

const clients = new Map<string, SecretsManagerClient>();

export function secretsClient(world: AwsWorld): SecretsManagerClient {
  const { key, config } = clientSettings(world, "SECRETS_MANAGER");
  const known = clients.get(key);
  if (known !== undefined) return known;
  const client = new SecretsManagerClient(config());
  clients.set(key, client);
  return client;
}

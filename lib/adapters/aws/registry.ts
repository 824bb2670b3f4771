/**
 * The registry in Secrets Manager, for reading. Values are asked for by the label AWSCURRENT, and
 * one secret at a time, so that a role needs no right to more than the clusters it is for.
 */
import {
  GetSecretValueCommand,
  paginateListSecrets,
  type SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import {
  parseRegistered,
  parseRestoring,
  registeredEntry,
  registryNames,
  secretReference,
} from "../../config/registered.ts";
import { CertkeepError } from "../../error.ts";
import type { Registry } from "../../ports/registry.ts";
import type { AwsWorld } from "./client.ts";
import { awsFailure, factsOf, isNamed } from "./failure.ts";
import { secretsClient } from "./secretsmanager.ts";

const PAGE = 100;
export const CURRENT = "AWSCURRENT";

export function createSecretRegistry(url: string, world: AwsWorld): Registry {
  const names = registryNames(url);
  const client = secretsClient(world);

  async function valueOf(name: string): Promise<string | null> {
    return (await currentValue(client, name))?.text ?? null;
  }

  return {
    url,
    names: async () => {
      const found: string[] = [];
      try {
        // What is scheduled for deletion still is a cluster that somebody expects to be audited.
        for await (const page of paginateListSecrets(
          { client, pageSize: PAGE },
          { IncludePlannedDeletion: true, Filters: [{ Key: "name", Values: [names.clusters] }] },
        )) {
          for (const { Name } of page.SecretList ?? [])
            if (Name?.startsWith(names.clusters) === true)
              found.push(Name.slice(names.clusters.length));
        }
      } catch (error) {
        throw awsFailure(error, { where: url, action: "secretsmanager:ListSecrets" });
      }
      return [...new Set(found)].toSorted();
    },
    read: async (name) => {
      const text = await valueOf(names.cluster(name));
      if (text === null) return null;
      const document = parseRegistered(text, secretReference(names.cluster(name)));
      return { entry: registeredEntry(name, document, url), kubeconfig: document.kubeconfig };
    },
    restoring: async (name) => {
      const where = secretReference(names.restoring(name));
      const text = await valueOf(names.restoring(name));
      if (text !== null) return parseRestoring(text, where);
      throw new CertkeepError("config_invalid", {
        where,
        found: "no restoring credential",
        expected: "the one that the registration names",
        todo: `Register the cluster again: certkeep clusters add ${name}`,
      });
    },
  };
}

/**
 * The value with the label AWSCURRENT; `null` where there is no such secret, or no value. @throws
 * CertkeepError
 */
export async function currentValue(
  client: SecretsManagerClient,
  name: string,
): Promise<{ readonly text: string; readonly version: string } | null> {
  const where = secretReference(name);
  try {
    const { SecretString, VersionId } = await client.send(
      new GetSecretValueCommand({ SecretId: name, VersionStage: CURRENT }),
    );
    return { text: SecretString ?? "", version: VersionId ?? "" };
  } catch (error) {
    const facts = factsOf(error);
    if (isNamed(facts, "ResourceNotFoundException")) return null;
    if (isNamed(facts, "InvalidRequestException")) throw scheduled(where, name);
    throw awsFailure(error, { where, action: "secretsmanager:GetSecretValue" });
  }
}

function scheduled(where: string, name: string): CertkeepError {
  const cluster = name.split("/").at(-1) ?? "";
  return new CertkeepError("config_invalid", {
    where,
    found: "a secret that is scheduled for deletion",
    expected: "one that can be read",
    todo:
      `To keep it: aws secretsmanager restore-secret --secret-id ${name}. To forget a cluster: ` +
      `certkeep clusters remove ${cluster}`,
  });
}

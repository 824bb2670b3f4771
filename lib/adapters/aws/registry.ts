/**
 * The registry in Secrets Manager, for reading. Values are asked for by the label AWSCURRENT, and
 * one secret at a time, so that a role needs no right to more than the clusters it is for.
 */
import { paginateListSecrets } from "@aws-sdk/client-secrets-manager";
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
import { awsFailure } from "./failure.ts";
import { NamedSecret, secretsClient } from "./secretsmanager.ts";

const PAGE = 100;

export function createSecretRegistry(url: string, world: AwsWorld): Registry {
  const names = registryNames(url);
  const client = secretsClient(world);

  const valueOf = (name: string): Promise<string | null> =>
    textOf(new NamedSecret(client, name), name);

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
        found: "the registration names a restoring credential, but there is none",
        todo: `Register the cluster again: certkeep clusters add ${name}`,
      });
    },
  };
}

async function textOf(secret: NamedSecret, name: string): Promise<string | null> {
  const read = await secret.read();
  if (read.kind === "deleted") throw scheduled(secret.where, name);
  return read.kind === "found" ? Buffer.from(read.bytes).toString("utf8") : null;
}

function scheduled(where: string, name: string): CertkeepError {
  const cluster = name.split("/").at(-1) ?? "";
  return new CertkeepError("config_invalid", {
    where,
    found: "the secret is scheduled for deletion",
    todo:
      `To keep it: aws secretsmanager restore-secret --secret-id ${name}. To forget a cluster: ` +
      `certkeep clusters remove ${cluster}`,
  });
}

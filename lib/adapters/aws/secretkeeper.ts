/** Secrets in Secrets Manager, made once; none that is there is read or changed. */
import { CreateSecretCommand, DescribeSecretCommand } from "@aws-sdk/client-secrets-manager";
import { secretReference } from "../../config/registered.ts";
import type { SecretKeeper } from "../../ports/registry.ts";
import type { AwsWorld } from "./client.ts";
import { awsFailure, factsOf, isNamed } from "./failure.ts";
import { scheduledForDeletion } from "./secretread.ts";
import { secretsClient } from "./secretsclient.ts";

/** `kmsKey`: as for registrations. */
export function createSecretKeeper(world: AwsWorld, kmsKey: string | null = null): SecretKeeper {
  const client = secretsClient(world);
  return {
    exists: async (name) => {
      try {
        const { DeletedDate } = await client.send(new DescribeSecretCommand({ SecretId: name }));
        if (DeletedDate !== undefined) throw scheduledForDeletion(name);
        return true;
      } catch (error) {
        if (isNamed(factsOf(error), "ResourceNotFoundException")) return false;
        throw awsFailure(error, {
          where: secretReference(name),
          action: "secretsmanager:DescribeSecret",
        });
      }
    },
    create: async (name, value, description) => {
      try {
        await client.send(
          new CreateSecretCommand({
            Name: name,
            SecretString: value,
            Description: description,
            ...(kmsKey === null ? {} : { KmsKeyId: kmsKey }),
          }),
        );
        return "created";
      } catch (error) {
        const facts = factsOf(error);
        if (isNamed(facts, "ResourceExistsException")) return "exists";
        if (isNamed(facts, "InvalidRequestException")) throw scheduledForDeletion(name);
        throw awsFailure(error, {
          where: secretReference(name),
          action: "secretsmanager:CreateSecret",
        });
      }
    },
  };
}

/** Values that a configuration refers to as `secretsmanager://NAME`: webhooks, kubeconfigs, the identity. */
import { CertkeepError } from "../../error.ts";
import type { SecretValues } from "../../ports/registry.ts";
import type { AwsWorld } from "./client.ts";
import { secretsClient } from "./secretsclient.ts";
import { readSecret, scheduledForDeletion } from "./secretread.ts";
import { isSecretName } from "./url.ts";

export function createSecretValues(world: AwsWorld): SecretValues {
  return {
    async read(name) {
      if (!isSecretName(name)) {
        throw new CertkeepError("store_unavailable", {
          where: `secretsmanager://${JSON.stringify(name.slice(0, 200)).slice(1, -1)}`,
          found: "no name of a secret",
          expected: "1 to 512 of [A-Za-z0-9/_+=.@-]",
        });
      }
      const read = await readSecret(secretsClient(world), name);
      if (read.kind === "deleted") throw scheduledForDeletion(name);
      return read.kind === "absent" ? null : Buffer.from(read.bytes).toString("utf8");
    },
  };
}

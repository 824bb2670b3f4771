/**
 * The settings of a function: the packaged `certkeep.yaml`, and over it the environment, which the
 * deployment fills in.
 *
 * The file's own clusters are left out where there is a registry, since they name a person's
 * kubeconfigs; so is its identity, which lies with a person: the deployment names another to the
 * functions that may open copies. Pure.
 */
import { CertkeepError } from "../error.ts";
import type { Config } from "./schema.ts";
import {
  BACKUP_STORE,
  FUNCTION_NAME,
  REFERENCE,
  REGION,
  SECRETS_STORE,
  STAGE,
  STATE_STORE,
  TOPIC_ARN,
} from "./form.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * @throws CertkeepError config_invalid, for a variable that isn't of its form; its value is not
 * shown
 */
export function deployedConfig(config: Config, env: Environment): Config {
  const value = (name: string, form: RegExp, expected: string): string | null => {
    const text = env[name];
    if (text === undefined || text === "") return null;
    if (form.test(text)) return text;
    throw new CertkeepError("config_invalid", {
      where: `the function's environment, ${name}`,
      found: "another form of text (not shown)",
      expected,
      todo: "Deploy again",
    });
  };
  const stores = {
    backups:
      value("CERTKEEP_BACKUPS", BACKUP_STORE, "s3://BUCKET/PREFIX or secretsmanager://PREFIX") ??
      config.stores.backups,
    state: value("CERTKEEP_STATE", STATE_STORE, "s3://BUCKET/PREFIX") ?? config.stores.state,
    registry:
      value("CERTKEEP_REGISTRY", SECRETS_STORE, "secretsmanager://PREFIX") ??
      config.stores.registry,
  };
  const region = value("AWS_REGION", REGION, "an AWS region") ?? config.aws?.region ?? null;
  return {
    ...config,
    stores,
    identity: value("CERTKEEP_IDENTITY", REFERENCE, "secretsmanager://NAME"),
    clusters: stores.registry === null ? config.clusters : [],
    aws:
      region === null
        ? null
        : {
            region,
            stage:
              value("CERTKEEP_STAGE", STAGE, "a stage: small letters, digits and -") ??
              config.aws?.stage ??
              null,
            topic:
              value("CERTKEEP_TOPIC", TOPIC_ARN, "the ARN of an SNS topic") ??
              config.aws?.topic ??
              null,
            restoreFunction:
              value("CERTKEEP_RESTORE_FUNCTION", FUNCTION_NAME, "the name of a function") ??
              config.aws?.restoreFunction ??
              null,
          },
  };
}

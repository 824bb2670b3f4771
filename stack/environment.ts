/** What the functions are told: where things are. No value here is a secret. */
import { secretsRoot, withBucket, type FunctionName, type Value } from "./names.ts";
import type { Parameters } from "./parameters.ts";

type Environment = Readonly<Record<string, Value>>;

/** Of all functions. */
export function environment(parameters: Parameters): Environment {
  const root = `secretsmanager://${secretsRoot(parameters)}`;
  const { httpsProxy, noProxy, kmsKey, stage } = parameters;
  return {
    NODE_OPTIONS: "--enable-source-maps",
    CERTKEEP_STAGE: stage,
    CERTKEEP_STATE: withBucket("s3://${Bucket}/state", parameters),
    CERTKEEP_BACKUPS:
      parameters.backups === "s3"
        ? withBucket("s3://${Bucket}/backups", parameters)
        : `${root}/backups`,
    CERTKEEP_REGISTRY: root,
    CERTKEEP_INTERVAL_MINUTES: String(parameters.intervalMinutes),
    CERTKEEP_RESTORE_FUNCTION: `certkeep-${stage}-restore`,
    CERTKEEP_TOPIC: { Ref: "AlarmTopic" },
    ...(kmsKey === null ? {} : { CERTKEEP_KMS_KEY: kmsKey }),
    // Without the second Node fetches past the proxy: Slack, certificate logs, issuers.
    ...(httpsProxy === null ? {} : { HTTPS_PROXY: httpsProxy, NODE_USE_ENV_PROXY: "1" }),
    ...(noProxy === null ? {} : { NO_PROXY: noProxy }),
  };
}

/** Of one function alone. */
export function ownEnvironment(
  parameters: Parameters,
): Readonly<Partial<Record<FunctionName, Environment>>> {
  const identity = { CERTKEEP_IDENTITY: `secretsmanager://${secretsRoot(parameters)}/identity` };
  return {
    dispatch: {
      CERTKEEP_QUEUE_URL: { Ref: "AuditQueue" },
      CERTKEEP_PUBLISH: withBucket("s3://${Bucket}/certkeep.yaml", parameters),
    },
    drill: identity,
    restore: identity,
  };
}

/**
 * The settings of a function: the packaged `certkeep.yaml`, and over it the environment, which the
 * deployment fills in.
 *
 * The file's own clusters are left out where there is a registry, since they name a person's
 * kubeconfigs; so is its identity, which lies with a person: the deployment names another to the
 * functions that may open copies. Pure.
 *
 * The packaged `certkeep.yaml` as it is published beside the states, for whoever has access to the
 * deployment and none of its files: with the stores of the deployment filled in, anchors in place
 * of the paths of their files, and without what only one machine can follow. Comments stay. Pure.
 */
import { isMap, parseDocument } from "yaml";
import { CertkeepError } from "../error.ts";
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
import type { AwsSettings, Config } from "./schema.ts";

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

export interface Published {
  readonly text: string;
  /** Settings that were left out, each as it is named in the file. */
  readonly leftOut: readonly string[];
}

/**
 * `text` is the packaged file's, which `config` came from: with anchors read, and with what the
 * environment says. `null`: it isn't a map of settings.
 */
export function publishedConfig(
  text: string,
  config: Pick<Config, "stores" | "issuers" | "digest">,
  aws: AwsSettings | null,
): Published | null {
  const document = parseDocument(text.trim() === "" ? "{}\n" : text, {
    prettyErrors: false,
    logLevel: "silent",
  });
  if (document.errors.length > 0) return null;
  if (document.contents === null)
    document.contents = document.createNode({}) as unknown as typeof document.contents;
  if (!isMap(document.contents)) return null;
  document.contents.flow = false;
  const leftOut: string[] = [];
  const given = <T extends object>(settings: T): Partial<T> =>
    Object.fromEntries(
      Object.entries(settings).filter(([, value]) => value !== null),
    ) as Partial<T>;
  const put = (path: readonly (string | number)[], value: unknown): void =>
    document.setIn(path, document.createNode(value));
  const drop = (name: string, path: readonly (string | number)[] = [name]): void => {
    if (!document.hasIn(path)) return;
    document.deleteIn(path);
    leftOut.push(name);
  };
  put(["stores"], given(config.stores));
  if (aws !== null) put(["aws"], given(aws));
  config.issuers.forEach(({ anchors, intermediates }, index) => {
    if (anchors.kind === "pem") put(["issuers", index, "anchors"], anchors.pem);
    if (intermediates?.kind === "pem") put(["issuers", index, "intermediates"], intermediates.pem);
  });
  // Kubeconfigs and the identity lie with a person; who reads this has others, or none.
  drop("clusters");
  const identity: unknown = document.get("identity");
  if (typeof identity === "string" && /^file:(?!\/|~\/)/.test(identity)) drop("identity");
  for (let index = config.digest.routes.length - 1; index >= 0; index -= 1) {
    const webhook: unknown = document.getIn(["digest", "routes", index, "webhook"]);
    if (typeof webhook === "string" && webhook.startsWith("file:"))
      drop(`digest.routes[${index}]`, ["digest", "routes", index]);
  }
  return { text: document.toString({ lineWidth: 0 }), leftOut: leftOut.toSorted() };
}

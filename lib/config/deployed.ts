/**
 * The settings of a function: the packaged `certkeep.yaml`, and over it the environment, which the
 * deployment fills in.
 *
 * The file's own clusters are left out where there is a registry, since they name a person's
 * kubeconfigs; so is its identity, which lies with a person: the deployment names another to the
 * functions that may open copies. Pure.
 *
 * The same file is published beside the states, for whoever has access to the deployment and none
 * of its files: with the stores of the deployment filled in, anchors in place of the paths of their
 * files, and without what only one machine can follow. Comments stay. Whoever reads it from S3
 * refuses paths that only one machine can follow: a person's own files may be named from the home
 * folder or from the root, since they are looked for where the command runs; what everybody shares
 * need not be a file at all. Pure.
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
      where: "the function's environment",
      found: `${name} isn't ${expected} (its value isn't shown)`,
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

/** `s3://BUCKET/KEY` */
export const REMOTE_CONFIG =
  /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/[A-Za-z0-9!_.*'()/=@+-]{1,1024}$/;

/** @throws CertkeepError config_invalid with everything that doesn't stand on its own */
export function refuseFiles(config: Config, url: string): void {
  const found: string[] = [];
  const shared = (setting: string, isFile: boolean, instead: string): void => {
    if (isFile) found.push(`${setting} is a file. Use ${instead}`);
  };
  const isFile = (text: string | null): boolean => text?.startsWith("file:") === true;
  shared("stores.backups", isFile(config.stores.backups), "s3:// or secretsmanager://");
  shared("stores.state", isFile(config.stores.state), "s3://");
  config.issuers.forEach(({ anchors, intermediates }, index) => {
    shared(
      `issuers[${index}].anchors`,
      anchors.kind === "file",
      "the certificates themselves, in PEM after |",
    );
    shared(
      `issuers[${index}].intermediates`,
      intermediates?.kind === "file",
      "the certificates themselves, in PEM after |",
    );
  });
  config.digest.routes.forEach(({ webhook }, index) =>
    shared(`digest.routes[${index}].webhook`, isFile(webhook), "secretsmanager://NAME or env:NAME"),
  );
  shared(
    "sources.transparency.token",
    isFile(config.sources.transparency?.token ?? null),
    "secretsmanager://NAME or env:NAME",
  );
  const own = (setting: string, path: string | null): void =>
    shared(
      setting,
      path !== null && !/^(\/|~\/)/.test(path),
      "a path from the root or the home folder (~/)",
    );
  own(
    "identity",
    isFile(config.identity) ? (config.identity?.slice("file:".length) ?? null) : null,
  );
  config.clusters.forEach(({ kubeconfig, restoreKubeconfig }, index) => {
    own(`clusters[${index}].kubeconfig`, kubeconfig);
    own(`clusters[${index}].restoreKubeconfig`, restoreKubeconfig);
  });
  if (found.length === 0) return;
  throw new CertkeepError("config_invalid", {
    where: url,
    found: "it names files that don't exist elsewhere",
    lines: found.map((line) => `  ${line}`),
  });
}

/**
 * Of one that is packaged for functions: stores, identity and clusters in it are a person's, and
 * left out there. @throws as refuseFiles
 */
export function refuseUnpackaged(config: Config, path: string): void {
  refuseFiles(
    {
      ...config,
      stores: { backups: null, state: null, registry: null },
      identity: null,
      clusters: [],
    },
    path,
  );
}

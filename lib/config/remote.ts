/**
 * A configuration that is read from S3 by whoever may read it: it stands on its own.
 *
 * Refused: paths that only one machine can follow. A person's own files may be named from the home
 * folder or from the root, since they are looked for where the command runs; what everybody has to
 * share may not be a file at all. Pure.
 */
import { CertkeepError } from "../error.ts";
import type { Config } from "./schema.ts";

/** `s3://BUCKET/KEY` */
export const REMOTE_CONFIG =
  /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/[A-Za-z0-9!_.*'()/=@+-]{1,1024}$/;

/** @throws CertkeepError config_invalid with everything that doesn't stand on its own */
export function refuseFiles(config: Config, url: string): void {
  const found: string[] = [];
  const shared = (setting: string, isFile: boolean, instead: string): void => {
    if (isFile) found.push(`${setting}: a file; expected ${instead}`);
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
    found: "files, which whoever reads it elsewhere hasn't",
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

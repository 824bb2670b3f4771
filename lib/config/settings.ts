/** The settings that hold for one cluster: its entry over the defaults. */
import { type ClusterEntry, NO_SETTINGS } from "./cluster.ts";
import type { IgnoreSetting } from "./digest.ts";
import type { ConfigIssuer } from "./issuer.ts";
import type { Config } from "./schema.ts";

export interface ClusterSettings extends ClusterEntry {
  /** Those of the cluster, else the default ones; empty: nothing can be backed up. */
  readonly recipients: readonly string[];
  readonly copiesPerDay: number;
  readonly issuers: readonly ConfigIssuer[];
  readonly ignore: readonly IgnoreSetting[];
}

/**
 * For a cluster that the configuration doesn't name, the defaults: the current context of the usual
 * kubeconfig.
 */
export function settingsFor(config: Config, clusterName: string): ClusterSettings {
  const entry = config.clusters.find(({ name }) => name === clusterName) ?? {
    name: clusterName,
    ...NO_SETTINGS,
  };
  return {
    ...entry,
    recipients: entry.recipients ?? config.recipients,
    copiesPerDay: config.backups.perDay,
    issuers: config.issuers,
    ignore: config.ignore,
  };
}

/**
 * A name that a configuration takes for whatever a context is called: `arn:aws:eks:…:cluster/Prod`
 * becomes `arn-aws-eks-…-cluster-prod`.
 */
export function clusterNameFor(context: string): string {
  const name = context
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replaceAll(/^-+|(?<!-)-+$/g, "");
  return name === "" ? "cluster" : name;
}

/**
 * What a person can do about a finding, as data. lib/report/command.ts makes the command that does
 * it.
 */
import type { AwsSettings } from "../config/schema.ts";
import type { Part } from "../rbac/table.ts";
import type { Mismatch } from "../state/identity.ts";

export interface RestoreFunction {
  readonly name: string;
  readonly region: string;
}

/** `null` where the configuration names no such function. */
export function restoreFunctionOf(aws: AwsSettings | null): RestoreFunction | null {
  return aws === null || aws.restoreFunction === null
    ? null
    : { name: aws.restoreFunction, region: aws.region };
}

/** The options that lead a command to the same context and configuration as the one before it. */
export interface Via {
  readonly context: string | null;
  readonly kubeconfig: string | null;
  /** `--config`; `null`: the configuration is found without it. */
  readonly config: string | null;
}

/** Its fields mean what they mean in the restoring function's event. */
export interface RestoreAction {
  readonly kind: "restore";
  readonly cluster: string;
  readonly names: readonly string[];
  readonly all: boolean;
  readonly namespace: string | null;
  readonly createNamespace: boolean;
  /** Delete the Secret and create it again, because it can't be changed. */
  readonly replace: boolean;
  readonly standby: boolean;
  readonly via?: Via;
}

export type Action = AnyAction & { readonly via?: Via };

type AnyAction =
  | RestoreAction
  | { readonly kind: "invoke"; readonly by: RestoreFunction; readonly restore: RestoreAction }
  | { readonly kind: "explain"; readonly name: string }
  | { readonly kind: "audit"; readonly cluster: string }
  | { readonly kind: "doctor"; readonly cluster: string | null }
  | {
      readonly kind: "clustersAdd";
      readonly cluster: string;
      readonly rebuilt: boolean;
      /** The person brings the new credential. */
      readonly brings?: boolean;
      /** Of a cluster that isn't registered: the context that leads to it. */
      readonly context?: string;
    }
  /** Pin a cluster that isn't registered as it answers now, and restore what is missing there. */
  | { readonly kind: "pin"; readonly cluster: string }
  | { readonly kind: "backups"; readonly version: string }
  | { readonly kind: "drill" }
  | { readonly kind: "init" }
  /** Register the first cluster; the person fills in which. */
  | { readonly kind: "clustersAddFirst" }
  /** Register again with more parts of the permissions, besides those that it has. */
  | {
      readonly kind: "addParts";
      readonly cluster: string;
      readonly parts: readonly Part[];
      /** What the person brings for the restoring credential; absent: certkeep creates it. */
      readonly brings?: "role" | "credentials";
    }
  /** Register one more Secret by its name, which the person fills in. */
  | { readonly kind: "nameSecret"; readonly cluster: string }
  | { readonly kind: "clustersRemove"; readonly cluster: string }
  | { readonly kind: "digest" }
  | { readonly kind: "report" }
  | { readonly kind: "sendTest" }
  | { readonly kind: "chmod"; readonly path: string }
  | { readonly kind: "subscribe"; readonly topic: string }
  /** Take a file away, under a name beside it. */
  | { readonly kind: "moveAway"; readonly path: string; readonly to: string }
  /** Find out what grants a permission. */
  | { readonly kind: "bindings" }
  | { readonly kind: "clock" }
  | { readonly kind: "apiServices" }
  /** Ask a cluster that doesn't answer in another way. */
  | { readonly kind: "clusterInfo" };

/** Whether it gives a registration the permissions that the actions after it need. */
export function registersFirst(first: Action | undefined): boolean {
  return first?.kind === "clustersAdd" || first?.kind === "addParts";
}

/** Register a cluster again, with what its registration has. `kind`: of its credentials. */
export function registerAgain(cluster: string, kind: string | null = null): Action {
  const brings = kind === "certificate" || kind === "kubeconfig";
  return { kind: "clustersAdd", cluster, rebuilt: false, ...(brings ? { brings } : {}) };
}

/** Add parts of a restoring credential to a registration. `kind`: of its credentials. */
export function allowRestores(
  cluster: string,
  kind: string | null,
  parts: readonly Part[] = ["restore"],
): Action {
  const add = { kind: "addParts", cluster, parts } as const;
  if (kind === "eks" && parts.includes("restore")) return { ...add, brings: "role" };
  return kind === "certificate" || kind === "kubeconfig" ? { ...add, brings: "credentials" } : add;
}

export function restoreAction(
  cluster: string,
  names: readonly string[],
  over: Partial<Omit<RestoreAction, "kind" | "cluster" | "names">> = {},
): RestoreAction {
  return {
    kind: "restore",
    cluster,
    names,
    all: false,
    namespace: null,
    createNamespace: false,
    replace: false,
    standby: false,
    ...over,
  };
}

/** The finding, with commands that lead where `via` leads. */
export function reachedVia<T extends { readonly actions: readonly Action[] }>(
  finding: T,
  via: Via | null,
): T {
  if (via === null) return finding;
  return { ...finding, actions: finding.actions.map((action) => ({ ...action, via })) };
}

/** What the commands of these findings are reached by. */
export function viaOf(
  findings: readonly { readonly actions: readonly Action[] }[],
): Via | undefined {
  return findings.flatMap(({ actions }) => actions).find(({ via }) => via !== undefined)?.via;
}

/**
 * What an audit offers where a named cluster isn't as pinned. It never offers a restore, which
 * writes Secrets.
 */
export function confirmAction(cluster: string, registered: boolean, differs: Mismatch): Action {
  // Registering again grants the permission; without a registration a person has to.
  return differs === "uid" && !registered
    ? { kind: "doctor", cluster }
    : { kind: "clustersAdd", cluster, rebuilt: differs === "another" };
}

/** How a person says that a cluster which isn't as pinned is the same one, or its successor. */
export function pinAction(cluster: string, registered: boolean, differs: Mismatch): Action {
  return registered
    ? { kind: "clustersAdd", cluster, rebuilt: differs === "another" }
    : { kind: "pin", cluster };
}

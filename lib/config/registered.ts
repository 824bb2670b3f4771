/**
 * What the secrets of a registry hold, one a cluster and one more for its restoring credential, and
 * how they are called.
 *
 * A registration that is half written, damaged or of a later version is told for its cluster alone,
 * by its place and never by its text, which holds a credential. One in a registry names no files:
 * its kubeconfig stands beside it, and its restoring one in the one secret that is its own. Else
 * whoever writes a registration could have any file or secret of the reader's sent to a server of
 * his. Pure.
 *
 * The text of a registration: a new one, or one that is there with what registering knows put into
 * it, so that comments and settings of its author stay. It holds no credential. Pure.
 */
import { isMap, parseDocument } from "yaml";
import * as z from "zod/mini";
import { CertkeepError } from "../error.ts";
import type { AccessPlan } from "../rbac/rules.ts";
import type { ClusterEntry, EksAccess, RegisteredAccess } from "./cluster.ts";
import { LABEL } from "./form.ts";
import { parseRegistration } from "./parse.ts";
import { invalidConfig } from "./problem.ts";
import { tokensOf } from "./tokens.ts";
import { LIMITS } from "./yaml.ts";
import { fieldsOf, jsonOf } from "../untrusted.ts";

const FORMAT = 1;
const SCHEME = "secretsmanager://";

/**
 * Names of the secrets below a registry, without the scheme; `url` is `secretsmanager://PREFIX`.
 */
export function registryNames(url: string) {
  const root = secretName(url);
  return {
    /** What every cluster's secret begins with. */
    clusters: `${root}/clusters/`,
    cluster: (name: string) => `${root}/clusters/${name}`,
    restoring: (name: string) => `${root}/restoring/${name}`,
    slack: (route: string) => `${root}/slack/${route}`,
    identity: `${root}/identity`,
    backups: `${root}/backups`,
  };
}

/** `secretsmanager://NAME` to `NAME`. */
export function secretName(reference: string): string {
  return reference.slice(SCHEME.length);
}

export function secretReference(name: string): string {
  return `${SCHEME}${name}`;
}

export function isSecretReference(text: string): boolean {
  return text.startsWith(SCHEME);
}

interface RegisteredDocument {
  /** YAML, as in `clusters/NAME.yaml`. */
  readonly registration: string;
  /** Text of the reading kubeconfig. */
  readonly kubeconfig: string;
}

export function registeredText({ registration, kubeconfig }: RegisteredDocument): string {
  return JSON.stringify({ format: FORMAT, registration, kubeconfig });
}

export function restoringText(kubeconfig: string): string {
  return JSON.stringify({ format: FORMAT, kubeconfig });
}

const registered = z.looseObject({ registration: z.string(), kubeconfig: z.string() });
const restoring = z.looseObject({ kubeconfig: z.string() });

/** @throws CertkeepError config_invalid */
export function parseRegistered(text: string, where: string): RegisteredDocument {
  const { registration, kubeconfig } = parseAs(
    registered,
    text,
    where,
    "registration and kubeconfig",
  );
  if (kubeconfig.trim() === "")
    throw brokenRegistration(where, "the registration has no kubeconfig");
  return { registration, kubeconfig };
}

/** @returns the kubeconfig of the restoring credential. @throws CertkeepError config_invalid */
export function parseRestoring(text: string, where: string): string {
  const { kubeconfig } = parseAs(restoring, text, where, "kubeconfig");
  if (kubeconfig.trim() === "")
    throw brokenRegistration(where, "the restoring kubeconfig is empty");
  return kubeconfig;
}

function parseAs<T extends z.ZodMiniType>(
  schema: T,
  text: string,
  where: string,
  fields: string,
): z.infer<T> {
  const value = jsonOf(text);
  if (value === undefined)
    throw brokenRegistration(
      where,
      text.trim() === "" ? "the secret is empty" : "the secret isn't JSON",
    );
  const { format } = fieldsOf(value);
  if (Number.isInteger(format) && format !== FORMAT) {
    throw new CertkeepError("config_invalid", {
      where,
      found: `it has format ${String(format)}, and this version reads format ${FORMAT}`,
      todo: "Use the version of certkeep that wrote it, or a later one",
    });
  }
  const parsed = schema.safeParse(value);
  if (format !== FORMAT || !parsed.success)
    throw brokenRegistration(where, `the secret lacks "format": ${FORMAT}, or ${fields}`);
  return parsed.data;
}

export const NO_CLUSTER_NAME = "no cluster can have this name";

export function alreadyConfigured(name: string): string {
  return `the configuration has a cluster ${name} already`;
}

/** A registration that is incomplete or damaged. */
export function brokenRegistration(where: string, found: string): CertkeepError {
  const name = where.split("/").at(-1) ?? "";
  return new CertkeepError("config_invalid", {
    where,
    found,
    todo: LABEL.test(name)
      ? `Register the cluster again: certkeep clusters add ${name}`
      : "Register the cluster again",
  });
}

/**
 * The cluster that a secret of the registry describes; its kubeconfigs are references to the
 * registry's own secrets. @throws CertkeepError config_invalid
 */
export function registeredEntry(
  name: string,
  { registration }: RegisteredDocument,
  url: string,
): ClusterEntry {
  const names = registryNames(url);
  const own = secretReference(names.restoring(name));
  const where = secretReference(names.cluster(name));
  if (!LABEL.test(name))
    throw new CertkeepError("config_invalid", {
      where,
      found: NO_CLUSTER_NAME,
      todo: "Use small letters, digits and -",
    });
  const parsed = parseRegistration(registration, where);
  if (!parsed.ok) throw invalidConfig(where, parsed.problems);
  const { kubeconfig, restoreKubeconfig } = parsed.entry;
  if (kubeconfig !== null)
    throw brokenRegistration(
      where,
      "it names a kubeconfig's path, but a registry holds the kubeconfig itself",
    );
  if (restoreKubeconfig !== null && restoreKubeconfig !== own)
    throw brokenRegistration(where, `its restoreKubeconfig isn't ${own}`);
  return { name, ...parsed.entry, kubeconfig: where };
}

/**
 * A token for an EKS cluster is bound to its name alone: one role for two of the same name would
 * let each be the other. @throws CertkeepError config_invalid
 */
export function refuseSameRole(
  entry: Pick<ClusterEntry, "eks">,
  others: readonly ClusterEntry[],
  where: string,
): void {
  const roles = rolesOf(entry);
  const other = others.find(
    (one) =>
      one.eks !== null &&
      entry.eks !== null &&
      one.eks.cluster === entry.eks.cluster &&
      rolesOf(one).some((role) => roles.includes(role)),
  );
  if (other === undefined) return;
  throw new CertkeepError("config_invalid", {
    where: `${where}: eks.role`,
    found:
      `cluster ${other.name} has the same EKS name and role, so a token for one could be ` +
      "replayed at the other",
    todo: "Give each registration a role of its own",
  });
}

function rolesOf({ eks }: Pick<ClusterEntry, "eks">): readonly string[] {
  return eks === null ? [] : [eks.role, ...(eks.restoreRole === null ? [] : [eks.restoreRole])];
}

export interface RegistrationFields {
  /** As the registration calls it; `null`: what kubectl would take. */
  readonly kubeconfig: string | null;
  readonly restoreKubeconfig: string | null;
  readonly plan: AccessPlan;
  readonly eks: EksAccess | null;
  readonly access: RegisteredAccess;
  /** Where the schema lies, for editors; `null`: it isn't named. */
  readonly schema: string | null;
}

/** `null` where `before` is no map of settings, so that nothing of it is lost. */
export function registrationText(before: string | null, fields: RegistrationFields): string | null {
  if (before !== null && !tokensOf(before, LIMITS).ok) return null;
  const document = parseDocument(before ?? "{}\n", { prettyErrors: false, logLevel: "silent" });
  if (document.errors.length > 0) return null;
  if (before === null || document.contents === null) {
    document.contents = document.createNode({}) as typeof document.contents;
    document.commentBefore =
      `${fields.schema === null ? "" : ` yaml-language-server: $schema=${fields.schema}\n`} A ` +
      "cluster's registration, by `certkeep clusters add`. It holds no credential: those lie " +
      "in its kubeconfigs.";
  }
  if (!isMap(document.contents)) return null;
  document.contents.flow = false;
  const put = (key: string, value: unknown): void => {
    if (value === null || value === undefined) document.delete(key);
    else document.set(key, document.createNode(value));
  };
  const { plan, access, eks } = fields;
  put("kubeconfig", fields.kubeconfig);
  put("restoreKubeconfig", fields.restoreKubeconfig);
  // The kubeconfig of a registration has one context.
  document.delete("context");
  const byName = plan.parts.includes("named") && !plan.parts.includes("secrets");
  put("discover", byName ? false : null);
  put("namespaces", byName || plan.namespaces === null ? null : [...plan.namespaces]);
  if (plan.secrets.length > 0)
    put(
      "secrets",
      plan.secrets.map(({ namespace, name }) => `${namespace}/${name}`),
    );
  put(
    "eks",
    eks === null
      ? null
      : {
          cluster: eks.cluster,
          region: eks.region,
          role: eks.role,
          ...(eks.restoreRole === null ? {} : { restoreRole: eks.restoreRole }),
        },
  );
  put("access", {
    kind: access.kind,
    parts: [...access.parts],
    ...(access.since === null ? {} : { since: access.since }),
    ...(access.broad ? { broad: true } : {}),
  });
  return document.toString({ lineWidth: 0 });
}

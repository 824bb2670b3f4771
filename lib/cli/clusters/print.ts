/**
 * What `clusters add` prints in place of registering: manifest and registration, or an audit from
 * inside.
 */
import type { ClusterEntry } from "../../config/cluster.ts";
import { BACKUP_STORE, STATE_STORE } from "../../config/form.ts";
import { registrationText, registryNames, secretReference } from "../../config/registered.ts";
import type { Config } from "../../config/schema.ts";
import { CertkeepError } from "../../error.ts";
import {
  accessName,
  accessObjects,
  insideObjects,
  manifestText,
  type Subject,
} from "../../rbac/manifest.ts";
import { insidePolicy } from "../../rbac/policy.ts";
import type { AccessPlan } from "../../rbac/rules.ts";
import { PARTS } from "../../rbac/table.ts";
import { partLines } from "../../report/clusters.ts";
import { write, writeJson, writeLine, type Io } from "../io.ts";
import { eksOf, kindOf, planOf, type AddOptions } from "./plan.ts";

const PRINTED_SCHEMA = "certkeep.access/v1";
const ROLE_ARN = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/;

const commented = (text: string): string =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => `# ${line}`.trimEnd())
    .join("\n");

export function printManifest(
  io: Io,
  name: string,
  options: AddOptions,
  existing: Omit<ClusterEntry, "name"> | null,
  registry: string | null,
): void {
  if (options.credential !== undefined)
    throw new CertkeepError("usage", {
      where: "--print",
      found: "only the server knows the user of a --credential, so certkeep can't print its RBAC",
      todo: "Leave out --credential: certkeep then makes one",
    });
  const plan = planOf(options, existing);
  const kind = kindOf(options, existing, null);
  const eks = eksOf(options, existing, kind);
  const subject: Subject =
    eks === null
      ? { kind: "ServiceAccount" }
      : {
          kind: "Group",
          names: {
            read: accessName(name, "read"),
            restore: eks.restoreRole === null ? null : accessName(name, "restore"),
          },
        };
  const objects = accessObjects(name, plan, subject);
  const restores = objects.some(({ metadata }) => metadata.name === accessName(name, "restore"));
  const secrets = registry === null ? null : registryNames(registry);
  const file = secrets === null ? `clusters/${name}.yaml` : secretReference(secrets.cluster(name));
  const restoreKubeconfig =
    secrets === null ? `${name}.restore.kubeconfig` : secretReference(secrets.restoring(name));
  const text =
    registrationText(null, {
      kubeconfig: secrets === null ? `${name}.read.kubeconfig` : null,
      restoreKubeconfig: restores ? restoreKubeconfig : null,
      plan,
      eks,
      access: { kind, parts: plan.parts, since: null, broad: false },
      schema: null,
    }) ?? "";
  if (options.json === true)
    writeJson(io, PRINTED_SCHEMA, { manifest: objects, registration: { file, text } });
  else if (options.print === "registration") write(io.stdout, text);
  else
    write(
      io.stdout,
      `${manifestText(objects)}# The registration, ${file} (alone: certkeep clusters add ` +
        `${name} --print registration):\n` +
        `${commented(text)}\n`,
    );
  for (const line of partLines(plan.parts, PARTS)) writeLine(io.stderr, line);
}

/** A store that a pod of the cluster reaches. @throws CertkeepError usage */
function outside(where: string, url: string | null, form: RegExp, todo: string): string {
  const wrong =
    url === null
      ? "it is missing"
      : url.startsWith("file:")
        ? "it is a folder of this machine, which the cluster can't reach"
        : form.test(url)
          ? null
          : "it is the URL of an unknown kind of store";
  if (wrong === null && url !== null) return url;
  throw new CertkeepError("usage", { where, found: wrong ?? "it is missing", todo });
}

type InsideConfig = Pick<Config, "recipients" | "stores" | "aws">;

function storesOf(options: AddOptions, { stores }: InsideConfig) {
  const backups = outside(
    "--backups",
    options.backups ?? stores.backups,
    BACKUP_STORE,
    "Name a store outside the cluster, such as s3://BUCKET/backups",
  );
  const state = outside(
    "--state",
    options.state ?? stores.state,
    STATE_STORE,
    "Name a store outside the cluster, such as s3://BUCKET/state",
  );
  if (backups.startsWith("secretsmanager:"))
    throw new CertkeepError("usage", {
      where: "--backups",
      found:
        "in Secrets Manager, a pod of one cluster could list the names of all clusters, since " +
        "AWS can't restrict listing there",
      todo: "Store this cluster's backups in a bucket: --backups s3://BUCKET/backups",
    });
  return { backups, state };
}

/** The CronJob that audits from inside, and the IAM policy that it needs for stores in S3. */
export function printInside(
  io: Io,
  name: string,
  plan: AccessPlan,
  options: AddOptions,
  config: InsideConfig,
): void {
  const { role = null, inCluster: image } = options;
  if (role !== null && !ROLE_ARN.test(role))
    throw new CertkeepError("usage", {
      where: "--role",
      found: "it isn't the ARN of an IAM role",
      todo: "Use arn:aws:iam::ACCOUNT:role/NAME",
    });
  if (config.recipients.length === 0)
    throw new CertkeepError("usage", {
      where: "recipients",
      found: "certkeep.yaml names none, so nothing can be encrypted",
      todo: "Run: certkeep init",
    });
  const stores = storesOf(options, config);
  const region = config.aws?.region ?? null;
  const policy = insidePolicy(name, stores, region);
  const text = policy === null ? "" : `${JSON.stringify(policy, null, 2)}\n`;
  const manifest =
    image === undefined
      ? []
      : insideObjects(name, plan, {
          ...stores,
          image,
          recipients: config.recipients,
          region,
          role,
        });
  if (options.json === true)
    writeJson(io, PRINTED_SCHEMA, { manifest, registration: null, policy });
  else if (options.print === "policy") write(io.stdout, text);
  else {
    write(io.stdout, manifestText(manifest));
    if (policy !== null)
      write(
        io.stdout,
        "# The IAM policy of the role that the pod needs, for this cluster alone (by itself: " +
          "--print policy):\n" +
          `${commented(text)}\n`,
      );
  }
}

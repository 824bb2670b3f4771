/**
 * Auditing from inside a cluster that nothing outside can reach: a CronJob (inside.json) that runs
 * the same audit with a projected token of its own, which the kubelet renews. No credential leaves
 * the cluster. Pure.
 *
 * Its stores have to lie outside: backups in the cluster would be lost with it.
 */
import type { V1ConfigMap, V1CronJob, V1EnvVar } from "@kubernetes/client-node";
import { stringify } from "yaml";
import template from "./inside.json" with { type: "json" };
import { accessName, accessObjects, type AccessObject } from "./manifest.ts";
import type { AccessPlan } from "./rules.ts";

export interface InsideOptions {
  readonly image: string;
  readonly recipients: readonly string[];
  /** URLs of stores outside the cluster. */
  readonly backups: string;
  readonly state: string;
  /** Of stores on AWS; `null`: not known. */
  readonly region: string | null;
  /**
   * IAM role that the pod takes by its service account (EKS); `null`: the pod has other
   * credentials.
   */
  readonly role: string | null;
}

/** The reading credential alone: nothing inside can restore. */
const PARTS = ["secrets", "named", "parents", "diagnosis"];

/** The objects, in the order in which they are applied. */
export function insideObjects(
  name: string,
  plan: AccessPlan,
  options: InsideOptions,
): (AccessObject | V1ConfigMap | V1CronJob)[] {
  const reading = { ...plan, parts: plan.parts.filter((part) => PARTS.includes(part)) };
  const [config, cronJob] = filled({
    cluster: name,
    account: accessName(name, "read"),
    image: options.image,
    config: configOf(name, reading, options),
  });
  const containers = cronJob.spec?.jobTemplate.spec?.template.spec?.containers ?? [];
  const region: V1EnvVar[] =
    options.region === null ? [] : [{ name: "AWS_REGION", value: options.region }];
  for (const container of containers) container.env = [...(container.env ?? []), ...region];
  const access = accessObjects(name, reading, { kind: "ServiceAccount" });
  const annotations =
    options.role === null ? {} : { annotations: { "eks.amazonaws.com/role-arn": options.role } };
  for (const { kind, metadata } of access)
    if (kind === "ServiceAccount") Object.assign(metadata, annotations);
  return [...access, config, cronJob];
}

/** The template with its placeholders filled in. */
function filled(values: Readonly<Record<string, string>>): [V1ConfigMap, V1CronJob] {
  return JSON.parse(JSON.stringify(template), (_key, value: unknown) =>
    typeof value === "string"
      ? value.replace(/\$\{(\w+)\}/gu, (whole, key: string) => values[key] ?? whole)
      : value,
  ) as [V1ConfigMap, V1CronJob];
}

function configOf(name: string, plan: AccessPlan, options: InsideOptions): string {
  const places = plan.parts.includes("secrets")
    ? plan.namespaces === null
      ? {}
      : { namespaces: plan.namespaces }
    : { discover: false };
  const secrets = plan.secrets.map((secret) => `${secret.namespace}/${secret.name}`);
  return stringify(
    {
      recipients: options.recipients,
      stores: { backups: options.backups, state: options.state },
      ...(options.region === null ? {} : { aws: { region: options.region } }),
      clusters: [{ name, ...places, ...(secrets.length === 0 ? {} : { secrets }) }],
    },
    { lineWidth: 0 },
  );
}

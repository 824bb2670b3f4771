/**
 * Auditing from inside a cluster that nothing outside can reach: a CronJob that runs the same audit with a projected
 * token of its own, which the kubelet renews. No credential leaves the cluster. Pure.
 *
 * Its stores have to lie outside: copies in the cluster would be lost with it.
 */
import { stringify } from "yaml";
import {
  accessName,
  accessObjects,
  ACCESS_NAMESPACE,
  MANAGED_BY,
  REGISTRATION,
} from "./manifest.ts";
import type { AccessPlan } from "./rules.ts";

export interface InsideOptions {
  readonly image: string;
  /** Cron expression; UTC where the cluster's controller runs in it. */
  readonly schedule: string;
  readonly recipients: readonly string[];
  /** URLs of stores outside the cluster. */
  readonly backups: string;
  readonly state: string;
  /** Of stores on AWS; `null`: none is said. */
  readonly region: string | null;
  /** IAM role that the pod takes by its service account (EKS); `null`: whatever credentials the pod gets otherwise. */
  readonly role: string | null;
}

/** The objects, in the order in which they are applied. The reading credential alone: nothing inside can restore. */
export function insideObjects(name: string, plan: AccessPlan, options: InsideOptions): object[] {
  const reading: AccessPlan = {
    ...plan,
    parts: plan.parts.filter(
      (part) =>
        part === "secrets" || part === "named" || part === "parents" || part === "diagnosis",
    ),
  };
  const labels = { [MANAGED_BY]: "certkeep", [REGISTRATION]: name };
  const account = accessName(name, "read");
  const byName = reading.parts.includes("named") && !reading.parts.includes("secrets");
  const entry = {
    name,
    ...(byName
      ? { discover: false }
      : plan.namespaces === null
        ? {}
        : { namespaces: plan.namespaces }),
    ...(plan.secrets.length === 0
      ? {}
      : { secrets: plan.secrets.map((secret) => `${secret.namespace}/${secret.name}`) }),
  };
  const config = stringify(
    {
      recipients: options.recipients,
      stores: { backups: options.backups, state: options.state },
      ...(options.region === null ? {} : { aws: { region: options.region } }),
      clusters: [entry],
    },
    { lineWidth: 0 },
  );
  const metadata = { name: `certkeep-${name}`, namespace: ACCESS_NAMESPACE, labels };
  return [
    ...accessObjects(name, reading, { kind: "ServiceAccount" }).map((object) =>
      options.role === null || object.kind !== "ServiceAccount"
        ? object
        : {
            ...object,
            metadata: {
              ...object.metadata,
              annotations: { "eks.amazonaws.com/role-arn": options.role },
            },
          },
    ),
    { apiVersion: "v1", kind: "ConfigMap", metadata, data: { "certkeep.yaml": config } },
    {
      apiVersion: "batch/v1",
      kind: "CronJob",
      metadata,
      spec: {
        schedule: options.schedule,
        concurrencyPolicy: "Forbid",
        startingDeadlineSeconds: 600,
        jobTemplate: {
          spec: {
            backoffLimit: 0,
            activeDeadlineSeconds: 600,
            template: {
              metadata: { labels },
              spec: {
                serviceAccountName: account,
                automountServiceAccountToken: true,
                restartPolicy: "Never",
                securityContext: {
                  runAsNonRoot: true,
                  runAsUser: 65_532,
                  seccompProfile: { type: "RuntimeDefault" },
                },
                containers: [
                  {
                    name: "certkeep",
                    image: options.image,
                    args: [
                      "audit",
                      "--config",
                      "/etc/certkeep/certkeep.yaml",
                      "--fail-on",
                      "never",
                    ],
                    env: [
                      { name: "HOME", value: "/tmp" },
                      ...(options.region === null
                        ? []
                        : [{ name: "AWS_REGION", value: options.region }]),
                    ],
                    securityContext: {
                      allowPrivilegeEscalation: false,
                      readOnlyRootFilesystem: true,
                      capabilities: { drop: ["ALL"] },
                    },
                    resources: {
                      requests: { cpu: "50m", memory: "128Mi" },
                      limits: { memory: "512Mi" },
                    },
                    volumeMounts: [
                      { name: "config", mountPath: "/etc/certkeep", readOnly: true },
                      { name: "tmp", mountPath: "/tmp" },
                    ],
                  },
                ],
                volumes: [
                  { name: "config", configMap: { name: metadata.name } },
                  { name: "tmp", emptyDir: {} },
                ],
              },
            },
          },
        },
      },
    },
  ];
}

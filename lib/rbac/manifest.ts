/**
 * The RBAC of a registration as Kubernetes objects and as YAML that kustomize takes: namespace, two
 * service accounts, and Roles and ClusterRoles with their bindings. Pure; every name in it fits
 * Kubernetes' own syntax.
 *
 * Every object bears the labels by which a later run finds what it no longer wants, and `--revoke`
 * what to take away.
 *
 * The kubeconfig of one credential: one cluster, one user, one context. Its text holds the
 * credential. Pure.
 *
 * Auditing from inside a cluster that nothing outside can reach: a CronJob (inside.json) that runs
 * the same audit with a projected token of its own, which the kubelet renews. No credential leaves
 * the cluster. Pure.
 *
 * Its stores have to lie outside: backups in the cluster would be lost with it.
 */
import type * as k8s from "@kubernetes/client-node";
import { stringify } from "yaml";
import * as z from "zod/mini";
import { LABEL, SECRET_NAME } from "../config/form.ts";
import template from "./inside.json" with { type: "json" };
import { type AccessPlan, rulesOf } from "./rules.ts";
import { type Bearer, PARTS, wantsRestore } from "./table.ts";
import { jsonOf, textOf } from "../untrusted.ts";

export const ACCESS_NAMESPACE = "certkeep";
const MANAGED_BY = "app.kubernetes.io/managed-by";
const REGISTRATION = "certkeep.dev/registration";
/** What a manifest was printed for, for whoever registers with it once it is applied. */
const PLAN = "certkeep.dev/plan";

const planAnnotation = z.object({
  parts: z.array(z.enum(PARTS)),
  namespaces: z.nullable(z.array(z.string().check(z.regex(LABEL)))),
  secrets: z.array(
    z.object({
      namespace: z.string().check(z.regex(LABEL)),
      name: z.string().check(z.regex(SECRET_NAME)),
    }),
  ),
});

/** `null` where the annotations hold no plan. */
export function printedPlan(annotations: Readonly<Record<string, unknown>>): AccessPlan | null {
  const parsed = z.safeParse(planAnnotation, jsonOf(textOf(annotations[PLAN]) ?? ""));
  return parsed.success ? parsed.data : null;
}

interface Named<Kind extends string> {
  readonly apiVersion: string;
  readonly kind: Kind;
  readonly metadata: k8s.V1ObjectMeta & { readonly name: string };
}

/** Objects that registering may make. */
export type AccessObject =
  | (k8s.V1Namespace & Named<"Namespace">)
  | (k8s.V1ServiceAccount & Named<"ServiceAccount">)
  | (k8s.V1Role & Named<"Role" | "ClusterRole">)
  | (k8s.V1RoleBinding & Named<"RoleBinding" | "ClusterRoleBinding">)
  | (k8s.V1Secret & Named<"Secret">);

/** Who is given the rights. */
export type Subject =
  | { readonly kind: "ServiceAccount" }
  | { readonly kind: "User" | "Group"; readonly names: Readonly<Record<Bearer, string | null>> };

const RBAC = "rbac.authorization.k8s.io";

/**
 * Names of a registration's service accounts and roles; registrations of one cluster under two
 * names don't share any.
 */
export function accessName(registration: string, bearer: Bearer): string {
  return `certkeep-${registration}-${bearer}`;
}

function labelsOf(registration: string): Record<string, string> {
  return { [MANAGED_BY]: "certkeep", [REGISTRATION]: registration };
}

/** The bearers that a plan has. */
export function bearersOf(plan: AccessPlan): Bearer[] {
  return wantsRestore(plan.parts) ? ["read", "restore"] : ["read"];
}

/** The objects of a registration, in the order in which they are applied. */
export function accessObjects(
  registration: string,
  plan: AccessPlan,
  subject: Subject,
): AccessObject[] {
  const labels = labelsOf(registration);
  const objects: AccessObject[] = [];
  if (subject.kind === "ServiceAccount")
    objects.push({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: ACCESS_NAMESPACE, labels: { [MANAGED_BY]: "certkeep" } },
    });
  for (const bearer of bearersOf(plan)) {
    const name = accessName(registration, bearer);
    const subjects = subjectsOf(registration, subject, bearer);
    if (subjects === null) continue;
    if (subject.kind === "ServiceAccount") {
      objects.push({
        apiVersion: "v1",
        kind: "ServiceAccount",
        metadata: { name, namespace: ACCESS_NAMESPACE, labels },
        automountServiceAccountToken: false,
      });
    }
    for (const { namespace, rules } of rulesOf(plan, bearer)) {
      const annotations = { [PLAN]: JSON.stringify(plan) };
      const metadata =
        namespace === null ? { name, labels, annotations } : { name, namespace, labels };
      const kind = namespace === null ? "ClusterRole" : "Role";
      objects.push({ apiVersion: `${RBAC}/v1`, kind, metadata, rules: [...rules] });
      objects.push({
        apiVersion: `${RBAC}/v1`,
        kind: `${kind}Binding` as const,
        metadata,
        roleRef: { apiGroup: RBAC, kind, name },
        subjects,
      });
    }
  }
  return objects;
}

function subjectsOf(
  registration: string,
  subject: Subject,
  bearer: Bearer,
): k8s.RbacV1Subject[] | null {
  if (subject.kind === "ServiceAccount")
    return [
      {
        kind: "ServiceAccount",
        namespace: ACCESS_NAMESPACE,
        name: accessName(registration, bearer),
      },
    ];
  const name = subject.names[bearer];
  return name === null ? null : [{ kind: subject.kind, apiGroup: RBAC, name }];
}

/**
 * The Secret that holds a token which ends when the Secret is deleted, and not before. `stamp`
 * makes its name another at each rotation.
 */
export function tokenSecret(registration: string, bearer: Bearer, stamp: string): AccessObject {
  const account = accessName(registration, bearer);
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: `${account}-${stamp}`,
      namespace: ACCESS_NAMESPACE,
      labels: { ...labelsOf(registration), "certkeep.dev/bearer": bearer },
      annotations: { "kubernetes.io/service-account.name": account },
    },
    type: "kubernetes.io/service-account-token",
  };
}

/** A label selector for everything that registering under this name made. */
export function registrationSelector(registration: string): string {
  return `${MANAGED_BY}=certkeep,${REGISTRATION}=${registration}`;
}

/** YAML documents, each on its own, in the order of `objects`. */
export function manifestText(objects: readonly object[]): string {
  return objects.map((object) => `---\n${stringify(object, { lineWidth: 0 })}`).join("");
}

/** How the server is reached, as an administrator's context says it. */
export interface ServerPlace {
  readonly server: string;
  /** PEM; `null`: the system's authorities. */
  readonly caPem: string | null;
  readonly tlsServerName: string | null;
  readonly proxyUrl: string | null;
}

/** Who asks; nobody with IAM, which makes a new token each time. */
export type StoredCredential =
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "pair"; readonly cert: string; readonly key: string }
  | { readonly kind: "none" };

export function kubeconfigText(
  name: string,
  place: ServerPlace,
  credential: StoredCredential,
): string {
  const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64");
  const user =
    credential.kind === "token"
      ? { token: credential.token }
      : credential.kind === "pair"
        ? {
            "client-certificate-data": base64(credential.cert),
            "client-key-data": base64(credential.key),
          }
        : {};
  return stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      "current-context": name,
      clusters: [
        {
          name,
          cluster: {
            server: place.server,
            ...(place.caPem === null ? {} : { "certificate-authority-data": base64(place.caPem) }),
            ...(place.tlsServerName === null ? {} : { "tls-server-name": place.tlsServerName }),
            ...(place.proxyUrl === null ? {} : { "proxy-url": place.proxyUrl }),
          },
        },
      ],
      users: [{ name, user }],
      contexts: [{ name, context: { cluster: name, user: name } }],
    },
    { lineWidth: 0 },
  );
}

interface InsideOptions {
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
const READ_PARTS = ["secrets", "named", "parents", "diagnosis"];

/** The objects, in the order in which they are applied. */
export function insideObjects(
  name: string,
  plan: AccessPlan,
  options: InsideOptions,
): (AccessObject | k8s.V1ConfigMap | k8s.V1CronJob)[] {
  const reading = { ...plan, parts: plan.parts.filter((part) => READ_PARTS.includes(part)) };
  const [config, cronJob] = filled({
    cluster: name,
    account: accessName(name, "read"),
    image: options.image,
    config: configOf(name, reading, options),
  });
  const containers = cronJob.spec?.jobTemplate.spec?.template.spec?.containers ?? [];
  const region: k8s.V1EnvVar[] =
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
function filled(values: Readonly<Record<string, string>>): [k8s.V1ConfigMap, k8s.V1CronJob] {
  return JSON.parse(JSON.stringify(template), (_key, value: unknown) =>
    typeof value === "string"
      ? value.replace(/\$\{(\w+)\}/gu, (whole, key: string) => values[key] ?? whole)
      : value,
  ) as [k8s.V1ConfigMap, k8s.V1CronJob];
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

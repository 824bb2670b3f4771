/**
 * The RBAC of a registration as Kubernetes objects and as YAML that kustomize takes: namespace, two
 * service accounts, and Roles and ClusterRoles with their bindings. Pure; every name in it fits
 * Kubernetes' own syntax.
 *
 * Every object bears the labels by which a later run finds what it no longer wants, and `--revoke`
 * what to take away.
 */
import type {
  RbacV1Subject,
  V1Namespace,
  V1ObjectMeta,
  V1Role,
  V1RoleBinding,
  V1Secret,
  V1ServiceAccount,
} from "@kubernetes/client-node";
import { stringify } from "yaml";
import * as z from "zod/mini";
import { LABEL, SECRET_NAME } from "../config/form.ts";
import { rulesOf, type AccessPlan } from "./rules.ts";
import { PARTS, wantsRestore, type Bearer } from "./table.ts";

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
  const text = annotations[PLAN];
  try {
    const parsed = z.safeParse(planAnnotation, JSON.parse(typeof text === "string" ? text : ""));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

interface Named<Kind extends string> {
  readonly apiVersion: string;
  readonly kind: Kind;
  readonly metadata: V1ObjectMeta & { readonly name: string };
}

/** Objects that registering may make. */
export type AccessObject =
  | (V1Namespace & Named<"Namespace">)
  | (V1ServiceAccount & Named<"ServiceAccount">)
  | (V1Role & Named<"Role" | "ClusterRole">)
  | (V1RoleBinding & Named<"RoleBinding" | "ClusterRoleBinding">)
  | (V1Secret & Named<"Secret">);

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
): RbacV1Subject[] | null {
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

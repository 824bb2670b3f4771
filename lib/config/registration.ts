/**
 * The text of a registration: a new one, or one that is there with what registering knows put into
 * it, so that comments and settings of its author stay. It holds no credential. Pure.
 */
import { isMap, parseDocument } from "yaml";
import { LIMITS } from "./yaml.ts";
import { tokensOf } from "./tokens.ts";
import type { AccessPlan } from "../rbac/rules.ts";
import type { EksAccess, RegisteredAccess } from "./cluster.ts";

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

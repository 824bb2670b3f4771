/**
 * Registering a cluster by an administrator's credential: server-side apply of the RBAC, tokens,
 * and taking both away.
 *
 * It writes what lib/access names and nothing else. A token that the server hands out is in no
 * message; what was asked for is (a Role holds no secret).
 */
import type * as k8s from "@kubernetes/client-node";
import { ACCESS_NAMESPACE, type AccessObject } from "../../rbac/manifest.ts";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import type { ObjectName, Registrar } from "../../ports/cluster.ts";
import { reviewRules } from "./access.ts";
import { type Connection, whereOf } from "./connection.ts";
import { writeError } from "./denial.ts";
import type { Action } from "./failure.ts";
import { HttpClient, type HttpAnswer, type HttpOptions } from "./http.ts";
import { fieldsOf, listOf, textOf } from "../../untrusted.ts";
import { realTimer } from "../timer.ts";

const FIELD_MANAGER = "certkeep-register";
const METADATA_FORM =
  "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

interface KindPlace {
  readonly apiVersion: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

const RBAC = "rbac.authorization.k8s.io/v1";
const KINDS: Readonly<Record<AccessObject["kind"], KindPlace>> = {
  Namespace: { apiVersion: "v1", plural: "namespaces", namespaced: false },
  ServiceAccount: { apiVersion: "v1", plural: "serviceaccounts", namespaced: true },
  Secret: { apiVersion: "v1", plural: "secrets", namespaced: true },
  Role: { apiVersion: RBAC, plural: "roles", namespaced: true },
  RoleBinding: { apiVersion: RBAC, plural: "rolebindings", namespaced: true },
  ClusterRole: { apiVersion: RBAC, plural: "clusterroles", namespaced: false },
  ClusterRoleBinding: { apiVersion: RBAC, plural: "clusterrolebindings", namespaced: false },
};
/** Bindings first: what is taken away first is the right, whatever happens then. */
const REMOVED: readonly AccessObject["kind"][] = [
  "RoleBinding",
  "ClusterRoleBinding",
  "Role",
  "ClusterRole",
  "Secret",
  "ServiceAccount",
];

function root({ apiVersion }: KindPlace): string {
  return apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`;
}

function pathOf(object: Pick<ObjectName, "kind" | "namespace" | "name">): string {
  const place = KINDS[object.kind];
  const namespace =
    place.namespaced && object.namespace !== null
      ? `/namespaces/${encodeURIComponent(object.namespace)}`
      : "";
  return `${root(place)}${namespace}/${place.plural}/${encodeURIComponent(object.name)}`;
}

export interface RegistrarOptions extends HttpOptions {
  /** How long the controller that fills token Secrets is waited for; default 15,000. */
  readonly tokenTimeoutMs?: number;
  readonly pause?: (ms: number) => Promise<void>;
}

class KubernetesRegistrar implements Registrar {
  readonly #options: RegistrarOptions;
  readonly #http;
  readonly #pause;

  constructor(connection: Connection, options: RegistrarOptions) {
    this.#options = options;
    this.#http = new HttpClient(connection, options);
    this.#pause = options.pause ?? realTimer.sleep;
  }

  async #readToken(namespace: string, name: string): Promise<string | null> {
    const { data } = await this.#http.fields<k8s.V1Secret>(
      { verb: "get", resource: "secrets", namespace, name },
      { path: pathOf({ kind: "Secret", namespace, name }) },
    );
    const encoded = textOf(fieldsOf(data)["token"]);
    return encoded === null || encoded === ""
      ? null
      : Buffer.from(encoded, "base64").toString("utf8");
  }

  readonly apply: Registrar["apply"] = async (object) => {
    const name: ObjectName = {
      apiVersion: object.apiVersion,
      kind: object.kind,
      namespace: object.metadata.namespace ?? null,
      name: object.metadata.name,
    };
    const before = await this.#http.send({ path: pathOf(name), accept: METADATA_FORM });
    const there = before.status === 200;
    const answer = await this.#http.send({
      method: "PATCH",
      path: `${pathOf(name)}?fieldManager=${FIELD_MANAGER}&force=true`,
      accept: METADATA_FORM,
      contentType: "application/apply-patch+yaml",
      body: JSON.stringify(object),
      repeatable: true,
    });
    const { plural } = KINDS[object.kind];
    if (answer.status !== 200 && answer.status !== 201)
      throw refused(
        this.#http.connection,
        {
          verb: there ? "patch" : "create",
          resource: plural,
          namespace: name.namespace,
          name: name.name,
        },
        answer,
      );
    return there ? "there" : "created";
  };

  readonly find: Registrar["find"] = async (selector) => {
    const found: ObjectName[] = [];
    for (const kind of REMOVED) {
      const place = KINDS[kind];
      // Tokens and accounts are only ever made in one namespace; roles may be in any.
      const path =
        kind === "Secret" || kind === "ServiceAccount"
          ? `/api/v1/namespaces/${ACCESS_NAMESPACE}/${place.plural}`
          : `${root(place)}/${place.plural}`;
      const list = await this.#http.fields<k8s.KubernetesListObject<k8s.KubernetesObject>>(
        { verb: "list", resource: place.plural, namespace: null },
        {
          path: `${path}?labelSelector=${encodeURIComponent(selector)}&limit=500`,
          accept:
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
        },
      );
      for (const item of listOf(list.items)) {
        const metadata = fieldsOf<k8s.V1ObjectMeta>(fieldsOf<k8s.KubernetesObject>(item).metadata);
        const name = textOf(metadata.name);
        if (name !== null)
          found.push({
            apiVersion: place.apiVersion,
            kind,
            namespace: place.namespaced ? textOf(metadata.namespace) : null,
            name,
          });
      }
    }
    return found;
  };

  readonly annotationsOf: Registrar["annotationsOf"] = async (name) => {
    const path = `${root(KINDS.ClusterRole)}/clusterroles/${encodeURIComponent(name)}`;
    const answer = await this.#http.send({ path, accept: METADATA_FORM });
    if (answer.status === 404) return {};
    if (answer.status !== 200)
      throw this.#http.failure({ verb: "get", resource: "clusterroles", namespace: null }, answer);
    const { metadata } = fieldsOf<k8s.KubernetesObject>(this.#http.json(answer));
    return fieldsOf(fieldsOf<k8s.V1ObjectMeta>(metadata).annotations);
  };

  readonly remove: Registrar["remove"] = async (object) => {
    const answer = await this.#http.send({
      method: "DELETE",
      path: pathOf(object),
      accept: METADATA_FORM,
      repeatable: true,
    });
    if (answer.status === 200 || answer.status === 202 || answer.status === 404) return;
    throw refused(
      this.#http.connection,
      {
        verb: "delete",
        resource: KINDS[object.kind].plural,
        namespace: object.namespace,
        name: object.name,
      },
      answer,
    );
  };

  readonly requestToken: Registrar["requestToken"] = async (namespace, account, seconds) => {
    const path = `${pathOf({ kind: "ServiceAccount", namespace, name: account })}/token`;
    const body = JSON.stringify({
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds: seconds },
    });
    const answer = await this.#http.fields<k8s.AuthenticationV1TokenRequest>(
      { verb: "create", resource: "serviceaccounts/token", namespace, name: account },
      { method: "POST", path, body },
    );
    const status = fieldsOf<k8s.V1TokenRequestStatus>(answer.status);
    const token = textOf(status.token);
    const until = Date.parse(textOf(status.expirationTimestamp) ?? "");
    if (token === null || token === "" || Number.isNaN(until))
      throw this.#http.invalid("the server reported success but gave no token");
    return { token, expiresAtMs: until };
  };

  readonly readToken: Registrar["readToken"] = async (namespace, name) => {
    const limit = this.#options.tokenTimeoutMs ?? 15_000;
    for (let waited = 0; ; waited += 500) {
      const token = await this.#readToken(namespace, name);
      if (token !== null) return { token, expiresAtMs: null };
      if (waited >= limit) break;
      await this.#pause(500);
    }
    throw new CertkeepError("cluster_timeout", {
      where: whereOf(this.#http.connection),
      found:
        `the cluster's token controller gave the Secret ${namespace}/${name} no token within ` +
        `${limit / 1000} s`,
      todo:
        "Use another kind of credential: a token of a year (--days 365), a client certificate " +
        "(--credential), or IAM on EKS (--eks)",
    });
  };

  readonly everybodysRules: Registrar["everybodysRules"] = async (namespace) => {
    const groups = [
      "system:serviceaccounts",
      `system:serviceaccounts:${ACCESS_NAMESPACE}`,
      "system:authenticated",
    ];
    try {
      return await reviewRules(this.#http, namespace, {
        "impersonate-user": `system:serviceaccount:${ACCESS_NAMESPACE}:nobody-in-particular`,
        "impersonate-group": groups,
      });
    } catch (error) {
      if (isCertkeepError(error, "cluster_forbidden")) return null;
      throw error;
    }
  };

  readonly close: Registrar["close"] = async () => this.#http.close();
}

/**
 * Makes a registrar for the administrator's connection. Nothing is asked until a method is called.
 */
export function createRegistrar(connection: Connection, options: RegistrarOptions = {}): Registrar {
  return new KubernetesRegistrar(connection, options);
}

/**
 * RBAC refuses to let somebody grant what he doesn't have himself (k8s.io/kubernetes
 * pkg/registry/rbac/role/policybased).
 */
function refused(connection: Connection, action: Action, answer: HttpAnswer): CertkeepError {
  if (
    answer.status === 403 &&
    answer.body.includes("is attempting to grant RBAC permissions not currently held")
  ) {
    return new CertkeepError("cluster_forbidden", {
      where: whereOf(connection),
      found:
        "denied (403): the user can't grant permissions that it doesn't have itself " +
        `(${action.resource} ${action.name ?? ""})`,
      todo:
        "Use the context of a cluster administrator, or give one the manifest: certkeep " +
        "clusters add NAME --print",
    });
  }
  return writeError(connection, action, answer);
}

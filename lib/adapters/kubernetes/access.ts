/**
 * What a credential may do, asked of the server itself: access reviews of one's own self, which
 * store nothing.
 *
 * A refusal of the question is told as such; an answer is never guessed from rules, which not
 * every authorizer can list.
 */
import type * as k8s from "@kubernetes/client-node";
import { type GrantedRules, parseRules } from "../../rbac/excess.ts";
import type { SelfAccess } from "../../ports/cluster.ts";
import type { Connection } from "./connection.ts";
import { HttpClient, type HttpOptions } from "./http.ts";
import { fieldsOf, listOf, textOf, type Untrusted } from "../../untrusted.ts";

type Review =
  k8s.V1SelfSubjectAccessReview | k8s.V1SelfSubjectReview | k8s.V1SelfSubjectRulesReview;
type ReviewStatus = k8s.V1SubjectAccessReviewStatus &
  k8s.V1SelfSubjectReviewStatus &
  k8s.V1SubjectRulesReviewStatus;

/** Posts a review. @returns its status */
async function review(
  http: HttpClient,
  path: string,
  kind: string,
  spec: object,
  headers: Readonly<Record<string, string | string[]>> = {},
): Promise<Untrusted<ReviewStatus>> {
  const [, group = "", version = "v1"] = path.split("/").slice(1);
  const { status } = await http.fields<Review>(
    { verb: "create", resource: `${kind.toLowerCase()}s`, namespace: null },
    {
      method: "POST",
      path,
      body: JSON.stringify({ apiVersion: `${group}/${version}`, kind, spec }),
      headers,
      repeatable: true,
      kind: "access",
    },
  );
  return fieldsOf<ReviewStatus>(status);
}

/** The rules in one namespace; with `headers`, those of whom they impersonate. */
export async function reviewRules(
  http: HttpClient,
  namespace: string,
  headers: Readonly<Record<string, string | string[]>> = {},
): Promise<GrantedRules> {
  const status = await review(
    http,
    "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
    "SelfSubjectRulesReview",
    { namespace },
    headers,
  );
  return {
    namespace,
    rules: parseRules(status.resourceRules),
    incomplete: status.incomplete === true,
  };
}

class KubernetesSelfAccess implements SelfAccess {
  readonly #http;
  readonly #nowMs;

  constructor(connection: Connection, options: HttpOptions) {
    this.#http = new HttpClient(connection, options);
    this.#nowMs = options.nowMs ?? Date.now;
  }

  readonly facts: SelfAccess["facts"] = async () => {
    const before = this.#nowMs();
    const answer = await this.#http.send({ path: "/version" });
    const after = this.#nowMs();
    if (answer.status === 401)
      throw this.#http.failure({ verb: "get", resource: "version", namespace: null }, answer);
    const dateMs = answer.date === null ? Number.NaN : Date.parse(answer.date);
    const middle = (before + after) / 2;
    const version =
      answer.status === 200
        ? textOf(fieldsOf<k8s.VersionInfo>(this.#http.json(answer)).gitVersion)
        : null;
    // The header is cut to the second: on average it is half a second behind.
    return {
      version:
        version !== null && /^v\d{1,4}\.\d{1,4}[\w.+-]{0,60}$/.test(version) ? version : null,
      clockOffsetMs: Number.isNaN(dateMs) ? null : Math.round(dateMs + 500 - middle),
    };
  };

  readonly whoAmI: SelfAccess["whoAmI"] = async () => {
    for (const version of ["v1", "v1beta1"]) {
      try {
        const status = await review(
          this.#http,
          `/apis/authentication.k8s.io/${version}/selfsubjectreviews`,
          "SelfSubjectReview",
          {},
        );
        return textOf(fieldsOf<k8s.V1UserInfo>(status.userInfo).username);
      } catch (error) {
        if ((error as { code?: unknown }).code !== "cluster_not_found") throw error;
      }
    }
    return null;
  };

  readonly isAllowed: SelfAccess["isAllowed"] = async ({
    verb,
    group,
    resource,
    namespace,
    name,
  }) => {
    const [plural = "", subresource = ""] = resource.split("/");
    const attributes: k8s.V1ResourceAttributes = {
      verb,
      group,
      resource: plural,
      ...(subresource === "" ? {} : { subresource }),
      ...(namespace === null ? {} : { namespace }),
      ...(name === null ? {} : { name }),
    };
    const status = await review(
      this.#http,
      "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
      "SelfSubjectAccessReview",
      { resourceAttributes: attributes },
    );
    return status.allowed === true;
  };

  readonly rulesIn: SelfAccess["rulesIn"] = (namespace) => reviewRules(this.#http, namespace);

  readonly deadGroups: SelfAccess["deadGroups"] = async () => {
    const answer = await this.#http.send({ path: "/apis" });
    if (answer.status !== 200) return [];
    const list = fieldsOf<k8s.V1APIGroupList>(this.#http.json(answer));
    const groups = listOf(list.groups).flatMap((group) => {
      const [first] = listOf(fieldsOf<k8s.V1APIGroup>(group).versions);
      return textOf(fieldsOf<k8s.V1GroupVersionForDiscovery>(first).groupVersion) ?? [];
    });
    const dead: string[] = [];
    for (const group of groups
      .filter((text) => /^[a-z0-9.-]{1,253}\/v[a-z0-9]{1,30}$/.test(text))
      .slice(0, 100)) {
      // A server behind the aggregator that is down is answered for with 503.
      if ((await this.#http.send({ path: `/apis/${group}` })).status >= 500) dead.push(group);
    }
    return dead;
  };

  readonly close: SelfAccess["close"] = async () => this.#http.close();
}

/** Makes what a connection's credential may ask about itself. */
export function createSelfAccess(connection: Connection, options: HttpOptions = {}): SelfAccess {
  return new KubernetesSelfAccess(connection, options);
}

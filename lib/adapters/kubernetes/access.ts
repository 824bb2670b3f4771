/**
 * What a credential may do, asked of the server itself: access reviews of one's own self, which
 * store nothing.
 *
 * A refusal of the question is told as such; an answer is never guessed from rules, which an
 * authorizer may not be able to list.
 */
import type {
  V1APIGroup,
  V1APIGroupList,
  V1GroupVersionForDiscovery,
  V1ResourceAttributes,
  V1SelfSubjectAccessReview,
  V1SelfSubjectReview,
  V1SelfSubjectReviewStatus,
  V1SelfSubjectRulesReview,
  V1SubjectAccessReviewStatus,
  V1SubjectRulesReviewStatus,
  V1UserInfo,
  VersionInfo,
} from "@kubernetes/client-node";
import type { GrantedRules } from "../../rbac/excess.ts";
import { parseRules } from "../../rbac/excess.ts";
import type { SelfAccess } from "../../ports/cluster.ts";
import type { Connection } from "./connection.ts";
import { type Action } from "./failure.ts";
import { HttpClient, type HttpAnswer, type HttpOptions } from "./http.ts";
import { fieldsOf, listOf, textOf, type Untrusted } from "./parse.ts";

const JSON_FORM = "application/json";

type Review = V1SelfSubjectAccessReview | V1SelfSubjectReview | V1SelfSubjectRulesReview;
type ReviewStatus = V1SubjectAccessReviewStatus &
  V1SelfSubjectReviewStatus &
  V1SubjectRulesReviewStatus;

/** Posts a review. @returns its status */
async function review(
  http: HttpClient,
  path: string,
  kind: string,
  spec: object,
  headers: Readonly<Record<string, string | string[]>> = {},
): Promise<Untrusted<ReviewStatus>> {
  const [, group = "", version = "v1"] = path.split("/").slice(1);
  const answer = await http.send({
    method: "POST",
    path,
    accept: JSON_FORM,
    body: JSON.stringify({ apiVersion: `${group}/${version}`, kind, spec }),
    headers,
    repeatable: true,
  });
  const action: Action = { verb: "create", resource: `${kind.toLowerCase()}s`, namespace: null };
  if (answer.status !== 201 && answer.status !== 200) throw http.failure(action, answer);
  return fieldsOf<ReviewStatus>(fieldsOf<Review>(http.json(answer)).status);
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

  #get(path: string): Promise<HttpAnswer> {
    return this.#http.send({ method: "GET", path, accept: JSON_FORM });
  }

  readonly facts: SelfAccess["facts"] = async () => {
    const before = this.#nowMs();
    const answer = await this.#get("/version");
    const after = this.#nowMs();
    if (answer.status === 401)
      throw this.#http.failure({ verb: "get", resource: "version", namespace: null }, answer);
    const dateMs = answer.date === null ? Number.NaN : Date.parse(answer.date);
    const middle = (before + after) / 2;
    const version =
      answer.status === 200
        ? textOf(fieldsOf<VersionInfo>(this.#http.json(answer)).gitVersion)
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
        return textOf(fieldsOf<V1UserInfo>(status.userInfo).username);
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
    const attributes: V1ResourceAttributes = {
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
    const answer = await this.#get("/apis");
    if (answer.status !== 200) return [];
    const list = fieldsOf<V1APIGroupList>(this.#http.json(answer));
    const groups = listOf(list.groups).flatMap((group) =>
      listOf(fieldsOf<V1APIGroup>(group).versions)
        .slice(0, 1)
        .map((version) => textOf(fieldsOf<V1GroupVersionForDiscovery>(version).groupVersion)),
    );
    const dead: string[] = [];
    for (const group of groups
      .filter((text) => text !== null)
      .filter((text) => /^[a-z0-9.-]{1,253}\/v[a-z0-9]{1,30}$/.test(text))
      .slice(0, 100)) {
      // A server behind the aggregator that is down is answered for with 503.
      const one = await this.#http.send({
        method: "GET",
        path: `/apis/${group}`,
        accept: JSON_FORM,
      });
      if (one.status >= 500) dead.push(group);
    }
    return dead;
  };

  readonly close: SelfAccess["close"] = async () => this.#http.close();
}

/** Makes what a connection's credential may ask about itself. */
export function createSelfAccess(connection: Connection, options: HttpOptions = {}): SelfAccess {
  return new KubernetesSelfAccess(connection, options);
}

/**
 * From a request to its handler: objects of a kind, access reviews, and the few pages around them.
 */
import { type Account, demandAccess, reviewStatus, rulesStatus } from "./access.ts";
import { timestamp } from "./body.ts";
import { type StoredObject, apiVersionOf, isJsonObject, resources } from "./objects.ts";
import { afterUpdate } from "./ownership.ts";
import { type PodLogs, readPodLog } from "./podlog.ts";
import { type Watch, getObject, listObjects, openWatch } from "./read.ts";
import { type Call, type Reply, type Target, attemptFor } from "./request.ts";
import {
  Refusal,
  badRequest,
  forbiddenPath,
  methodNotAllowed,
  noSuchResource,
  unknownBodyType,
} from "./status.ts";
import type { Storage } from "./storage.ts";
import { deleteObject } from "./deletion.ts";
import { createObject, patchObject, updateObject } from "./write.ts";

/** Handles a request for objects; a watch is left to the caller to send. @throws Refusal */
export function handleObjects(
  storage: Storage,
  call: Call,
  verb: string,
  logs: PodLogs,
): Reply | Watch {
  demandAccess(call.account, attemptFor(call.target, verb, call.query));
  if (call.target.resource.kind === "Pod" && call.target.subresource === "log" && verb === "get")
    return readPodLog(storage, call, logs);
  if (call.target.subresource !== null) throw noSuchResource();
  if (call.target.resource.namespaced && call.target.namespace === null && verb === "create")
    throw methodNotAllowed();
  if (verb === "get") return getObject(storage, call);
  if (verb === "list") return listObjects(storage, call);
  if (verb === "watch") return openWatch(storage, call);
  if (verb === "create") return createObject(storage, call);
  if (verb === "update") return updateObject(storage, call);
  if (verb === "patch") return patchObject(storage, call);
  return deleteObject(storage, call, resources);
}

const reviewGroup = "authorization.k8s.io";

/** The answer to an access review, or null where the path is none. @throws Refusal */
export function handleReview(
  path: string,
  request: {
    readonly method: string;
    readonly body: Buffer;
    readonly contentType: string;
    readonly agent: string;
    readonly nowMs: number;
  },
  account: Account,
  accounts: readonly Account[],
): Reply | null {
  const [, plural = ""] =
    /^\/apis\/authorization\.k8s\.io\/v1\/(selfsubjectaccessreviews|selfsubjectrulesreviews|subjectaccessreviews)$/u.exec(
      path,
    ) ?? [];
  if (plural === "") return null;
  if (request.method !== "POST") throw methodNotAllowed();
  const self = plural !== "subjectaccessreviews";
  // Everybody who is known may ask about themselves (ClusterRole system:basic-user).
  if (!self || account.groups?.includes("system:unauthenticated") === true) {
    demandAccess(account, {
      verb: "create",
      group: reviewGroup,
      resource: plural,
      namespace: null,
      name: null,
    });
  }
  if (request.contentType !== "" && request.contentType !== "application/json")
    throw unknownBodyType();
  const body = parseJson(request.body);
  const spec = isJsonObject(body) && isJsonObject(body["spec"]) ? body["spec"] : {};
  const rules = plural === "selfsubjectrulesreviews";
  const { namespace } = spec as { namespace?: unknown };
  const status = rules
    ? rulesStatus(account, typeof namespace === "string" ? namespace : "")
    : reviewStatus(spec as Record<string, unknown>, self ? account : null, accounts);
  const kind = rules
    ? "SelfSubjectRulesReview"
    : self
      ? "SelfSubjectAccessReview"
      : "SubjectAccessReview";
  const apiVersion = `${reviewGroup}/v1`;
  const object = { kind, apiVersion, metadata: {}, spec } as unknown as StoredObject;
  const managedFields = afterUpdate(null, object, {
    manager: request.agent,
    apiVersion,
    time: timestamp(request.nowMs),
  });
  return { status: 201, body: { ...object, metadata: { managedFields }, status } };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw badRequest(
      "the object provided is unrecognized: couldn't get version/kind; json parse error: " +
        "unexpected end of JSON input",
    );
  }
}

const verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];

function resourceList(group: string, version: string): object | null {
  const served = resources.filter(
    (resource) => resource.group === group && resource.version === version,
  );
  if (served.length === 0) return null;
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: group === "" ? version : `${group}/${version}`,
    resources: served.map(({ plural, kind, namespaced }) => ({
      name: plural,
      singularName: kind.toLowerCase(),
      namespaced,
      kind,
      verbs,
    })),
  };
}

function groupList(): object {
  const versions = [...new Set(resources.filter(({ group }) => group !== "").map(apiVersionOf))];
  const groups = versions.map((groupVersion) => {
    const [name = "", version = ""] = groupVersion.split("/");
    return {
      name,
      versions: [{ groupVersion, version }],
      preferredVersion: { groupVersion, version },
    };
  });
  return { kind: "APIGroupList", apiVersion: "v1", groups };
}

/**
 * The pages that aren't objects: health, version, what kinds there are. @throws Refusal 403 for
 * whoever isn't known
 */
export function handlePages(method: string, path: string, account: Account): Reply {
  const bare = path.replace(/\/$/u, "");
  if (["/healthz", "/livez", "/readyz"].includes(bare)) return { status: 200, body: "ok" };
  if (bare === "/version") {
    const [major, minor] = ["1", "34"];
    return { status: 200, body: { major, minor, gitVersion: "v1.34.4", platform: "sandbox/any" } };
  }
  if (account.groups?.includes("system:unauthenticated") === true)
    throw forbiddenPath(account.user, method.toLowerCase(), path);
  if (bare === "/api") return { status: 200, body: { kind: "APIVersions", versions: ["v1"] } };
  if (bare === "/apis") return { status: 200, body: groupList() };
  const [, core, group, version] = /^\/(?:api\/(v1)|apis\/([^/]+)\/([^/]+))$/u.exec(bare) ?? [];
  const list = resourceList(group ?? "", core ?? version ?? "");
  if (list !== null) return { status: 200, body: list };
  return { status: 404, body: "404 page not found\n" };
}

export function isWatch(outcome: Reply | Watch): outcome is Watch {
  return "start" in outcome;
}

/** The target's resource as the log and RBAC call it. */
export function resourceName(target: Target): string {
  return target.subresource === null
    ? target.resource.plural
    : `${target.resource.plural}/${target.subresource}`;
}

/**
 * What a handler threw, as an answer; what isn't a refusal is the fake API server's own mistake.
 */
export function failureReply(error: unknown): Reply {
  if (error instanceof Refusal) return { status: error.code, body: error.body };
  const message =
    "Internal error occurred: " +
    `${error instanceof Error ? (error.stack ?? error.message) : "unknown"}`;
  const body = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason: "InternalError",
    code: 500,
  };
  return { status: 500, body };
}

/** What a request asks for, read from its method and address as the API server reads them. */
import { type Resource, findResource } from "./objects.ts";
import { badRequest, invalid, methodNotAllowed, noSuchResource } from "./status.ts";
import type { Account, Attempt } from "./access.ts";

/** A request for objects of a kind. */
export interface Target {
  readonly resource: Resource;
  readonly namespace: string | null;
  /** null: the collection. */
  readonly name: string | null;
  readonly subresource: string | null;
}

function unescaped(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw badRequest(`invalid URL escape in ${JSON.stringify(segment)}`);
  }
}

/**
 * Where a path leads among the kinds that are served; null where it isn't a path of objects.
 * @throws Refusal 404
 */
export function parseTarget(path: string): Target | null {
  const parts = path
    .split("/")
    .filter((part) => part !== "")
    .map(unescaped);
  const core = parts[0] === "api";
  if (!core && parts[0] !== "apis") return null;
  const [group = "", version = ""] = core ? ["", parts[1]] : [parts[1], parts[2]];
  const rest = parts.slice(core ? 2 : 3);
  if (rest.length === 0) return null;
  const within =
    rest[0] === "namespaces" && rest.length > 2 && !["status", "finalize"].includes(rest[2] ?? "");
  const namespace = within ? (rest[1] ?? null) : null;
  const [plural = "", name = null, subresource = null] = within ? rest.slice(2) : rest;
  const resource = findResource(group, version, plural);
  if (resource === null || (namespace !== null && !resource.namespaced)) {
    if (core ? version === "v1" : findAny(group, version)) throw noSuchResource();
    return null;
  }
  if (resource.namespaced && namespace === null && name !== null) throw noSuchResource();
  return { resource, namespace, name, subresource };
}

function findAny(group: string, version: string): boolean {
  return (
    ["networking.k8s.io", "apps", "tailscale.com", "cert-manager.io"].includes(group) &&
    version.startsWith("v1")
  );
}

/** The verb of a request, as RBAC calls it. @throws Refusal 405 */
export function verbOf(method: string, target: Target, query: URLSearchParams): string {
  const one = target.name !== null;
  if (method === "GET") return one ? "get" : isTrue(query.get("watch")) ? "watch" : "list";
  if (method === "POST" && (!one || target.subresource !== null)) return "create";
  if (method === "PUT" && one) return "update";
  if (method === "PATCH" && one) return "patch";
  if (method === "DELETE" && one) return "delete";
  throw methodNotAllowed();
}

export const isTrue = (value: string | null): boolean => value === "true" || value === "1";

/**
 * What is to be allowed: a listing narrowed to one name is about that name, and a namespace lies in
 * itself.
 */
export function attemptFor(target: Target, verb: string, query: URLSearchParams): Attempt {
  const { resource, subresource } = target;
  const selected =
    /(?:^|,)metadata\.name==?([^,]+)/u.exec(query.get("fieldSelector") ?? "")?.[1] ?? null;
  const name = target.name ?? (verb === "list" || verb === "watch" ? selected : null);
  return {
    verb,
    group: resource.group,
    resource: subresource === null ? resource.plural : `${resource.plural}/${subresource}`,
    namespace: resource.kind === "Namespace" ? target.name : target.namespace,
    name,
  };
}

/** A request with everything that its handling needs. */
export interface Call {
  readonly account: Account;
  readonly target: Target;
  readonly query: URLSearchParams;
  readonly accept: string;
  /** Media type of the body, without parameters. */
  readonly contentType: string;
  readonly body: Buffer;
  /**
   * By which writes are told apart where no `fieldManager` is given: the user agent up to its first
   * slash.
   */
  readonly agent: string;
  readonly nowMs: number;
}

/** @throws Refusal 422 */
export function isDryRun(query: URLSearchParams, options: string): boolean {
  const values = query.getAll("dryRun");
  const wrong = values.filter((value) => value !== "All");
  if (wrong.length > 0) {
    const detail = `${JSON.stringify(values)}: supported values: "All"`;
    throw invalid(options, "meta.k8s.io", "", [
      { mistake: "unsupported", field: "dryRun", detail },
    ]);
  }
  return values.length > 0;
}

/** A whole number in the query, or null. @throws Refusal 400 */
export function parseCount(query: URLSearchParams, name: string): number | null {
  const value = query.get(name);
  if (value === null || value === "") return null;
  if (!/^-?\d+$/u.test(value))
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
  return Number(value);
}

/** What is sent back. */
export interface Reply {
  readonly status: number;
  /** An object goes as JSON, a text as it is. */
  readonly body: object | string;
}

/**
 * From what a client sends to an object: decoding with the server's complaints, defaults, system
 * metadata.
 */
import { parse as parseYaml } from "yaml";
import {
  type Json,
  type JsonObject,
  type ObjectMeta,
  type OwnerReference,
  type Resource,
  type StoredObject,
  apiVersionOf,
  findKind,
  isJsonObject,
} from "./objects.ts";
import type { Call } from "./request.ts";
import { type Refusal, badRequest, unknownBodyType } from "./status.ts";
import { metadataDecodeFault, normalizedSecret, secretDecodeFault } from "./validate.ts";

/** RFC 3339 in whole seconds, as objects carry times. */
export const timestamp = (nowMs: number): string =>
  new Date(nowMs).toISOString().replace(/\.\d+Z$/u, "Z");

const cannotHandle = (resource: Resource, kind: string, version: string, why: string): Refusal =>
  badRequest(`${kind} in version "${version}" cannot be handled as a ${resource.kind}: ${why}`);

/** Why a decoded body is no object of the kind, or null. */
export function decodeFault(resource: Resource, body: JsonObject): string | null {
  return (
    metadataDecodeFault(body["metadata"]) ??
    (resource.kind === "Secret" ? secretDecodeFault(body) : null)
  );
}

/** @throws Refusal 400, 415 */
export function decodeBody(call: Call): JsonObject {
  const { resource } = call.target;
  const yaml = call.contentType === "application/yaml";
  if (!yaml && call.contentType !== "application/json" && call.contentType !== "")
    throw unknownBodyType();
  const text = call.body.toString("utf8");
  let parsed: unknown = null;
  try {
    parsed = yaml ? parseYaml(text) : JSON.parse(text);
  } catch {
    const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text;
    throw badRequest(
      `the object provided is unrecognized (must be of type ${resource.kind}): couldn't get ` +
        `version/kind; json parse error: unexpected end of JSON input (${shown})`,
    );
  }
  if (!isJsonObject(parsed)) {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${resource.kind}): couldn't get ` +
        "version/kind; json parse error",
    );
  }
  const kind = typeof parsed["kind"] === "string" ? parsed["kind"] : resource.kind;
  const version =
    typeof parsed["apiVersion"] === "string" ? parsed["apiVersion"] : apiVersionOf(resource);
  if (version !== apiVersionOf(resource)) {
    throw cannotHandle(
      resource,
      kind,
      version,
      `no kind "${kind}" is registered for version "${version}" in scheme ` +
        `"pkg/runtime/scheme.go:110"`,
    );
  }
  if (kind !== resource.kind) {
    const why =
      findKind(version, kind) === null
        ? `no kind "${kind}" is registered`
        : `converting (v1.${kind}) to (core.${resource.kind}): unknown conversion`;
    throw cannotHandle(resource, kind, version, why);
  }
  const fault = decodeFault(resource, parsed);
  if (fault !== null) throw cannotHandle(resource, kind, version, fault);
  return parsed;
}

/** A string field, empty where there is none. */
export const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");

function filled<T extends object>(map: T | undefined | null): T | undefined {
  return map === undefined || map === null || Object.keys(map).length === 0 ? undefined : map;
}

/** Metadata from a body, without what only the server sets. */
function ownMetadata(metadata: JsonObject): Partial<ObjectMeta> {
  const labels = filled(metadata["labels"] as Record<string, string> | undefined);
  const annotations = filled(metadata["annotations"] as Record<string, string> | undefined);
  const finalizers = filled(metadata["finalizers"] as string[] | undefined);
  const ownerReferences = filled(
    metadata["ownerReferences"] as unknown as OwnerReference[] | undefined,
  );
  return {
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(finalizers === undefined ? {} : { finalizers }),
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
  };
}

function contentOf(resource: Resource, body: JsonObject): JsonObject {
  const {
    apiVersion: _version,
    kind: _kind,
    metadata: _metadata,
    ...content
  } = resource.kind === "Secret" ? normalizedSecret(body) : body;
  if (resource.kind === "Ingress")
    return { ...content, status: content["status"] ?? { loadBalancer: {} } };
  if (resource.kind !== "Namespace") return content;
  return {
    spec: { finalizers: ["kubernetes"] },
    ...content,
    status: content["status"] ?? { phase: "Active" },
  };
}

/** An object as it would be stored when made from `body`. */
export function builtObject(
  resource: Resource,
  body: JsonObject,
  system: Pick<ObjectMeta, "name" | "uid" | "creationTimestamp"> & Partial<ObjectMeta>,
): StoredObject {
  const metadata = isJsonObject(body["metadata"]) ? body["metadata"] : {};
  const own = ownMetadata(metadata);
  const labels =
    resource.kind === "Namespace"
      ? { "kubernetes.io/metadata.name": system.name, ...own.labels }
      : own.labels;
  return {
    kind: resource.kind,
    apiVersion: apiVersionOf(resource),
    metadata: {
      resourceVersion: "",
      ...own,
      ...(labels === undefined ? {} : { labels }),
      ...system,
    },
    ...contentOf(resource, body),
  };
}

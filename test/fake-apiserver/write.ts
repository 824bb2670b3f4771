/**
 * Creating, updating, patching, applying: in the order in which the API server decodes,
 * admits, checks and stores, so that what is refused is refused for the same reason.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { parse as parseYaml } from "yaml";
import { builtObject, decodeBody, decodeFault, textOf, timestamp } from "./body.ts";
import {
  type Json,
  type JsonObject,
  type ObjectMeta,
  type Resource,
  type StoredObject,
  apiVersionOf,
  findResource,
  isJsonObject,
} from "./objects.ts";
import { type Writer, afterApply, afterUpdate } from "./ownership.ts";
import {
  type JsonPatchStep,
  PatchStepFailure,
  applyMerge,
  jsonPatch,
  mergePatch,
  removeField,
  sameJson,
} from "./patch.ts";
import { wantedForm } from "./read.ts";
import { renderObject } from "./represent.ts";
import { type Call, type Reply, isDryRun, isTrue } from "./request.ts";
import {
  Refusal,
  alreadyExists,
  badRequest,
  conflict,
  invalid,
  notFound,
  otherUid,
  patchRejected,
  unsupportedPatch,
} from "./status.ts";
import type { Storage } from "./storage.ts";
import { normalizedSecret, objectErrors } from "./validate.ts";

function writerOf(call: Call): Writer {
  const manager = call.query.get("fieldManager") ?? "";
  return {
    manager: manager === "" ? call.agent : manager,
    apiVersion: apiVersionOf(call.target.resource),
    time: timestamp(call.nowMs),
  };
}

function checkNamespace(metadata: JsonObject, namespace: string | null): void {
  const given = textOf(metadata["namespace"]);
  if (given !== "" && given !== namespace) {
    throw badRequest(
      "the namespace of the provided object does not match the namespace sent on the request",
    );
  }
}

/** @throws Refusal 400, 404, 409, 422 */
function createFrom(
  storage: Storage,
  call: Call,
  body: JsonObject,
  apply: { readonly force: boolean } | null,
): StoredObject {
  const { resource, namespace } = call.target;
  const metadata = isJsonObject(body["metadata"]) ? body["metadata"] : {};
  checkNamespace(metadata, namespace);
  if (namespace !== null) {
    const namespaces = findResource("", "v1", "namespaces") as Resource;
    if (storage.get(namespaces, null, namespace) === null) throw notFound(namespaces, namespace);
  }
  if (textOf(metadata["resourceVersion"]) !== "") {
    throw new Refusal(500, null, "resourceVersion should not be set on objects to be created");
  }
  const prefix = textOf(metadata["generateName"]);
  const generated = textOf(metadata["name"]) === "" && prefix !== "";
  const name = generated ? prefix + randomSuffix() : textOf(metadata["name"]);
  if (name === "") {
    const detail = "name or generateName is required";
    throw invalid(resource.kind, resource.group, "", [
      { mistake: "required", field: "metadata.name", detail },
    ]);
  }
  const bare = builtObject(resource, body, {
    name,
    ...(prefix === "" ? {} : { generateName: prefix }),
    ...(namespace === null ? {} : { namespace }),
    uid: randomUUID(),
    creationTimestamp: timestamp(call.nowMs),
    ...(resource.generations ? { generation: 1 } : {}),
  });
  const writer = writerOf(call);
  const managedFields =
    apply === null
      ? afterUpdate(null, bare, writer)
      : afterApply(null, body, writer, apply.force).managedFields;
  const object =
    managedFields.length === 0 ? bare : { ...bare, metadata: { ...bare.metadata, managedFields } };
  const errors = objectErrors(resource, object, null);
  if (errors.length > 0) throw invalid(resource.kind, resource.group, name, errors);
  if (storage.get(resource, namespace, name) !== null) throw alreadyExists(resource, name);
  if (!isDryRun(call.query, apply === null ? "CreateOptions" : "PatchOptions"))
    return storage.put(resource, object);
  const { resourceVersion: _none, ...rest } = object.metadata;
  return { ...object, metadata: rest as ObjectMeta };
}

function randomSuffix(): string {
  const letters = "bcdfghjklmnpqrstvwxz2456789";
  return [...randomBytes(5)].map((byte) => letters[byte % letters.length]).join("");
}

export function createObject(storage: Storage, call: Call): Reply {
  const wanted = wantedForm(call, false);
  isDryRun(call.query, "CreateOptions");
  const created = createFrom(storage, call, decodeBody(call), null);
  return { status: 201, body: renderObject(call.target.resource, created, wanted) };
}

function checkName(body: JsonObject, name: string): void {
  const found = textOf((isJsonObject(body["metadata"]) ? body["metadata"] : {})["name"]);
  if (found !== "" && found !== name) {
    throw badRequest(
      `the name of the object (${found}) does not match the name on the URL (${name})`,
    );
  }
}

/** Stores what `body` makes of `live`. @throws Refusal 409, 422 */
function storeChange(
  storage: Storage,
  call: Call,
  live: StoredObject,
  body: JsonObject,
  fields: (next: StoredObject) => ObjectMeta["managedFields"],
): StoredObject {
  const { resource } = call.target;
  const metadata = isJsonObject(body["metadata"]) ? body["metadata"] : {};
  const {
    name,
    namespace,
    creationTimestamp,
    generateName,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    generation,
  } = live.metadata;
  const given = textOf(metadata["resourceVersion"]);
  const next = builtObject(resource, body, {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(generateName === undefined ? {} : { generateName }),
    uid: textOf(metadata["uid"]) === "" ? live.metadata.uid : textOf(metadata["uid"]),
    resourceVersion: live.metadata.resourceVersion,
    creationTimestamp,
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(deletionGracePeriodSeconds === undefined ? {} : { deletionGracePeriodSeconds }),
    ...(generation === undefined
      ? {}
      : { generation: generation + (sameJson(live["spec"], body["spec"]) ? 0 : 1) }),
  });
  if (given !== "" && given !== live.metadata.resourceVersion) throw conflict(resource, name);
  const managedFields = fields(next);
  const object =
    managedFields === undefined || managedFields.length === 0
      ? next
      : { ...next, metadata: { ...next.metadata, managedFields } };
  const errors = objectErrors(resource, object, live);
  if (errors.length > 0) throw invalid(resource.kind, resource.group, name, errors);
  if (sameJson(object, live)) return live;
  if (isDryRun(call.query, "PatchOptions")) return object;
  if (
    object.metadata.deletionTimestamp !== undefined &&
    (object.metadata.finalizers ?? []).length === 0
  ) {
    storage.remove(resource, object);
    return object;
  }
  return storage.put(resource, object);
}

export function updateObject(storage: Storage, call: Call): Reply {
  const { resource, namespace, name } = call.target;
  const wanted = wantedForm(call, false);
  const body = decodeBody(call);
  checkName(body, name ?? "");
  checkNamespace(isJsonObject(body["metadata"]) ? body["metadata"] : {}, namespace);
  const live = storage.get(resource, namespace, name ?? "");
  if (live === null) throw notFound(resource, name ?? "");
  const uid = textOf((isJsonObject(body["metadata"]) ? body["metadata"] : {})["uid"]);
  if (uid !== "" && uid !== live.metadata.uid)
    throw otherUid(resource, namespace, live.metadata.name, uid, live.metadata.uid);
  const stored = storeChange(storage, call, live, body, (next) =>
    afterUpdate(live, next, writerOf(call)),
  );
  return { status: 200, body: renderObject(resource, stored, wanted) };
}

function parsePatch(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    const why =
      error instanceof SyntaxError && /end of JSON/u.test(error.message)
        ? "unexpected end of JSON input"
        : "invalid character";
    throw badRequest(`error decoding patch: ${why}`);
  }
}

function patched(live: StoredObject, call: Call): Json {
  const patch = parsePatch(call.body.toString("utf8"));
  const target = live as unknown as Json;
  if (call.contentType !== "application/json-patch+json") return mergePatch(target, patch);
  if (!Array.isArray(patch)) {
    throw badRequest(
      "error decoding patch: json: cannot unmarshal object into Go value of type " +
        "[]handlers.jsonPatchOp",
    );
  }
  try {
    return jsonPatch(target, patch as unknown as JsonPatchStep[]);
  } catch (error) {
    if (error instanceof PatchStepFailure) throw patchRejected();
    throw error;
  }
}

function applied(storage: Storage, call: Call): { status: number; object: StoredObject } {
  const { resource, namespace, name } = call.target;
  let body: unknown = null;
  try {
    body = parseYaml(call.body.toString("utf8"));
  } catch {
    throw badRequest("error decoding YAML: yaml: unreadable");
  }
  if (!isJsonObject(body) || textOf(body["kind"]) === "" || textOf(body["apiVersion"]) === "") {
    throw badRequest("invalid object type: /, Kind=");
  }
  const metadata = isJsonObject(body["metadata"]) ? body["metadata"] : {};
  if (metadata["managedFields"] !== undefined)
    throw badRequest("metadata.managedFields must be nil");
  checkName(body, name ?? "");
  checkNamespace(metadata, namespace);
  const fault = decodeFault(resource, body);
  if (fault !== null) {
    const version = apiVersionOf(resource);
    const kind = `${version.includes("/") ? version : `/${version}`}, Kind=${resource.kind}`;
    const what = `${textOf(metadata["namespace"])}/${name ?? ""}; ${kind}`;
    const why = [
      `unable to convert unstructured object to ${kind}`,
      "error decoding from json",
      fault,
    ].join(": ");
    throw new Refusal(
      500,
      null,
      `failed to convert new object (${what}) to proper version: ${why}`,
    );
  }
  const config =
    resource.kind === "Secret" && body["data"] !== undefined
      ? { ...body, data: normalizedSecret(body)["data"] ?? {} }
      : body;
  const force = isTrue(call.query.get("force"));
  const live = storage.get(resource, namespace, name ?? "");
  if (live === null) {
    const named = { ...config, metadata: { ...metadata, name: name ?? "" } };
    return { status: 201, object: createFrom(storage, call, named, { force }) };
  }
  const { managedFields, removed } = afterApply(live, config, writerOf(call), force);
  const { resourceVersion: _version, ...liveMetadata } = live.metadata;
  let merged = applyMerge({ ...live, metadata: liveMetadata } as unknown as Json, config);
  for (const segments of removed) merged = removeField(merged, segments);
  return {
    status: 200,
    object: storeChange(storage, call, live, merged as JsonObject, () => managedFields),
  };
}

const patchTypes = [
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  "application/json-patch+json",
];

export function patchObject(storage: Storage, call: Call): Reply {
  const { resource, namespace, name } = call.target;
  const wanted = wantedForm(call, false);
  const isApply = call.contentType === "application/apply-patch+yaml";
  if (!isApply && !patchTypes.includes(call.contentType)) throw unsupportedPatch();
  isDryRun(call.query, "PatchOptions");
  const optionError = (mistake: "required" | "forbidden", field: string, detail: string): Refusal =>
    invalid("PatchOptions", "meta.k8s.io", "", [{ mistake, field, detail }]);
  if (isApply) {
    if ((call.query.get("fieldManager") ?? "") === "")
      throw optionError("required", "fieldManager", "is required for apply patch");
    const { status, object } = applied(storage, call);
    return { status, body: renderObject(resource, object, wanted) };
  }
  if (call.query.get("force") !== null)
    throw optionError("forbidden", "force", "may not be specified for non-apply patch");
  const live = storage.get(resource, namespace, name ?? "");
  if (live === null) throw notFound(resource, name ?? "");
  const body = patched(live, call);
  if (!isJsonObject(body))
    throw badRequest("error decoding patch: json: cannot unmarshal into Go value");
  const fault = decodeFault(resource, body);
  if (fault !== null) {
    // The real server quotes the whole object here, values and all: a client mustn't pass this
    // message on.
    const detail = `${JSON.stringify(JSON.stringify(body))}: ${fault}`;
    throw invalid("", "", "", [{ mistake: "invalid", field: "patch", detail }]);
  }
  checkName(body, name ?? "");
  const stored = storeChange(storage, call, live, body, (next) =>
    afterUpdate(live, next, writerOf(call)),
  );
  return { status: 200, body: renderObject(resource, stored, wanted) };
}

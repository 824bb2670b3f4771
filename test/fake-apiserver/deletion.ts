/** Deletes objects, under preconditions and with finalizers. */
import { textOf, timestamp } from "./body.ts";
import { type JsonObject, type Resource, type StoredObject, isJsonObject } from "./objects.ts";
import { wantedForm } from "./read.ts";
import { renderObject } from "./represent.ts";
import { type Call, type Reply, isDryRun } from "./request.ts";
import { badRequest, notFound, preconditionFailed } from "./status.ts";
import type { Storage } from "./storage.ts";
/** Takes away all that lies in a namespace; there is no controller that would do it later. */
function emptyNamespace(storage: Storage, name: string, all: readonly Resource[]): void {
  for (const resource of all.filter(({ namespaced }) => namespaced)) {
    for (const [, object] of storage.all(resource))
      if (object.metadata.namespace === name) storage.remove(resource, object);
  }
}

/** @throws Refusal 409 */
function checkPreconditions(resource: Resource, live: StoredObject, options: JsonObject): void {
  const { uid, resourceVersion } = live.metadata;
  const preconditions = isJsonObject(options["preconditions"]) ? options["preconditions"] : {};
  const [wantedUid, wantedVersion] = [
    textOf(preconditions["uid"]),
    textOf(preconditions["resourceVersion"]),
  ];
  if (wantedUid !== "" && wantedUid !== uid)
    throw preconditionFailed(resource.kind, live.metadata.name, "UID", wantedUid, uid);
  if (wantedVersion !== "" && wantedVersion !== resourceVersion) {
    throw preconditionFailed(
      resource.kind,
      live.metadata.name,
      "ResourceVersion",
      wantedVersion,
      resourceVersion,
    );
  }
}

export function deleteObject(storage: Storage, call: Call, all: readonly Resource[]): Reply {
  const { resource, namespace, name } = call.target;
  const wanted = wantedForm(call, false);
  const options = call.body.length === 0 ? {} : decodeOptions(call.body);
  const live = storage.get(resource, namespace, name ?? "");
  if (live === null) throw notFound(resource, name ?? "");
  const { uid } = live.metadata;
  checkPreconditions(resource, live, options);
  // With a body the server reads no option from the query
  // (apiserver/pkg/endpoints/handlers/delete.go, DeleteResource): a dryRun there is passed over.
  const dry = isDryRun(
    call.body.length === 0 ? call.query : queryOf(options["dryRun"]),
    "DeleteOptions",
  );
  const grace = resource.kind === "Namespace" ? {} : { deletionGracePeriodSeconds: 0 };
  const going = {
    ...live,
    metadata: { ...live.metadata, deletionTimestamp: timestamp(call.nowMs), ...grace },
  };
  if ((live.metadata.finalizers ?? []).length > 0) {
    const stored = dry ? going : storage.put(resource, going);
    return { status: 200, body: renderObject(resource, stored, wanted) };
  }
  if (!dry) {
    if (resource.kind === "Namespace") emptyNamespace(storage, live.metadata.name, all);
    storage.remove(resource, live);
  }
  if (resource.kind === "Namespace" || resource.kind === "Pod") {
    return {
      status: 200,
      body: renderObject(resource, { ...going, status: { phase: "Terminating" } }, wanted),
    };
  }
  const details = {
    name: live.metadata.name,
    ...(resource.group === "" ? {} : { group: resource.group }),
    kind: resource.plural,
    uid,
  };
  return {
    status: 200,
    body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details },
  };
}

function queryOf(dryRun: unknown): URLSearchParams {
  return new URLSearchParams(
    (Array.isArray(dryRun) ? dryRun : []).map((value): [string, string] => [
      "dryRun",
      String(value),
    ]),
  );
}

function decodeOptions(body: Buffer): JsonObject {
  try {
    const parsed: unknown = JSON.parse(body.toString("utf8"));
    return isJsonObject(parsed) ? parsed : {};
  } catch {
    throw badRequest("couldn't get version/kind; json parse error: unexpected end of JSON input");
  }
}

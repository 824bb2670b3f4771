/** Getting, listing by pages, watching. */
import { type StoredObject, type Resource, apiVersionOf } from "./objects.ts";
import { type ListMeta, type Wanted, parseAccept, renderList, renderObject } from "./represent.ts";
import { type Call, type Reply, parseCount } from "./request.ts";
import { parseSelectors } from "./selectors.ts";
import { badRequest, expired, notFound, tooOldVersion } from "./status.ts";
import type { ChangeEvent, Storage } from "./storage.ts";

export function wantedForm(call: Call, isList: boolean): Wanted {
  const include = call.query.get("includeObject") ?? "Metadata";
  return {
    form: parseAccept(call.accept, call.target.resource.kind, isList),
    include,
    nowMs: call.nowMs,
  };
}

export function getObject(storage: Storage, call: Call): Reply {
  const { resource, namespace, name } = call.target;
  const wanted = wantedForm(call, false);
  const found = storage.get(resource, namespace, name ?? "");
  if (found === null) throw notFound(resource, name ?? "");
  return { status: 200, body: renderObject(resource, found, wanted) };
}

interface Continue {
  /** -1: go on with what is there now. */
  readonly revision: number;
  /** Key of the last object that was given out. */
  readonly after: string;
}

/** Opaque to clients; it ties the rest of a listing to the revision at which it began. */
function encodeContinue({ revision, after }: Continue): string {
  return Buffer.from(
    JSON.stringify({ v: "meta.k8s.io/v1", rv: revision, start: `${after}\0` }),
  ).toString("base64url");
}

function parseContinue(token: string): Continue {
  let parsed: unknown = null;
  try {
    parsed = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch {
    throw badRequest("invalid continue token: continue key is not valid: it is no JSON");
  }
  const { rv, start } = (parsed ?? {}) as { rv?: unknown; start?: unknown };
  if (typeof rv !== "number" || typeof start !== "string" || rv === 0) {
    throw badRequest(
      "invalid continue token: continue key is not valid: incorrect encoded start " +
        "resourceVersion (version meta.k8s.io/v1)",
    );
  }
  return { revision: rv, after: start.replace(/\0$/u, "") };
}

export function listObjects(storage: Storage, call: Call): Reply {
  const { resource, namespace } = call.target;
  const { query } = call;
  const wanted = wantedForm(call, true);
  const limit = parseCount(query, "limit") ?? 0;
  const test = parseSelectors(
    query.get("labelSelector"),
    query.get("fieldSelector"),
    resource.kind,
  );
  const token = query.get("continue") ?? "";
  const version = query.get("resourceVersion") ?? "";
  if (token !== "" && version !== "" && version !== "0") {
    throw badRequest("specifying resource version is not allowed when using continue");
  }
  if (!/^\d*$/u.test(version))
    throw badRequest(`strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`);
  const from = token === "" ? null : parseContinue(token);
  const revision = from === null || from.revision < 0 ? storage.revision : from.revision;
  const all = storage.at(resource, revision);
  if (all === null) throw expired(encodeContinue({ revision: -1, after: from?.after ?? "" }));

  const prefix = namespace === null ? "" : `${namespace}/`;
  const picked: StoredObject[] = [];
  let last: string | null = null;
  let left = 0;
  for (const [key, object] of all) {
    if (!key.startsWith(prefix) || (from !== null && key <= from.after)) continue;
    if (limit > 0 && picked.length === limit) {
      left += 1;
      continue;
    }
    if (test !== null && !test(object)) continue;
    picked.push(object);
    last = key;
  }
  // As with etcd, what is left is counted before selection: the last page can be empty.
  const more = left > 0 && last !== null;
  if (more && revision === storage.revision) storage.keep(resource);
  const meta: ListMeta = {
    resourceVersion: String(revision),
    ...(more ? { continue: encodeContinue({ revision, after: last ?? "" }) } : {}),
    ...(more && test === null ? { remainingItemCount: left } : {}),
  };
  return { status: 200, body: renderList(resource, picked, meta, wanted) };
}

/** A watch under way: lines to be sent, until `end`. */
export interface Watch {
  readonly timeoutMs: number | null;
  /** Sends what is known already and then what happens. @returns a function that ends it */
  start(send: (line: string) => void): () => void;
}

function relevant(resource: Resource, namespace: string | null): (event: ChangeEvent) => boolean {
  const version = apiVersionOf(resource);
  return (event) =>
    event.resource.plural === resource.plural &&
    apiVersionOf(event.resource) === version &&
    (namespace === null || event.object.metadata.namespace === namespace);
}

export function openWatch(storage: Storage, call: Call): Watch {
  const { resource, namespace } = call.target;
  const { query } = call;
  const accept = call.accept.replaceAll("PartialObjectMetadataList", "PartialObjectMetadata");
  const wanted = wantedForm({ ...call, accept }, false);
  const [labels, fields] = ["labelSelector", "fieldSelector"].map((name) => query.get(name));
  const test = parseSelectors(labels ?? null, fields ?? null, resource.kind);
  const timeoutSeconds = parseCount(query, "timeoutSeconds");
  const since = Number(query.get("resourceVersion") ?? "");
  if (Number.isNaN(since))
    throw badRequest(
      `strconv.ParseUint: parsing ${JSON.stringify(query.get("resourceVersion"))}: invalid syntax`,
    );
  const matches = (object: StoredObject | null): boolean =>
    object !== null && (test === null || test(object));
  const isRelevant = relevant(resource, namespace);
  const line = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;
  const lineFor = (event: ChangeEvent): string | null => {
    if (!isRelevant(event)) return null;
    const now = event.type !== "DELETED" && matches(event.object);
    const before = matches(event.old);
    // An object that begins or ceases to fit the selector comes or goes, for this watch.
    if (!now && !before) return null;
    return line(
      now ? (before ? "MODIFIED" : "ADDED") : "DELETED",
      renderObject(resource, event.object, wanted),
    );
  };
  const linesSoFar = (): string[] => {
    if (since !== 0) return storage.eventsAfter(since).flatMap((event) => lineFor(event) ?? []);
    const prefix = namespace === null ? "" : `${namespace}/`;
    return [...storage.all(resource)]
      .filter(([key, object]) => key.startsWith(prefix) && matches(object))
      .map(([, object]) => line("ADDED", renderObject(resource, object, wanted)));
  };
  return {
    timeoutMs: timeoutSeconds === null ? null : timeoutSeconds * 1000,
    start: (send) => {
      if (since !== 0 && since < storage.oldestRevision) {
        send(line("ERROR", tooOldVersion(since, storage.oldestRevision).body));
        return () => undefined;
      }
      for (const text of linesSoFar()) send(text);
      return storage.listen((event) => {
        const text = lineFor(event);
        if (text !== null) send(text);
      });
    },
  };
}

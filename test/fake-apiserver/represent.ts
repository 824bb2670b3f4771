/**
 * The forms in which an answer can be asked for: whole objects, metadata alone, a table with
 * metadata in its rows (`as=` in the Accept header, apimachinery's content negotiation).
 */
import { type Resource, type StoredObject, apiVersionOf } from "./objects.ts";
import { notAcceptable, wrongForm } from "./status.ts";

export type Form = "object" | "metadata" | "table";

/** The first of the accepted media types that can be served. @throws Refusal 406 */
export function parseAccept(accept: string, kind: string, isList: boolean): Form {
  for (const range of accept === "" ? ["*/*"] : accept.split(",")) {
    const [type = "", ...parts] = range.split(";").map((part) => part.trim());
    if (!["application/json", "application/*", "*/*"].includes(type)) continue;
    const wanted = Object.fromEntries(parts.map((part) => part.split("=", 2) as [string, string]));
    const as = wanted["as"];
    if (as === undefined) return "object";
    if (wanted["g"] !== "meta.k8s.io" || wanted["v"] !== "v1") continue;
    if (as === "Table") return "table";
    if (as !== "PartialObjectMetadata" && as !== "PartialObjectMetadataList") continue;
    if (isList !== as.endsWith("List")) throw wrongForm(as, kind, isList);
    return "metadata";
  }
  throw notAcceptable();
}

export interface ListMeta {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

const metaVersion = "meta.k8s.io/v1";
const metadataOf = ({ metadata }: StoredObject): object => ({
  kind: "PartialObjectMetadata",
  apiVersion: metaVersion,
  metadata,
});

/** Columns are told in words of their own; clients go by name and order. */
const column = (name: string, format: string, description: string): object => ({
  name,
  type: "string",
  format,
  description,
  priority: 0,
});
const columns: Readonly<Record<string, readonly object[]>> = {
  Secret: [
    column("Name", "name", "Name of the Secret, unique in its namespace."),
    column("Type", "", "Type of the Secret, which tells what its fields are for."),
    column("Data", "", "Number of the data fields."),
    column("Age", "", "Time since the Secret was created."),
  ],
};
const plainColumns = [
  column("Name", "name", "Name of the object."),
  column("Age", "", "Time since the object was created."),
];

/** As kubectl prints an age (apimachinery `duration.HumanDuration`). */
function humanAge(ageMs: number): string {
  const seconds = Math.max(0, Math.floor(ageMs / 1000));
  const [minutes, hours, days] = [
    Math.floor(seconds / 60),
    Math.floor(seconds / 3600),
    Math.floor(seconds / 86_400),
  ];
  const pair = (major: number, unit: string, minor: number, small: string): string =>
    minor === 0 ? `${major}${unit}` : `${major}${unit}${minor}${small}`;
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return pair(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return pair(hours, "h", minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  if (hours < 192) return pair(days, "d", hours % 24, "h");
  if (days < 730) return `${days}d`;
  return pair(Math.floor(days / 365), "y", days % 365, "d");
}

function tableOf(
  resource: Resource,
  objects: readonly StoredObject[],
  meta: ListMeta,
  include: string,
  nowMs: number,
): object {
  const rows = objects.map((object) => {
    const age = humanAge(nowMs - Date.parse(object.metadata.creationTimestamp));
    const cells =
      resource.kind === "Secret"
        ? [object.metadata.name, object.type, Object.keys(object.data ?? {}).length, age]
        : [object.metadata.name, age];
    const shown = include === "None" ? null : include === "Object" ? object : metadataOf(object);
    return { cells, object: shown };
  });
  return {
    kind: "Table",
    apiVersion: metaVersion,
    metadata: meta,
    columnDefinitions: columns[resource.kind] ?? plainColumns,
    rows,
  };
}

/** How a request wants its answer. */
export interface Wanted {
  readonly form: Form;
  /** `includeObject` of a table: None, Metadata or Object. */
  readonly include: string;
  readonly nowMs: number;
}

export function renderObject(
  resource: Resource,
  object: StoredObject,
  { form, include, nowMs }: Wanted,
): object {
  if (form === "metadata") return metadataOf(object);
  if (form === "object") return object;
  return tableOf(
    resource,
    [object],
    { resourceVersion: object.metadata.resourceVersion },
    include,
    nowMs,
  );
}

export function renderList(
  resource: Resource,
  objects: readonly StoredObject[],
  meta: ListMeta,
  { form, include, nowMs }: Wanted,
): object {
  if (form === "table") return tableOf(resource, objects, meta, include, nowMs);
  if (form === "metadata") {
    return {
      kind: "PartialObjectMetadataList",
      apiVersion: metaVersion,
      metadata: meta,
      items: objects.map(metadataOf),
    };
  }
  // Objects of a list of a built-in kind don't repeat their kind; those of custom resources do.
  const custom = resource.group.includes(".") && !resource.group.endsWith(".k8s.io");
  const items = custom
    ? objects
    : objects.map(({ apiVersion: _version, kind: _kind, ...rest }) => rest);
  return {
    kind: `${resource.kind}List`,
    apiVersion: apiVersionOf(resource),
    metadata: meta,
    items,
  };
}

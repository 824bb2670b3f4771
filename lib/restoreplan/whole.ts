/**
 * A Secret with all that it holds, as the server gave it: what is made again where it can't be
 * changed. It holds values that nothing else may read (a node's state, annotations that repeat the
 * object), so it goes from the server to the server, and between the two into one sealed note.
 */
import { TLS_TYPE } from "../secret/shapes.ts";
import type { SecretWrite } from "./item.ts";

/** An object of the API of which nothing is known. */
export type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {};
}

/** Of its metadata what belongs to the content: the server sets the rest for the new object. */
const KEPT_METADATA = ["namespace", "name", "labels", "annotations", "ownerReferences"] as const;

/**
 * The same Secret as one that can be changed, with what `write` brings and `added` to its metadata.
 */
export function recreatedSecret(
  whole: Fields,
  write: Pick<SecretWrite, "type" | "data">,
  added: Pick<SecretWrite, "labels" | "annotations">,
): Fields {
  const metadata = fieldsOf(whole["metadata"]);
  const kept = Object.fromEntries(
    KEPT_METADATA.flatMap((key) =>
      metadata[key] === undefined ? [] : [[key, metadata[key]] as const],
    ),
  );
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      ...kept,
      labels: { ...fieldsOf(metadata["labels"]), ...added.labels },
      annotations: { ...fieldsOf(metadata["annotations"]), ...added.annotations },
    },
    // A type that differs is always the one that certificates have to be of; any other stays.
    type: write.type === TLS_TYPE ? TLS_TYPE : whole["type"],
    data: { ...fieldsOf(whole["data"]), ...write.data },
  };
}

/** Its resourceVersion; `null` where the server tells none. */
export function versionOf(whole: Fields): string | null {
  const { resourceVersion } = fieldsOf(whole["metadata"]);
  return typeof resourceVersion === "string" ? resourceVersion : null;
}

/** Whether `value`, from a note, is a Secret of this place and nothing else. */
export function isSecretOf(
  value: unknown,
  place: { readonly namespace: string; readonly name: string },
): value is Fields {
  const metadata = fieldsOf(fieldsOf(value)["metadata"]);
  return (
    fieldsOf(value)["kind"] === "Secret" &&
    fieldsOf(value)["apiVersion"] === "v1" &&
    metadata["namespace"] === place.namespace &&
    metadata["name"] === place.name
  );
}

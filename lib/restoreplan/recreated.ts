/**
 * A Secret with all that it holds, as the server gave it: what is created again where it can't be
 * changed. It holds values that nothing else may read (a node's state, annotations that repeat the
 * object), so it goes from the server to the server, and between the two into one encrypted note.
 */
import type { V1ObjectMeta, V1Secret } from "@kubernetes/client-node";
import { TLS_TYPE } from "../secret/shapes.ts";
import type { SecretWrite } from "./item.ts";

/**
 * The same Secret as one that can be changed, with what `write` brings and `added` to its metadata.
 */
export function recreatedSecret(
  { metadata = {}, type, data }: V1Secret,
  write: Pick<SecretWrite, "type" | "data">,
  added: Pick<SecretWrite, "labels" | "annotations">,
): V1Secret {
  // Of its metadata what belongs to the content: the server sets the rest for the new object.
  const { namespace, name, labels, annotations, ownerReferences } = metadata;
  const kept: V1ObjectMeta = {
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
    labels: { ...labels, ...added.labels },
    annotations: { ...annotations, ...added.annotations },
  };
  // A type that differs is always the one that certificates have to be of; any other stays.
  const kind = write.type === TLS_TYPE ? TLS_TYPE : type;
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: kept,
    ...(kind === undefined ? {} : { type: kind }),
    data: { ...data, ...write.data },
  };
}

/** Whether `value`, from a note, is a Secret of this place and nothing else. */
export function isSecretOf(
  value: unknown,
  place: { readonly namespace: string; readonly name: string },
): value is V1Secret {
  const { apiVersion, kind, metadata } = (value ?? {}) as V1Secret;
  return (
    kind === "Secret" &&
    apiVersion === "v1" &&
    metadata?.namespace === place.namespace &&
    metadata.name === place.name
  );
}

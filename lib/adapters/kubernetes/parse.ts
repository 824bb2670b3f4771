/**
 * JSON of the Kubernetes API to Secrets and their metadata. Total: whatever stands there, nothing
 * throws.
 *
 * Annotations off the allowlist are dropped here, before anything else sees them. An item that has
 * no name of Kubernetes' own form is given back as words about it, so that it is reported and hides
 * no other.
 */
import type * as k8s from "@kubernetes/client-node";
import {
  isReadAnnotation,
  type OwnerReference,
  type Secret,
  type SecretMeta,
} from "../../secret/secret.ts";
import { type Fields, fieldsOf, listOf, textOf, textsOf } from "../../untrusted.ts";
import { printable } from "./connection.ts";

/** A page of a listing, whatever its representation. */
export interface Page<T> {
  readonly items: readonly T[];
  /** One line for each item that can't be understood. */
  readonly unreadable: readonly string[];
  readonly continueToken: string | null;
  /** Secrets whose values were in the answer. */
  readonly withValues: number;
}

const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
const NO_TEXTS: readonly string[] = Object.freeze([]);
const NOBODY: readonly OwnerReference[] = Object.freeze([]);

/**
 * Whether an API server could hold a Secret of that name (k8s.io/apimachinery pkg/api/validation,
 * DNS-1123).
 */
export function isSecretName(namespace: string, name: string): boolean {
  return NAME.test(name) && NAMESPACE.test(namespace);
}

function ownersOf(value: unknown): readonly OwnerReference[] {
  const owners = listOf(value)
    .map((one) => fieldsOf<k8s.V1OwnerReference>(one))
    .flatMap((owner) => {
      const [apiVersion, kind, name, uid] = [
        owner.apiVersion,
        owner.kind,
        owner.name,
        owner.uid,
      ].map(textOf);
      return apiVersion && kind && name && uid ? [{ apiVersion, kind, name, uid }] : [];
    });
  return owners.length === 0 ? NOBODY : owners;
}

function instantOf(value: unknown): string | null {
  return typeof value === "string" && INSTANT.test(value) ? value : null;
}

/** What the representation says beside the metadata. */
interface Beside {
  readonly type: string | null;
  readonly dataKeys: readonly string[] | null;
}

/** Metadata of one Secret, or why it isn't any. */
export function parseMetadata(value: unknown, beside: Beside): SecretMeta | string {
  const metadata = fieldsOf<k8s.V1ObjectMeta>(value);
  const name = textOf(metadata.name);
  const namespace = textOf(metadata.namespace);
  if (name === null || namespace === null)
    return `an item without ${name === null ? "a name" : `a namespace, ${printable(name, 80)}`}`;
  if (!isSecretName(namespace, name)) {
    return (
      "an item whose name no API server allows: " +
      `${printable(namespace, 80)}/${printable(name, 80)}`
    );
  }
  return {
    namespace,
    name,
    uid: textOf(metadata.uid) ?? "",
    resourceVersion: textOf(metadata.resourceVersion) ?? "",
    type: beside.type,
    dataKeys: beside.dataKeys,
    labels: textsOf(metadata.labels),
    annotations: textsOf(metadata.annotations, isReadAnnotation),
    owners: ownersOf(metadata.ownerReferences),
    createdAt: instantOf(metadata.creationTimestamp),
    deletedAt: instantOf(metadata.deletionTimestamp),
  };
}

/**
 * A Secret with its values, or why it isn't any. A value of `null` is Go's way to write an empty
 * one.
 */
export function parseSecret(value: unknown): Secret | string {
  const object = fieldsOf<k8s.V1Secret>(value);
  const given = fieldsOf(object.data);
  const dataKeys = Object.keys(given).toSorted();
  const plain = dataKeys.every((key) => typeof given[key] === "string");
  const data = plain
    ? (given as Readonly<Record<string, string>>)
    : textsOf(
        Object.fromEntries(
          Object.entries(given).map(([key, item]) => [key, item === null ? "" : item]),
        ),
      );
  // The API server's own default (pkg/apis/core/v1/defaults.go, SetDefaults_Secret).
  const type = textOf(object.type) ?? "Opaque";
  const metadata = fieldsOf<k8s.V1ObjectMeta>(object.metadata);
  const meta = parseMetadata(metadata, { type, dataKeys });
  if (typeof meta === "string") return meta;
  const unread = Object.keys(fieldsOf(metadata.annotations)).filter(
    (key) => !isReadAnnotation(key),
  );
  const finalizers = listOf(metadata.finalizers).filter((one) => typeof one === "string");
  return {
    ...meta,
    type,
    dataKeys,
    data,
    immutable: object.immutable === true,
    unreadAnnotations: unread.length === 0 ? NO_TEXTS : unread.toSorted(),
    finalizers: finalizers.length === 0 ? NO_TEXTS : finalizers,
  };
}

function columnsOf(table: Fields): { readonly type: number; readonly count: number } {
  const names = listOf(table["columnDefinitions"]).map((column) =>
    textOf(fieldsOf(column)["name"]),
  );
  return { type: names.indexOf("Type"), count: names.indexOf("Data") };
}

function collect<T>(parsed: readonly (T | string)[], answer: Fields, withValues: number): Page<T> {
  const token = textOf(fieldsOf(answer["metadata"])["continue"]);
  return {
    items: parsed.filter((item): item is Exclude<T | string, string> => typeof item !== "string"),
    unreadable: parsed.filter((item) => typeof item === "string"),
    continueToken: token === "" ? null : token,
    withValues,
  };
}

function parseRow(
  value: unknown,
  columns: { readonly type: number; readonly count: number },
): SecretMeta | string {
  const row = fieldsOf(value);
  const cells = listOf(row["cells"]);
  const { metadata: shown } = fieldsOf<k8s.V1Secret>(row["object"]);
  const metadata = fieldsOf<k8s.V1ObjectMeta>(shown);
  const type = columns.type < 0 ? null : textOf(cells[columns.type]);
  const cell = columns.count < 0 ? null : cells[columns.count];
  const count = typeof cell === "number" && Number.isInteger(cell) && cell >= 0 ? cell : null;
  return parseMetadata(metadata, {
    type: type === "" ? null : type,
    dataKeys: dataKeysOf(metadata.managedFields, count, type),
  });
}

/**
 * A page of metadata: a Table, a PartialObjectMetadataList, or full Secrets from a server that
 * knows neither; `null` for anything else.
 */
export function parseMetadataPage(value: unknown): Page<SecretMeta> | null {
  const answer = fieldsOf(value);
  if (answer["kind"] === "Table" && Array.isArray(answer["rows"])) {
    const columns = columnsOf(answer);
    return collect(
      answer["rows"].map((row) => parseRow(row, columns)),
      answer,
      0,
    );
  }
  // Go writes a list without items as null.
  const items = answer["items"] === null ? [] : answer["items"];
  if (!Array.isArray(items)) return null;
  if (answer["kind"] === "PartialObjectMetadataList") {
    return collect(
      items.map((item) =>
        parseMetadata(fieldsOf<k8s.V1Secret>(item).metadata, { type: null, dataKeys: null }),
      ),
      answer,
      0,
    );
  }
  const full = parseSecretPage(value);
  if (full === null) return null;
  return { ...full, items: full.items.map(metadataOf) };
}

function metadataOf(secret: Secret): SecretMeta {
  const { data: _, immutable: _2, unreadAnnotations: _3, finalizers: _4, ...meta } = secret;
  return meta;
}

/** A page of Secrets with their values; `null` for anything else. */
export function parseSecretPage(value: unknown): Page<Secret> | null {
  const answer = fieldsOf(value);
  const items = answer["items"] === null ? [] : answer["items"];
  if (!Array.isArray(items) || (answer["kind"] !== "SecretList" && answer["kind"] !== "List"))
    return null;
  return collect(items.map(parseSecret), answer, items.length);
}

/**
 * What the API server itself demands of a type (k8s.io/kubernetes pkg/apis/core/validation,
 * `ValidateSecret`).
 */
const DEMANDED: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
};

/**
 * Which data keys a Secret has by its managedFields, sorted; `null`: they can't be told, and the
 * Secret has to be read. `count`: number of keys by the Table, or `null`.
 *
 * The union of `f:data` over all managers can only lack keys, never name one too many: the API
 * server takes a removed field out of every manager's set (sigs.k8s.io/structured-merge-diff
 * merge/update.go), but a client may have cleared some or all entries, and then what was there
 * before belongs to nobody. So the union is believed only where it is as large as `count`, and
 * where the keys that the type demands are in it.
 */
export function dataKeysOf(
  managedFields: unknown,
  count: number | null,
  type: string | null,
): readonly string[] | null {
  if (count === null) return null;
  if (count === 0) return [];
  const keys = new Set<string>();
  for (const entry of listOf(managedFields)) {
    const { fieldsV1 } = fieldsOf<k8s.V1ManagedFieldsEntry>(entry);
    const owned = fieldsOf(fieldsOf(fieldsV1)["f:data"]);
    for (const key of Object.keys(owned)) if (key.startsWith("f:")) keys.add(key.slice(2));
  }
  if (keys.size !== count) return null;
  const demanded = type !== null && Object.hasOwn(DEMANDED, type) ? (DEMANDED[type] ?? []) : [];
  return demanded.every((key) => keys.has(key)) ? [...keys].toSorted() : null;
}

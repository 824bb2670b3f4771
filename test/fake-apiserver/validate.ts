/**
 * What kube-apiserver refuses in an object, as far as it concerns Secrets and metadata: bodies that
 * can't be decoded (400), and fields that are wrong (422).
 */
import {
  type Json,
  type JsonObject,
  type Resource,
  type StoredObject,
  isJsonObject,
} from "./objects.ts";
import { sameJson } from "./patch.ts";
import type { FieldError } from "./status.ts";

/** All values of a Secret together, decoded (`MaxSecretSize` of the core API). */
const MAX_SECRET_BYTES = 1_048_576;

const isWhite = (code: number): boolean => code === 10 || code === 13;
const isDigit = (code: number): boolean =>
  (code >= 48 && code <= 57) ||
  (code >= 65 && code <= 90) ||
  (code >= 97 && code <= 122) ||
  code === 43 ||
  code === 47;

/** Offset at which Go's `base64.StdEncoding` gives up, or null where it doesn't. */
function base64Fault(text: string): number | null {
  if (text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/u.test(text)) return null;
  let inQuantum = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (isWhite(code)) continue;
    if (isDigit(code)) {
      inQuantum = (inQuantum + 1) % 4;
      continue;
    }
    if (code !== 61 || inQuantum < 2) return at;
    let next = at + 1;
    const skip = (): void => {
      while (next < text.length && isWhite(text.charCodeAt(next))) next += 1;
    };
    skip();
    if (inQuantum === 2) {
      if (next === text.length) return text.length;
      if (text.charCodeAt(next) !== 61) return next - 1;
      next += 1;
      skip();
    }
    return next < text.length ? next : null;
  }
  return inQuantum === 0 ? null : text.length - inQuantum;
}

const goTypes: Readonly<Record<string, string>> = {
  number: "number",
  boolean: "bool",
  object: "object",
  string: "string",
};
const goType = (value: Json | undefined): string =>
  Array.isArray(value) ? "array" : (goTypes[typeof value] ?? "value");

/** Why the fields of a Secret can't be decoded, in Go's words, or null. */
export function secretDecodeFault(body: JsonObject): string | null {
  const { data, stringData, immutable, type } = body;
  for (const [name, map] of [
    ["data", data],
    ["stringData", stringData],
  ] as const) {
    if (map === undefined || map === null) continue;
    const of = name === "data" ? "[]uint8" : "string";
    if (!isJsonObject(map))
      return (
        `json: cannot unmarshal ${goType(map)} into Go struct field Secret.${name} of type ` +
        `map[string]${of}`
      );
    for (const value of Object.values(map)) {
      if (value === null) continue;
      if (typeof value !== "string")
        return (
          `json: cannot unmarshal ${goType(value)} into Go struct field Secret.${name} of type ` +
          `${of}`
        );
      const fault = name === "data" ? base64Fault(value) : null;
      if (fault !== null) return `illegal base64 data at input byte ${fault}`;
    }
  }
  if (immutable !== undefined && immutable !== null && typeof immutable !== "boolean") {
    return (
      `json: cannot unmarshal ${goType(immutable)} into Go struct field Secret.immutable of ` +
      "type bool"
    );
  }
  if (type !== undefined && type !== null && typeof type !== "string") {
    return (
      `json: cannot unmarshal ${goType(type)} into Go struct field Secret.type of type ` +
      "v1.SecretType"
    );
  }
  return null;
}

/** Why the metadata can't be decoded, or null. */
export function metadataDecodeFault(metadata: Json | undefined): string | null {
  if (metadata === undefined || metadata === null) return null;
  if (!isJsonObject(metadata))
    return (
      `json: cannot unmarshal ${goType(metadata)} into Go struct field .metadata of type ` +
      "v1.ObjectMeta"
    );
  for (const name of ["name", "namespace", "generateName", "uid", "resourceVersion"]) {
    const value = metadata[name];
    if (value !== undefined && value !== null && typeof value !== "string") {
      return (
        `json: cannot unmarshal ${goType(value)} into Go struct field ` +
        `ObjectMeta.metadata.${name} of type string`
      );
    }
  }
  for (const name of ["labels", "annotations"]) {
    const map = metadata[name];
    if (map === undefined || map === null) continue;
    const at = `into Go struct field ObjectMeta.metadata.${name} of type`;
    if (!isJsonObject(map)) return `json: cannot unmarshal ${goType(map)} ${at} map[string]string`;
    const wrong = Object.values(map).find((value) => typeof value !== "string");
    if (wrong !== undefined) return `json: cannot unmarshal ${goType(wrong)} ${at} string`;
  }
  return null;
}

/**
 * The Secret as it is stored: `stringData` taken into `data`, base64 in its canonical form, a type.
 */
export function normalizedSecret(body: JsonObject): JsonObject {
  const { stringData, data, type, immutable, ...rest } = body;
  const values: Record<string, Json> = {};
  for (const [name, value] of Object.entries(isJsonObject(data) ? data : {})) {
    values[name] = typeof value === "string" ? Buffer.from(value, "base64").toString("base64") : "";
  }
  for (const [name, value] of Object.entries(isJsonObject(stringData) ? stringData : {})) {
    values[name] = Buffer.from(typeof value === "string" ? value : "", "utf8").toString("base64");
  }
  return {
    ...rest,
    ...(Object.keys(values).length === 0 ? {} : { data: values }),
    ...(immutable === undefined || immutable === null ? {} : { immutable }),
    type: typeof type === "string" && type !== "" ? type : "Opaque",
  };
}

const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomain = `${label}(\\.${label})*`;
const invalid = (field: string, value: string, detail: string): FieldError => ({
  mistake: "invalid",
  field,
  detail: `${JSON.stringify(value)}: ${detail}`,
});

function nameError(resource: Resource, name: string): FieldError | null {
  const asLabel = resource.kind === "Namespace" || resource.kind === "Service";
  const form = asLabel ? label : subdomain;
  if (new RegExp(`^${form}$`, "u").test(name)) {
    const most = asLabel ? 63 : 253;
    return name.length <= most
      ? null
      : invalid("metadata.name", name, `must be no more than ${most} characters`);
  }
  if (asLabel && new RegExp(`^${subdomain}$`, "u").test(name))
    return invalid("metadata.name", name, "must not contain dots");
  const rule = asLabel
    ? "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', " +
      "and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc'"
    : "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' " +
      "or '.', and must start and end with an alphanumeric character (e.g. 'example.com'";
  return invalid("metadata.name", name, `${rule}, regex used for validation is '${form}')`);
}

const namePart = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

function labelErrors(labels: Readonly<Record<string, string>>): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels)) {
    const part = key.slice(key.lastIndexOf("/") + 1);
    if (!new RegExp(`^${namePart}$`, "u").test(part)) {
      errors.push(
        invalid(
          "metadata.labels",
          key,
          "name part must consist of alphanumeric characters, '-', '_' or '.', and must start " +
            "and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or " +
            `'123-abc', regex used for validation is '${namePart}')`,
        ),
      );
    }
    if (value.length > 63)
      errors.push(invalid("metadata.labels", value, "must be no more than 63 characters"));
    if (!new RegExp(`^(${namePart})?$`, "u").test(value)) {
      errors.push(
        invalid(
          "metadata.labels",
          value,
          "a valid label must be an empty string or consist of alphanumeric characters, '-', " +
            "'_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue', " +
            ` or 'my_value',  or '12345', regex used for validation is '(${namePart})?')`,
        ),
      );
    }
  }
  return errors;
}

function secretErrors(secret: StoredObject): FieldError[] {
  const errors: FieldError[] = [];
  let sizeBytes = 0;
  for (const [key, value] of Object.entries(secret.data ?? {})) {
    sizeBytes += Buffer.byteLength(value, "base64");
    if (!/^[-._a-zA-Z0-9]+$/u.test(key)) {
      errors.push(
        invalid(
          `data[${key}]`,
          key,
          "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. " +
            "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is " +
            "'[-._a-zA-Z0-9]+')",
        ),
      );
    }
  }
  if (sizeBytes > MAX_SECRET_BYTES) {
    errors.push({
      mistake: "tooLong",
      field: "data",
      detail: `may not be more than ${MAX_SECRET_BYTES} bytes`,
    });
  }
  if (secret.type === "kubernetes.io/tls") {
    for (const key of ["tls.crt", "tls.key"]) {
      if (secret.data?.[key] === undefined)
        errors.push({ mistake: "required", field: `data[${key}]` });
    }
  }
  return errors;
}

/** Everything that is wrong with an object that is to be stored. */
export function objectErrors(
  resource: Resource,
  next: StoredObject,
  old: StoredObject | null,
): FieldError[] {
  const errors: FieldError[] = [];
  const wrongName = old === null ? nameError(resource, next.metadata.name) : null;
  if (wrongName !== null) errors.push(wrongName);
  errors.push(...labelErrors(next.metadata.labels ?? {}));
  if (old !== null && next.metadata.uid !== old.metadata.uid) {
    const changed = invalid("metadata.uid", next.metadata.uid, "field is immutable");
    errors.push(changed, changed);
  }
  if (resource.kind !== "Secret") return errors;
  if (old !== null && next.type !== old.type)
    errors.push(invalid("type", next.type ?? "", "field is immutable"));
  if (old?.immutable === true) {
    const fixed = "field is immutable when `immutable` is set";
    if (next.immutable !== true)
      errors.push({ mistake: "forbidden", field: "immutable", detail: fixed });
    if (!sameJson(next.data ?? {}, old.data ?? {}))
      errors.push({ mistake: "forbidden", field: "data", detail: fixed });
  }
  return [...errors, ...secretErrors(next)];
}

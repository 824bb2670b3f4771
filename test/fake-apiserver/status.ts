/**
 * Refusals in the words of kube-apiserver 1.34: status code, reason, message, details. The wording
 * was taken from its answers, and the transcript test compares them with what that server says.
 */
import { type Resource, qualifiedName } from "./objects.ts";

interface Cause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

interface Details {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly Cause[];
}

export interface Status {
  readonly kind: "Status";
  readonly apiVersion: "v1";
  readonly metadata: { readonly continue?: string };
  readonly status: "Success" | "Failure";
  readonly message?: string;
  readonly reason?: string;
  readonly details?: Details;
  readonly code?: number;
}

/** A request that is refused; `body` is what the client gets. */
export class Refusal extends Error {
  readonly code: number;
  readonly body: Status;

  constructor(
    code: number,
    reason: string | null,
    message: string,
    details?: Details,
    token?: string,
  ) {
    super(message);
    this.code = code;
    this.body = {
      kind: "Status",
      apiVersion: "v1",
      metadata: token === undefined ? {} : { continue: token },
      status: "Failure",
      message,
      ...(reason === null ? {} : { reason }),
      ...(details === undefined ? {} : { details }),
      code,
    };
  }
}

type Subject = Pick<Resource, "group" | "plural">;

function detailsOf(resource: Subject, name?: string): Details {
  return {
    ...(name === undefined || name === "" ? {} : { name }),
    ...(resource.group === "" ? {} : { group: resource.group }),
    kind: resource.plural,
  };
}

export const unauthorized = (): Refusal => new Refusal(401, "Unauthorized", "Unauthorized");

/** @param namespace null at the cluster scope */
export function forbidden(
  user: string,
  verb: string,
  resource: Subject,
  namespace: string | null,
  name?: string,
): Refusal {
  const what =
    name === undefined || name === ""
      ? qualifiedName(resource)
      : `${qualifiedName(resource)} "${name}"`;
  const where = namespace === null ? "at the cluster scope" : `in the namespace "${namespace}"`;
  return new Refusal(
    403,
    "Forbidden",
    `${what} is forbidden: User "${user}" cannot ${verb} resource "${resource.plural}" in API ` +
      `group "${resource.group}" ${where}`,
    detailsOf(resource, name),
  );
}

export function forbiddenPath(user: string, verb: string, path: string): Refusal {
  return new Refusal(
    403,
    "Forbidden",
    `forbidden: User "${user}" cannot ${verb} path "${path}"`,
    {},
  );
}

export const notFound = (resource: Subject, name: string): Refusal =>
  new Refusal(
    404,
    "NotFound",
    `${qualifiedName(resource)} "${name}" not found`,
    detailsOf(resource, name),
  );

export const noSuchResource = (): Refusal =>
  new Refusal(404, "NotFound", "the server could not find the requested resource", {});

export const alreadyExists = (resource: Subject, name: string): Refusal =>
  new Refusal(
    409,
    "AlreadyExists",
    `${qualifiedName(resource)} "${name}" already exists`,
    detailsOf(resource, name),
  );

export const conflict = (resource: Subject, name: string): Refusal =>
  new Refusal(
    409,
    "Conflict",
    `Operation cannot be fulfilled on ${qualifiedName(resource)} "${name}": the object has ` +
      "been modified; please apply your changes to the latest version and try again",
    detailsOf(resource, name),
  );

/**
 * An update of an object that isn't the one it was (registry/generic/registry/store.go, etcd3
 * preconditions).
 */
export function otherUid(
  resource: Subject,
  namespace: string | null,
  name: string,
  wanted: string,
  found: string,
): Refusal {
  const key = ["/registry", resource.plural, ...(namespace === null ? [] : [namespace]), name].join(
    "/",
  );
  return new Refusal(
    409,
    "Conflict",
    `Operation cannot be fulfilled on ${qualifiedName(resource)} "${name}": StorageError: ` +
      `invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ` +
      `Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${found}`,
    detailsOf(resource, name),
  );
}

export function preconditionFailed(
  kind: string,
  name: string,
  what: "UID" | "ResourceVersion",
  wanted: string,
  found: string,
): Refusal {
  const guess = what === "UID" ? "deleted and then recreated" : "modified";
  return new Refusal(
    409,
    "Conflict",
    `Operation cannot be fulfilled on ${kind} "${name}": the ${what} in the precondition ` +
      `(${wanted}) does not match the ${what} in record (${found}). The object might have been ` +
      `${guess}`,
    { name, kind },
  );
}

/**
 * What keeps an apply from taking fields: manager, its version where it isn't an applier, and the
 * fields.
 */
export interface ApplyConflict {
  readonly manager: string;
  /** null where the other applied too. */
  readonly apiVersion: string | null;
  readonly fields: readonly string[];
}

export function applyConflict(conflicts: readonly ApplyConflict[]): Refusal {
  const by = (c: ApplyConflict): string =>
    `"${c.manager}"${c.apiVersion === null ? "" : ` using ${c.apiVersion}`}`;
  const causes = conflicts.flatMap((c) =>
    c.fields.map((field) => ({
      reason: "FieldManagerConflict",
      message: `conflict with ${by(c)}`,
      field,
    })),
  );
  const text =
    causes.length === 1
      ? `${causes[0]?.message ?? ""}: ${causes[0]?.field ?? ""}`
      : conflicts
          .map(
            (c) => `conflicts with ${by(c)}:\n${c.fields.map((field) => `- ${field}`).join("\n")}`,
          )
          .join("\n");
  const count = causes.length === 1 ? "1 conflict" : `${causes.length} conflicts`;
  return new Refusal(409, "Conflict", `Apply failed with ${count}: ${text}`, { causes });
}

export const expired = (token: string): Refusal =>
  new Refusal(
    410,
    "Expired",
    "The provided continue parameter is too old to display a consistent list result. You can " +
      "start a new list without the continue parameter, or use the continue token in this " +
      "response to retrieve the remainder of the results. Continuing with the provided token " +
      "results in an inconsistent list - objects that were created, modified, or deleted " +
      "between the time the first chunk was returned and now may show up in the list.",
    undefined,
    token,
  );

export const tooOldVersion = (wanted: number, oldest: number): Refusal =>
  new Refusal(410, "Expired", `too old resource version: ${wanted} (${oldest})`);

export const badRequest = (message: string): Refusal => new Refusal(400, "BadRequest", message);

export const unknownBodyType = (): Refusal =>
  new Refusal(
    415,
    "UnsupportedMediaType",
    "the body of the request was in an unknown format - accepted media types include: " +
      "application/json, application/yaml, application/vnd.kubernetes.protobuf",
  );

export const unsupportedPatch = (): Refusal =>
  new Refusal(415, "UnsupportedMediaType", "415: Unsupported Media Type", {});

export const notAcceptable = (): Refusal =>
  new Refusal(
    406,
    "NotAcceptable",
    "406: Not Acceptable\n" +
      "\n" +
      "Available representations: application/json, application/yaml, " +
      "application/vnd.kubernetes.protobuf, application/json;stream=watch, " +
      "application/vnd.kubernetes.protobuf;stream=watch",
    {},
  );

/** Metadata of one was asked for where there are many, or the other way round. */
export function wrongForm(form: string, kind: string, isList: boolean): Refusal {
  const found = isList ? `a list (*core.${kind}List)` : `not a list (*core.${kind})`;
  return new Refusal(
    406,
    "NotAcceptable",
    `you requested ${form}, but the requested object is ${found}`,
  );
}

export const methodNotAllowed = (): Refusal =>
  new Refusal(
    405,
    "MethodNotAllowed",
    "the server does not allow this method on the requested resource",
    {},
  );

const fieldReasons = {
  required: ["FieldValueRequired", "Required value"],
  invalid: ["FieldValueInvalid", "Invalid value"],
  forbidden: ["FieldValueForbidden", "Forbidden"],
  unsupported: ["FieldValueNotSupported", "Unsupported value"],
  tooLong: ["FieldValueTooLong", "Too long"],
} as const;

/** One thing that is wrong with a field; `detail` follows the kind of mistake. */
export interface FieldError {
  readonly mistake: keyof typeof fieldReasons;
  readonly field: string;
  readonly detail?: string;
}

/**
 * 422 over the mistakes in an object (or in the options of a request, whose group is
 * `meta.k8s.io`).
 */
export function invalid(
  kind: string,
  group: string,
  name: string,
  errors: readonly FieldError[],
): Refusal {
  const causes = errors.map(({ mistake, field, detail }) => {
    const [reason, words] = fieldReasons[mistake];
    return { reason, message: detail === undefined ? words : `${words}: ${detail}`, field };
  });
  // A mistake that is found twice counts twice, and is told once.
  const texts = [...new Set(causes.map((cause) => `${cause.field}: ${cause.message}`))];
  const list = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
  return new Refusal(
    422,
    "Invalid",
    `${group === "" ? kind : `${kind}.${group}`} "${name}" is invalid: ${list ?? ""}`,
    {
      ...(name === "" ? {} : { name }),
      ...(group === "" ? {} : { group }),
      ...(kind === "" ? {} : { kind }),
      causes,
    },
  );
}

/** A JSON patch whose test failed or whose path leads nowhere. */
export const patchRejected = (): Refusal =>
  new Refusal(422, "Invalid", "the server rejected our request due to an error in our request", {});

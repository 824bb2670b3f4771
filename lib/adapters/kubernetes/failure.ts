/**
 * Refusals of the Kubernetes API in the project's words.
 *
 * Only status and reason are copied. Of an answer's message only the name of the refused user is,
 * where the API server's own authorizer wrote it: a body may hold anything, Secrets included.
 */
import type { V1Status, V1StatusDetails } from "@kubernetes/client-node";
import { CertkeepError, type ErrorCode } from "../../error.ts";
import { fieldsOf, jsonOf, textOf } from "../../untrusted.ts";
import { type Connection, printable, whereOf } from "./connection.ts";
import type { HttpAnswer } from "./http.ts";

/** A request as a person would say it: `list secrets in namespace tailscale`. */
export interface Action {
  readonly verb: string;
  readonly resource: string;
  readonly namespace: string | null;
  readonly name?: string;
}

export function describeAction(action: Action): string {
  const object =
    action.name === undefined ? action.resource : `${action.resource} ${printable(action.name)}`;
  const { namespace } = action;
  const within = namespace === null ? "in all namespaces" : `in namespace ${printable(namespace)}`;
  return `${action.verb} ${object} ${within}`;
}

/**
 * metav1.StatusReason (k8s.io/apimachinery pkg/apis/meta/v1/types.go). A webhook can put any other
 * text there.
 */
const STATUS_REASONS: ReadonlySet<string> = new Set([
  "Unauthorized",
  "Forbidden",
  "NotFound",
  "AlreadyExists",
  "Conflict",
  "Gone",
  "Invalid",
  "ServerTimeout",
  "StorageReadError",
  "Timeout",
  "TooManyRequests",
  "BadRequest",
  "MethodNotAllowed",
  "NotAcceptable",
  "RequestEntityTooLarge",
  "UnsupportedMediaType",
  "InternalError",
  "Expired",
  "ServiceUnavailable",
]);

/** What is read of an API `Status`. */
export interface StatusFacts {
  /** One of Kubernetes' own. */
  readonly reason: string | null;
  /** Name of the object that `details` speaks of. */
  readonly detailsName: string | null;
  /** Who was refused, as the API server's authorizer names them. */
  readonly deniedUser: string | null;
  /** Never printed: it can hold what was sent. */
  readonly message: string;
}

const NO_FACTS: StatusFacts = { reason: null, detailsName: null, deniedUser: null, message: "" };

/**
 * The authorizer's own denial (k8s.io/apiserver pkg/endpoints/handlers/responsewriters/errors.go),
 * from its beginning: admission, which sees the object, begins otherwise.
 */
const DENIED_USER =
  /^(?:forbidden|[a-z0-9.-]{1,253}(?: "[^"\\]{1,253}")? is forbidden): User "([A-Za-z0-9:._@/+=-]{1,253})" cannot [a-z]+ /;

/** Reads an API `Status`; total. */
export function parseStatus(body: Buffer): StatusFacts {
  if (body.length > 262_144) return NO_FACTS;
  const status = fieldsOf<V1Status>(jsonOf(body.toString("utf8")));
  if (status.kind !== "Status") return NO_FACTS;
  const reason = textOf(status.reason);
  const message = textOf(status.message) ?? "";
  return {
    reason: reason !== null && STATUS_REASONS.has(reason) ? reason : null,
    detailsName: textOf(fieldsOf<V1StatusDetails>(status.details).name),
    deniedUser: DENIED_USER.exec(message)?.[1] ?? null,
    message,
  };
}

/** `status 403, Forbidden`. */
export function shownStatus(status: number, { reason }: StatusFacts): string {
  return `status ${status}${reason === null ? "" : `, ${reason}`}`;
}

/** What came isn't what a Kubernetes API answers. */
export function answerInvalid(connection: Connection, found: string): CertkeepError {
  return new CertkeepError("cluster_answer_invalid", {
    where: whereOf(connection),
    found,
    todo:
      "Check that `server` in the kubeconfig is the API server's own address, not that of a " +
      "login page or load balancer",
  });
}

const MIB = 1024 * 1024;

/** An answer of more bytes than are taken. */
export class BodyTooLarge extends CertkeepError {
  constructor(connection: Pick<Connection, "title">, maxBytes: number) {
    super("cluster_answer_invalid", {
      where: whereOf(connection),
      found:
        "the server's answer is larger than " +
        `${maxBytes >= MIB ? `${maxBytes / MIB} MiB` : `${maxBytes} bytes`}`,
      todo: "Check that `server` in the kubeconfig is the API server's own address",
    });
  }
}

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: "cluster_unauthorized",
  403: "cluster_forbidden",
  404: "cluster_not_found",
  409: "cluster_conflict",
  410: "cluster_gone",
  400: "cluster_rejected",
  405: "cluster_rejected",
  406: "cluster_rejected",
  413: "cluster_rejected",
  415: "cluster_rejected",
  422: "cluster_rejected",
};

/**
 * An answer that isn't a success, in words. `contentType` tells an API from something in front of
 * it.
 */
export function statusError(
  connection: Connection,
  action: Action,
  { status, contentType, body }: Pick<HttpAnswer, "status" | "contentType" | "body">,
): CertkeepError {
  const where = whereOf(connection);
  const what = describeAction(action);
  const facts = parseStatus(body);
  const shown = shownStatus(status, facts);
  if (status >= 300 && status < 400)
    return answerInvalid(connection, `the server redirected ${what} (${shown})`);
  if (status === 401) {
    const expired = connection.credentialExpiresAtMs;
    const since =
      expired === null
        ? "it has expired or was revoked"
        : `its own expiry is ${new Date(expired).toISOString()}`;
    return new CertkeepError("cluster_unauthorized", {
      where,
      found: `the server rejected the credential (${shown}): ${since}`,
      todo: "Fetch a new token or kubeconfig for this cluster",
      answered: true,
    });
  }
  if (status === 403) {
    const who = facts.deniedUser === null ? "the credential" : `user ${facts.deniedUser}`;
    return new CertkeepError("cluster_forbidden", {
      where,
      found: `${who} has no permission to ${what} (${shown})`,
      todo:
        `Grant the verb ${action.verb} on ${action.resource} by a Role or ClusterRole, or ` +
        "audit fewer namespaces",
    });
  }
  // An API's own refusals are a Status; a page of HTML with the same number is something in front
  // of it.
  const code = BY_STATUS[status];
  if (facts.reason === null && contentType.includes("html"))
    return answerInvalid(connection, `the server answered ${what} with a page of HTML (${shown})`);
  if (status === 429 || status >= 500) {
    return new CertkeepError("cluster_unreachable", {
      where,
      found:
        `the server ${status === 429 ? "is too busy to" : "failed to"} ${what}, even after ` +
        `retries (${shown})`,
      todo: "Check the health of the API server; the next run tries again",
    });
  }
  return new CertkeepError(code ?? "cluster_rejected", {
    where,
    found: `the server answered ${what} with ${shown}`,
    todo:
      status === 406
        ? "Check that `server` in the kubeconfig is an API server that answers with JSON"
        : undefined,
  });
}

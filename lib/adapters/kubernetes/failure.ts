/**
 * Foreign failures in the project's words: what the network, TLS, a proxy or the API itself said.
 *
 * Only status and reason are copied. Of an answer's message only the name of the refused user is,
 * where the API server's own authorizer wrote it: a body may hold anything, Secrets included.
 */
import { CertkeepError, type ErrorCode } from "../../error.ts";
import { type Connection, printable, whereOf } from "./connection.ts";
import { OTHER_CA } from "./proof.ts";
import { ProxyRefusal } from "../proxy.ts";

/** A request as a person would say it: `list secrets in namespace tailscale`. */
export interface Action {
  readonly verb: string;
  readonly resource: string;
  readonly namespace: string | null;
  readonly name?: string;
}

/** The action in words. */
export function describeAction(action: Action): string {
  const object =
    action.name === undefined ? action.resource : `${action.resource} ${printable(action.name)}`;
  return (
    `${action.verb} ${object} ` +
    `${action.namespace === null ? "in all namespaces" : `in namespace ${printable(action.namespace)}`}`
  );
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
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    return NO_FACTS;
  }
  if (
    typeof value !== "object" ||
    value === null ||
    (value as { kind?: unknown }).kind !== "Status"
  )
    return NO_FACTS;
  const status = value as { reason?: unknown; message?: unknown; details?: unknown };
  const details = (
    typeof status.details === "object" && status.details !== null ? status.details : {}
  ) as { name?: unknown };
  const message = typeof status.message === "string" ? status.message : "";
  return {
    reason:
      typeof status.reason === "string" && STATUS_REASONS.has(status.reason) ? status.reason : null,
    detailsName: typeof details.name === "string" ? details.name : null,
    deniedUser: DENIED_USER.exec(message)?.[1] ?? null,
    message,
  };
}

/** `status 403, Forbidden`. */
export function shownStatus(status: number, { reason }: StatusFacts): string {
  return `status ${status}${reason === null ? "" : `, ${reason}`}`;
}

const UNKNOWN_CA = [
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "INVALID_CA",
];

const TLS_WORDS: Readonly<Record<string, readonly [string, string]>> = {
  CERT_HAS_EXPIRED: [
    "the server's certificate, or one of its chain, has expired",
    "renew the API server's certificate",
  ],
  CERT_NOT_YET_VALID: [
    "the server's certificate isn't valid yet",
    "check the clocks of this machine and the server's",
  ],
  [OTHER_CA]: [
    "another CA of the kubeconfig's bundle proves this connection than the one before",
    "leave only the cluster's own CA in the kubeconfig, or wait until all API servers use the " +
      "new one",
  ],
  CERT_REVOKED: ["the server's certificate was revoked", "renew the API server's certificate"],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    "the server's certificate is for another name than the kubeconfig's server",
    "correct `server` in the kubeconfig, or set `tls-server-name` to a name of the certificate",
  ],
};

const NETWORK_WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: "the name of the server isn't known to DNS",
  EAI_AGAIN: "DNS gave no answer for the name of the server",
  ECONNREFUSED: "nothing listens at the server's address (connection refused)",
  ECONNRESET: "the connection was cut",
  EPIPE: "the connection was cut",
  EHOSTUNREACH: "there is no route to the server",
  ENETUNREACH: "there is no route to the server",
  ENETDOWN: "the network is down",
  EADDRNOTAVAIL: "there is no route to the server",
  ETIMEDOUT: "the server's address doesn't answer",
};

/** A deadline of ours passed; `phase` says what was waited for. */
export class Timeout extends Error {
  override readonly name = "Timeout";
  readonly phase: string;
  readonly afterMs: number;
  constructor(phase: string, afterMs: number) {
    super(phase);
    this.phase = phase;
    this.afterMs = afterMs;
  }
}

function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string" && /^[A-Z0-9_]{1,80}$/.test(code)) return code;
  // Several addresses were tried, and each failed.
  const inner = (error as { errors?: unknown }).errors;
  return Array.isArray(inner) ? codeOf(inner[0]) : "";
}

/** Whether trying again could help: not for names that don't exist, nor for certificates. */
export function isPassing(error: unknown): boolean {
  if (error instanceof ProxyRefusal || error instanceof Timeout) return true;
  const code = codeOf(error);
  return code !== "ENOTFOUND" && code in NETWORK_WORDS;
}

/** What kept a request from being answered at all, in words. */
export function networkError(connection: Connection, error: unknown): CertkeepError {
  if (error instanceof CertkeepError) return error;
  const where = whereOf(connection);
  const address = connection.server.host;
  if (error instanceof Timeout) {
    return new CertkeepError("cluster_timeout", {
      where,
      found: `${address} ${error.phase} within ${error.afterMs / 1000} s`,
      todo: "Check that the server is healthy and that this network may reach it",
    });
  }
  if (error instanceof ProxyRefusal) {
    return new CertkeepError("cluster_unreachable", {
      where,
      found: `${error.message}; proxy ${connection.proxyUrl?.host ?? "unknown"}, server ${address}`,
      todo: "Check `proxy-url` in the kubeconfig, or HTTPS_PROXY and NO_PROXY",
    });
  }
  const code = codeOf(error);
  const tls = UNKNOWN_CA.includes(code)
    ? connection.caPem === null
      ? [
          "the server's certificate isn't signed by an authority that this system trusts",
          "add the cluster's `certificate-authority-data` to the kubeconfig",
        ]
      : [
          "the server's certificate isn't signed by the authority that the kubeconfig names",
          "check that `server` and `certificate-authority` belong to the same cluster; fetch " +
            "the kubeconfig anew if the cluster was rebuilt",
        ]
    : TLS_WORDS[code];
  if (tls !== undefined)
    return new CertkeepError("cluster_tls", {
      where,
      found: `${tls[0]} (${address}, ${code})`,
      todo: capital(tls[1] ?? ""),
    });
  if (/ALERT_(BAD_CERTIFICATE|CERTIFICATE_|UNKNOWN_CA|ACCESS_DENIED)/.test(code)) {
    return new CertkeepError("cluster_unauthorized", {
      where,
      found: `the server refused the client certificate (${code})`,
      todo: "Fetch the kubeconfig anew",
    });
  }
  if (code === "EPROTO" || code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_")) {
    return new CertkeepError("cluster_tls", {
      where,
      found: `no TLS connection could be agreed on with ${address} (${code})`,
      todo: "Check scheme and port of `server` in the kubeconfig",
    });
  }
  if (code.startsWith("HPE_"))
    return answerInvalid(connection, `what ${address} answers is no HTTP (${code})`);
  const words = NETWORK_WORDS[code] ?? "the connection failed";
  return new CertkeepError("cluster_unreachable", {
    where,
    found: `${words} (${address}${code === "" ? "" : `, ${code}`})`,
    todo:
      code === "ENOTFOUND"
        ? "Check `server` in the kubeconfig, and whether the cluster still exists"
        : "Check that the server runs and that this network may reach it",
  });
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** What came isn't what a Kubernetes API answers. */
export function answerInvalid(connection: Connection, found: string): CertkeepError {
  return new CertkeepError("cluster_answer_invalid", {
    where: whereOf(connection),
    found,
    expected: "the JSON of a Kubernetes API",
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
        "an answer of the server is larger than " +
        `${maxBytes >= MIB ? `${maxBytes / MIB} MiB` : `${maxBytes} bytes`}`,
      expected: "the JSON of a Kubernetes API",
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
  status: number,
  contentType: string,
  body: Buffer,
): CertkeepError {
  const where = whereOf(connection);
  const what = describeAction(action);
  const facts = parseStatus(body);
  const shown = shownStatus(status, facts);
  if (status >= 300 && status < 400)
    return answerInvalid(connection, `a redirect (${shown}) in answer to: ${what}`);
  if (status === 401) {
    const expired = connection.credentialExpiresAtMs;
    const since =
      expired === null
        ? "it has expired or was revoked"
        : `by its own words it ends at ${new Date(expired).toISOString()}`;
    return new CertkeepError("cluster_unauthorized", {
      where,
      found: `the server doesn't accept the credential (${shown}); ${since}`,
      todo: "Fetch a new token or kubeconfig for this cluster",
      answered: true,
    });
  }
  if (status === 403) {
    const who = facts.deniedUser === null ? "the credential" : `user ${facts.deniedUser}`;
    return new CertkeepError("cluster_forbidden", {
      where,
      found: `${who} may not ${what} (${shown})`,
      todo:
        `Grant the verb ${action.verb} on ${action.resource} by a Role or ClusterRole, or ` +
        "narrow what is audited",
    });
  }
  // An API's own refusals are a Status; a page of HTML with the same number is something in front
  // of it.
  const code = BY_STATUS[status];
  if (facts.reason === null && contentType.includes("html"))
    return answerInvalid(connection, `a page of HTML (${shown}) in answer to: ${what}`);
  if (status === 429 || status >= 500) {
    return new CertkeepError("cluster_unreachable", {
      where,
      found:
        `the server ${status === 429 ? "is too busy to answer" : "failed"} (${shown}), also ` +
        `when asked again: ${what}`,
      todo: "Look at the health of the API server; the next run tries again",
    });
  }
  return new CertkeepError(code ?? "cluster_rejected", {
    where,
    found: `${shown} in answer to: ${what}`,
    ...(status === 406
      ? { todo: "Check that `server` in the kubeconfig is an API server that answers with JSON" }
      : {}),
  });
}

/** Why a request to a Kubernetes API was never answered: network, TLS, proxy or a deadline. */
import { CertkeepError } from "../../error.ts";
import { ProxyRefusal } from "../proxy.ts";
import { type Connection, whereOf } from "./connection.ts";
import { answerInvalid } from "./failure.ts";
import { OTHER_CA } from "./proof.ts";

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

const UNKNOWN_SYSTEM_CA = [
  "the server's certificate isn't signed by an authority that this system trusts",
  "add the cluster's `certificate-authority-data` to the kubeconfig",
] as const;
const UNKNOWN_CLUSTER_CA = [
  "the server's certificate isn't signed by the authority that the kubeconfig names",
  "check that `server` and `certificate-authority` belong to the same cluster; fetch the " +
    "kubeconfig again if the cluster was rebuilt",
] as const;

const TLS_WORDS: Readonly<Record<string, readonly [string, string]>> = {
  CERT_HAS_EXPIRED: [
    "the server's certificate, or one in its chain, has expired",
    "renew the API server's certificate",
  ],
  CERT_NOT_YET_VALID: [
    "the server's certificate isn't valid yet",
    "check the clocks of this machine and the server's",
  ],
  [OTHER_CA]: [
    "a different CA of the kubeconfig's bundle signed this connection's certificate than before",
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
  ENOTFOUND: "DNS has no entry for the server's name",
  EAI_AGAIN: "DNS didn't answer for the server's name",
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

/** Whether trying again after this status could help. */
export function isBusy(status: number): boolean {
  return status === 429 || (status >= 500 && status !== 501 && status !== 505);
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
      todo: "Check that the server is healthy and that it is reachable from this network",
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
  if (code.startsWith("HPE_"))
    return answerInvalid(connection, `${address} doesn't answer with HTTP (${code})`);
  const tls = tlsError(connection, code);
  if (tls !== null) return tls;
  const words = NETWORK_WORDS[code] ?? "the connection failed";
  return new CertkeepError("cluster_unreachable", {
    where,
    found: `${words} (${address}${code === "" ? "" : `, ${code}`})`,
    todo:
      code === "ENOTFOUND"
        ? "Check `server` in the kubeconfig, and whether the cluster still exists"
        : "Check that the server runs and that it is reachable from this network",
  });
}

/** Why no TLS connection came about; `null`: for another reason. */
function tlsError(connection: Connection, code: string): CertkeepError | null {
  const where = whereOf(connection);
  const address = connection.server.host;
  const words = UNKNOWN_CA.includes(code)
    ? connection.caPem === null
      ? UNKNOWN_SYSTEM_CA
      : UNKNOWN_CLUSTER_CA
    : TLS_WORDS[code];
  if (words !== undefined)
    return new CertkeepError("cluster_tls", {
      where,
      found: `${words[0]} (${address}, ${code})`,
      todo: capital(words[1]),
    });
  if (/ALERT_(BAD_CERTIFICATE|CERTIFICATE_|UNKNOWN_CA|ACCESS_DENIED)/.test(code))
    return new CertkeepError("cluster_unauthorized", {
      where,
      found: `the server refused the client certificate (${code})`,
      todo: "Fetch the kubeconfig again",
    });
  if (code === "EPROTO" || code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_"))
    return new CertkeepError("cluster_tls", {
      where,
      found: `the TLS handshake failed with ${address} (${code})`,
      todo: "Check scheme and port of `server` in the kubeconfig",
    });
  return null;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/**
 * Amazon EKS by IAM: the token is a request to STS for one's own identity, signed and not sent,
 * which the cluster sends on to learn who asks. Nothing is stored; each token is good for minutes
 * and made again before it ends.
 *
 * The token is bound to the cluster's name alone (the signed header x-k8s-aws-id), so a cluster of
 * the same name in another account could replay it there: each registration has a role of its own
 * (adapters/aws/client.ts).
 */
import { partitionOf } from "../../rbac/policy.ts";
import { createHash, createHmac } from "node:crypto";
import type { Connection } from "./connection.ts";

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface EksOptions {
  /** Name of the EKS cluster. */
  readonly cluster: string;
  readonly region: string;
  /** Credentials of the registration's role. */
  readonly credentials: () => Promise<AwsCredentials>;
  readonly nowMs: () => number;
  /** Default: STS of the region, `https://sts.REGION.amazonaws.com`. */
  readonly endpoint?: string;
}

const PREFIX = "k8s-aws-v1.";
/**
 * Lifetime that the signature itself names; the cluster takes it for 15 minutes
 * (aws-iam-authenticator pkg/token/token.go, presignedURLExpiration).
 */
const EXPIRES_SECONDS = 60;
/** A new one is made after 12 minutes, before the cluster's 15 are over. */
const RENEW_AFTER_MS = 12 * 60_000;

/** SHA-256 in the form that the signer asks for: a digest, or with a key an HMAC. */
class Sha256 {
  readonly #hash: { update(data: Uint8Array): unknown; digest(): Buffer };
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined
        ? createHash("sha256")
        : createHmac("sha256", typeof secret === "string" ? secret : bytesOf(secret));
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(typeof data === "string" ? Buffer.from(data, "utf8") : bytesOf(data));
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
  reset(): void {
    throw new Error("a digest is used once");
  }
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  return data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The token for one moment. */
export async function eksToken(options: EksOptions): Promise<string> {
  const { dnsSuffix } = partitionOf(options.region);
  const endpoint = new URL(options.endpoint ?? `https://sts.${options.region}.${dnsSuffix}`);
  const credentials = await options.credentials();
  // Loaded here: whoever has no such cluster doesn't pay for it.
  const { SignatureV4 } = await import("@smithy/signature-v4");
  const signer = new SignatureV4({
    service: "sts",
    region: options.region,
    credentials,
    sha256: Sha256,
  });
  const signed = await signer.presign(
    {
      method: "GET",
      protocol: endpoint.protocol,
      hostname: endpoint.hostname,
      ...(endpoint.port === "" ? {} : { port: Number(endpoint.port) }),
      path: "/",
      query: { Action: "GetCallerIdentity", Version: "2011-06-15" },
      headers: { host: endpoint.host, "x-k8s-aws-id": options.cluster },
    },
    { expiresIn: EXPIRES_SECONDS, signingDate: new Date(options.nowMs()) },
  );
  const query = Object.entries(signed.query ?? {})
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(String(value))}`)
    .join("&");
  return (
    PREFIX +
    Buffer.from(`${endpoint.protocol}//${endpoint.host}/?${query}`, "utf8").toString("base64url")
  );
}

/** The same API, asked as the registration's role. What the kubeconfig's user is doesn't count. */
export function asEksRole(connection: Connection, options: EksOptions): Connection {
  let last: { readonly token: string; readonly madeMs: number } | null = null;
  let making: Promise<string> | null = null;
  const token = async (): Promise<string> => {
    if (last !== null && options.nowMs() - last.madeMs < RENEW_AFTER_MS) return last.token;
    making ??= eksToken(options).finally(() => {
      making = null;
    });
    const made = await making;
    last = { token: made, madeMs: options.nowMs() };
    return made;
  };
  return {
    ...connection,
    usesExec: false,
    credentialExpiresAtMs: null,
    credentials: async () => ({
      headers: { authorization: `Bearer ${await token()}` },
      clientPair: null,
    }),
    forget: () => {
      const other = last !== null;
      last = null;
      return other;
    },
  };
}

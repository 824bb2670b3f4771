/**
 * Foreign failures in the project's words: what AWS, the network or the credentials said.
 *
 * An SDK's error holds request and answer, Secrets included. Its name, status and request id are
 * copied, each only where it looks as such a thing does; never its message.
 */
import { CertkeepError, type ErrorCode } from "../../error.ts";
import { fieldsOf, listOf } from "../../untrusted.ts";
import { ProxyRefusal } from "../proxy.ts";

/** What was asked of AWS, for people. */
export interface Asked {
  /** The store and the document: `s3://bucket/backups/prod/…`. */
  readonly where: string;
  /** As a policy names it: `s3:PutObject`. */
  readonly action: string;
  /** One document of many is asked for: what AWS refuses there says nothing of the store. */
  readonly one?: boolean;
}

/** The parts of an SDK's error that may be shown. */
export interface AwsFacts {
  /** The error's code; empty where it looks like none. */
  readonly name: string;
  /** `null`: there was no answer. */
  readonly status: number | null;
  readonly requestId: string | null;
  /** How often it was asked; 1 where that isn't known. */
  readonly attempts: number;
  /** Of the network: `ECONNREFUSED`. */
  readonly network: string;
}

/** Total. */
export function factsOf(error: unknown): AwsFacts {
  const { name, code, errors, $metadata } = fieldsOf(error);
  const { httpStatusCode: status, requestId, attempts } = fieldsOf($metadata);
  // An `AggregateError` is of several addresses that were tried.
  const codes = [code, fieldsOf(listOf(errors)[0])["code"]];
  return {
    name: fitting(name, /^[A-Za-z][A-Za-z0-9._:-]{0,79}$/) ?? "",
    status: typeof status === "number" && status >= 100 && status < 600 ? status : null,
    requestId: fitting(requestId, /^[A-Za-z0-9/+=_-]{1,100}$/),
    attempts: typeof attempts === "number" && attempts > 0 ? attempts : 1,
    network: codes.map((one) => fitting(one, /^[A-Z][A-Z0-9_]{1,60}$/)).find(Boolean) ?? "",
  };
}

function fitting(value: unknown, form: RegExp): string | null {
  return typeof value === "string" && form.test(value) ? value : null;
}

/** Whether the error is one of the names, as the service sends them. */
export function isNamed(facts: AwsFacts, ...names: readonly string[]): boolean {
  return names.includes(facts.name);
}

/**
 * Whether what was asked may have been done all the same: an answer was lost, or tells of the
 * service's own trouble. `refused`: what came last is what a second try gets where the first had
 * been done.
 */
export function isUncertain(facts: AwsFacts, refused: boolean): boolean {
  if (refused) return facts.attempts > 1;
  return facts.status === null || (facts.status >= 500 && !THROTTLED.includes(facts.name));
}

type Told = readonly [code: ErrorCode, found: string, todo: string];

const unavailable = (found: string, todo: string): Told => ["store_unavailable", found, todo];

const CREDENTIALS_TODO =
  "Log in to AWS again, or check the profile or the keys in the environment: aws sts " +
  "get-caller-identity tells who you are";

const WRONG_CLOCK = unavailable(
  "this machine's clock differs too much from AWS's",
  "Set the clock",
);
const OTHER_REGION = unavailable(
  "the bucket lies in another region",
  "Set AWS_REGION, or aws.region in certkeep.yaml, to the bucket's region",
);
const BY_NAME: Readonly<Record<string, Told>> = {
  CredentialsProviderError: unavailable(
    "no credentials for AWS were found",
    "Set AWS_PROFILE, log in (aws sso login), or give the keys in the environment",
  ),
  TokenProviderError: unavailable("the login to AWS has ended", "Log in again: aws sso login"),
  NoSuchBucket: unavailable(
    "there is no such bucket",
    "Check the bucket's name under stores:, and the account and region that you work in",
  ),
  PermanentRedirect: OTHER_REGION,
  AuthorizationHeaderMalformed: OTHER_REGION,
  RequestTimeTooSkewed: WRONG_CLOCK,
  RequestExpired: WRONG_CLOCK,
  LimitExceededException: [
    "store_full",
    "the account's quota is reached",
    "Ask AWS for a higher quota, or keep copies in S3 (stores.backups: s3://BUCKET/backups)",
  ],
  EntityTooLarge: [
    "store_full",
    "the document is larger than S3 takes",
    "Say which Secret it is in an issue of certkeep",
  ],
  InvalidObjectState: unavailable(
    "the object is in an archive storage class, from which it can't be read at once",
    "Restore it in S3 first, and keep backups in a class that can be read",
  ),
  DecryptionFailure: unavailable(
    "Secrets Manager could not decrypt the value with its KMS key",
    "Grant kms:Decrypt on the key to this identity, and check that the key is enabled",
  ),
  EncryptionFailure: unavailable(
    "Secrets Manager could not encrypt the value with the KMS key",
    "Grant kms:GenerateDataKey and kms:Decrypt on the key to this identity, and check that " +
      "the key is enabled",
  ),
};

const LOGIN = [
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidClientTokenId",
  "UnrecognizedClientException",
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
  "InvalidSignatureException",
  "InvalidToken",
  "IncompleteSignature",
  "MissingAuthenticationToken",
  "NotAuthorized",
];
const DENIED = [
  "AccessDenied",
  "AccessDeniedException",
  "UnauthorizedOperation",
  "AllAccessDisabled",
  "Forbidden",
];
const THROTTLED = [
  "Throttling",
  "ThrottlingException",
  "ThrottledException",
  "TooManyRequestsException",
  "RequestLimitExceeded",
  "RequestThrottled",
  "RequestThrottledException",
  "SlowDown",
  "BandwidthLimitExceeded",
  "EC2ThrottledException",
  "TransactionInProgressException",
];

const NETWORK_WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: "its host name doesn't exist",
  EAI_AGAIN: "its host name could not be looked up",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was cut",
  EPIPE: "the connection was cut",
  ETIMEDOUT: "there was no answer in time",
  EHOSTUNREACH: "there is no way to its network",
  ENETUNREACH: "there is no way to its network",
};

/** What the SDK throws where an answer has other types than AWS's, or is no JSON. */
const CLASSES: ReadonlySet<string> = new Set(["TypeError", "SyntaxError", "RangeError"]);

function shownOf({ name, status, requestId, attempts }: AwsFacts): string {
  const parts = [
    name === "" || CLASSES.has(name) || name === "Error" ? "" : name,
    status === null ? "" : `status ${status}`,
    requestId === null ? "" : `request ${requestId}`,
    attempts > 1 ? `asked ${attempts} times` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

function isCertificateTrouble(network: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_|^ERR_TLS|^ERR_SSL|^EPROTO$/.test(network);
}

/** What the checksum of an answer said, in the SDK's words: it has no name of its own. */
export function isChecksumMismatch(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Checksum mismatch:");
}

/** The SDK's own words before anything is sent: these errors have no name either. */
function isRegionTrouble(error: unknown): boolean {
  return (
    error instanceof Error &&
    /^(Region is missing|Region not accepted|Invalid region)/.test(error.message)
  );
}

function tell(error: unknown, facts: AwsFacts, action: string): Told {
  const { name } = facts;
  return (
    (Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined) ??
    tellUnsent(error, name, action) ??
    tellNetwork(facts, action) ??
    tellRefusal(facts, action)
  );
}

/** What isn't an answer of AWS's. */
function tellUnsent(error: unknown, name: string, action: string): Told | null {
  if (error instanceof ProxyRefusal)
    return unavailable(`AWS can't be reached: ${error.message}`, "Check HTTPS_PROXY and NO_PROXY");
  if (CLASSES.has(name))
    return unavailable(
      `what answered ${action} isn't AWS, or can't be understood`,
      "Check what AWS_ENDPOINT_URL and HTTPS_PROXY lead to",
    );
  if (isRegionTrouble(error))
    return unavailable(
      "no region of AWS is set, or none that could be one",
      "Set AWS_REGION, or aws.region in certkeep.yaml",
    );
  if (isChecksumMismatch(error))
    return [
      "store_damaged",
      "what came isn't what was written: its checksum differs",
      "Run it again; if it stays so, look at the object's older versions",
    ];
  return null;
}

function tellNetwork({ name, status, network }: AwsFacts, action: string): Told | null {
  if (isCertificateTrouble(network))
    return unavailable(
      `no trusted TLS connection to AWS could be made (${network})`,
      "Check the proxy in between; if it has its own CA, set NODE_EXTRA_CA_CERTS",
    );
  if (status !== null || (network === "" && name !== "TimeoutError")) return null;
  const words = NETWORK_WORDS[network] ?? "there was no answer in time";
  return unavailable(
    `AWS can't be reached for ${action}: ${words}${network === "" ? "" : ` (${network})`}`,
    "Check that this network can reach AWS; a VPC without internet access needs an endpoint",
  );
}

function tellRefusal({ name, status }: AwsFacts, action: string): Told {
  if (LOGIN.includes(name))
    return unavailable("AWS doesn't accept the credentials", CREDENTIALS_TODO);
  if (name.startsWith("KMS"))
    return unavailable(
      `AWS isn't allowed to use the KMS key for ${action}`,
      "Grant kms:GenerateDataKey and kms:Decrypt on the key to this identity, and check that " +
        "the key is enabled",
    );
  if (DENIED.includes(name) || status === 403)
    return unavailable(
      `this identity has no permission for ${action}`,
      `Grant ${action} on it to the role, and check the policies of the bucket, the key and ` +
        "the organisation",
    );
  if (THROTTLED.includes(name) || status === 429)
    return unavailable(
      `AWS throttled ${action}: this account made too many requests`,
      "The next run continues where this one stopped",
    );
  if (status !== null && status >= 500)
    return unavailable(
      `AWS failed at ${action}`,
      "The next run tries again. Known incidents: https://health.aws.amazon.com",
    );
  return unavailable(
    status === null ? `${action} failed` : `AWS refused ${action}`,
    "Look up the error's name in the service's API reference",
  );
}

/** Whether AWS refused this one document: by its key, its class, or a policy on its name. */
function isOfOne({ name, status }: AwsFacts): boolean {
  return (
    name === "InvalidObjectState" ||
    name === "DecryptionFailure" ||
    name.startsWith("KMS") ||
    DENIED.includes(name) ||
    (status === 403 && !Object.hasOwn(BY_NAME, name) && !LOGIN.includes(name))
  );
}

/** What kept a request from being done. Errors of the project's own are passed on. */
export function awsFailure(error: unknown, asked: Asked): CertkeepError {
  if (error instanceof CertkeepError) return error;
  const facts = factsOf(error);
  const [told, found, todo] = tell(error, facts, asked.action);
  const code = asked.one === true && isOfOne(facts) ? "file_unreadable" : told;
  return new CertkeepError(code, { where: asked.where, found: found + shownOf(facts), todo });
}

/** The answer, or the name of its error where that is one of `named`. @throws CertkeepError */
export async function answerOr<T extends object, N extends string = never>(
  sent: Promise<T>,
  asked: Asked,
  ...named: readonly N[]
): Promise<T | N> {
  try {
    return await sent;
  } catch (error) {
    const { name } = factsOf(error);
    const met = named.find((one) => one === name);
    if (met !== undefined) return met;
    throw awsFailure(error, asked);
  }
}

/**
 * What every client of AWS is made with: region, endpoint, bounded time-outs and retries, the way
 * through a proxy. Credentials are found by the SDK itself (environment, profile, role), when first
 * needed.
 *
 * Nothing is connected or read at import; each client is made once a process, so that connections
 * and the pace that throttling taught are kept.
 *
 * A role that is taken on for one registration. `session` is the registration's name, which nothing
 * in the registration chooses: a role's trust policy can demand it. What AWS says when it refuses
 * is told by its code alone.
 */
import { Agent } from "node:https";
import { CertkeepError } from "../../error.ts";
import {
  type Environment,
  parseProxyUrl,
  ProxyAgent,
  proxyFromEnvironment,
  ProxyRefusal,
} from "../proxy.ts";

export interface AwsWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the environment names no region. */
  readonly region?: string;
}

/** Sent with every request, so that CloudTrail tells who asked. */
const USER_AGENT = "certkeep";
const CONNECT_TIMEOUT_MS = 3_000;
/** Until the answer begins. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Of silence within an answer. */
const SOCKET_TIMEOUT_MS = 20_000;
/**
 * The first try included. The SDK waits a random part of a doubling time, at most 20 s, between
 * two.
 */
const ATTEMPTS = 5;
const SOCKETS = 50;

type AwsService = "S3" | "SECRETS_MANAGER" | "SNS" | "SQS" | "STS";

interface ClientConfig {
  readonly region?: string;
  readonly endpoint?: string;
  readonly maxAttempts: number;
  readonly retryMode: "standard" | "adaptive";
  readonly customUserAgent: [string][];
  readonly requestHandler: {
    readonly connectionTimeout: number;
    readonly requestTimeout: number;
    readonly throwOnRequestTimeout: true;
    readonly socketTimeout: number;
    readonly httpsAgent: Agent;
  };
}

interface ClientSettings {
  /** Clients with the same key are the same. */
  readonly key: string;
  readonly endpointNamed: boolean;
  config(): ClientConfig;
}

/**
 * `AWS_ENDPOINT_URL_…` before `AWS_ENDPOINT_URL`; a profile's own `endpoint_url` is left to the
 * SDK.
 */
function endpointOf(env: Environment, service: AwsService): string | null {
  if (env["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] === "true") return null;
  return env[`AWS_ENDPOINT_URL_${service}`] || env["AWS_ENDPOINT_URL"] || null;
}

export function clientSettings(world: AwsWorld, service: AwsService): ClientSettings {
  const { env } = world;
  // AWS_DEFAULT_REGION is the command line's; the SDK knows the first alone, and a profile's.
  const region = env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] || world.region || null;
  const endpoint = endpointOf(env, service);
  const proxies = [
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
  ].map((name) => env[name] ?? "");
  const agent = { keepAlive: true, maxSockets: SOCKETS };
  return {
    key: JSON.stringify([region, endpoint, proxies]),
    endpointNamed: endpoint !== null,
    config: () => ({
      ...(region === null ? {} : { region }),
      ...(endpoint === null ? {} : { endpoint }),
      maxAttempts: ATTEMPTS,
      // Secrets Manager has low limits for an account: all requests of a process share the pace
      // that it allows.
      retryMode: service === "SECRETS_MANAGER" ? "adaptive" : "standard",
      customUserAgent: [[USER_AGENT]],
      requestHandler: {
        connectionTimeout: CONNECT_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        throwOnRequestTimeout: true,
        socketTimeout: SOCKET_TIMEOUT_MS,
        httpsAgent: proxies.slice(0, 4).every((value) => value === "")
          ? new Agent(agent)
          : new ProxyAgent(agent, (server) => proxyOf(server, env), CONNECT_TIMEOUT_MS),
      },
    }),
  };
}

function proxyOf(server: URL, env: Environment): URL | ProxyRefusal | null {
  const named = proxyFromEnvironment(server, env);
  if (named === null) return null;
  return parseProxyUrl(named) ?? new ProxyRefusal("HTTPS_PROXY holds no address of a proxy");
}

/** What gives each world its client of a service, made once a process. */
export function clientsOf<Client>(
  service: AwsService,
  make: (settings: ClientSettings) => Client,
): (world: AwsWorld) => Client {
  const clients = new Map<string, Client>();
  return (world) => {
    const settings = clientSettings(world, service);
    const client = clients.get(settings.key) ?? make(settings);
    clients.set(settings.key, client);
    return client;
  };
}

interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/**
 * Taken on by whatever identity this process has (environment, profile, instance), each time again
 * before its end.
 */
export function roleCredentials(
  role: string,
  region: string,
  session: string,
  environment: Readonly<Record<string, string | undefined>>,
): () => Promise<RoleCredentials> {
  let provider: (() => Promise<RoleCredentials>) | null = null;
  return async () => {
    try {
      if (provider === null) {
        // Loaded here: whoever has no such cluster doesn't pay for it.
        const { fromNodeProviderChain, fromTemporaryCredentials } =
          await import("@aws-sdk/credential-providers");
        provider = fromTemporaryCredentials({
          masterCredentials: fromNodeProviderChain(),
          params: {
            RoleArn: role,
            RoleSessionName: `certkeep-${session}`.slice(0, 64),
            DurationSeconds: 3600,
          },
          clientConfig: clientSettings(
            { env: { ...environment, AWS_REGION: region } },
            "STS",
          ).config(),
        });
      }
      return await provider();
    } catch (error) {
      const name =
        error instanceof Error && /^[A-Za-z]{1,80}$/.test(error.name)
          ? error.name
          : "an error without a name";
      throw new CertkeepError("cluster_unauthorized", {
        where: `role ${role}`,
        found: `AWS denied assuming it (${name})`,
        todo:
          "Let the identity that certkeep runs as assume the role (its trust policy, and " +
          "sts:AssumeRole), or log in to AWS",
      });
    }
  };
}

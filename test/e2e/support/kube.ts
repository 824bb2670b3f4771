/**
 * Starts a real kube-apiserver with an etcd behind it on the loopback, and tells what was asked of
 * it.
 *
 * There is no controller, scheduler or kubelet: what a test wants to exist it creates. RBAC,
 * admission (but for ServiceAccount), TokenRequest, paging, conflicts and audit logging are the
 * server's own. Invariant: everything lies in one temporary folder and dies with the test process.
 */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import {
  type Answer,
  type Client,
  type Headers,
  type KubeObject,
  createClient,
  harnessAgent,
} from "./client.ts";
import { type Program, freePort, startProgram, waitUntil } from "./process.ts";
import { type ServerAuthority, createServerAuthority } from "./servercert.ts";
import { requireTool } from "./tools.ts";

/** How the server is started. */
export interface KubeOptions {
  /**
   * Seconds between the server's own compactions of etcd; default 300. See `Kube.compact` for one
   * at will.
   */
  readonly compactionIntervalSeconds?: number;
  /**
   * False makes a continue token from before `Kube.compact` answer 410 at once. True, the default
   * and the server's own: pages come from snapshots of its cache, which outlive a compaction by up
   * to 15 seconds (k8s.io/apiserver v0.34.4 pkg/storage/cacher/compactor.go:30,
   * `compactorPollPeriod`).
   */
  readonly pagesFromCache?: boolean;
  /** Further arguments of kube-apiserver. */
  readonly args?: readonly string[];
}

/** One request as the server's audit log has it. */
export interface AuditLine {
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username: string };
  readonly userAgent?: string;
  readonly objectRef?: {
    readonly resource?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly subresource?: string;
    readonly apiGroup?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

/** What a kubeconfig is to hold; without `token` and `user` it is the administrator's. */
export interface KubeconfigOptions {
  readonly token?: string;
  /** A kubeconfig's `user` as it stands there, for other ways of authentication. */
  readonly user?: Readonly<Record<string, unknown>>;
  readonly namespace?: string;
  readonly contextName?: string;
  /** Another address, such as a proxy's in front of this server. */
  readonly server?: string;
  readonly proxyUrl?: string;
  /** Another certificate authority than the server's; null leaves it out. */
  readonly caPem?: string | null;
}

/** A running server. */
export interface Kube {
  readonly server: string;
  readonly caPem: string;
  readonly adminToken: string;
  /** Temporary; removed by `stop`. */
  readonly folder: string;
  readonly authority: ServerAuthority;
  /** Process number of kube-apiserver. */
  readonly pid: number;
  /** Asks as the administrator; answers whatever the status is. */
  request<T = KubeObject>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Headers,
  ): Promise<Answer<T>>;
  /** Asks as the administrator. @throws where the status isn't 2xx. */
  demand<T = KubeObject>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Headers,
  ): Promise<T>;
  /** A client with another credential (null: none). */
  clientFor(token: string | null): Client;
  /** Writes a kubeconfig with mode 0600 and gives its path. */
  kubeconfigFor(options?: KubeconfigOptions): string;
  /**
   * What was asked since the start or the last `forgetRequests`, but for what this harness asked
   * itself.
   */
  requests(): Promise<AuditLine[]>;
  /** The same counted by verb and resource, for instance `{"list secrets": 2}`. */
  requestCounts(): Promise<Record<string, number>>;
  forgetRequests(): Promise<void>;
  /** Stops the server in its tracks: connections are taken, and nothing is answered. */
  pause(): void;
  resume(): void;
  /**
   * Compacts etcd up to now, as the server itself does every few minutes. Continue tokens from
   * before answer 410 from then on: at once with `pagesFromCache: false`, else within 16 seconds.
   */
  compact(): Promise<void>;
  stop(): Promise<void>;
}

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: None
    users: ["system:apiserver"]
  - level: None
    nonResourceURLs: ["/readyz*", "/livez*", "/healthz*"]
  - level: Metadata
`;

async function startEtcd(folder: string): Promise<{ program: Program; url: string }> {
  const [clientPort, peerPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${clientPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  const program = startProgram(
    requireTool("etcd"),
    [
      "--unsafe-no-fsync",
      `--data-dir=${join(folder, "etcd")}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      "--logger=zap",
      "--log-level=warn",
      "--quota-backend-bytes=4294967296",
    ],
    { logFile: join(folder, "etcd.log"), folder },
  );
  return { program, url };
}

async function etcdCall(
  url: string,
  path: string,
  body: unknown,
): Promise<Record<string, unknown>> {
  const answer = await fetch(`${url}${path}`, { method: "POST", body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`etcd answered ${answer.status} to ${path}: ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}

function readAudit(file: string): AuditLine[] {
  if (!existsSync(file)) return [];
  const text = readFileSync(file, "utf8");
  // The last line may be half written: it counts once its line break is there.
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return whole
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as AuditLine);
}

/**
 * Starts etcd and kube-apiserver and resolves when both answer (three to five seconds on two
 * cores).
 */
export async function startKube(options: KubeOptions = {}): Promise<Kube> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(options);
    } catch (error) {
      // Between being found free and being used, a port may have gone to another program.
      const taken = error instanceof Error && error.message.includes("address already in use");
      if (!taken || attempt === 3) throw error;
    }
  }
}

async function startOnce(options: KubeOptions): Promise<Kube> {
  const folder = mkdtempSync(join(tmpdir(), "certkeep-kube-"));
  const file = (name: string, content: string): string => {
    const path = join(folder, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  const authority = await createServerAuthority();
  const pair = await authority.issue();
  const accounts = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const accountKey = file(
    "accounts.key",
    accounts.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  );
  const accountPub = file(
    "accounts.pub",
    accounts.publicKey.export({ type: "spki", format: "pem" }).toString(),
  );
  const adminToken = randomBytes(24).toString("hex");
  const auditFile = join(folder, "audit.log");
  mkdirSync(join(folder, "kubeconfigs"));

  const etcd = await startEtcd(folder);
  const port = await freePort();
  const server = `https://127.0.0.1:${port}`;
  const apiserver = startProgram(
    requireTool("kube-apiserver"),
    [
      `--etcd-servers=${etcd.url}`,
      `--etcd-compaction-interval=${options.compactionIntervalSeconds ?? 300}s`,
      `--secure-port=${port}`,
      "--bind-address=127.0.0.1",
      `--tls-cert-file=${file("server.crt", pair.certPem)}`,
      `--tls-private-key-file=${file("server.key", pair.keyPem)}`,
      `--token-auth-file=${file("tokens.csv", `${adminToken},admin,admin,system:masters\n`)}`,
      "--authorization-mode=RBAC",
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${accountPub}`,
      `--service-account-signing-key-file=${accountKey}`,
      "--service-cluster-ip-range=10.0.0.0/24",
      "--disable-admission-plugins=ServiceAccount",
      "--kubelet-preferred-address-types=InternalIP",
      `--audit-policy-file=${file("audit.yaml", auditPolicy)}`,
      `--audit-log-path=${auditFile}`,
      `--cert-dir=${folder}`,
      ...(options.pagesFromCache === false ? ["--feature-gates=ListFromCacheSnapshot=false"] : []),
      ...(options.args ?? []),
    ],
    { logFile: join(folder, "kube-apiserver.log"), folder },
  );
  const admin = createClient(server, authority.caPem, adminToken);

  const stop = async (): Promise<void> => {
    admin.close();
    await apiserver.kill();
    await etcd.program.kill();
    rmSync(folder, { recursive: true, force: true });
  };

  try {
    await waitUntil("kube-apiserver", 60_000, async () => {
      if (etcd.program.exitCode() !== null || apiserver.exitCode() !== null) return true;
      if ((await admin.request<string>("GET", "/readyz")).status !== 200) return false;
      return (await admin.request("GET", "/api/v1/namespaces/kube-system")).status === 200;
    });
    for (const [name, program] of [
      ["etcd", etcd.program],
      ["kube-apiserver", apiserver],
    ] as const) {
      if (program.exitCode() === null) continue;
      throw new Error(
        `${name} ended at its start:\n${program.output().split("\n").slice(-15).join("\n")}`,
      );
    }
  } catch (error) {
    await stop();
    throw error;
  }

  let forgotten = 0;
  let marks = 0;
  let kubeconfigs = 0;

  const allRequests = async (): Promise<AuditLine[]> => {
    // A line is written after its answer went out. A request of our own, once it is there, says
    // that the lines of what was answered before it are, but for those whose handler is only now
    // returning.
    marks += 1;
    const mark = `/api/v1/namespaces/certkeep-mark-${marks}`;
    await admin.request("GET", mark);
    await waitUntil("the audit log", 10_000, async () =>
      readAudit(auditFile).some((line) => line.requestURI === mark),
    );
    await sleep(30);
    return readAudit(auditFile);
  };
  const requests = async (): Promise<AuditLine[]> => {
    const lines = await allRequests();
    return lines.slice(forgotten).filter((line) => line.userAgent !== harnessAgent);
  };

  return {
    server,
    caPem: authority.caPem,
    adminToken,
    folder,
    authority,
    pid: apiserver.pid,
    request: admin.request,
    demand: async <T>(method: string, path: string, body?: unknown, headers?: Headers) => {
      const answer = await admin.request<T>(method, path, body, headers);
      if (answer.status >= 200 && answer.status < 300) return answer.body;
      throw new Error(
        `${method} ${path} was answered ${answer.status}: ` +
          `${JSON.stringify(answer.body).slice(0, 500)}`,
      );
    },
    clientFor: (token) => createClient(server, authority.caPem, token),
    kubeconfigFor: (wanted = {}) => {
      const context = wanted.contextName ?? "default";
      const caPem = wanted.caPem === undefined ? authority.caPem : wanted.caPem;
      const config = {
        apiVersion: "v1",
        kind: "Config",
        "current-context": context,
        clusters: [
          {
            name: "cluster",
            cluster: {
              server: wanted.server ?? server,
              ...(caPem === null
                ? {}
                : { "certificate-authority-data": Buffer.from(caPem).toString("base64") }),
              ...(wanted.proxyUrl === undefined ? {} : { "proxy-url": wanted.proxyUrl }),
            },
          },
        ],
        users: [{ name: "user", user: wanted.user ?? { token: wanted.token ?? adminToken } }],
        contexts: [
          {
            name: context,
            context: {
              cluster: "cluster",
              user: "user",
              ...(wanted.namespace === undefined ? {} : { namespace: wanted.namespace }),
            },
          },
        ],
      };
      kubeconfigs += 1;
      const path = file(`kubeconfigs/${kubeconfigs}.yaml`, stringify(config));
      chmodSync(path, 0o600);
      return path;
    },
    requests,
    requestCounts: async () => {
      const counts: Record<string, number> = {};
      for (const line of await requests()) {
        const reference = line.objectRef;
        const suffix = reference?.subresource === undefined ? "" : `/${reference.subresource}`;
        const key =
          `${line.verb} ` +
          `${reference?.resource === undefined ? line.requestURI : reference.resource + suffix}`;
        counts[key] = (counts[key] ?? 0) + 1;
      }
      return counts;
    },
    forgetRequests: async () => {
      forgotten = (await allRequests()).length;
    },
    pause: () => apiserver.signal("SIGSTOP"),
    resume: () => apiserver.signal("SIGCONT"),
    compact: async () => {
      const base64 = (text: string) => Buffer.from(text).toString("base64");
      const put = async (value: string): Promise<string> => {
        // The server learns what was compacted from this key alone, which its own compaction sets
        // (k8s.io/apiserver v0.34.4 pkg/storage/etcd3/compact.go:35): only then its cache drops
        // snapshots.
        const answer = await etcdCall(etcd.url, "/v3/kv/put", {
          key: base64("compact_rev_key"),
          value: base64(value),
        });
        return (answer["header"] as { revision: string }).revision;
      };
      // The revision that is compacted to stays readable: one more write puts all that exists
      // before it.
      const revision = await put("0");
      await etcdCall(etcd.url, "/v3/kv/compaction", { revision, physical: true });
      await put(revision);
    },
    stop,
  };
}

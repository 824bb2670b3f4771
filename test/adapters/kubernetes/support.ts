/** An HTTPS server that answers as a test says, the certificates for it, and connections to it. */
import "reflect-metadata";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, type ServerResponse } from "node:http";
import { createServer } from "node:https";
import { type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { onTestFinished } from "vitest";
import type { Connection } from "../../../lib/adapters/kubernetes/connection.ts";
import type { ConnectOptions } from "../../../lib/adapters/kubernetes/kubeconfig.ts";
import { connect } from "../../../lib/adapters/kubernetes/context.ts";
import { parseKubeconfig } from "../../../lib/adapters/kubernetes/kubeconfig.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const dayMs = 86_400_000;

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  readonly caPem: string;
  issue(options?: {
    readonly ip?: string;
    readonly expired?: boolean;
    readonly client?: boolean;
  }): Promise<Pair>;
}

export async function createAuthority(): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const [from, to] = [new Date(Date.now() - 30 * dayMs), new Date(Date.now() + 30 * dayMs)];
  const ca: X509Certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=stub authority",
    notBefore: from,
    notAfter: to,
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
    ],
  });
  return {
    caPem: `${ca.toString("pem")}\n`,
    issue: async ({ ip = "127.0.0.1", expired = false, client = false } = {}) => {
      const own = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
      const certificate = await X509CertificateGenerator.create({
        serialNumber: "02",
        subject: "CN=stub",
        issuer: ca.subject,
        notBefore: new Date(Date.now() - 2 * dayMs),
        notAfter: new Date(Date.now() + (expired ? -dayMs : dayMs)),
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: algorithm,
        extensions: [
          new ExtendedKeyUsageExtension([
            client ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth,
          ]),
          new SubjectAlternativeNameExtension([{ type: "ip", value: ip }]),
        ],
      });
      const key = PemConverter.encode(
        await crypto.subtle.exportKey("pkcs8", own.privateKey),
        "PRIVATE KEY",
      );
      return { cert: `${certificate.toString("pem")}\n`, key: `${key}\n` };
    },
  };
}

export const authority = await createAuthority();
const serverPair = await authority.issue();

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
}

export interface Stub {
  readonly server: string;
  readonly port: number;
  readonly seen: readonly Seen[];
}

export type Handler = (request: IncomingMessage, response: ServerResponse, nth: number) => void;

/** Listens on a free port of the loopback until the test ends, and cuts what is still open then. */
export async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

export async function startStub(
  handler: Handler,
  pair: Pair = serverPair,
  tls: object = {},
): Promise<Stub> {
  const seen: Seen[] = [];
  const server = createServer({ ...pair, ...tls }, (request, response) => {
    seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers });
    handler(request, response, seen.length);
  });
  const port = await listen(server);
  return { server: `https://127.0.0.1:${port}`, port, seen };
}

export function answerJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

/** What the API server says when it refuses. */
export function apiStatus(
  code: number,
  reason: string,
  message = "",
  details: unknown = undefined,
): object {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    details,
    code,
  };
}

export interface KubeconfigParts {
  readonly server: string;
  readonly caPem?: string | null;
  readonly cluster?: object;
  readonly user?: object;
  readonly context?: object;
}

export function kubeconfig({
  server,
  caPem = authority.caPem,
  cluster = {},
  user = { token: "stub-token" },
  context = {},
}: KubeconfigParts): string {
  const ca =
    caPem === null ? {} : { "certificate-authority-data": Buffer.from(caPem).toString("base64") };
  return JSON.stringify({
    kind: "Config",
    "current-context": "stub",
    contexts: [{ name: "stub", context: { cluster: "c", user: "u", ...context } }],
    clusters: [{ name: "c", cluster: { server, ...ca, ...cluster } }],
    users: [{ name: "u", user }],
  });
}

export const plainOptions: ConnectOptions = { environment: {}, nowMs: Date.now };

export function connectionTo(
  parts: KubeconfigParts,
  options: Partial<ConnectOptions> = {},
  file = "/nowhere/config",
): Promise<Connection> {
  return connect(parseKubeconfig(kubeconfig(parts), file), null, { ...plainOptions, ...options });
}

/** A folder for the test, removed at its end. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "certkeep-kubeconfig-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export function put(path: string, content: string, mode = 0o600): string {
  writeFileSync(path, content, { mode });
  return path;
}

/** The error that a promise ends with. @throws where it ends well */
export async function failureOf(
  promise: Promise<unknown>,
): Promise<{ readonly code: string; readonly message: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error)
      return { code: (error as { code?: unknown }).code as string, message: error.message };
    throw error;
  }
  throw new Error("it ended well");
}

/**
 * Stands in for the kubelet of one node: the real kube-apiserver asks it for Pod logs over HTTPS,
 * so that a test can serve any log through the server's own `pods/log`, with its RBAC and its query
 * parameters. It refuses every other path with 404.
 */
import { createServer } from "node:https";
import type { Kube } from "./kube.ts";

/** What is known of a request for a log. */
export interface LogRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /**
   * The query as the server passes it on, such as `tailLines`, `limitBytes`, `timestamps`,
   * `sinceTime`.
   */
  readonly query: URLSearchParams;
}

/** A running stub. */
export interface KubeletStub {
  readonly nodeName: string;
  /** Every request for a log, in order. */
  readonly asked: readonly LogRequest[];
  /**
   * Says what a Pod's log is from now on; a function decides by the request, null is answered 404.
   */
  setLog(
    namespace: string,
    pod: string,
    log: string | ((request: LogRequest) => string | null),
  ): void;
  /** Creates a running Pod of one container on this node. */
  createPod(
    namespace: string,
    name: string,
    container?: string,
    labels?: Readonly<Record<string, string>>,
    account?: string,
  ): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the stub and registers a node that points at it. */
export async function startKubeletStub(kube: Kube, nodeName = "node-1"): Promise<KubeletStub> {
  const pair = await kube.authority.issue();
  const logs = new Map<string, (request: LogRequest) => string | null>();
  const asked: LogRequest[] = [];
  const server = createServer({ cert: pair.certPem, key: pair.keyPem }, (incoming, outgoing) => {
    const url = new URL(incoming.url ?? "/", "https://stub");
    const [, kind, namespace, pod, container] = url.pathname.split("/");
    if (
      kind === "containerLogs" &&
      namespace !== undefined &&
      pod !== undefined &&
      container !== undefined
    ) {
      const request = { namespace, pod, container, query: url.searchParams };
      asked.push(request);
      const log = logs.get(`${namespace}/${pod}`)?.(request) ?? null;
      if (log !== null) {
        outgoing.writeHead(200, { "content-type": "text/plain" }).end(log);
        return;
      }
    }
    outgoing.writeHead(404, { "content-type": "text/plain" }).end("not found\n");
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  // A test that forgets to stop it isn't kept alive by it.
  server.unref();
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the stub has no port");

  await kube.demand("POST", "/api/v1/nodes", { metadata: { name: nodeName } });
  await kube.demand("PATCH", `/api/v1/nodes/${nodeName}/status`, {
    status: {
      addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
      daemonEndpoints: { kubeletEndpoint: { Port: address.port } },
    },
  });
  return {
    nodeName,
    asked,
    setLog: (namespace, pod, log) => {
      logs.set(`${namespace}/${pod}`, typeof log === "string" ? () => log : log);
    },
    createPod: async (namespace, name, container = "main", labels = {}, account = "default") => {
      const pods = `/api/v1/namespaces/${namespace}/pods`;
      const image = "registry.invalid/none";
      await kube.demand("POST", pods, {
        metadata: { name, labels },
        spec: { nodeName, serviceAccountName: account, containers: [{ name: container, image }] },
      });
      const ready = true;
      const startedAt = new Date(Date.now() - 60_000).toISOString();
      await kube.demand("PATCH", `${pods}/${name}/status`, {
        status: {
          phase: "Running",
          containerStatuses: [
            {
              name: container,
              image,
              imageID: "",
              ready,
              restartCount: 0,
              state: { running: { startedAt } },
            },
          ],
        },
      });
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

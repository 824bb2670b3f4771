/**
 * A proxy in front of an emulator, for what a healthy one never does: an answer that is lost after
 * the request was done, one that breaks off, throttling, trouble of the service's own. It passes
 * everything else on unchanged.
 */
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";

export interface Passage {
  readonly method: string;
  readonly path: string;
  /** The action of Secrets Manager; empty for S3. */
  readonly target: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/**
 * `lose`: it is done, and the connection is cut before the answer. `cut`: the answer breaks off in
 * its middle. `corrupt`: one bit of the answer's body is changed. Or an answer of one's own,
 * without asking.
 */
export type Fault =
  | null
  | "lose"
  | "cut"
  | "corrupt"
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    };

export interface FaultyFront {
  readonly endpoint: string;
  readonly passages: readonly Passage[];
  /** Asked for each request from now on; `seen` counts from 1. */
  fault(decide: (passage: Passage, seen: number) => Fault): void;
  stop(): Promise<void>;
}

export async function startFaultyFront(target: string): Promise<FaultyFront> {
  let decide: (passage: Passage, seen: number) => Fault = () => null;
  let passages: Passage[] = [];

  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const passage: Passage = {
      method: incoming.method ?? "",
      path: incoming.url ?? "",
      target: String(incoming.headers["x-amz-target"] ?? "").replace(/^.*\./, ""),
      headers: incoming.headers,
      body: body.toString("latin1"),
    };
    passages.push(passage);
    const fault = decide(passage, passages.length);
    if (typeof fault === "object" && fault !== null) {
      outgoing
        .writeHead(fault.status, {
          "content-length": Buffer.byteLength(fault.body ?? ""),
          ...fault.headers,
        })
        .end(fault.body ?? "");
      return;
    }
    const answer = await send(target, incoming, body);
    if (fault === "lose") {
      incoming.socket.destroy();
      return;
    }
    const bytes = Buffer.from(answer.body);
    if (fault === "corrupt" && bytes.length > 0)
      bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
    outgoing.writeHead(answer.status, answer.headers);
    if (fault !== "cut") outgoing.end(bytes);
    else
      outgoing.write(bytes.subarray(0, bytes.length >> 1), () =>
        setTimeout(() => incoming.socket.destroy(), 20),
      );
  };
  const server = createServer({ keepAliveTimeout: 100 }, (incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    get passages() {
      return passages;
    },
    fault: (next) => {
      passages = [];
      decide = next;
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function send(
  target: string,
  incoming: IncomingMessage,
  body: Buffer,
): Promise<{
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}> {
  return new Promise((resolve, reject) => {
    // The host stays as the client signed it.
    const sent = httpRequest(
      new URL(incoming.url ?? "/", target),
      { method: incoming.method ?? "GET", headers: incoming.headers, agent: false },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on("data", (part: Buffer) => parts.push(part));
        answer.once("end", () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            body: Buffer.concat(parts),
          }),
        );
        answer.once("error", reject);
      },
    );
    sent.once("error", reject);
    sent.end(body);
  });
}

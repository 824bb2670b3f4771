/**
 * Sending to SQS: batches of ten over HTTP, what is refused tried again, and told where it stays
 * refused.
 */
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createSqsQueue, sqsClient } from "../../../lib/adapters/aws/queue.ts";

interface Entry {
  readonly Id: string;
  readonly MessageBody: string;
}
type Judge = (
  body: string,
  tries: number,
) => "taken" | { readonly Code: string; readonly SenderFault: boolean };

let server: Server;
let batches: number[];
let taken: string[];
let judge: Judge;
let status: (batch: number) => number;
let slept: number[];

beforeEach(async () => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
  [batches, taken, slept] = [[], [], []];
  judge = () => "taken";
  status = () => 200;
  const tries = new Map<string, number>();
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { Entries } = JSON.parse(Buffer.concat(chunks).toString("utf8")) as {
        Entries: Entry[];
      };
      batches.push(Entries.length);
      const code = status(batches.length);
      response.writeHead(code, { "content-type": "application/x-amz-json-1.0" });
      if (code !== 200) {
        response.end(
          JSON.stringify({ __type: "com.amazonaws.sqs#QueueDoesNotExist", message: "CANARY" }),
        );
        return;
      }
      const [Successful, Failed]: [unknown[], unknown[]] = [[], []];
      for (const { Id, MessageBody } of Entries) {
        tries.set(MessageBody, (tries.get(MessageBody) ?? 0) + 1);
        const answer = judge(MessageBody, tries.get(MessageBody) ?? 0);
        if (answer === "taken") {
          taken.push(MessageBody);
          Successful.push({
            Id,
            MessageId: `m-${Id}`,
            MD5OfMessageBody: createHash("md5").update(MessageBody).digest("hex"),
          });
        } else Failed.push({ Id, Message: "CANARY", ...answer });
      }
      response.end(JSON.stringify({ Successful, Failed }));
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  await new Promise((resolve) => void server.close(resolve));
});

function send(names: readonly string[]) {
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = sqsClient({ env: { AWS_REGION: "eu-west-1", AWS_ENDPOINT_URL_SQS: endpoint } });
  const queue = createSqsQueue(`${endpoint}/123456789012/audits`, client, {
    sleep: async (ms) => void slept.push(ms),
  });
  return queue.send(names.map((name) => ({ id: name, body: `body of ${name}` })));
}
const many = Array.from({ length: 25 }, (_, index) => `c${index}`);

describe("sending to SQS", () => {
  it("goes in batches of ten, each message once", async () => {
    expect(await send(many)).toEqual([]);
    expect(batches).toEqual([10, 10, 5]);
    expect(taken).toEqual(many.map((name) => `body of ${name}`));
  });

  it("nothing is no request", async () => {
    expect(await send([])).toEqual([]);
    expect(batches).toEqual([]);
  });

  it("what is refused for a reason that passes is sent again, and nothing else is", async () => {
    judge = (body, tries) =>
      ["c3", "c14"].some((name) => body.endsWith(` ${name}`)) && tries < 3
        ? { Code: "InternalError", SenderFault: false }
        : "taken";
    expect(await send(many)).toEqual([]);
    expect(batches).toEqual([10, 10, 5, 2, 2]);
    expect(taken).toHaveLength(25);
    expect(slept).toEqual([200, 400]);
  });

  it(
    "what stays refused is told by its code, what is the sender's fault at once; nothing of the " +
      "message",
    async () => {
      judge = (body) =>
        body.endsWith(" c1")
          ? { Code: "InvalidMessageContents", SenderFault: true }
          : body.endsWith(" c2")
            ? { Code: "Service is <down>", SenderFault: false }
            : "taken";
      const refused = await send(["c0", "c1", "c2"]);
      expect(refused).toEqual([
        { id: "c1", code: "InvalidMessageContents" },
        { id: "c2", code: "refused" },
      ]);
      expect(batches).toEqual([3, 1, 1, 1]);
    },
  );

  it("a batch that fails as a whole keeps no other from being sent", async () => {
    status = (batch) => (batch === 1 ? 400 : 200);
    const refused = await send(many);
    expect(refused).toEqual(many.slice(0, 10).map((id) => ({ id, code: "QueueDoesNotExist" })));
    expect(taken).toHaveLength(15);
  });
});

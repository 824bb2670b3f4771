/**
 * A watch on Secrets: one request whose answer doesn't end, a line an event. It begins with what is
 * there already. Lines are bounded; a line that is no event ends the watch, and the caller begins
 * again.
 */
import type { IncomingMessage } from "node:http";
import type { SecretEvent } from "../../ports/cluster.ts";
import { readBounded } from "../web.ts";
import { type Connection, createAgent, openRequest } from "./connection.ts";
import { writeError } from "./denial.ts";
import { answerInvalid } from "./failure.ts";
import { networkError, Timeout } from "./networkfailure.ts";
import { fieldsOf, jsonOf, textOf } from "../../untrusted.ts";
import { parseSecret } from "./parse.ts";

const CONNECT_TIMEOUT_MS = 10_000;
/** The server ends it by itself after that; it is begun again. */
const WATCH_SECONDS = 300;
const MAX_LINE_BYTES = 4 * 1024 * 1024;
const MAX_REFUSAL_BYTES = 65_536;

interface Scope {
  readonly namespace: string;
  readonly labelSelector: string;
}

/** Opens the request. @throws CertkeepError */
async function open(
  connection: Connection,
  scope: Scope,
  signal: AbortSignal,
): Promise<{ readonly answer: IncomingMessage; readonly end: () => void }> {
  const credentials = await connection.credentials(signal);
  const agent = createAgent(connection, credentials.clientPair, CONNECT_TIMEOUT_MS);
  const query = new URLSearchParams({
    watch: "true",
    labelSelector: scope.labelSelector,
    timeoutSeconds: String(WATCH_SECONDS),
  });
  const path = `/api/v1/namespaces/${encodeURIComponent(scope.namespace)}/secrets?${query}`;
  return new Promise((resolve, reject) => {
    const outgoing = openRequest(connection, {
      agent,
      method: "GET",
      path,
      headers: {
        ...credentials.headers,
        accept: "application/json",
        "accept-encoding": "identity",
        "user-agent": "certkeep",
      },
    });
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      outgoing.destroy();
      agent.destroy();
    };
    const timer = setTimeout(() => {
      reject(
        networkError(connection, new Timeout("didn't begin to answer a watch", CONNECT_TIMEOUT_MS)),
      );
      end();
    }, CONNECT_TIMEOUT_MS);
    signal.addEventListener("abort", end, { once: true });
    outgoing.on("error", (error) => {
      reject(networkError(connection, error));
      end();
    });
    outgoing.on("response", (answer) => {
      clearTimeout(timer);
      resolve({ answer, end });
    });
    outgoing.end();
  });
}

async function refusal(
  connection: Connection,
  scope: Scope,
  answer: IncomingMessage,
): Promise<Error> {
  const { bytes } = await readBounded(answer as AsyncIterable<Buffer>, MAX_REFUSAL_BYTES);
  return writeError(
    connection,
    { verb: "watch", resource: "secrets", namespace: scope.namespace },
    {
      status: answer.statusCode ?? 0,
      contentType: answer.headers["content-type"] ?? "",
      body: bytes,
    },
  );
}

function parseEvent(line: string): SecretEvent | "bookmark" | null {
  const event = fieldsOf(jsonOf(line));
  const type = textOf(event["type"]);
  if (type === "BOOKMARK") return "bookmark";
  if (type !== "ADDED" && type !== "MODIFIED" && type !== "DELETED") return null;
  const secret = parseSecret(event["object"]);
  if (typeof secret === "string") return "bookmark";
  return type === "DELETED"
    ? { type: "gone", namespace: secret.namespace, name: secret.name }
    : { type: "present", secret };
}

export async function* watchSecrets(
  connection: Connection,
  scope: Scope,
  signal: AbortSignal,
): AsyncGenerator<SecretEvent, void, undefined> {
  if (signal.aborted) return;
  const { answer, end } = await open(connection, scope, signal);
  try {
    if (answer.statusCode !== 200) throw await refusal(connection, scope, answer);
    let rest = "";
    answer.setEncoding("utf8");
    try {
      for await (const chunk of answer as AsyncIterable<string>) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        if (rest.length > MAX_LINE_BYTES)
          throw answerInvalid(connection, "an event of the watch is too large");
        for (const line of lines) {
          if (line.trim() === "") continue;
          const event = parseEvent(line);
          // An ERROR event (410 Gone among them): begun again, everything is reported again.
          if (event === null) return;
          if (event !== "bookmark") yield event;
        }
      }
    } catch (error) {
      // A cut connection ends a watch as its time does.
      const { code } = error as NodeJS.ErrnoException;
      if (signal.aborted || code === "ECONNRESET" || code === "ERR_STREAM_PREMATURE_CLOSE") return;
      throw networkError(connection, error);
    }
  } finally {
    end();
  }
}

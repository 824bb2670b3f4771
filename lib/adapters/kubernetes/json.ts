/** JSON of a server, bounded before it takes memory. */
import type { Connection } from "./connection.ts";
import { answerInvalid } from "./failure.ts";

/**
 * More values than 16 MiB of a server's own JSON hold. Small objects take fifty times their text in
 * memory, and minutes.
 */
const MAX_VALUES = 2_000_000;

const [QUOTE, BACKSLASH, COMMA, BRACKET, BRACE] = [...'"\\,[{'].map((sign) => sign.charCodeAt(0));

function endOfString(body: Buffer, from: number): number {
  for (let at = body.indexOf('"', from); at !== -1; at = body.indexOf('"', at + 1)) {
    let escapes = 0;
    while (body[at - 1 - escapes] === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return at;
  }
  return body.length;
}

function hasTooManyValues(body: Buffer): boolean {
  let values = 0;
  for (let at = 0; at < body.length; at += 1) {
    const sign = body[at];
    if (sign === QUOTE) at = endOfString(body, at + 1);
    else if (sign === COMMA || sign === BRACKET || sign === BRACE) values += 1;
    if (values > MAX_VALUES) return true;
  }
  return false;
}

/** @throws RangeError for more values than any answer has, SyntaxError for what is no JSON */
export function parseJson(body: Buffer): unknown {
  // Each value takes a byte at least, so a short answer needs no count.
  if (body.length > MAX_VALUES && hasTooManyValues(body)) throw new RangeError("too many values");
  return JSON.parse(body.toString("utf8"));
}

/** The JSON of an answer. @throws CertkeepError cluster_answer_invalid */
export function parseAnswer(
  connection: Connection,
  answer: { readonly status: number; readonly contentType: string; readonly body: Buffer },
): unknown {
  try {
    return parseJson(answer.body);
  } catch (error) {
    const what =
      error instanceof RangeError
        ? "JSON of millions of values"
        : answer.contentType.includes("html")
          ? "a page of HTML"
          : answer.contentType.includes("json")
            ? "JSON that is cut off or broken"
            : "no JSON";
    throw answerInvalid(connection, `the server answered with ${what} (status ${answer.status})`);
  }
}

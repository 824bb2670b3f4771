/**
 * The log of a function: a JSON line a step on standard output, which Lambda puts into the function's log group.
 *
 * Only what the port takes gets into a line. An Error or an event is never handed to the logger, since it would write
 * all that they hold.
 */
import { Logger } from "@aws-lambda-powertools/logger";
import type { Log, LogFields } from "../../ports/runtime.ts";

const SERVICE = "certkeep";
/** A line that is longer than this is cut field by field: Lambda splits lines from 256 KiB on. */
const MAX_TEXT = 2_000;

export interface LogContext {
  readonly stage: string;
  readonly functionName: string;
  /** `null` outside Lambda. */
  readonly requestId: string | null;
}

export function createLog({ stage, functionName, requestId }: LogContext): Log {
  const logger = new Logger({
    serviceName: SERVICE,
    logLevel: "INFO",
    persistentKeys: { stage, function: functionName, ...(requestId === null ? {} : { requestId }) },
  });
  return {
    info: (step, fields) => logger.info(step, cut(fields)),
    warn: (step, fields) => logger.warn(step, cut(fields)),
    error: (step, fields) => logger.error(step, cut(fields)),
  };
}

function cut(fields: LogFields = {}): LogFields {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) =>
      value === null
        ? []
        : [
            [
              name,
              typeof value === "string" && value.length > MAX_TEXT
                ? `${value.slice(0, MAX_TEXT)}…`
                : value,
            ],
          ],
    ),
  );
}

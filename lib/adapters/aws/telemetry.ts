/**
 * What a function reports: its log and its metrics.
 *
 * The log is a JSON line a step on standard output, which Lambda puts into the function's log
 * group. Only what the port takes gets into a line: a logger would write all that an Error or an
 * event holds.
 *
 * Metrics are in CloudWatch's embedded metric format, by `stage` alone: a metric for each cluster
 * would be paid for by the month.
 */
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics as Powertools } from "@aws-lambda-powertools/metrics";
import type { Log, LogFields, Metrics } from "../../ports/runtime.ts";
import { type MetricName, METRICS } from "../../report/metrics.ts";

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

const NAMESPACE = "Certkeep";

/** `write` gets whole lines. */
export function createMetrics(stage: string, write: (line: string) => void): Metrics {
  const powertools = new Powertools({ namespace: NAMESPACE, serviceName: "certkeep" });
  // The service is the namespace already.
  powertools.clearDefaultDimensions();
  // Added up here: from a hundred values of one name on, Powertools would print by itself, and
  // without the stage.
  const sums = new Map<MetricName, number>();
  return {
    put: (name, value) => void sums.set(name, (sums.get(name) ?? 0) + value),
    publish: () => {
      if (sums.size === 0) return;
      for (const [name, sum] of sums) powertools.addMetric(name, METRICS[name], sum);
      sums.clear();
      powertools.addDimension("stage", stage);
      write(`${JSON.stringify(powertools.serializeMetrics())}\n`);
      powertools.clearMetrics();
      powertools.clearDimensions();
    },
  };
}

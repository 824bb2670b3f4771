/** What a function tells, kept to be looked at. */
import type { Log, LogFields, Metrics } from "../../lib/ports/runtime.ts";
import type { MetricName } from "../../lib/report/metrics.ts";

export interface KeptTelemetry {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly lines: {
    readonly level: keyof Log;
    readonly step: string;
    readonly fields: LogFields;
  }[];
  /** Sums by name. */
  readonly numbers: Partial<Record<MetricName, number>>;
  /** Everything, as text. */
  text(): string;
}

export function keepTelemetry(): KeptTelemetry {
  const lines: KeptTelemetry["lines"] = [];
  const numbers: Partial<Record<MetricName, number>> = {};
  const at =
    (level: keyof Log) =>
    (step: string, fields: LogFields = {}) =>
      void lines.push({ level, step, fields });
  return {
    log: { info: at("info"), warn: at("warn"), error: at("error") },
    metrics: {
      put: (name, value) => void (numbers[name] = (numbers[name] ?? 0) + value),
      publish: () => {},
    },
    lines,
    numbers,
    text: () => JSON.stringify([lines, numbers]),
  };
}

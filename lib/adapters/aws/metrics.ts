/**
 * Metrics in CloudWatch's embedded metric format: a JSON line on standard output, of which CloudWatch makes metrics of
 * the namespace `Certkeep` by `stage` alone. None is of one cluster: each would be paid for by the month.
 */
import { Metrics as Powertools } from "@aws-lambda-powertools/metrics";
import type { Metrics } from "../../ports/runtime.ts";
import { METRICS, type MetricName } from "../../report/metric.ts";

const NAMESPACE = "Certkeep";

/** `write` gets whole lines. */
export function createMetrics(stage: string, write: (line: string) => void): Metrics {
  const powertools = new Powertools({ namespace: NAMESPACE, serviceName: "certkeep" });
  // The service is the namespace already.
  powertools.clearDefaultDimensions();
  // Added up here: from a hundred values of one name on, Powertools would print by itself, and without the stage.
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

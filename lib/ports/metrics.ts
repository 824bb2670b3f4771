/** Numbers that alarms and dashboards look at. None is of one cluster: those are in reports and the log. */
import type { MetricName } from "../report/metric.ts";

export interface Metrics {
  /** Several values of one name are added up. */
  put(name: MetricName, value: number): void;
  /** Writes what was put since the last time; nothing where nothing was. */
  publish(): void;
}

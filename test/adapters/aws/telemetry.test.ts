/**
 * What a function prints: log lines of JSON, and metrics by the specification of the embedded
 * metric format.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as z from "zod/mini";
import { createLog, createMetrics } from "../../../lib/adapters/aws/telemetry.ts";
import type { LogFields } from "../../../lib/ports/runtime.ts";
import { type MetricName, METRICS } from "../../../lib/report/metrics.ts";

let printed: string[];
beforeEach(() => {
  printed = [];
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, "write").mockImplementation((text) => {
      printed.push(String(text));
      return true;
    });
  }
});
afterEach(() => {
  vi.restoreAllMocks();
});

/**
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
const UNITS = [
  "Seconds",
  "Microseconds",
  "Milliseconds",
  "Bytes",
  "Kilobytes",
  "Megabytes",
  "Percent",
  "Count",
  "None",
] as const;
const specification = z.looseObject({
  _aws: z.looseObject({
    Timestamp: z.int().check(z.minimum(0)),
    CloudWatchMetrics: z.array(
      z.looseObject({
        Namespace: z.string().check(z.minLength(1), z.maxLength(1024)),
        Dimensions: z
          .array(z.array(z.string().check(z.minLength(1), z.maxLength(250))).check(z.maxLength(30)))
          .check(z.minLength(1)),
        Metrics: z
          .array(
            z.looseObject({
              Name: z.string().check(z.minLength(1), z.maxLength(1024)),
              Unit: z.optional(z.enum(UNITS)),
            }),
          )
          .check(z.maxLength(100)),
      }),
    ),
  }),
});

describe("metrics", () => {
  it("are one line of the embedded format, by stage alone, with each value at the root", () => {
    const lines: string[] = [];
    const metrics = createMetrics("prod", (line) => void lines.push(line));
    const names = Object.keys(METRICS) as MetricName[];
    names.forEach((name, index) => metrics.put(name, index - 1));
    const before = Date.now();
    metrics.publish();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^[^\n]+\n$/);
    const document = z.parse(specification, JSON.parse(lines[0] ?? ""));
    const [directive, ...more] = document._aws.CloudWatchMetrics;
    expect(more).toEqual([]);
    expect(directive).toMatchObject({ Namespace: "Certkeep", Dimensions: [["stage"]] });
    expect(document["stage"]).toBe("prod");
    expect(document._aws.Timestamp).toBeGreaterThanOrEqual(before);
    expect(directive?.Metrics.map(({ Name, Unit }) => [Name, Unit])).toEqual(
      Object.entries(METRICS),
    );
    names.forEach((name, index) => expect(document[name]).toBe(index - 1));
    expect(Object.keys(document).toSorted()).toEqual(["_aws", "stage", ...names].toSorted());
    expect(printed).toEqual([]);
  });

  it(
    "several values of one name are added up, however many, and nothing is printed twice, or " +
      "for nothing",
    () => {
      const lines: string[] = [];
      const metrics = createMetrics("prod", (line) => void lines.push(line));
      metrics.publish();
      for (let audit = 0; audit < 250; audit += 1) metrics.put("AuditsFinished", 1);
      metrics.publish();
      metrics.publish();
      metrics.put("AuditsIncomplete", 0);
      metrics.publish();
      expect(
        lines
          .map((line) => JSON.parse(line) as Record<string, unknown>)
          .map(({ AuditsFinished, AuditsIncomplete, stage }) => [
            AuditsFinished,
            AuditsIncomplete,
            stage,
          ]),
      ).toEqual([
        [250, undefined, "prod"],
        [undefined, 0, "prod"],
      ]);
      expect(printed).toEqual([]);
    },
  );
});

describe("a log line", () => {
  it("is one JSON object with step, cluster, function, stage and request", () => {
    const log = createLog({ stage: "prod", functionName: "audit", requestId: "r-1" });
    log.info("audit begins", { cluster: "prod", receives: 1, none: null });
    log.warn("late\nline");
    log.error("failed", { cluster: "dev", problem: "x".repeat(5_000) });
    // @ts-expect-error a reserved key: the logger would drop the field, and print a line to say so
    const shadowing: LogFields = { message: "m-1" };
    expect(Object.keys(shadowing)).toEqual(["message"]);
    const [info, warn, error] = printed.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(printed.every((line) => /^[^\n]+\n$/.test(line))).toBe(true);
    expect(info).toMatchObject({
      level: "INFO",
      message: "audit begins",
      cluster: "prod",
      receives: 1,
      function: "audit",
      stage: "prod",
      requestId: "r-1",
      service: "certkeep",
    });
    expect(info).not.toHaveProperty("none");
    expect(warn).toMatchObject({ level: "WARN", message: "late\nline" });
    expect(warn).not.toHaveProperty("cluster");
    expect(String(error?.["problem"])).toHaveLength(2_001);
  });
});

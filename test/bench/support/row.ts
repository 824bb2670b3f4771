/**
 * One line of the table of numbers: what was measured, the number to hold, and the measurement. Run
 * alone, a benchmark prints its lines; run by main.ts, it sends them there.
 */
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";

/** A measurement; `holds` is null where there is nothing to hold. */
export interface Row {
  readonly what: string;
  /** The number to hold, in words. */
  readonly hold: string;
  readonly measured: string;
  readonly holds: boolean | null;
}

const marks = { true: "holds", false: "MISSED", null: "" };

/** One row as text, in columns of these widths. */
export function rowText(row: Row, widths: readonly [number, number] = [0, 0]): string {
  return (
    `${row.what.padEnd(widths[0])}  ${row.hold.padEnd(widths[1])}  ${row.measured}  ` +
    `${marks[`${row.holds}`]}`
  ).trimEnd();
}

/** Hands a measurement on. */
export function putRow(row: Row): void {
  if (process.send === undefined) process.stdout.write(`${rowText(row)}\n`);
  else process.send(row);
}

/** A remark on how something was measured, on standard error. */
export function note(text: string): void {
  process.stderr.write(`  ${text}\n`);
}

/** Processor, cores, memory, Node, certkeep: what a number means nothing without. */
export function machine(): string {
  const { version } = JSON.parse(
    readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
  ) as { version: string };
  const memory = Math.round(totalmem() / 2 ** 30);
  return (
    `${cpus()[0]?.model.trim() ?? "unknown processor"}, ${availableParallelism()} cores, ` +
    `${memory} GB; Node ${process.version}; certkeep ${version}`
  );
}

export const seconds = (s: number): string => `${s.toFixed(s < 1 ? 2 : 1)} s`;
export const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

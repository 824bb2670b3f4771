/** What the doctor found, for a terminal and as a JSON document. Pure. */
import type { ErrorCode } from "../error.ts";
import type { Action } from "../finding/action.ts";
import { plain } from "../plain.ts";
import { commandOf } from "./command.ts";
import { type Observed, observedText } from "./phrases/doctor.ts";
import { count, type Style, wrap } from "./text.ts";

export type Level = "pass" | "warn" | "fail";

/** What was checked, how it is, and the action that fixes it. */
export interface DoctorLine {
  /** What was checked; stable. */
  readonly id: string;
  readonly level: Level;
  /** `null`: the set-up as a whole. */
  readonly cluster: string | null;
  readonly observed: Observed;
  /** `null` where no command fixes it. */
  readonly action: Action | null;
  /** Of the error behind it, or `null`. */
  readonly code: ErrorCode | null;
}

export function doctorDocument(lines: readonly DoctorLine[]): object {
  return {
    lines: lines.map((one) => ({
      id: one.id,
      level: one.level,
      cluster: one.cluster,
      text: observedText(one.observed),
      command: commandFor(one),
      code: one.code,
    })),
    counts: countsOf(lines),
  };
}

function countsOf(lines: readonly DoctorLine[]): Readonly<Record<Level, number>> {
  const of = (level: Level): number => lines.filter((one) => one.level === level).length;
  return { pass: of("pass"), warn: of("warn"), fail: of("fail") };
}

function commandFor({ action }: DoctorLine): string | null {
  return action === null ? null : commandOf(action);
}

const SIGNS: Readonly<Record<Level, string>> = { pass: "ok  ", warn: "warn", fail: "FAIL" };

export function doctorText(lines: readonly DoctorLine[], style: Style, width: number): string {
  const counts = countsOf(lines);
  const paint: Readonly<Record<Level, (text: string) => string>> = {
    pass: style.green,
    warn: style.yellow,
    fail: style.red,
  };
  const groups = new Map<string, DoctorLine[]>();
  for (const one of lines)
    groups.set(one.cluster ?? "", [...(groups.get(one.cluster ?? "") ?? []), one]);
  const out: string[] = [];
  for (const [cluster, group] of groups) {
    if (out.length > 0) out.push("");
    out.push(style.bold(cluster === "" ? "Set-up" : `Cluster ${plain(cluster)}`));
    for (const one of group) {
      const [first = "", ...rest] = observedText(one.observed)
        .split("\n")
        .flatMap((text) => wrap(plain(text), width - 8));
      out.push(
        `  ${paint[one.level](SIGNS[one.level])}  ${first}`,
        ...rest.map((text) => `        ${text}`),
      );
      const command = commandFor(one);
      if (command !== null) out.push(`        ${style.bold(command)}`);
    }
  }
  out.push(
    "",
    `${count(counts.fail, "problem")}, ${count(counts.warn, "warning")}, ${counts.pass} OK.`,
  );
  return out.join("\n");
}

/** What the doctor found, for a terminal and as a JSON document. Pure. */
import type { ErrorCode } from "../error.ts";
import type { Action } from "../finding/action.ts";
import { plain } from "../plain.ts";
import { commandOf } from "./command.ts";
import { type Observed, observedText } from "./phrases/doctor.ts";
import { count, type Page, wrap } from "./text.ts";

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

const TITLES: Readonly<Record<string, string>> = {
  config: "configuration",
  backups: "backup store",
  state: "state store",
  audit: "last audit",
  drill: "last drill",
  "send-test": "test message",
  reach: "connection",
  tls: "TLS",
  api: "API groups",
  registered: "registration",
  permission: "permissions",
  namespace: "permissions",
  excess: "permissions",
  "restore-credential": "restores",
};

const HEADINGS: readonly (readonly [Level, string])[] = [
  ["fail", "Problems"],
  ["warn", "Warnings"],
  ["pass", "OK"],
];

export interface DoctorPage extends Page {
  readonly verbose: boolean;
}

export function doctorText(lines: readonly DoctorLine[], page: DoctorPage): string {
  const { pass, warn, fail } = countsOf(lines);
  const { bold, red, yellow, green } = page.style;
  const paint = { fail: red, warn: yellow, pass: green };
  const more = page.verbose || pass === 0 ? "" : " (-v lists them)";
  const shown = lines.filter(({ level }) => page.verbose || level !== "pass");
  const titleWidth = Math.max(0, ...shown.map((one) => titleOf(one).length));
  const several = new Set(lines.flatMap(({ cluster }) => cluster ?? [])).size > 1;
  return [
    bold(`${count(fail, "problem")}, ${count(warn, "warning")}, ${pass} OK${more}`),
    ...HEADINGS.flatMap(([level, heading]) => {
      const of = shown.filter((one) => one.level === level);
      if (of.length === 0) return [];
      // What one command fixes stands together, with the command once.
      const entries = [...Map.groupBy(of, (one) => commandFor(one) ?? one)].flatMap(
        ([command, together]) => [
          ...together.flatMap((one) => lineText(one, { titleWidth, several }, page)),
          ...(typeof command === "string" ? [`    ${bold(command)}`] : []),
        ],
      );
      return ["", bold(paint[level](heading)), ...entries];
    }),
  ].join("\n");
}

const titleOf = ({ id }: DoctorLine): string => TITLES[id] ?? id;

/** Title and state side by side. */
function lineText(
  one: DoctorLine,
  { titleWidth, several }: { readonly titleWidth: number; readonly several: boolean },
  { width }: Page,
): string[] {
  // An error names its cluster itself.
  const isNamed = one.observed.seen !== "error" && one.cluster !== null;
  const where = several && isNamed ? `${one.cluster}: ` : "";
  const indent = titleWidth + 4;
  const [first = "", ...rest] = `${where}${observedText(one.observed)}`
    .split("\n")
    .flatMap((text) => wrap(plain(text), Math.max(width - indent, 30)));
  return [
    `  ${titleOf(one).padEnd(titleWidth)}  ${first}`,
    ...rest.map((text) => `${" ".repeat(indent)}${text}`),
  ];
}

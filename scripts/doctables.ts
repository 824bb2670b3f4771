/**
 * The tables of the docs that list codes, from the code. A page marks where one stands:
 *
 *   <!-- table: findings -->
 *   …
 *   <!-- end -->
 *
 * `npm run docs` writes them; test/docs.test.ts compares.
 */
import { REASONS } from "../lib/certificate/reason.ts";
import { CAUSE_CODES, EFFECTS } from "../lib/diagnosis/cause.ts";
import { CODES, SEVERITIES, type FindingCode } from "../lib/finding/codes.ts";
import { CAPABILITIES, PARTS, type Capability } from "../lib/rbac/table.ts";
import { PHRASES } from "../lib/report/phrases.ts";
import { CAUSE_TITLES } from "../lib/report/phrases/causes.ts";
import { SOURCE_STATUSES } from "../lib/report/phrases/missing.ts";
import { PART_TITLES, withoutText } from "../lib/report/phrases/permissions.ts";
import { PLAN_REASONS } from "../lib/report/phrases/plan.ts";
import { reasonSentence } from "../lib/report/phrases/reasons.ts";
import { isForcible, PLAN_CODES, type PlanCode } from "../lib/restoreplan/objection.ts";
import { CONTROLLERS } from "../lib/secret/controllers.ts";
import { alarms } from "../stack/alarms.ts";
import { NAMES, parseParameters, type Given } from "../stack/parameters.ts";
import {
  ALARM_FIXES,
  CAUSE_NOTES,
  END_NOTES,
  EXIT_NOTES,
  PARAMETER_NOTES,
  REACH_NOTES,
  RULE_NOTES,
  SOURCE_NOTES,
} from "./docnotes.ts";

/** Text of one cell: a line, with no bar that would end it. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map(cell).join(" | ")} |`.replaceAll("|  |", "| |");
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

const code = (text: string): string => `\`${text}\``;
const codes = (texts: readonly string[]): string => texts.map(code).join(" ");
const keysOf = <K extends string>(record: Readonly<Record<K, unknown>>): K[] =>
  Object.keys(record) as K[];

function findings(): string {
  const rows = keysOf<FindingCode>(CODES)
    .toSorted((a, b) => SEVERITIES.indexOf(CODES[a]) - SEVERITIES.indexOf(CODES[b]))
    .map((name) => {
      const { when, leadsTo, advice } = PHRASES[name];
      return [code(name), CODES[name], when, leadsTo, `${advice}.`];
    });
  return table(["code", "severity", "when", "leads to", "what to do"], rows);
}

function reasons(): string {
  return table(
    ["reason", "meaning"],
    REASONS.map((reason) => [code(reason), reasonSentence(reason)]),
  );
}

function causes(): string {
  const rows = CAUSE_CODES.map((name) => {
    const { evidence, fix } = CAUSE_NOTES[name];
    const effects = EFFECTS[name].map((effect) =>
      effect === "reissues" ? "needless reissues" : "no certificate",
    );
    return [`**${CAUSE_TITLES[name]}** ${code(name)}`, effects.join(", "), evidence, fix];
  });
  return table(["cause", "leads to", "evidence", "fix"], rows);
}

function resourceOf({ group, resource }: Capability): string {
  return `${resource}${group === "" ? "" : `.${group}`}`;
}

/** One row for all resources that are needed for the same thing. */
function capabilityRows(part: Capability["part"]): string[][] {
  const rows = Map.groupBy(
    CAPABILITIES.filter((one) => one.part === part),
    (one) => JSON.stringify([one.verbs, one.reach, one.bearers, withoutText(one)]),
  );
  return [...rows.values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    const bearer = first.bearers[0] === "read" ? "reading" : "restoring";
    return [
      [
        codes(first.verbs),
        codes(same.map(resourceOf)),
        REACH_NOTES[first.reach],
        first.bearers.length === 2 ? "both" : bearer,
        withoutText(first),
      ],
    ];
  });
}

function permissions(): string {
  const parts = ["identity", ...PARTS] as const;
  return parts
    .map((part) => {
      const title = PART_TITLES[part];
      return [
        `### ${part}`,
        "",
        `${title.slice(0, 1).toUpperCase()}${title.slice(1)}.`,
        "",
        table(["verbs", "on", "where", "credential", "without it"], capabilityRows(part)),
      ].join("\n");
    })
    .join("\n\n");
}

function planReasons(): string {
  const rows = keysOf<PlanCode>(PLAN_CODES).map((name) => [
    code(name),
    PLAN_REASONS[name],
    isForcible(name) ? code(`--force ${name}`) : "",
  ]);
  return table(["code", "reason", "override"], rows);
}

function controllers(): string {
  const rows = CONTROLLERS.map(({ name, annotations, labels }) => [
    name,
    codes(annotations),
    codes(labels),
  ]);
  return table(["controller", "annotations", "labels"], rows);
}

function parameters(defaults: Given): string {
  const rows = NAMES.map((name) => {
    const given = String(defaults[name]);
    return [code(name), given === "" ? "" : code(given), PARAMETER_NOTES[name]];
  });
  return table(["parameter", "default", "meaning"], rows);
}

function alarmTable(defaults: Given): string {
  const resources = alarms(parseParameters(defaults, "prod", "eu-west-1"));
  const rows = Object.entries(resources)
    .filter(([, { Type }]) => Type === "AWS::CloudWatch::Alarm")
    .map(([id, { Properties }]) => {
      const name = id.replace(/Alarm$/, "");
      const known = ALARM_FIXES[name.endsWith("Errors") ? "Errors" : name];
      if (known === undefined) throw new Error(`scripts/docnotes.ts has no text for alarm ${name}`);
      return [code(name), String(Properties?.["AlarmDescription"]), known];
    });
  return table(["alarm", "meaning", "what to do"], rows);
}

function exitCodes(): string {
  return table(["code", "meaning"], Object.entries(EXIT_NOTES));
}

function rules(): string {
  return table(
    ["rule", "meaning"],
    Object.entries(RULE_NOTES).map(([rule, meaning]) => [code(rule), meaning]),
  );
}

function sources(): string {
  const rows = keysOf(SOURCE_NOTES).map((name) => [
    code(name),
    SOURCE_STATUSES[name],
    SOURCE_NOTES[name],
  ]);
  return table(["code", "shown as", "what to do"], rows);
}

function ends(): string {
  const rows = Object.entries(END_NOTES).map(([name, { by, after }]) => [code(name), by, after]);
  return table(["finding", "ends with", "at the latest after"], rows);
}

/** `defaults`: the parameters that serverless.yml gives. */
export function docTables(defaults: Given): Readonly<Record<string, string>> {
  return {
    findings: findings(),
    reasons: reasons(),
    causes: causes(),
    permissions: permissions(),
    "plan reasons": planReasons(),
    controllers: controllers(),
    parameters: parameters(defaults),
    alarms: alarmTable(defaults),
    "exit codes": exitCodes(),
    rules: rules(),
    sources: sources(),
    ends: ends(),
  };
}

const MARKED = /(<!-- table: ([a-z ]+) -->\n).*?(<!-- end -->)/gs;

/**
 * A page with its tables as the code has them.
 * @throws Error for a mark that names no table
 */
export function withTables(page: string, tables: Readonly<Record<string, string>>): string {
  return page.replaceAll(MARKED, (_, start: string, name: string, end: string) => {
    const text = tables[name];
    if (text === undefined) throw new Error(`no table is called ${name}`);
    return `${start}\n${text}\n\n${end}`;
  });
}

/** Names of the tables that a page holds. */
export function tablesOf(page: string): string[] {
  return [...page.matchAll(MARKED)].map(([, , name = ""]) => name);
}

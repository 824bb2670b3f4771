/**
 * The parameters of a deployment as serverless.yml and `--param` give them: text or numbers, which
 * are checked here before anything is made. Absent is an empty text. A mistake names the parameter,
 * its value and what it must be.
 */
import { meant } from "../lib/config/problem.ts";

export interface Parameters {
  readonly stage: string;
  readonly region: string;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly visibilitySeconds: number;
  readonly maxReceiveCount: number;
  readonly maximumConcurrency: number;
  readonly intervalMinutes: number;
  readonly logRetentionDays: number;
  readonly backups: "secretsmanager" | "s3";
  /** Name of a bucket that is there already; `null`: the stack makes one. */
  readonly stateBucket: string | null;
  readonly kmsKey: string | null;
  readonly topicKey: string | null;
  readonly alarmEmail: string | null;
  readonly permissionsBoundary: string | null;
  readonly rolePath: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly readRoles: readonly string[];
  readonly restoreRoles: readonly string[];
  readonly subnets: readonly string[];
  readonly securityGroups: readonly string[];
  readonly httpsProxy: string | null;
  readonly noProxy: string | null;
}

/** Names of the parameters that serverless.yml gives defaults for. */
export const NAMES = [
  "timeoutSeconds",
  "memoryMb",
  "visibilitySeconds",
  "maxReceiveCount",
  "maximumConcurrency",
  "intervalMinutes",
  "logRetentionDays",
  "backups",
  "stateBucket",
  "kmsKey",
  "topicKey",
  "alarmEmail",
  "permissionsBoundary",
  "rolePath",
  "tags",
  "readRoles",
  "restoreRoles",
  "subnets",
  "securityGroups",
  "httpsProxy",
  "noProxy",
] as const;

export type Given = Readonly<Record<(typeof NAMES)[number], unknown>>;

const KEY = /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+$/;
const KEY_WORDS =
  "the ARN of a KMS key, such as arn:aws:kms:eu-west-1:123456789012:key/1234abcd-…, not of an " +
  "alias";
const ROLE = /^(arn:aws[a-z-]*:iam::(\d{12}|\*):role\/)?[\w+=,.@*/-]{1,512}$/;
const ROLE_WORDS = "the ARN of a role, or its name in this account; * stands for any characters";
const RETENTION_DAYS: ReadonlySet<number> = new Set([
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288,
  3653,
]);
/** Lambda stops at 15 minutes, SQS hides a message for 12 hours at most. */
const MAX_TIMEOUT_SECONDS = 900;
const MAX_VISIBILITY_SECONDS = 43_200;
/**
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html: six times the
 * function's time-out.
 */
const VISIBILITY_FACTOR = 6;

function refuse(name: string, found: unknown, expected: string): Error {
  // A proxy's URL may have a password in it.
  const value = name === "httpsProxy" ? "invalid (not shown)" : JSON.stringify(found);
  return mistake(`parameter ${name} is ${value}. It must be ${expected}.`);
}

/**
 * The framework prints the stack of what is thrown: whoever made a mistake gets the message alone.
 */
function mistake(message: string): Error {
  const error = new Error(message);
  error.stack = message;
  return error;
}

/** @throws Error for a name that no parameter has, which the framework would take in silence */
export function refuseUnknown(names: readonly string[]): void {
  for (const name of names) {
    if ((NAMES as readonly string[]).includes(name)) continue;
    const near = meant(name, NAMES);
    throw mistake(
      `parameter ${JSON.stringify(name)} doesn't exist. Use one of ${NAMES.join(", ")}.` +
        (near === null ? "" : ` Did you mean ${near}?`),
    );
  }
}

/** Reads single parameters. Each throws an Error that names the parameter. */
class Reader {
  readonly #given: Given;

  constructor(given: Given) {
    this.#given = given;
  }

  text(name: keyof Given, form: RegExp, expected: string): string | null {
    const value = this.#given[name] ?? "";
    if (value === "") return null;
    if (typeof value !== "string" || !form.test(value))
      throw refuse(name, value, `${expected}, or empty`);
    return value;
  }

  integer(name: keyof Given, least: number, most: number): number {
    const given = this.#given[name];
    const value = typeof given === "string" && /^\d{1,9}$/.test(given) ? Number(given) : given;
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most)
      throw refuse(name, given, `a whole number from ${least} to ${most}`);
    return value;
  }

  list(name: keyof Given, form: RegExp, expected: string): string[] {
    const value = this.#given[name] ?? "";
    const items = Array.isArray(value)
      ? (value as unknown[])
      : typeof value === "string"
        ? value.split(",").filter((item) => item !== "")
        : [value];
    return items.map((item) => {
      if (typeof item !== "string" || !form.test(item))
        throw refuse(name, item, `${expected}. Separate several by commas`);
      return item;
    });
  }
}

export function parseParameters(given: Given, stage: string, region: string): Parameters {
  const read = new Reader(given);
  // The name is in those of the roles, which have 64 characters.
  if (!/^[a-z][a-z0-9-]{0,19}$/.test(stage))
    throw refuse("stage", stage, "at most 20 small letters, digits and -, the first a letter");
  const { backups } = given;
  if (backups !== "secretsmanager" && backups !== "s3")
    throw refuse("backups", backups, "secretsmanager or s3");
  const bucket = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
  const policy = /^arn:aws[a-z-]*:iam::(\d{12}|aws):policy\/[\w+=,.@/-]+$/;
  const path = /^\/([\w+=,.@-]+\/)*$/;
  return {
    stage,
    region,
    ...times(read),
    memoryMb: read.integer("memoryMb", 256, 10_240),
    maxReceiveCount: read.integer("maxReceiveCount", 1, 1000),
    maximumConcurrency: read.integer("maximumConcurrency", 2, 1000),
    backups,
    stateBucket: read.text("stateBucket", bucket, "the name of a bucket"),
    kmsKey: read.text("kmsKey", KEY, KEY_WORDS),
    topicKey: read.text("topicKey", KEY, KEY_WORDS),
    alarmEmail: read.text("alarmEmail", /^[^\s@]+@[^\s@]+$/, "an e-mail address"),
    permissionsBoundary: read.text("permissionsBoundary", policy, "the ARN of a policy"),
    rolePath: read.text("rolePath", path, "a path that begins and ends with /") ?? "/",
    tags: parseTags(given.tags),
    readRoles: read.list("readRoles", ROLE, ROLE_WORDS),
    restoreRoles: read.list("restoreRoles", ROLE, ROLE_WORDS),
    ...network(read),
  };
}

function times(
  read: Reader,
): Pick<
  Parameters,
  "timeoutSeconds" | "visibilitySeconds" | "intervalMinutes" | "logRetentionDays"
> {
  const timeoutSeconds = read.integer("timeoutSeconds", 10, MAX_TIMEOUT_SECONDS);
  const visibilitySeconds = read.integer("visibilitySeconds", 1, MAX_VISIBILITY_SECONDS);
  const least = VISIBILITY_FACTOR * timeoutSeconds;
  if (visibilitySeconds < least)
    throw refuse(
      "visibilitySeconds",
      visibilitySeconds,
      `at least ${least} (six times the time-out), so that no second function gets a message ` +
        "while the first still works on it",
    );
  const logRetentionDays = read.integer("logRetentionDays", 1, 3653);
  if (!RETENTION_DAYS.has(logRetentionDays))
    throw refuse(
      "logRetentionDays",
      logRetentionDays,
      `a number of days that CloudWatch accepts: ${[...RETENTION_DAYS].join(", ")}`,
    );
  const intervalMinutes = read.integer("intervalMinutes", 1, 1440);
  return { timeoutSeconds, visibilitySeconds, intervalMinutes, logRetentionDays };
}

function network(
  read: Reader,
): Pick<Parameters, "subnets" | "securityGroups" | "httpsProxy" | "noProxy"> {
  const subnets = read.list("subnets", /^subnet-[0-9a-f]{8,17}$/, "a subnet's id");
  const securityGroups = read.list(
    "securityGroups",
    /^sg-[0-9a-f]{8,17}$/,
    "a security group's id",
  );
  if ((subnets.length === 0) !== (securityGroups.length === 0))
    throw mistake(
      `parameter ${subnets.length === 0 ? "subnets" : "securityGroups"} is empty. Set both ` +
        "subnets and securityGroups, or neither.",
    );
  const httpsProxy = read.text(
    "httpsProxy",
    /^https?:\/\/[^\s/@]+\/?$/,
    "the URL of a proxy with neither user nor path, such as http://proxy.example.com:3128",
  );
  const noProxy = read.text("noProxy", /^[^\s]+$/, "hosts, separated by commas");
  return { subnets, securityGroups, httpsProxy, noProxy };
}

/** `{ key: value }` or `key=value,key=value`. */
function parseTags(given: unknown): Record<string, string> {
  const pairs: readonly (readonly [string, unknown])[] =
    typeof given === "object" && given !== null
      ? Object.entries(given)
      : String(given ?? "")
          .split(",")
          .filter((pair) => pair !== "")
          .map((pair): [string, unknown] => [
            pair.split("=")[0] ?? "",
            pair.includes("=") ? pair.slice(pair.indexOf("=") + 1) : null,
          ]);
  return Object.fromEntries(
    pairs.map(([key, value]) => {
      if (!/^[\w .:/+@-]{1,128}$/.test(key) || typeof value !== "string" || value.length > 256)
        throw refuse("tags", `${key}=${String(value)}`, "key=value. Separate several by commas");
      return [key, value];
    }),
  );
}

/**
 * The line that restores by the function on AWS: for somebody who has the AWS command line and neither certkeep nor its
 * configuration. Like the command beside it, it plans; `"apply":true` in it does it. Pure.
 */
import type { AwsSettings } from "../config/schema.ts";
import { fitsCommand } from "./command.ts";
import type { Finding } from "./finding.ts";

/** Where the restoring function is. */
export interface RestoreFunction {
  readonly name: string;
  readonly region: string;
}

/** As the configuration names it; `null`: it names none. */
export function restoreFunctionOf(aws: AwsSettings | null): RestoreFunction | null {
  return aws === null || aws.restoreFunction === null
    ? null
    : { name: aws.restoreFunction, region: aws.region };
}

/** Fields of the event, as lib/config/event/restore.ts takes them. */
export type InvokePayload = Readonly<Record<string, string | true | readonly string[]>>;

/** The longest that a function may take. After a minute without an answer the AWS command line would ask again. */
const READ_TIMEOUT_SECONDS = 900;

/** `null` where a word in it doesn't fit a command. */
export function invokeLine(
  { name, region }: RestoreFunction,
  payload: InvokePayload,
): string | null {
  const words = [
    name,
    region,
    ...Object.values(payload).flatMap((value) => (value === true ? [] : value)),
  ];
  if (!words.every(fitsCommand)) return null;
  return `aws lambda invoke --function-name ${name} --region ${region} --cli-read-timeout ${READ_TIMEOUT_SECONDS} --cli-binary-format raw-in-base64-out --payload '${JSON.stringify(payload)}' /dev/stdout`;
}

/** Of a command that `commandLine` made: the restore that it asks for, or `null` for another command. */
function payloadOf(command: string): InvokePayload | null {
  const [program, verb, cluster, ...rest] = command
    .split(" ")
    .map((word) => word.replace(/^'(.*)'$/, "$1"));
  if (program !== "certkeep" || verb !== "restore" || cluster === undefined) return null;
  const names: string[] = [];
  let payload: InvokePayload = { cluster };
  for (let at = 0; at < rest.length; at += 1) {
    const word = rest[at] ?? "";
    if (word === "--all") payload = { ...payload, all: true };
    else if (word === "--namespace") payload = { ...payload, namespace: rest[(at += 1)] ?? "" };
    else if (word.startsWith("-")) return null;
    else names.push(word);
  }
  return names.length === 0 ? payload : { ...payload, names };
}

/** The same findings; those whose command is a restore offer the function's line too. */
export function offerInvoke<T extends Finding>(
  findings: readonly T[],
  restore: RestoreFunction | null,
): T[] {
  return findings.map((finding) => {
    const payload =
      restore === null || finding.command === null ? null : payloadOf(finding.command);
    const invoke = restore === null || payload === null ? null : invokeLine(restore, payload);
    return invoke === null ? finding : { ...finding, invoke };
  });
}

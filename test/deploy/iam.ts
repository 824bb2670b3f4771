/**
 * What a role of the rendered stack may do, asked as AWS asks: an action on a resource with what
 * the request says of itself. It knows the operators that the stack uses; another one is an error.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { roleId, type FunctionName } from "../../stack/names.ts";
import type { Given } from "../../stack/parameters.ts";
import type { Statement } from "../../stack/permissions.ts";
import { createStack } from "../../stack/stack.ts";

const { params } = parse(
  readFileSync(join(import.meta.dirname, "../../serverless.yml"), "utf8"),
) as { params: { default: Given } };

export const BUCKET = "bucket";
const VALUES: Readonly<Record<string, string>> = {
  "AWS::Partition": "aws",
  "AWS::Region": "eu-west-1",
  "AWS::AccountId": "123456789012",
  StateBucket: BUCKET,
  AlarmTopic: "arn:aws:sns:eu-west-1:123456789012:alarms",
};

export interface Request {
  readonly action: string;
  readonly resource: string;
  /** Condition keys that the request has, such as `s3:prefix`. */
  readonly context?: Readonly<Record<string, string>>;
}

export interface Rendered {
  readonly environment: Readonly<Record<string, unknown>>;
  readonly own: Readonly<Partial<Record<FunctionName, Readonly<Record<string, unknown>>>>>;
  readonly resources: Readonly<
    Record<string, { readonly Properties: Readonly<Record<string, unknown>> }>
  >;
}

/** The stack `prod` in eu-west-1, by the defaults of serverless.yml and these parameters. */
export function renderStack(given: Partial<Given> = {}): Rendered {
  return createStack({ ...params.default, ...given }, "prod", "eu-west-1") as Rendered;
}

/** As CloudFormation works it out. */
export function resolve(value: unknown): string {
  if (typeof value === "string") return value;
  const { "Fn::Sub": text, "Fn::GetAtt": att, Ref: ref } = value as Record<string, unknown>;
  if (typeof text === "string")
    return text.replaceAll(/\$\{([A-Za-z:]+)\}/g, (_, name: string) => VALUES[name] ?? name);
  if (Array.isArray(att)) return `arn:aws:sqs:eu-west-1:123456789012:${String(att[0])}`;
  if (typeof ref === "string") return VALUES[ref] ?? ref;
  throw new Error(`no value: ${JSON.stringify(value)}`);
}

export function mayDo(stack: Rendered, name: FunctionName, request: Request): boolean {
  const policies = stack.resources[roleId(name)]?.Properties["Policies"] as
    | readonly { readonly PolicyDocument: { readonly Statement: readonly Statement[] } }[]
    | undefined;
  return (policies?.[0]?.PolicyDocument.Statement ?? []).some(
    ({ Effect, Action, Resource, Condition }) =>
      Effect === "Allow" &&
      Action.some((pattern) => isLike(request.action.toLowerCase(), pattern.toLowerCase())) &&
      Resource.some((pattern) => isLike(request.resource, resolve(pattern))) &&
      Object.entries(Condition ?? {}).every(([operator, keys]) =>
        Object.entries(keys).every(([key, wanted]) => {
          const value = request.context?.[key];
          const patterns = [wanted].flat().map(String);
          if (operator === "Null") return patterns.includes(String(value === undefined));
          if (operator === "StringLike")
            return value !== undefined && patterns.some((pattern) => isLike(value, pattern));
          throw new Error(`an operator that this doesn't know: ${operator}`);
        }),
      ),
  );
}

/** `*` and `?` of IAM. */
function isLike(text: string, pattern: string): boolean {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s").test(text);
}

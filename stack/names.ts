/** What the template calls its parts, and the ARMs that follow from them. */
import type { Parameters } from "./parameters.ts";

export const FUNCTIONS = ["dispatch", "audit", "digest", "drill", "restore"] as const;
export type FunctionName = (typeof FUNCTIONS)[number];

/** What a function is called in logical ids. */
export const logicalName = (name: FunctionName): string =>
  `${name[0]?.toUpperCase()}${name.slice(1)}`;
/** Logical id of a function's role. */
export const roleId = (name: FunctionName): string => `${logicalName(name)}IamRoleLambdaExecution`;

/** A value of CloudFormation: text, or what it works out. */
export type Value = string | { readonly [intrinsic: string]: unknown };

export const sub = (text: string): Value => ({ "Fn::Sub": text });
export const att = (id: string, attribute = "Arn"): Value => ({ "Fn::GetAtt": [id, attribute] });

/** Root of all secrets of a stage, as the registry's URL has it. */
export const secretsRoot = ({ stage }: Parameters): string => `certkeep/${stage}`;

/** Name of the state bucket: the adopted one's, or that of the one the stack makes. */
export const bucketName = ({ stateBucket }: Parameters): Value =>
  stateBucket ?? { Ref: "StateBucket" };

/** `text` with `${Bucket}` for the bucket's name. */
export function withBucket(text: string, parameters: Parameters): Value {
  return parameters.stateBucket === null
    ? sub(text.replaceAll("${Bucket}", "${StateBucket}"))
    : text.includes("${AWS::")
      ? sub(text.replaceAll("${Bucket}", parameters.stateBucket))
      : text.replaceAll("${Bucket}", parameters.stateBucket);
}

/** ARN of secrets below the stage's root. A secret's ARN ends with six characters of AWS's own. */
export const secretArn = (parameters: Parameters, path: string): Value =>
  sub(
    "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:" +
      `${secretsRoot(parameters)}/${path}`,
  );

export const bucketArn = (parameters: Parameters, key?: string): Value =>
  withBucket(
    `arn:\${AWS::Partition}:s3:::\${Bucket}${key === undefined ? "" : `/${key}`}`,
    parameters,
  );

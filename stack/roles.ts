/**
 * The role of each function. Logical ids and names stay as they are: roles of EKS clusters trust
 * these by unique id, and a role made again isn't trusted any more.
 */
import { FUNCTIONS, roleId, sub, type FunctionName } from "./names.ts";
import type { Parameters } from "./parameters.ts";
import { permissions, type Statement } from "./permissions.ts";
import type { Resource, Resources } from "./resource.ts";

const LAMBDA_ASSUMES = {
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Principal: { Service: ["lambda.amazonaws.com"] },
      Action: ["sts:AssumeRole"],
    },
  ],
};
const IN_VPC = sub(
  "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole",
);

export function roles(parameters: Parameters): Resources {
  const statements = permissions(parameters);
  return Object.fromEntries(
    FUNCTIONS.map((name) => [roleId(name), role(name, statements[name], parameters)]),
  );
}

function role(
  name: FunctionName,
  Statement: readonly Statement[],
  parameters: Parameters,
): Resource {
  const { stage, region, rolePath, tags, permissionsBoundary, subnets } = parameters;
  return {
    Type: "AWS::IAM::Role",
    Properties: {
      RoleName: `certkeep-${stage}-${name}-${region}`,
      Path: rolePath,
      AssumeRolePolicyDocument: LAMBDA_ASSUMES,
      Policies: [
        {
          PolicyName: `certkeep-${stage}-lambda`,
          PolicyDocument: { Version: "2012-10-17", Statement },
        },
      ],
      ManagedPolicyArns: subnets.length === 0 ? [] : [IN_VPC],
      Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
      ...(permissionsBoundary === null ? {} : { PermissionsBoundary: permissionsBoundary }),
    },
  };
}

/** Names of the parts of AWS, held against the endpoint rules that the SDK brings. */
import { createRequire } from "node:module";
import { expect, it } from "vitest";
import { REGION } from "../../lib/config/form.ts";
import { partitionOf } from "../../lib/rbac/policy.ts";

/** As the SDK's clients take it. */
const sdk = createRequire(import.meta.url)("@aws-sdk/core/client") as {
  readonly partition: (region: string) => object;
};

it.each([
  ["eu-west-1", "aws", "amazonaws.com"],
  ["cn-north-1", "aws-cn", "amazonaws.com.cn"],
  ["us-gov-west-1", "aws-us-gov", "amazonaws.com"],
  ["us-iso-east-1", "aws-iso", "c2s.ic.gov"],
  ["us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"],
  ["eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk"],
  ["us-isof-south-1", "aws-iso-f", "csp.hci.ic.gov"],
  ["eusc-de-east-1", "aws-eusc", "amazonaws.eu"],
])("%s is in %s, under %s", (region, name, dnsSuffix) => {
  expect(REGION.test(region)).toBe(true);
  expect(partitionOf(region)).toEqual({ name, dnsSuffix });
  expect(sdk.partition(region)).toMatchObject({ name, dnsSuffix });
});

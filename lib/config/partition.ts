/** The parts of AWS, each with its own names: as the AWS SDK's endpoint rules give them. Pure. */

interface Partition {
  /** As ARNs begin. */
  readonly name: string;
  readonly dnsSuffix: string;
}

const PARTITIONS: readonly (readonly [RegExp, Partition])[] = [
  [/^cn-/, { name: "aws-cn", dnsSuffix: "amazonaws.com.cn" }],
  [/^us-gov-/, { name: "aws-us-gov", dnsSuffix: "amazonaws.com" }],
  [/^us-iso-/, { name: "aws-iso", dnsSuffix: "c2s.ic.gov" }],
  [/^us-isob-/, { name: "aws-iso-b", dnsSuffix: "sc2s.sgov.gov" }],
  [/^eu-isoe-/, { name: "aws-iso-e", dnsSuffix: "cloud.adc-e.uk" }],
  [/^us-isof-/, { name: "aws-iso-f", dnsSuffix: "csp.hci.ic.gov" }],
  [/^eusc-/, { name: "aws-eusc", dnsSuffix: "amazonaws.eu" }],
];

/** `null`: an unknown region, which is taken for one of the ordinary part. */
export function partitionOf(region: string | null): Partition {
  const found = PARTITIONS.find(([pattern]) => region !== null && pattern.test(region));
  return found?.[1] ?? { name: "aws", dnsSuffix: "amazonaws.com" };
}

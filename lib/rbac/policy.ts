/**
 * The IAM policy of an audit that runs inside one cluster and keeps its copies and its state in S3:
 * its own prefix and nothing of another cluster's. Copies may be made there, and neither replaced
 * nor removed. Pure.
 *
 * There is none for copies in Secrets Manager: listing can't be narrowed there, so that whoever
 * lists his own copies sees the names of everybody's.
 */

/** A part of AWS, with its own names, as the AWS SDK's endpoint rules give them. */
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

export interface Statement {
  readonly Sid: string;
  readonly Effect: "Allow";
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Readonly<
    Record<string, Readonly<Record<string, readonly string[] | string>>>
  >;
}

export interface Policy {
  readonly Version: "2012-10-17";
  readonly Statement: readonly Statement[];
}

interface Place {
  readonly bucket: string;
  /** Empty, or ends with `/`. */
  readonly prefix: string;
}

/** `s3://BUCKET` or `s3://BUCKET/PREFIX`; `null` for another store. */
function placeOf(url: string): Place | null {
  const [, bucket, prefix = ""] = /^s3:\/\/([^/]+)(?:\/(.*?))?\/?$/.exec(url) ?? [];
  return bucket === undefined ? null : { bucket, prefix: prefix === "" ? "" : `${prefix}/` };
}

/** `null` where a store isn't in S3. `name` is a cluster's. */
export function insidePolicy(
  name: string,
  stores: { readonly backups: string; readonly state: string },
  region: string | null,
): Policy | null {
  const backups = placeOf(stores.backups);
  const state = placeOf(stores.state);
  if (backups === null || state === null) return null;
  const arn = (bucket: string, key: string | null): string =>
    `arn:${partitionOf(region).name}:s3:::${bucket}${key === null ? "" : `/${key}`}`;
  const copies = `${backups.prefix}${name}/`;
  const documents = [`cluster-${name}.json`, `lease-${name}.json`].map(
    (document) => `${state.prefix}${document}`,
  );
  const listed = new Map<string, string[]>([[backups.bucket, [`${copies}*`]]]);
  // S3 says that an object isn't there only to whoever may list where it would be.
  listed.set(state.bucket, [...(listed.get(state.bucket) ?? []), ...documents]);
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "State",
        Effect: "Allow",
        Action: ["s3:GetObject", "s3:PutObject"],
        Resource: documents.map((key) => arn(state.bucket, key)),
      },
      {
        Sid: "ReadCopies",
        Effect: "Allow",
        Action: ["s3:GetObject"],
        Resource: [arn(backups.bucket, `${copies}*`)],
      },
      {
        Sid: "CreateCopies",
        Effect: "Allow",
        Action: ["s3:PutObject"],
        Resource: [arn(backups.bucket, `${copies}*`)],
        Condition: { Null: { "s3:if-none-match": "false" } },
      },
      ...[...listed].map(([bucket, prefixes], index): Statement => ({
        Sid: index === 0 ? "ListCopies" : "ListState",
        Effect: "Allow",
        Action: ["s3:ListBucket"],
        Resource: [arn(bucket, null)],
        Condition: { StringLike: { "s3:prefix": prefixes } },
      })),
    ],
  };
}
